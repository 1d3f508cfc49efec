"""One send() per player and tick, without the GIL.

Knows the cursors and windows of the connections of one room, and the layout of one message, `private`, which would cost
Python per player and tick. It does not know rooms, sessions or codecs: it is told which frame brings a cohort (the
clients of one channel at one position) to which position.

A client that is blocked, or whose acknowledgements are behind by more than the window, is passed over; its cursor stays,
so its next frame is the newest state. A client is seated under a handle of slot and generation; the seat of one who is
gone within the tick is empty or has no cohort, and is not written to.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from monkeytown._core.connection cimport MT_SEND_FLAGS, Client, Connection, c_send, reachable, would_block
from monkeytown._core.frames cimport BINARY, TEXT, write_header

from monkeytown.position import Position

# Kinds and flags of docs/reference/wire.md.
cdef enum:
    KIND_PRIVATE = 0x44
    HAS_INPUT = 0x01
    # `private` apart from its values: two headers, kind, flags, number, and the JSON around it.
    PRIVATE_OVERHEAD = 96
    SLOT_BITS = 20
    # Cohorts that are not a group of readers at one position.
    NOBODY = -1
    LEFT_OVER = -2


cdef inline bint has_more(const Client* client) noexcept nogil:
    """Whether there is anything for this client beside the shared frame."""
    return client.pending_length > 0 or client.private_length >= 0 or client.seen_input != client.told_input


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
    """Everything for one client in one piece: the shared frame, what is private, what was pending."""
    cdef Py_ssize_t n = length
    if length:
        memcpy(out, frame, length)
    if client.private_length >= 0 or client.seen_input != client.told_input:
        n += write_private(client, out + n)
    if client.pending_length:
        memcpy(out + n, client.pending, client.pending_length)
        n += client.pending_length
    return n


cdef void sent(Client* client, bint state, uint32_t epoch, uint64_t tick) noexcept nogil:
    """What was staged is on its way, whole."""
    client.full = False
    client.held_since = 0
    client.told_input = client.seen_input
    client.private_length = -1
    client.pending_length = 0
    if not state:
        return
    if not client.outstanding or not client.has_position or client.epoch != epoch:
        client.oldest = tick
    if not client.has_position or client.epoch != epoch:
        client.acknowledges = False
        client.acked_tick = 0
    client.outstanding = True
    client.has_position = True
    client.epoch = epoch
    client.tick = tick


cdef inline bint past_window(const Client* client, uint64_t tick, uint64_t window) noexcept nogil:
    return window and client.outstanding and tick >= client.oldest and tick - client.oldest >= window


cdef inline bint same_cohort(const Client* a, const Client* b) noexcept nogil:
    if a.channel != b.channel or a.has_position != b.has_position:
        return False
    return not a.has_position or (a.tick == b.tick and a.epoch == b.epoch)


cdef void* grown(void* memory, size_t size) except NULL:
    memory = realloc(memory, size)
    if memory == NULL:
        raise MemoryError()
    return memory


cdef class Group:
    """The connections of one room. `window`: how many ticks may be unacknowledged; 0: any number."""

    def __init__(self, *, uint64_t window=0) -> None:
        self.window = window
        self._connections = []
        self._free = []

    def __dealloc__(self):
        free(self._clients)
        free(self._generations)
        free(self._firsts)
        free(self._staging)

    def __len__(self) -> int:
        return self._extent - len(self._free)

    def add(self, Connection connection not None, *, int channel=0) -> int:
        """Seats a connection without a position; returns its handle."""
        cdef Py_ssize_t slot
        cdef Client* client = &connection.client
        if connection._group is not None:
            raise ValueError("the connection is in a group already")
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._new_slot()
        client.channel = channel
        client.cohort = NOBODY
        client.has_position = client.outstanding = client.acknowledges = False
        client.full = False
        client.held_since = 0
        client.private_length = -1
        self._clients[slot] = client
        self._connections[slot] = connection
        connection._group = self
        connection._handle = <int64_t> self._generations[slot] << SLOT_BITS | slot
        return connection._handle

    def remove(self, int64_t handle) -> bool:
        """Frees a seat. False: nobody sits there under this handle any more."""
        cdef Py_ssize_t slot = handle & ((1 << SLOT_BITS) - 1)
        cdef Connection connection = self._seated(handle)
        if connection is None:
            return False
        connection._group = None
        connection._handle = -1
        connection.client.cohort = NOBODY
        connection.client.private_length = -1
        connection._private = None
        self._clients[slot] = NULL
        self._connections[slot] = None
        self._generations[slot] += 1
        self._free.append(slot)
        return True

    cdef Py_ssize_t _new_slot(self) except -1:
        cdef Py_ssize_t capacity
        if self._extent == self._capacity:
            capacity = max(16, 2 * self._capacity)
            self._clients = <Client**> grown(self._clients, capacity * sizeof(Client*))
            self._generations = <uint32_t*> grown(self._generations, capacity * sizeof(uint32_t))
            self._firsts = <Py_ssize_t*> grown(self._firsts, capacity * sizeof(Py_ssize_t))
            self._capacity = capacity
        self._clients[self._extent] = NULL
        self._generations[self._extent] = 1
        self._connections.append(None)
        self._extent += 1
        return self._extent - 1

    def due(self, uint64_t tick, double now) -> list:
        """Sorts the clients that may be sent to into cohorts: the list of (position or None, channel), by cohort.

        To be called right after the room's step: what was received by now, the rules have seen.
        """
        cdef Py_ssize_t i, count
        cdef Client* client
        with nogil:
            count = self._sort(tick, now)
        cohorts = []
        for i in range(count):
            client = self._clients[self._firsts[i]]
            position = Position(client.epoch, client.tick) if client.has_position else None
            cohorts.append((position, client.channel))
        return cohorts

    # `self` is there, and asking whether it is None would take the GIL in a checked build.
    @cython.nonecheck(False)
    cdef Py_ssize_t _sort(self, uint64_t tick, double now) noexcept nogil:
        cdef Py_ssize_t i, _, count = 0, last = 0
        cdef Client* client
        self._now = now
        for i in range(self._extent):
            client = self._clients[i]
            if client == NULL:
                continue
            client.cohort = NOBODY
            client.private_length = -1
            client.seen_input = client.received_input
            if not reachable(client) or past_window(client, tick, self.window):
                self.held += 1
                if client.held_since == 0:
                    client.held_since = now
                continue
            if not client.full:
                client.held_since = 0
            # Nearly always the same cohort as the client before.
            for _ in range(count):
                if same_cohort(client, self._clients[self._firsts[last]]):
                    break
                last = last + 1 if last + 1 < count else 0
            else:
                last = count
                self._firsts[count] = i
                count += 1
            client.cohort = <int> last
        return count

    def send(self, int cohort, bytes frame not None, uint32_t epoch, uint64_t tick) -> int:
        """Brings a cohort to (epoch, tick) by `frame`, a whole WebSocket frame. Returns to how many it was sent."""
        cdef const unsigned char* data = frame
        cdef Py_ssize_t length = len(frame), count, others = 0
        if cohort < 0 or not length:
            raise ValueError("no such cohort, or nothing to send")
        self._reserve_staging(length)
        with nogil:
            count = self._send_raw(cohort, data, length, epoch, tick, &others)
        if others:
            count += self._send_others(cohort, data, length, epoch, tick)
        return count

    def flush(self) -> int:
        """Sends what waits to those for whom no state went out in this tick. Returns to how many."""
        cdef Py_ssize_t i, count = 0, others = 0, waiting = 0
        cdef Client* client
        for i in range(self._extent):
            client = self._clients[i]
            if client == NULL:
                continue
            client.cohort = NOBODY
            if has_more(client) and reachable(client):
                client.cohort = LEFT_OVER
                waiting += 1
        if waiting:
            self._reserve_staging(0)
            with nogil:
                count = self._send_raw(LEFT_OVER, NULL, 0, 0, 0, &others)
            if others:
                count += self._send_others(LEFT_OVER, NULL, 0, 0, 0)
        return count

    def set_private(self, int64_t handle, int flags, bytes body not None) -> None:
        """What the next send to this client carries for it alone, behind the state (wire.md, section 5)."""
        cdef Connection connection = self._seated(handle)
        if connection is None:
            return
        connection._private = body
        connection.client.private_flags = <unsigned char> flags
        connection.client.private_body = body
        connection.client.private_length = len(body)
        self._longest_private = max(self._longest_private, len(body))

    def connections(self) -> list:
        """Those who are seated."""
        return [connection for connection in self._connections if connection is not None]

    def cohort(self, int cohort) -> list:
        """Those whom the last `due` sorted into this cohort."""
        cdef Py_ssize_t i
        return [
            self._connections[i]
            for i in range(self._extent)
            if self._clients[i] != NULL and self._clients[i].cohort == cohort
        ]

    def held_longer(self, double than, double now) -> list:
        """Those who could not be sent to for more than that many seconds."""
        cdef Py_ssize_t i
        return [
            self._connections[i]
            for i in range(self._extent)
            if self._clients[i] != NULL and self._clients[i].held_since and now - self._clients[i].held_since > than
        ]

    cdef Connection _seated(self, int64_t handle):
        cdef Py_ssize_t slot = handle & ((1 << SLOT_BITS) - 1)
        if handle < 0 or slot >= self._extent or self._clients[slot] == NULL:
            return None
        return self._connections[slot] if self._generations[slot] == handle >> SLOT_BITS else None

    cdef int _reserve_staging(self, Py_ssize_t frame_length) except -1:
        """Room for the frame and for the most that any client may have beside it."""
        cdef Py_ssize_t i, most = 0, need
        for i in range(self._extent):
            if self._clients[i] != NULL:
                most = max(most, self._clients[i].pending_length)
        need = frame_length + most + self._longest_private + PRIVATE_OVERHEAD
        if need > self._staging_capacity:
            self._staging = <unsigned char*> grown(self._staging, need + need // 2)
            self._staging_capacity = need + need // 2
        return 0

    @cython.nonecheck(False)
    cdef Py_ssize_t _send_raw(
        self, int cohort, const unsigned char* frame, Py_ssize_t length, uint32_t epoch, uint64_t tick, Py_ssize_t* others
    ) noexcept nogil:
        """The loop. Counts in `others` those for whom the transport must write something."""
        cdef Py_ssize_t i, n, done, count = 0
        cdef Client* client
        cdef const unsigned char* data
        for i in range(self._extent):
            client = self._clients[i]
            if client == NULL or client.cohort != cohort:
                continue
            if client.fd < 0:
                others[0] += 1
                continue
            if has_more(client):
                n = stage(client, frame, length, self._staging)
                data = self._staging
                self.staged += 1
            else:
                n = length
                data = frame
                self.shared += 1
            done = c_send(client.fd, data, n, MT_SEND_FLAGS)
            if done == n:
                self.bytes_sent += n
                sent(client, length > 0, epoch, tick)
                count += 1
            elif done > 0:
                self.bytes_sent += done
                self.partial += 1
                client.partial = done
                others[0] += 1
            elif done < 0 and would_block(errno):
                self.full += 1
                client.full = True
                if client.held_since == 0:
                    client.held_since = self._now
            else:
                client.broken = True
            if client.partial == 0:
                client.cohort = NOBODY
        return count

    cdef Py_ssize_t _send_others(
        self, int cohort, const unsigned char* frame, Py_ssize_t length, uint32_t epoch, uint64_t tick
    ) except -1:
        """What the transport must write: tails of partial sends, and everything on a TLS connection."""
        cdef Py_ssize_t i, n, done, count = 0
        cdef Client* client
        cdef Connection connection
        for i in range(self._extent):
            client = self._clients[i]
            if client == NULL or client.cohort != cohort:
                continue
            connection = self._connections[i]
            n = stage(client, frame, length, self._staging)
            done = client.partial
            client.partial = 0
            client.cohort = NOBODY
            sent(client, length > 0, epoch, tick)
            count += 1
            self.bytes_sent += n - done
            connection._transport.write(PyBytes_FromStringAndSize(<const char*> self._staging + done, n - done))
        return count
