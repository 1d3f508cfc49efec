from libc.stdint cimport int32_t, int64_t, uint8_t

from monkeytown._core.cells cimport Cells
from monkeytown._core.state cimport Table
from monkeytown._core.wire cimport Writer


cdef enum:
    MAX_CELLS = 65536
    NEAR = 0
    FAR = 1
    # What is kept of a cell in a tick: itself whole, and what brings readers on who are up to so many ticks behind.
    WHOLE = 0
    RECENT = 8


# A cell as seen from another: so many columns and rows away.
cdef struct Offset:
    int32_t columns
    int32_t rows
    int32_t ring


# Bytes in the arena of an area; valid until its next tick.
cdef struct Piece:
    Py_ssize_t offset
    Py_ssize_t length


cdef class Area:
    cdef tuple inside            # Cells, in order of tables
    cdef tuple outside           # (number, Table) that everybody sees
    cdef readonly int32_t columns
    cdef readonly int32_t rows
    cdef int32_t cells
    cdef readonly double x
    cdef readonly double y
    cdef readonly double size
    cdef readonly int far_every  # ticks from one state of the far ring to the next
    cdef Offset *offsets         # what is seen from a cell, in order of rows, then columns
    cdef int32_t offset_count
    cdef readonly int64_t tick
    cdef int64_t *changed        # by cell: the newest tick in which something was corrected, came or went
    cdef int64_t *before         # by cell: the same without the newest tick
    cdef uint8_t *moving         # by cell, as of `moving_tick`: something predicted is in motion
    cdef int64_t moving_tick
    cdef Writer arena
    cdef Piece *pieces           # by cell and kind
    cdef int64_t *made           # by cell and kind: the tick in which the piece was made
    cdef dict older              # pieces for readers further behind, by (cell, base)
    cdef Piece rare              # the piece that was asked for last, of those
    cdef readonly set moved_owners   # whose rows came into another cell in the newest tick, of tables with owner-only fields
    cdef readonly int64_t encoded
    cdef readonly int64_t shared
    # What all readers at one base have in common; set by `open`.
    cdef int64_t base
    cdef bint snapshot
    cdef Piece common
    cdef bint corrections
    cdef bint common_news

    cdef int surround(self, double radius, double far) except -1
    cdef int32_t cell_at(self, double x, double y, int32_t current) noexcept
    cdef int touch(self, int32_t cell, int64_t tick) noexcept
    cdef int follow_rows(self, Cells cells, int64_t tick) except -1
    cdef int depart(self, Cells cells, int32_t slot, int64_t tick) except -1
    cdef int find_motion(self) noexcept
    cdef int open(self, int64_t base, bint snapshot) except -1
    cdef Piece *whole(self, int32_t cell) except NULL
    cdef Piece *since(self, int32_t cell, int64_t base) except NULL
    cdef Piece *long_since(self, int32_t cell, int64_t base) except NULL
    cdef int make(self, Piece *piece, int32_t cell, int64_t base, bint residuals) except -1
    cdef Cells cells_of(self, Table table)
