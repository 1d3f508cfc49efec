from libc.stdint cimport int32_t, uint32_t, uint64_t

from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.rows cimport Rows
from monkeytown._core.wire cimport Writer


# How one lane's residuals are best packed: `width` bits of each, what is above them in unary or not, and those for whom
# that is not enough apart.
cdef struct Plan:
    unsigned width
    bint quotients
    uint32_t outliers
    uint64_t cost                # in bits


cdef Plan best_plan(const uint32_t *values, int32_t count, uint32_t all_bits, int32_t zeros) noexcept


cdef class Packer:
    cdef Writer out
    cdef int32_t capacity
    cdef int32_t *slots          # selected rows by slot
    cdef int32_t *ranks          # the same by place among the rows alive
    cdef int32_t *members        # rows alive by slot
    cdef int32_t *rank_of        # place of each slot among them
    cdef uint32_t *values
    cdef uint32_t *gaps
    cdef uint32_t *apart         # outliers

    cdef int make_room(self, int32_t rows) except -1
    cdef int census(self, Rows rows) noexcept
    cdef int put_gaps(self, const int32_t *numbers, int32_t count) except -1
    cdef int put_row_set(self, const int32_t *numbers, int32_t count, int32_t n) except -1
    cdef int put_contents(self, Column column, const int32_t *slots, int32_t count) except -1
    cdef int put_absolute(self, Column column, int lane, const int32_t *slots, int32_t count) except -1
    cdef uint32_t take_residuals(self, const Lane *lane, const int32_t *slots, int32_t count, bint dense) noexcept
    cdef int put_residuals(self, int32_t count, Plan plan) except -1
