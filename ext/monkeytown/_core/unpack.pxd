from libc.stdint cimport int32_t, uint32_t

from monkeytown._core.columns cimport Column
from monkeytown._core.wire cimport Reader


cdef class Unpacker:
    cdef Reader source
    cdef int32_t capacity
    cdef int32_t *members        # rows alive by slot
    cdef int32_t *chosen         # a row set, as places among its n rows
    cdef int32_t *slots          # a row set, as slots
    cdef int32_t *places
    cdef uint32_t *values
    cdef uint32_t *steps

    cdef int make_room(self, int32_t rows) except -1
    cdef int32_t take_count(self, int32_t least, int32_t most) except -1
    cdef int take_numbers(self, int32_t *numbers, int32_t count, int32_t limit) except -1
    cdef int32_t take_row_set(self, int32_t *numbers, int32_t n) except -1
    cdef bytes take_content(self, Column column)
    cdef int check_value(self, Column column, int32_t wire) except -1
    cdef int32_t signed_of(self, Column column, uint32_t zigzag) except? -1
    cdef int take_absolute(self, Column column, int lane, int32_t count) except -1
