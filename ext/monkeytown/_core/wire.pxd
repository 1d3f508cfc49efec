from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t


cdef extern from "kernels.h" nogil:
    unsigned mt_bit_length(uint32_t value)
    uint32_t mt_zigzag(int32_t value)
    int32_t mt_unzigzag(uint32_t value)
    size_t mt_packed_size(size_t n, unsigned width)
    size_t mt_pack(uint8_t *out, const uint32_t *values, size_t n, unsigned width)
    uint32_t mt_unpack(const uint8_t *data, uint32_t *values, size_t n, unsigned width)
    size_t mt_put_unary(uint8_t *out, const uint32_t *quotients, size_t n)
    ptrdiff_t mt_take_unary(const uint8_t *data, size_t left, uint32_t *values, size_t n, unsigned width)


# docs/reference/wire.md, section 4.
cdef enum:
    KIND_GAME_STATE = 0x43
    FLAG_SNAPSHOT = 1
    FLAG_CORRECTIONS = 2
    FLAG_VIEW = 4
    FLAG_FAR = 8
    PART_GONE = 1
    PART_ENTERED = 2
    PART_CHANGED = 4
    PART_CORRECTED = 8       # of cells; elsewhere the message's flags say it
    HEAD_WIDTH = 0x3F
    HEAD_OUTLIERS = 0x40
    HEAD_QUOTIENTS = 0x80
    QUOTIENT_BITS = 4        # a quotient is below 16


cdef class Writer:
    cdef uint8_t *data
    cdef size_t size
    cdef size_t capacity

    cdef int reserve(self, size_t more) except -1
    cdef int put_u8(self, unsigned value) except -1
    cdef int put_varint(self, uint64_t value) except -1
    cdef int put_raw(self, const uint8_t *source, size_t length) except -1
    cdef int put_bits(self, const uint32_t *values, size_t n, unsigned width) except -1
    cdef int put_unary(self, const uint32_t *quotients, size_t n) except -1
    cdef int put_packed(self, const uint32_t *values, size_t n, uint32_t all_bits) except -1
    cdef void reset(self) noexcept


cdef class Reader:
    cdef const uint8_t *data
    cdef size_t size
    cdef size_t at
    cdef object keep

    cdef void open(self, const uint8_t *data, size_t size) noexcept
    cdef size_t left(self) noexcept
    cdef int take_u8(self) except -1
    cdef int take_varint(self, uint32_t *value) except -1
    cdef int take_varint64(self, uint64_t *value) except -1
    cdef const uint8_t *take_raw(self, size_t length) except NULL
    cdef int take_bits(self, uint32_t *values, size_t n, unsigned width) except -1
    cdef int take_unary(self, uint32_t *values, size_t n, unsigned width) except -1
    cdef int take_packed(self, uint32_t *values, size_t n) except -1
