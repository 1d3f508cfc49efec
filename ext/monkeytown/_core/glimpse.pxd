from libc.stdint cimport int32_t, int64_t, uint32_t

from monkeytown._core.state cimport Table
from monkeytown._core.unpack cimport Unpacker


cdef class Slots:
    cdef int32_t *items          # in ascending order
    cdef int32_t count
    cdef int32_t capacity
    cdef uint32_t visited        # the message that had a section of them last

    cdef int32_t find(self, int32_t slot) noexcept
    cdef int add(self, int32_t slot) except -1
    cdef int drop(self, int32_t place) noexcept


cdef class Shown:
    cdef readonly Table table
    cdef int32_t *homes          # by slot: the cell that the row is in, plus 1; 0 for none
    cdef int32_t allocated
    cdef dict cells              # Slots by cell
    cdef dict left               # by slot: (id, Row, spawned tick) of who was there when the message began
    cdef set arrived             # slots that were entered in this message
    cdef bint touched            # the message had a section of it
    cdef bint corrected          # and one with corrections

    cdef int leave(self, int32_t slot) except -1
    cdef int arrive(self, int32_t slot, int32_t cell) except -1
    cdef int take_gone(self, Unpacker source, Slots slots, int32_t cell) except -1
    cdef int lose(self, int32_t cell) except -1
    cdef int32_t census(self, Slots slots, int32_t cell, int32_t *members) noexcept
    cdef int settle(self) except -1
    cdef int forget(self) except -1


cdef class Glimpse:
    cdef readonly int32_t cell_count
    cdef readonly int64_t far_tick
    cdef dict tables             # Shown by the table's number
    cdef dict rings              # by cell of the view
    cdef dict before             # those of the cells that were in the view when the message began, and are not lost
    cdef uint32_t message        # counts them

    cdef Shown shown_of(self, int number)
    cdef bint is_far(self, int32_t cell) except -1
    cdef int take_view(self, Unpacker source, bint snapshot, bint has_far) except -1
    cdef int take_cells(self, Unpacker source) except -1
