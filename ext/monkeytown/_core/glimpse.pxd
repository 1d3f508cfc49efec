from libc.stdint cimport int32_t, int64_t, uint32_t

from monkeytown._core.state cimport Table
from monkeytown._core.unpack cimport Unpacker


cdef class Counted:
    cdef int32_t *slots
    cdef int32_t count
    cdef int32_t capacity
    cdef bint told               # the message has a section of it

    cdef int add(self, const int32_t *slots, int32_t count) except -1
    cdef int strike(self, const int32_t *slots, int32_t count) except -1


cdef class Ground:
    cdef Table table
    cdef int32_t *cell_of        # by slot: where its row is; -1: in no cell
    cdef int32_t allocated
    cdef int32_t *left           # slots whose rows have left their cells in this message, and may come into another
    cdef int32_t left_count
    cdef int32_t left_capacity
    cdef bint changed

    cdef int forget(self) noexcept
    cdef int leave(self, int32_t slot, int32_t cell) except -1
    cdef int enter(self, const int32_t *slots, int32_t count, int32_t cell) except -1
    cdef int32_t gather(self, Counted counted, int32_t cell, int32_t *out) noexcept


cdef class Seen:
    cdef int32_t cell
    cdef bint far
    cdef bint still              # in this message: nothing in it moves, and no section speaks of it
    cdef uint32_t gap            # … or by how much it moves
    cdef tuple counted           # Counted of each area table


cdef class Glimpse:
    cdef int32_t cells
    cdef tuple grounds           # in order of tables
    cdef dict places             # of the grounds, by number of the table
    cdef dict seen               # the view: Seen by cell
    cdef readonly int64_t far_tick
    cdef uint32_t gap
    cdef bint brings_far
    cdef bint snapshot

    cdef int begin(self, int64_t tick, uint32_t gap, bint brings_far, uint32_t far_gap, bint snapshot) except -1
    cdef int take_view(self, Unpacker source) except -1
    cdef list take_cells(self, Unpacker source)
    cdef int show(self, int32_t cell, bint far) except -1
