from libc.stdint cimport int64_t, uint32_t, uint64_t

from monkeytown._core.connection cimport Client, Connection
from monkeytown._core.senders cimport Senders


cdef class Group:
    cdef Client** _clients              # by slot; NULL: free
    cdef uint32_t* _generations
    cdef Py_ssize_t* _firsts            # by cohort: the slot of one of its clients
    cdef Py_ssize_t* _starts            # by cohort: where its slots begin in _order; one more for the end
    cdef Py_ssize_t* _order             # slots, cohort by cohort
    cdef int* _cohorts                  # by slot, while it is sorted
    cdef Py_ssize_t _cohort_count
    cdef Py_ssize_t _extent
    cdef Py_ssize_t _capacity
    cdef list _connections              # by slot: keeps the clients' memory
    cdef list _free
    cdef Senders _senders
    cdef Py_ssize_t _longest_private
    cdef Py_ssize_t _longest_planned
    cdef Py_ssize_t _longest_pending    # that any client may have
    cdef double _now
    cdef readonly uint32_t window
    cdef readonly uint64_t shared       # sends straight from the shared frame
    cdef readonly uint64_t staged       # sends with something of the client's own
    cdef readonly uint64_t held         # ticks in which a client was passed over: blocked, or past its window
    cdef readonly uint64_t full         # sends that the kernel had no room for
    cdef readonly uint64_t partial
    cdef readonly uint64_t bytes_sent

    cdef Py_ssize_t _new_slot(self) except -1
    cdef Connection _seated(self, int64_t handle)
    cdef Py_ssize_t _sort(self, uint64_t tick, double now) noexcept nogil
    cdef void _put_in_order(self, Py_ssize_t count) noexcept nogil
    cdef Py_ssize_t _send(
        self, int cohort, Py_ssize_t first, Py_ssize_t end, const unsigned char* frame, Py_ssize_t length,
        uint32_t epoch, uint64_t tick,
    ) except -1
    cdef Py_ssize_t _send_others(
        self, int cohort, Py_ssize_t first, Py_ssize_t end, const unsigned char* frame, Py_ssize_t length,
        uint32_t epoch, uint64_t tick,
    ) except -1
