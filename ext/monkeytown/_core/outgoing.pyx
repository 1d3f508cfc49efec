"""What goes out to one client in a tick, in one piece: its state, what is private to it, and the messages that waited.

Knows the layout of one message, `private`, which would cost Python per player and tick; of the others only their bytes.
Does not know sockets: `fanout` sends. Everything here is done without the GIL, on any thread.
"""

from libc.stdio cimport snprintf
from libc.string cimport memcpy

from monkeytown._core.frames cimport BINARY, TEXT, write_header
from monkeytown._core.sight cimport compose

# Kinds and flags of docs/reference/wire.md.
cdef enum:
    KIND_PRIVATE = 0x44
    HAS_INPUT = 0x01


cdef Py_ssize_t format_json(char* out, bint numbered, uint32_t number, bint more) noexcept nogil:
    if not numbered:
        return snprintf(out, PRIVATE_OVERHEAD, b'{"type":"private","payload":{')
    return snprintf(out, PRIVATE_OVERHEAD, b'{"type":"private","payload":{"input":%u%s', number, b"," if more else b"")


cdef Py_ssize_t write_private(const Client* client, unsigned char* out) noexcept nogil:
    """One `private` message as a whole frame: wire.md, section 5, or its JSON form."""
    cdef unsigned char head[PRIVATE_OVERHEAD]
    cdef bint numbered = client.seen_input != client.told_input
    cdef Py_ssize_t body = max(client.private_length, 0), n = 0, header
    cdef uint32_t number = client.seen_input
    if client.text:
        n = format_json(<char*> head, numbered, number, body > 0)
        header = write_header(out, TEXT, n + body + 2)
    else:
        head[0] = KIND_PRIVATE
        head[1] = (client.private_flags if client.private_length >= 0 else 0) | (HAS_INPUT if numbered else 0)
        n = 2
        if numbered:
            while number >= 0x80:
                head[n] = <unsigned char> (number | 0x80)
                number >>= 7
                n += 1
            head[n] = <unsigned char> number
            n += 1
        header = write_header(out, BINARY, n + body)
    memcpy(out + header, head, n)
    n += header
    if body:
        memcpy(out + n, client.private_body, body)
        n += body
    if client.text:
        memcpy(out + n, b"}}", 2)
        n += 2
    return n


cdef Py_ssize_t stage(const Client* client, const unsigned char* frame, Py_ssize_t length, unsigned char* out) noexcept nogil:
    """Everything for one client in one piece: its state (the shared frame, or the message planned for it), what is
    private, what was pending."""
    cdef Py_ssize_t n = length
    if length == PLANNED:
        n = write_header(out, BINARY, client.look.length)
        n += compose(client.look, out + n)
    elif length:
        memcpy(out, frame, length)
    if client.private_length >= 0 or client.seen_input != client.told_input:
        n += write_private(client, out + n)
    if client.pending_length:
        memcpy(out + n, client.pending, client.pending_length)
        n += client.pending_length
    return n
