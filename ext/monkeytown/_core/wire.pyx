"""Bytes in and out: fixed-size numbers, varints, packed integers. The forms of docs/reference/wire.md, section 1.

Knows nothing of tables or messages. A `Writer` grows; a `Reader` checks every read against what is left and raises
`WireError`, before anything is allocated from a number that the peer sent.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from monkeytown.errors import WireError

# mt_pack writes whole groups and may touch this much past its end.
cdef enum:
    SLACK = 16


cdef class Writer:
    """A growing buffer of bytes."""

    def __cinit__(self):
        self.capacity = 256
        self.data = <uint8_t *>malloc(self.capacity)
        if self.data is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)

    cdef void reset(self) noexcept:
        self.size = 0

    cdef int reserve(self, size_t more) except -1:
        cdef size_t capacity = self.capacity
        cdef uint8_t *data
        if self.size + more + SLACK <= capacity:
            return 0
        while self.size + more + SLACK > capacity:
            capacity *= 2
        data = <uint8_t *>realloc(self.data, capacity)
        if data is NULL:
            raise MemoryError
        self.data = data
        self.capacity = capacity
        return 0

    cdef int put_u8(self, unsigned value) except -1:
        self.reserve(1)
        self.data[self.size] = <uint8_t>value
        self.size += 1
        return 0

    cdef int put_varint(self, uint64_t value) except -1:
        self.reserve(10)
        while value >= 0x80:
            self.data[self.size] = <uint8_t>(value & 0x7F | 0x80)
            self.size += 1
            value >>= 7
        self.data[self.size] = <uint8_t>value
        self.size += 1
        return 0

    cdef int put_raw(self, const uint8_t *source, size_t length) except -1:
        self.reserve(length)
        memcpy(self.data + self.size, source, length)
        self.size += length
        return 0

    cdef int put_bits(self, const uint32_t *values, size_t n, unsigned width) except -1:
        """`n` values of `width` bits, without a head."""
        self.reserve(mt_packed_size(n, width))
        self.size += mt_pack(self.data + self.size, values, n, width)
        return 0

    cdef int put_unary(self, const uint32_t *quotients, size_t n) except -1:
        """`n` quotients, each below 16."""
        self.reserve(2 * n)
        self.size += mt_put_unary(self.data + self.size, quotients, n)
        return 0

    cdef int put_packed(self, const uint32_t *values, size_t n, uint32_t all_bits) except -1:
        """`packed(n)` at the narrowest width; `all_bits` is the OR of the values."""
        cdef unsigned width = mt_bit_length(all_bits)
        self.put_u8(width)
        return self.put_bits(values, n, width)

    def u8(self, unsigned value):
        self.put_u8(value)

    def varint(self, uint64_t value):
        self.put_varint(value)

    def raw(self, bytes value):
        self.put_raw(<const uint8_t *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    def packed(self, values):
        cdef size_t n = len(values), i
        cdef uint32_t all_bits = 0
        cdef uint32_t *numbers = <uint32_t *>malloc((n + 1) * sizeof(uint32_t))
        if numbers is NULL:
            raise MemoryError
        try:
            for i in range(n):
                numbers[i] = values[i]
                all_bits |= numbers[i]
            self.put_packed(numbers, n, all_bits)
        finally:
            free(numbers)

    def getvalue(self):
        return PyBytes_FromStringAndSize(<const char *>self.data, self.size)


cdef class Reader:
    """Reads a message from front to back; `keep` holds the bytes alive."""

    def __init__(self, bytes message=b""):
        self.keep = message
        self.open(<const uint8_t *>PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message))

    cdef void open(self, const uint8_t *data, size_t size) noexcept:
        self.data = data
        self.size = size
        self.at = 0

    cdef size_t left(self) noexcept:
        return self.size - self.at

    cdef int take_u8(self) except -1:
        if self.at >= self.size:
            raise WireError("the message ends early")
        self.at += 1
        return self.data[self.at - 1]

    cdef int take_varint(self, uint32_t *value) except -1:
        cdef uint64_t number
        cdef size_t start = self.at
        self.take_varint64(&number)
        if number >> 32 or self.at - start > 5:
            raise WireError("a varint is out of range")
        value[0] = <uint32_t>number
        return 0

    cdef int take_varint64(self, uint64_t *value) except -1:
        cdef uint64_t number = 0
        cdef int byte, i
        for i in range(10):
            byte = self.take_u8()
            if i == 9 and byte > 1:
                break
            number |= <uint64_t>(byte & 0x7F) << (7 * i)
            if byte < 0x80:
                value[0] = number
                return 0
        raise WireError("a varint is out of range")

    cdef const uint8_t *take_raw(self, size_t length) except NULL:
        if length > self.left():
            raise WireError("a length goes beyond the message")
        self.at += length
        return self.data + self.at - length

    cdef int take_bits(self, uint32_t *values, size_t n, unsigned width) except -1:
        cdef const uint8_t *source
        if width > 32:
            raise WireError("a packed width is above 32")
        source = self.take_raw(mt_packed_size(n, width))
        if mt_unpack(source, values, n, width):
            raise WireError("unused bits are set")
        return 0

    cdef int take_unary(self, uint32_t *values, size_t n, unsigned width) except -1:
        """Adds `n` quotients to the values, whose low `width` bits are there already."""
        cdef ptrdiff_t length
        if width > 32 - QUOTIENT_BITS:
            raise WireError("a width beside quotients is above 28")
        length = mt_take_unary(self.data + self.at, self.left(), values, n, width)
        if length < 0:
            raise WireError("quotients end early, or one is above 15" if length == -1 else "unused bits are set")
        self.at += length
        return 0

    cdef int take_packed(self, uint32_t *values, size_t n) except -1:
        """`packed(n)` into `values`, which has room for n: n was bounded by the caller."""
        return self.take_bits(values, n, self.take_u8())

    def u8(self):
        return self.take_u8()

    def varint(self):
        cdef uint32_t value
        self.take_varint(&value)
        return value

    def varint64(self):
        cdef uint64_t value
        self.take_varint64(&value)
        return value

    def raw(self, size_t length):
        return PyBytes_FromStringAndSize(<const char *>self.take_raw(length), length)

    def packed(self, size_t n):
        cdef uint32_t *values
        if n > 8 * self.left() and n > 1 << 20:
            raise WireError("a count goes beyond the message")
        values = <uint32_t *>malloc((n + 1) * sizeof(uint32_t))
        if values is NULL:
            raise MemoryError
        try:
            self.take_packed(values, n)
            return [values[i] for i in range(n)]
        finally:
            free(values)

    @property
    def remaining(self):
        return self.left()
