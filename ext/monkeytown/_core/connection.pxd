from libc.errno cimport EAGAIN, EINTR, ENOBUFS
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from monkeytown._core.batch cimport Seat
from monkeytown._core.frames cimport FrameReader
from monkeytown._core.inputs cimport Queue
from monkeytown._core.sight cimport Look, Sight


cdef extern from * nogil:
    """
    #include <sys/socket.h>
    #ifdef MSG_NOSIGNAL
    #define MT_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
    #else
    #define MT_SEND_FLAGS MSG_DONTWAIT
    #endif
    """
    const int MT_SEND_FLAGS
    ssize_t c_send "send" (int fd, const void* data, size_t length, int flags)


# Bytes for messages that a client which has none waiting may keep.
cdef enum:
    KEPT_PENDING = 512


cdef struct Bucket:
    double rate                 # tokens a second; 0: no limit
    double burst
    double level
    double at


# Every tick walks all clients of a room twice, and between two sends nothing stays in the processor's first caches:
# what those walks read is in the first two lines.
cdef struct Client:
    int fd                          # -1: no raw send
    int cohort                      # in this tick: who shares position and channel; -1 for nobody
    Look* look                      # what it sees of an area, its own message planned; NULL: it shares frames
    unsigned char through_transport  # TLS: same frames, written by the transport
    unsigned char blocked           # the transport still has bytes of ours to write
    unsigned char broken            # a raw send failed for good; the loop will tell us that the connection is lost
    unsigned char full              # the kernel had no room at the last try
    unsigned char text              # JSON: text frames
    unsigned char private_flags
    # The cursor.
    unsigned char has_position
    # The window of unacknowledged ticks.
    unsigned char acknowledges      # an `ack` named this epoch
    unsigned char outstanding
    unsigned char relayed           # what the rules have seen is said by `relayed_input`
    int channel                     # readers of one channel may share a frame
    uint32_t epoch
    uint64_t tick
    # Inputs: the newest number received, seen by the rules, and told to the client.
    uint32_t received_input
    uint32_t seen_input
    uint32_t told_input
    uint32_t acked_number
    uint32_t sent_number            # the newest numbered message that went out on this connection, or is about to
    uint32_t window                 # ticks that it may leave unacknowledged: the group's, or fewer if it is slow
    Py_ssize_t private_length       # -1: nothing
    Py_ssize_t pending_length
    uint64_t oldest                 # the first tick sent that is not acknowledged, or earlier
    double held_since               # since when it may not be sent to and has acknowledged nothing new; 0: it may
    double behind_since             # since when it is past its window; 0: it is not
    uint64_t acked_tick
    Py_ssize_t partial              # in this tick: bytes that a send took before the transport must write the rest
    # What else concerns this client only.
    const uint32_t* relayed_input   # of its seat, which the connection keeps alive
    const unsigned char* private_body
    unsigned char* pending          # whole frames in order, waiting for the next send
    Py_ssize_t pending_capacity


cdef class Connection(FrameReader):
    cdef Client client
    cdef uint64_t _highest_tick         # that it was ever sent, in rooms that it has left
    cdef object _group
    cdef int64_t _handle
    cdef object _transport
    cdef bytes _private
    cdef Sight _sight
    cdef Seat _relayed_seat
    cdef Queue _inputs
    cdef int _player_number
    cdef Py_ssize_t _pending_limit
    cdef Py_ssize_t _input_limit
    cdef Bucket _message_bucket
    cdef Bucket _input_bucket
    cdef readonly double last_received

    cdef bint _count(self) except -1
    cdef int _take_input(self, unsigned char* payload, Py_ssize_t length) except -1
    cdef bint _take_ack(self, const unsigned char* payload, Py_ssize_t length) noexcept
    cdef void _read_up_to(self, uint32_t number) noexcept
    cdef bint _may_have(self, uint64_t epoch, uint64_t tick, uint64_t number) noexcept
    cdef int _append(self, int opcode, const unsigned char* payload, Py_ssize_t length) except -1
    cdef int _write(self, const unsigned char* data, Py_ssize_t length) except -1


cdef inline bint reachable(const Client* client) noexcept nogil:
    """Whether a frame may be written to it now."""
    return not client.blocked and not client.broken and (client.fd >= 0 or client.through_transport)


cdef inline void drained(Client* client) noexcept nogil:
    """What waited has gone out. Who was told much at once, as newcomers are, does not keep the memory for it."""
    if not client.pending_length:
        return
    client.pending_length = 0
    if client.pending_capacity > KEPT_PENDING:
        free(client.pending)
        client.pending = NULL
        client.pending_capacity = 0


cdef inline bint would_block(int error) noexcept nogil:
    return error == EAGAIN or error == EINTR or error == ENOBUFS
