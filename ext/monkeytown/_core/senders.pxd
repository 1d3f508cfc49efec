from libc.stdint cimport uint64_t


cdef extern from *:
    """
    /* What one thread writes while it sends; no two share a line of the cache. */
    typedef struct {
        _Alignas(128) unsigned char *scratch;
        uint64_t shared, staged, full, partial, bytes_sent;
        Py_ssize_t count, others;
    } mt_lane;
    """
    ctypedef struct Lane "mt_lane":
        unsigned char* scratch      # one client's bytes in one piece; used again for the next
        uint64_t shared
        uint64_t staged
        uint64_t full
        uint64_t partial
        uint64_t bytes_sent
        Py_ssize_t count            # clients that everything was sent to
        Py_ssize_t others           # clients for whom the transport must write something


# Does [first, end) of a piece of work; no two lanes have a range in common.
ctypedef void (*Work)(void* context, int lane, Py_ssize_t first, Py_ssize_t end) noexcept nogil


cdef class Senders:
    cdef void* _pool                # NULL: no threads
    cdef Lane* lanes                # by lane: 0 is the caller's
    cdef int lane_count
    cdef Py_ssize_t _alone
    cdef Py_ssize_t _scratch_capacity
    cdef readonly uint64_t barriers

    cdef bint _shares(self) noexcept nogil
    cdef int reserve(self, Py_ssize_t need) except -1
    cdef void run(self, Work work, void* context, Py_ssize_t count) noexcept nogil
