from libc.stdint cimport uint32_t, uint64_t

from monkeytown._core.connection cimport Client, drained
from monkeytown._core.sight cimport told

cdef enum:
    # `private` apart from its values: two headers, kind, flags, number, and the JSON around it.
    PRIVATE_OVERHEAD = 96
    # As the length of a frame: there is none, each client has a message of its own planned.
    PLANNED = -1


cdef Py_ssize_t stage(const Client* client, const unsigned char* frame, Py_ssize_t length, unsigned char* out) noexcept nogil


cdef inline bint has_more(const Client* client) noexcept nogil:
    """Whether there is anything for this client beside the shared frame."""
    return client.pending_length > 0 or client.private_length >= 0 or client.seen_input != client.told_input


cdef inline bint nothing_planned(const Client* client, Py_ssize_t length) noexcept nogil:
    return length == PLANNED and (client.look == NULL or client.look.length == 0)


cdef inline Py_ssize_t outgoing(
    const Client* client, const unsigned char* frame, Py_ssize_t length, unsigned char* scratch, const unsigned char** data
) noexcept nogil:
    """What goes out to this client: where it is and how long. `scratch` holds the longest that may be."""
    if length == PLANNED or has_more(client):
        data[0] = scratch
        return stage(client, frame, length, scratch)
    data[0] = frame
    return length


cdef inline void sent(Client* client, bint state, uint32_t epoch, uint64_t tick) noexcept nogil:
    """What was staged is on its way, whole."""
    client.full = False
    # Who acknowledges nothing is no better for having been sent events.
    if state or client.behind_since == 0:
        client.held_since = 0
    client.told_input = client.seen_input
    client.private_length = -1
    drained(client)
    if not state:
        return
    if not client.outstanding or not client.has_position or client.epoch != epoch:
        client.oldest = tick
    if not client.has_position or client.epoch != epoch:
        client.acknowledges = False
        client.acked_tick = 0
    if client.look != NULL:
        told(client.look, tick)
    client.outstanding = True
    client.has_position = True
    client.epoch = epoch
    client.tick = tick
