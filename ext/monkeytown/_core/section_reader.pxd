from libc.stdint cimport int32_t, uint8_t, uint32_t

from monkeytown._core.columns cimport Column
from monkeytown._core.state cimport Table
from monkeytown._core.unpack cimport Unpacker


cdef class SectionReader(Unpacker):
    cdef int store_absolute(self, Column column, int lane, const int32_t *slots, int32_t count, int32_t stamp) except -1
    cdef int store_contents(self, Column column, const int32_t *slots, int32_t count, int32_t stamp) except -1
    cdef int take_gone(self, Table table) except -1
    cdef int32_t take_entered(self, Table table, int32_t stamp, bint stays) except -1
    cdef int32_t census(self, Table table) noexcept
    cdef int place_rows(self, int32_t *numbers, const int32_t *among, int32_t count) noexcept
    cdef const uint8_t *take_mask(self, Table table) except NULL
    cdef int check_seen(self, Table table, int32_t slot, int32_t stamp) except -1
    cdef int take_residual_columns(self, Table table, int32_t n, int32_t stamp) except -1
    cdef int take_residuals(self, Table table, Column column, int lane, int32_t count, int32_t stamp) except -1
    cdef int take_corrections(self, Table table, int32_t n, int32_t stamp) except -1
    cdef int extrapolate(self, Table table, int32_t n, uint32_t gap) except -1
