"""The pieces that state frames are made of, read back: counts, numbers, row sets, values that fit their fields.

Knows columns and the forms of docs/reference/wire.md, sections 1 and 4. Every count and width is checked against what is
left of the message, and against a bound that the caller knows, before it is used.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free

from monkeytown._core.fields cimport ANGLE, SINT, TEXT, Field
from monkeytown._core.rows cimport resize
from monkeytown._core.wire cimport mt_unzigzag
from monkeytown.errors import WireError

cdef extern from "kernels.h" nogil:
    int32_t mt_wrap(uint32_t value, unsigned bits)


cdef class Unpacker:
    """Scratch memory for the rows of one table, and the reader that a frame is taken from."""

    def __cinit__(self):
        self.source = Reader()

    def __dealloc__(self):
        free(self.members)
        free(self.chosen)
        free(self.slots)
        free(self.places)
        free(self.values)
        free(self.steps)

    cdef int make_room(self, int32_t rows) except -1:
        """Grows the scratch arrays; what is in them stays."""
        if rows <= self.capacity:
            return 0
        resize(<void **>&self.members, sizeof(int32_t), self.capacity, rows)
        resize(<void **>&self.chosen, sizeof(int32_t), self.capacity, rows)
        resize(<void **>&self.slots, sizeof(int32_t), self.capacity, rows)
        resize(<void **>&self.places, sizeof(int32_t), self.capacity, rows)
        resize(<void **>&self.values, sizeof(uint32_t), self.capacity, rows)
        resize(<void **>&self.steps, sizeof(uint32_t), self.capacity, rows)
        self.capacity = rows
        return 0

    cdef int32_t take_count(self, int32_t least, int32_t most) except -1:
        cdef uint32_t count
        self.source.take_varint(&count)
        if count > <uint32_t>most or <int64_t>count < least:
            raise WireError("a count is out of range")
        return count

    cdef int take_numbers(self, int32_t *numbers, int32_t count, int32_t limit) except -1:
        """`packed(count)` gaps as ascending numbers below `limit`."""
        cdef int32_t i
        cdef int64_t number = -1
        self.source.take_packed(self.values, count)
        for i in range(count):
            number += <int64_t>self.values[i] + 1
            if number >= limit:
                raise WireError("a row number is out of range")
            numbers[i] = <int32_t>number
        return 0

    cdef int32_t take_row_set(self, int32_t *numbers, int32_t n) except -1:
        cdef int form = self.source.take_u8()
        cdef int32_t count = 0, i
        cdef const uint8_t *bitmap
        if form == 0:
            for i in range(n):
                numbers[i] = i
            return n
        if form == 1:
            bitmap = self.source.take_raw((n + 7) // 8)
            if n & 7 and bitmap[n >> 3] >> (n & 7):
                raise WireError("unused bits are set")
            for i in range(n):
                numbers[count] = i
                count += bitmap[i >> 3] >> (i & 7) & 1
            return count
        if form != 2:
            raise WireError("there is no such row set")
        count = self.take_count(0, n)
        self.take_numbers(numbers, count, n)
        return count

    cdef bytes take_content(self, Column column):
        cdef uint32_t length
        cdef bytes content
        self.source.take_varint(&length)
        content = PyBytes_FromStringAndSize(<const char *>self.source.take_raw(length), length)
        if column.field.kind == TEXT:
            try:
                fits = len(content.decode()) <= column.field.max
            except UnicodeDecodeError:
                raise WireError("a text is not UTF-8") from None
        else:
            fits = <int>length <= column.field.max
        if not fits:
            raise WireError("a content is longer than its field allows")
        return content

    cdef int check_value(self, Column column, int32_t wire) except -1:
        cdef Field field = column.field
        if field.kind == SINT:
            if field.int_lo <= wire <= field.int_hi:
                return 0
        elif <uint32_t>wire <= field.largest:
            return 0
        raise WireError(f"{field.owner}.{field.name} has no value {wire}")

    cdef int32_t signed_of(self, Column column, uint32_t zigzag) except? -1:
        """A residual or step; an angle's has no more than the field's bits."""
        cdef int32_t number = mt_unzigzag(zigzag)
        if column.field.kind == ANGLE and mt_wrap(<uint32_t>number, column.field.bits) != number:
            raise WireError(f"{column.field.owner}.{column.field.name} cannot turn by {number}")
        return number

    cdef int take_absolute(self, Column column, int lane, int32_t count) except -1:
        """Wire values and steps into `values` and `steps`."""
        cdef int32_t i
        self.source.take_packed(self.values, count)
        if column.field.linear:
            self.source.take_packed(self.steps, count)
        for i in range(count):
            if column.field.kind == SINT:
                self.values[i] = <uint32_t>mt_unzigzag(self.values[i])
            self.check_value(column, <int32_t>self.values[i])
            if column.field.linear:
                self.steps[i] = <uint32_t>self.signed_of(column, self.steps[i])
        return 0
