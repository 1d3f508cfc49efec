from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from monkeytown._core.area cimport Area, Piece
from monkeytown._core.cells cimport Cells


# A cell that a reader sees.
cdef struct Seen:
    int32_t cell
    int32_t ring
    int64_t since            # the tick in which the reader began to see it


# What a reader sees, in C alone, so that a frame can be put together without the GIL.
cdef struct Look:
    Seen *known              # what it was last told, in order of cells
    int32_t known_count
    Seen *wanted             # what it is to see from where it is now
    int32_t wanted_count
    Seen *following          # what it will have been told with the planned message
    int32_t following_count
    int32_t capacity         # of each of the three
    bint settled             # known and wanted are the same
    bint settles             # … once the planned message is told
    int64_t tick             # at which it knows what it was last told; 0 before that
    int64_t far_tick         # the tick its far cells are at
    # The planned message: a head of its own, then pieces of the area's arena.
    Py_ssize_t length        # 0: nothing is to be said
    bint brings_far
    bint widens              # the reader begins to see a cell with it
    uint8_t *head
    Py_ssize_t head_length
    Py_ssize_t head_capacity
    Piece *pieces
    int32_t piece_count
    const uint8_t *const *arena


cdef class Sight:
    cdef Look look
    cdef readonly Area area
    cdef Cells focus_cells       # where the focus is a row: its table, else None
    cdef uint32_t focus_id
    cdef bint has_place
    cdef double focus_x
    cdef double focus_y
    cdef int32_t cell            # that it looks from; -1: none, it sees nothing
    cdef dict shown              # ids by table, for readers who are told values by id

    cdef int aim(self) except -1
    cdef int want(self) except -1
    cdef int reserve(self, int32_t count) except -1
    cdef bint compare(self, bint brings_far) noexcept
    cdef bint gather(self, bint brings_far) except -1
    cdef int put_head(self, uint32_t epoch, bint view) except -1
    cdef int renew(self, bint anew) except -1
    cdef int plan(self, uint32_t epoch) except -1
    cdef const Seen *find(self, int32_t cell) noexcept
    cdef bint shows(self, int32_t cell) noexcept
    cdef int64_t began(self, int32_t cell) noexcept


cdef Py_ssize_t compose(const Look *look, uint8_t *out) noexcept nogil
cdef void told(Look *look, int64_t tick) noexcept nogil
