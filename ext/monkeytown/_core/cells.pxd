from libc.stdint cimport int32_t, int64_t, uint32_t

from monkeytown._core.columns cimport Column
from monkeytown._core.sections cimport SectionWriter
from monkeytown._core.state cimport Table


# A row that left a cell, so that a reader who stands between its coming and its going can be told.
cdef struct Departure:
    int32_t slot
    int64_t arrived
    int64_t gone
    int64_t previous         # the one before it from the same cell; -1 for none


cdef class Cells:
    cdef Table table
    cdef int number              # of the table on the wire
    cdef Column x
    cdef Column y
    cdef int32_t count           # of cells
    cdef int32_t allocated
    cdef int32_t *cell_of        # by slot; -1: nobody is there
    cdef uint32_t *ids           # by slot: who was there when its cell was found
    cdef int32_t *arrived        # by slot: stamp of the tick in which the row came into its cell
    cdef int32_t *slots          # rows, cell after cell, each cell's in order of slots
    cdef int32_t *starts         # by cell: where in `slots` it begins; one more at the end
    cdef int64_t *last           # by cell: the number of its newest departure; -1 for none
    cdef Departure *departures   # a ring by number
    cdef int64_t departed        # how many there have been
    cdef int64_t capacity
    cdef int64_t forgotten       # who departed up to this tick is no longer all known
    cdef int64_t origin          # of the table's stamps, when `arrived` was last right

    cdef int grow(self) except -1
    cdef int forget(self) noexcept
    cdef int depart(self, int32_t slot, int64_t tick) except -1
    cdef int sort(self, int32_t cells) noexcept
    cdef int32_t at(self, int32_t slot) noexcept
    cdef double x_at(self, int32_t slot) noexcept
    cdef double y_at(self, int32_t slot) noexcept


cdef class CellWriter(SectionWriter):
    cdef bint put_departures(self, Cells cells, int32_t cell, int64_t base) except -1
    cdef bint put_arrivals(self, Cells cells, const int32_t *members, int32_t n, int64_t base) except -1
    cdef bint put_dirty(self, Cells cells, const int32_t *members, int32_t n, int64_t base) except -1
    cdef int put_whole(self, Cells cells, int32_t cell) except -1
    cdef int put_since(self, Cells cells, int32_t cell, int64_t base, bint residuals) except -1
