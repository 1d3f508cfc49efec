"""WebSocket frames: whole binary messages out of the read buffer, unmasked in place; headers of the server's frames.

Knows the framing of RFC 6455 and nothing else. It decides nothing about the protocol: only a whole, masked, final
binary frame outside a fragmented message is taken here; any other frame is reported with its raw bytes, for
`websockets`' ServerProtocol to judge. A frame that declares more than the limit is reported as soon as its header is
there, before anything is allocated for it.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

# One read of a socket. All connections share it: what was read is used up, or kept aside, before the next read.
cdef Py_ssize_t READ_SIZE = 65536


def frame(payload not None, *, bint text=False, bytes mask=None) -> bytes:
    """One whole frame: as a server sends it, or with a `mask` of four bytes as a client does."""
    cdef const unsigned char[::1] view
    cdef const unsigned char* data = NULL
    cdef Py_ssize_t length, header
    cdef unsigned char head[MAX_CLIENT_HEADER]
    cdef const unsigned char* key = NULL
    cdef unsigned char* out
    if type(payload) is bytes:  # a view of which takes longer to make than all that follows
        data, length = payload, len(payload)
    else:
        view = payload
        length = view.shape[0]
        if length:
            data = &view[0]
    header = write_header(head, TEXT if text else BINARY, length)
    if mask is not None:
        if len(mask) != 4:
            raise ValueError("a mask has four bytes")
        key = mask
        head[1] |= 0x80
        memcpy(head + header, key, 4)
        header += 4
    result = PyBytes_FromStringAndSize(NULL, header + length)
    out = <unsigned char*> <char*> result
    memcpy(out, head, header)
    if length:
        memcpy(out + header, data, length)
    if mask is not None:
        apply_mask(out + header, length, key)
    return result


cdef class ReadBuffer:
    """The one buffer that all connections of a server read into, with room in front for what was left over."""

    def __init__(self, Py_ssize_t message_limit) -> None:
        if not 125 <= message_limit <= 1 << 24:
            raise ValueError("the limit of a message must be between 125 bytes and 16 MiB")
        cdef Py_ssize_t reserve = message_limit + MAX_CLIENT_HEADER
        self.message_limit = message_limit
        self._memory = bytearray(reserve + READ_SIZE)
        self._start = <unsigned char*> <char*> self._memory + reserve
        self._size = READ_SIZE
        self._view = memoryview(self._memory)[reserve:]


cdef class FrameReader:
    """One connection's side of the shared buffer: a buffered protocol that hands over frames.

    `binary_received` and `frame_received` are for subclasses; compiled subclasses override `on_binary` and `on_other`.
    """

    def __init__(self, ReadBuffer shared not None) -> None:
        self._shared = shared

    def __dealloc__(self):
        free(self._leftover)

    @property
    def held(self) -> int:
        """Bytes kept of a frame that has not wholly arrived; never more than one message and its header."""
        return self._leftover_length

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        """Whatever arrives from now on is thrown away."""
        self._stopped = True
        self._leftover_length = 0
        free(self._leftover)
        self._leftover = NULL

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._shared._view

    def buffer_updated(self, Py_ssize_t nbytes) -> None:
        self._received(nbytes)

    def feed(self, const unsigned char[::1] data not None) -> None:
        """The same, for bytes that were read elsewhere."""
        cdef Py_ssize_t done = 0, length = data.shape[0], part
        while done < length:
            part = min(length - done, self._shared._size)
            memcpy(self._shared._start, &data[done], part)
            self._received(part)
            done += part

    def binary_received(self, payload: bytes) -> None:
        """A whole binary message."""

    def frame_received(self, head: int, raw: bytes) -> None:
        """Any other frame, as it arrived; `head` is its first byte. Of one that declares too much, the header only."""

    def reading_ended(self) -> None:
        """The peer sends no more; told by who reads the socket, unless that is a transport."""

    def reading_failed(self, error: Exception) -> None:
        """The socket cannot be read any more, or what came from it could not be dealt with; told like `reading_ended`."""

    cdef int on_binary(self, unsigned char* payload, Py_ssize_t length) except -1:
        self.binary_received(PyBytes_FromStringAndSize(<char*> payload, length))
        return 0

    cdef int on_other(self, int head, const unsigned char* raw, Py_ssize_t length) except -1:
        self.frame_received(head, PyBytes_FromStringAndSize(<const char*> raw, length))
        return 0

    cdef int _received(self, Py_ssize_t length) except -1:
        cdef unsigned char* data = self._shared._start
        cdef Py_ssize_t used
        if self._stopped:
            return 0
        if length < 0 or length > self._shared._size:
            raise ValueError("more bytes than the buffer holds")
        if self._leftover_length:
            data -= self._leftover_length
            memcpy(data, self._leftover, self._leftover_length)
            length += self._leftover_length
            self._leftover_length = 0
            free(self._leftover)
            self._leftover = NULL
        used = self._parse(data, length)
        if used < length and not self._stopped:
            self._keep(data + used, length - used)
        return 0

    cdef int _keep(self, const unsigned char* data, Py_ssize_t length) except -1:
        self._leftover = <unsigned char*> malloc(length)
        if self._leftover == NULL:
            raise MemoryError()
        memcpy(self._leftover, data, length)
        self._leftover_length = length
        return 0

    cdef Py_ssize_t _parse(self, unsigned char* data, Py_ssize_t length) except -1:
        """Hands over the frames that are whole; returns how many bytes they took."""
        cdef unsigned char* p = data
        cdef Py_ssize_t left = length, header
        cdef uint64_t size
        cdef int i
        while left >= 2 and not self._stopped:
            size = p[1] & 0x7F
            header = 2
            if size == 126:
                header = 4
            elif size == 127:
                header = 10
            if left < header:
                break
            if header > 2:
                size = 0
                for i in range(2, header):
                    size = size << 8 | p[i]
            if size > <uint64_t> self._shared.message_limit:
                self.on_other(p[0], p, header)
                # What follows belongs to a message that was refused.
                self.stop()
                return length
            if p[1] & 0x80:
                header += 4
            if left < header + <Py_ssize_t> size:
                break
            if p[0] == 0x82 and p[1] & 0x80 and not self._fragmented:
                apply_mask(p + header, <Py_ssize_t> size, p + header - 4)
                self.on_binary(p + header, <Py_ssize_t> size)
            else:
                if p[0] & 0x0F == TEXT or p[0] & 0x0F == BINARY:
                    self._fragmented = not p[0] & 0x80
                elif p[0] & 0x0F == CONTINUATION and p[0] & 0x80:
                    self._fragmented = False
                self.on_other(p[0], p, header + <Py_ssize_t> size)
            p += header + size
            left -= header + <Py_ssize_t> size
        return length - left
