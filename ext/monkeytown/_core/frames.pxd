from libc.stdint cimport uint64_t
from libc.string cimport memcpy


cdef enum:
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA
    # A server's frames are not masked: two bytes, and eight more for the longest length.
    MAX_SERVER_HEADER = 10
    # A client's frames carry four bytes of mask as well.
    MAX_CLIENT_HEADER = 14


cdef inline Py_ssize_t write_header(unsigned char* out, int opcode, uint64_t length) noexcept nogil:
    """Writes the header of one whole unmasked frame; returns how long it is (RFC 6455, 5.2)."""
    cdef int shift
    out[0] = <unsigned char> (0x80 | opcode)
    if length < 126:
        out[1] = <unsigned char> length
        return 2
    if length < 65536:
        out[1] = 126
        out[2] = <unsigned char> (length >> 8)
        out[3] = <unsigned char> length
        return 4
    out[1] = 127
    for shift in range(8):
        out[2 + shift] = <unsigned char> (length >> (56 - 8 * shift))
    return 10


cdef inline void apply_mask(unsigned char* payload, Py_ssize_t length, const unsigned char* key) noexcept nogil:
    """Masks or unmasks in place, eight bytes at a time (RFC 6455, 5.3)."""
    cdef unsigned char twice[8]
    cdef uint64_t mask, word
    cdef Py_ssize_t i = 0
    memcpy(twice, key, 4)
    memcpy(twice + 4, key, 4)
    memcpy(&mask, twice, 8)
    while i + 8 <= length:
        memcpy(&word, payload + i, 8)
        word ^= mask
        memcpy(payload + i, &word, 8)
        i += 8
    while i < length:
        payload[i] ^= key[i & 3]
        i += 1


cdef class ReadBuffer:
    cdef readonly Py_ssize_t message_limit
    cdef bytearray _memory
    cdef object _view
    cdef unsigned char* _start
    cdef Py_ssize_t _size


cdef class FrameReader:
    cdef ReadBuffer _shared
    cdef unsigned char* _leftover
    cdef Py_ssize_t _leftover_length
    cdef bint _fragmented
    cdef bint _stopped

    cdef int on_binary(self, unsigned char* payload, Py_ssize_t length) except -1
    cdef int on_other(self, int head, const unsigned char* raw, Py_ssize_t length) except -1
    cdef Py_ssize_t _parse(self, unsigned char* data, Py_ssize_t length) except -1
    cdef int _keep(self, const unsigned char* data, Py_ssize_t length) except -1
    cdef int _received(self, Py_ssize_t length) except -1
