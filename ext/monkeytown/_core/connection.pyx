"""One player's connection: which of its messages need no Python, and what waits to go out to it.

Knows sockets by their numbers, frames by their bytes, and of the messages only the two kinds that arrive too often for
Python: `player_input` and `ack`. It does not know rooms, sessions or codecs.

A raw send() is legal only while the transport has nothing of ours left to write: `pause_writing` blocks the connection
and `resume_writing` frees it (the transport's limits are 0, so any byte left behind blocks). What a send leaves over
goes to the transport. `detach` takes the socket's number away before the transport can close it, so that a number that
is used again is never written to.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from monkeytown._core.batch cimport Seat
from monkeytown._core.frames cimport BINARY, MAX_SERVER_HEADER, TEXT, FrameReader, ReadBuffer, write_header
from monkeytown._core.inputs cimport MALFORMED, OTHER_SCHEMA, Queue
from monkeytown._core.sight cimport Sight

# Kinds of docs/reference/wire.md.
cdef enum:
    KIND_INPUT = 0x04
    KIND_ACK = 0x07

# Why an input was refused.
INPUT_MALFORMED = MALFORMED
INPUT_OTHER_SCHEMA = OTHER_SCHEMA
INPUT_TOO_MANY = -5


cdef double monotonic() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return t.tv_sec + t.tv_nsec * 1e-9


cdef int take(Bucket* bucket, double now) noexcept nogil:
    """0: go on. 1: over the rate, drop it. 2: so far over it that the peer must be flooding."""
    if bucket.rate <= 0:
        return 0
    bucket.level = min(bucket.burst, bucket.level + max(now - bucket.at, 0.0) * bucket.rate) - 1
    bucket.at = now
    if bucket.level >= 0:
        return 0
    return 1 if bucket.level >= -bucket.burst else 2


cdef void fill(Bucket* bucket, double rate, double burst) noexcept nogil:
    bucket.rate = rate
    bucket.burst = burst
    bucket.level = burst
    bucket.at = monotonic()


cdef const unsigned char* take_varint(const unsigned char* p, const unsigned char* end, uint64_t* value) noexcept nogil:
    """NULL if it does not end in time; the first byte after it otherwise."""
    cdef int shift = 0
    value[0] = 0
    while p < end and shift < 64:
        value[0] |= <uint64_t> (p[0] & 0x7F) << shift
        if not p[0] & 0x80:
            return p + 1
        p += 1
        shift += 7
    return NULL


cdef void progress(Client* client, double now) noexcept nogil:
    """Something new was acknowledged: the client may be slow, but it is not stalled."""
    if client.held_since:
        client.held_since = now


cdef void acknowledge(Client* client, uint64_t tick, double now) noexcept nogil:
    if tick > client.tick or tick <= client.acked_tick:
        return
    client.acked_tick = tick
    progress(client, now)
    if tick == client.tick:
        client.outstanding = False
    elif client.oldest <= tick:
        client.oldest = tick + 1


cdef class Connection(FrameReader):
    """One player's connection, from its upgrade on: its frames in, and what waits to go out to it."""

    def __init__(
        self,
        ReadBuffer shared not None,
        *,
        bint text=False,
        Py_ssize_t pending_limit=65536,
        Py_ssize_t input_limit=64,
        double message_rate=0,
        double message_burst=0,
    ) -> None:
        FrameReader.__init__(self, shared)
        memset(&self.client, 0, sizeof(Client))
        self.client.fd = -1
        self.client.text = text
        self.client.cohort = -1
        self.client.private_length = -1
        self._handle = -1
        self._pending_limit = pending_limit
        self._input_limit = input_limit
        self.last_received = monotonic()
        fill(&self._message_bucket, message_rate, message_burst)

    def __dealloc__(self):
        free(self.client.pending)

    # What a subclass is told.

    def input_refused(self, reason: int) -> None:
        """An input was dropped: INPUT_MALFORMED, INPUT_OTHER_SCHEMA or INPUT_TOO_MANY."""

    def flooding(self) -> None:
        """So many messages or inputs over the rate that dropping them is not enough."""

    # The socket.

    def attach(self, object transport not None, int fd) -> None:
        """From now on this connection writes. `fd` is -1 where only the transport may write (TLS)."""
        self._transport = transport
        self.client.fd = fd
        self.client.through_transport = fd < 0

    def detach(self) -> None:
        """From now on nothing is written: to be called before, or at the latest while, the transport closes."""
        self.client.fd = -1
        self.client.through_transport = False
        self.client.pending_length = 0
        self._inputs = None
        if self._group is not None:
            self._group.remove(self._handle)

    @property
    def attached(self) -> bool:
        return self.client.fd >= 0 or self.client.through_transport

    @property
    def blocked(self) -> bool:
        return self.client.blocked

    def pause_writing(self) -> None:
        self.client.blocked = True

    def resume_writing(self) -> None:
        self.client.blocked = False
        self.flush()

    @property
    def is_due(self) -> bool:
        """Whether the group has sorted it into a cohort that was not sent to yet."""
        return self.client.cohort >= 0

    @property
    def private_waits(self) -> bool:
        """Whether something private was set and not sent."""
        return self.client.private_length >= 0

    def set_sight(self, Sight sight) -> None:
        """What it sees of an area, before it is seated in a group; None: all of the room, as others do."""
        if self._group is not None:
            raise ValueError("the connection is in a group already")
        self._sight = sight
        self.client.look = NULL if sight is None else &sight.look

    # Reliable messages.

    @property
    def pending(self) -> int:
        """Bytes that wait for the next send."""
        return self.client.pending_length

    @property
    def acked_number(self) -> int:
        """The newest numbered message that the client says it has read."""
        return self.client.acked_number

    def append(self, const unsigned char[::1] payload not None, *, uint32_t number=0) -> bool:
        """Queues one message behind the state of this tick. False: too much is waiting, the client is too slow.

        `number`: by which the client will acknowledge it.
        """
        cdef const unsigned char* data = &payload[0] if payload.shape[0] else NULL
        self.client.sent_number = max(self.client.sent_number, number)
        if not reachable(&self.client) and not self.client.blocked:
            return True
        return self._append(TEXT if self.client.text else BINARY, data, payload.shape[0])

    def count_from(self, uint32_t number) -> None:
        """The client has read the numbered messages up to this one, on connections that it had before."""
        self.client.sent_number = self.client.acked_number = number

    def flush(self) -> None:
        """Sends at once what waits, if the client may be written to."""
        cdef Client* client = &self.client
        if not client.pending_length or not reachable(client):
            return
        self._write(client.pending, client.pending_length)
        drained(client)

    cdef int _append(self, int opcode, const unsigned char* payload, Py_ssize_t length) except -1:
        cdef Client* client = &self.client
        cdef Py_ssize_t need = client.pending_length + length + MAX_SERVER_HEADER, capacity
        cdef unsigned char* grown
        if need > self._pending_limit:
            return 0
        if need > client.pending_capacity:
            capacity = max(256, client.pending_capacity)
            while capacity < need:
                capacity *= 2
            grown = <unsigned char*> realloc(client.pending, capacity)
            if grown == NULL:
                raise MemoryError()
            client.pending = grown
            client.pending_capacity = capacity
        client.pending_length += write_header(client.pending + client.pending_length, opcode, length)
        if length:
            memcpy(client.pending + client.pending_length, payload, length)
        client.pending_length += length
        return 1

    cdef int _write(self, const unsigned char* data, Py_ssize_t length) except -1:
        cdef Client* client = &self.client
        cdef Py_ssize_t done = 0
        if client.fd >= 0:
            done = c_send(client.fd, data, length, MT_SEND_FLAGS)
            if done < 0:
                if not would_block(errno):
                    client.broken = True
                    return 0
                done = 0
        if done < length:
            self._transport.write(PyBytes_FromStringAndSize(<const char*> data + done, length - done))
        return 0

    # What arrives.

    def within_rate(self) -> bool:
        """Counts one message; False if it is one too many."""
        return self._count()

    cdef bint _count(self) except -1:
        cdef int verdict = take(&self._message_bucket, self.last_received)
        if verdict == 2:
            self.flooding()
        return verdict == 0

    def take_message(self, payload: bytes) -> None:
        """A binary message that did not come in one whole frame."""
        self.on_binary(<unsigned char*> <char*> payload, len(payload))

    def acknowledge(self, epoch: int | None, uint64_t tick, uint32_t number) -> bool:
        """An `ack` that came in another encoding, or without an epoch inside an input. False: that was never sent."""
        cdef Client* client = &self.client
        if not self._may_have(client.epoch if epoch is None else epoch, tick, number):
            return False
        self._read_up_to(number)
        if not client.has_position:
            return True
        if epoch is not None and epoch == client.epoch:
            client.acknowledges = True
        elif epoch is not None:
            return True
        if client.acknowledges:
            acknowledge(client, tick, self.last_received)
        return True

    cdef void _read_up_to(self, uint32_t number) noexcept:
        if number > self.client.acked_number:
            self.client.acked_number = number
            progress(&self.client, self.last_received)

    cdef bint _may_have(self, uint64_t epoch, uint64_t tick, uint64_t number) noexcept:
        """Whether it can have come as far as it says. A word on the room before this one may come late."""
        return (
            number <= self.client.sent_number
            and epoch <= self.client.epoch
            and tick <= max(self._highest_tick, self.client.tick)
        )

    def seen(self, uint32_t number) -> None:
        """The rules have seen, or will see in their next step, the input of this number."""
        self.client.received_input = number

    def set_inputs(self, Queue inputs, int player_number, double rate, double burst, *, uint32_t seen=0) -> None:
        """Where `player_input` goes from now on, without Python; None: to `binary_received`, like the rest.

        `seen`: the newest number that the rules have seen, of which the client is told anew.
        """
        self._inputs = inputs
        self._player_number = player_number
        self.client.relayed = False
        self._relayed_seat = None
        self.client.received_input = self.client.seen_input = seen
        self.client.told_input = 0
        fill(&self._input_bucket, rate, burst)

    def relay(self, Seat seat not None) -> None:
        """The rules run on another instance: the newest input that they have seen is the seat's, whatever was sent to them.

        Until `set_inputs` is called again; the client is told anew.
        """
        self._relayed_seat = seat
        self.client.relayed_input = &seat.input
        self.client.relayed = True
        self.client.seen_input = seat.input
        self.client.told_input = 0

    cdef int _received(self, Py_ssize_t length) except -1:
        self.last_received = monotonic()
        return FrameReader._received(self, length)

    cdef int on_binary(self, unsigned char* payload, Py_ssize_t length) except -1:
        if length and payload[0] == KIND_INPUT and self._inputs is not None:
            return self._take_input(payload, length)
        if not self._count():
            return 0
        if length and payload[0] == KIND_ACK and self._take_ack(payload + 1, length - 1):
            return 0
        return FrameReader.on_binary(self, payload, length)

    cdef int _take_input(self, unsigned char* payload, Py_ssize_t length) except -1:
        cdef Client* client = &self.client
        cdef int verdict = take(&self._input_bucket, self.last_received)
        if verdict == 2:
            self.flooding()
        elif verdict:
            self.input_refused(INPUT_TOO_MANY)
        elif length > self._input_limit:
            self.input_refused(INPUT_MALFORMED)
        else:
            verdict = self._inputs.push(self._player_number, payload, length)
            if verdict < 0:
                self.input_refused(verdict)
            else:
                client.received_input = self._inputs.pushed_number
                if client.acknowledges:
                    acknowledge(client, <uint64_t> self._inputs.pushed_acknowledged, self.last_received)
        return 0

    cdef bint _take_ack(self, const unsigned char* payload, Py_ssize_t length) noexcept:
        """False: malformed, or a lie, for others to say so."""
        cdef const unsigned char* end = payload + length
        cdef uint64_t epoch = 0, tick = 0, number = 0
        payload = take_varint(payload, end, &epoch)
        if payload != NULL:
            payload = take_varint(payload, end, &tick)
        if payload != NULL:
            payload = take_varint(payload, end, &number)
        if payload != end or not self._may_have(epoch, tick, number):
            return False
        self._read_up_to(<uint32_t> number)
        if self.client.has_position and epoch == self.client.epoch:
            self.client.acknowledges = True
            acknowledge(&self.client, tick, self.last_received)
        return True
