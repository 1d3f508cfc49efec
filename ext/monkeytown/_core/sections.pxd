from libc.stdint cimport int32_t, uint32_t

from monkeytown._core.columns cimport Column
from monkeytown._core.pack cimport Packer
from monkeytown._core.state cimport Table


cdef class SectionWriter(Packer):
    cdef size_t charged          # up to where what was written was put down to a column

    cdef void charge(self, Column column) noexcept
    cdef int put_entering(self, Table table, int32_t count) except -1
    cdef bint put_residuals_of(self, Table table, int32_t count, int32_t n, bint dense, bint any_arrived) except -1
    cdef bint all_is_cheaper(self, Table table, int32_t count, int32_t n) noexcept
    cdef int put_residual_columns(self, Table table, int32_t count, bint dense) except -1
    cdef bint put_changed_contents(self, Table table, Column column, int32_t count, bint dense) except -1
    cdef bint put_corrections_of(
        self, Table table, const int32_t *members, int32_t n, const int32_t *arrived, int32_t since) except -1
    cdef size_t reserve_mask(self, Table table) except 0
    cdef int mark(self, size_t mask, int place) noexcept
