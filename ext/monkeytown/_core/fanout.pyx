"""One send() per player and tick, without the GIL.

Knows the cursors and windows of the connections of one room. It does not know rooms, sessions or codecs: it is told which
frame brings a cohort (the clients of one channel at one position) to which position, or to have one planned for each.

The sends are shared with `Senders`: while they are under way the thread of the event loop waits for them and runs nothing
else, so a client is written by one thread at a time, and nobody joins, leaves or closes a socket. Whatever calls Python
(a transport that must write) comes after, on the thread of the event loop.

A client that is blocked, or whose acknowledgements are behind by more than the window, is passed over; its cursor stays,
so its next frame is the newest state. A client is seated under a handle of slot and generation; the seat of one who is
gone within the tick is empty or has no cohort, and is not written to.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from monkeytown._core.area cimport Area
from monkeytown._core.connection cimport Client, Connection, reachable
from monkeytown._core.frames cimport MAX_SERVER_HEADER
from monkeytown._core.outgoing cimport PLANNED, PRIVATE_OVERHEAD, has_more, nothing_planned, outgoing, sent
from monkeytown._core.rows cimport grown
from monkeytown._core.senders cimport Lane, Senders
from monkeytown._core.sending cimport LEFT_OVER, NOBODY, REFUSED, Job, send_range

from monkeytown.position import Position

# One is made for every cohort in every tick, and a named tuple's own way to be made is written in Python.
cdef object new_tuple = tuple.__new__

cdef enum:
    SLOT_BITS = 20

# Seconds for which a client is behind by more than its window before that is taken for a slow line.
cdef double LONG_BEHIND = 1.0


cdef inline bint past_window(const Client* client, uint64_t tick) noexcept nogil:
    return client.window and client.outstanding and tick >= client.oldest and tick - client.oldest >= client.window


cdef void caught_up(Client* client, double now, uint32_t window) noexcept nogil:
    """The client was past its window and is not any more.

    If that took long, the line is slow, and what is under way on it is to be less, or all that it is shown would be as old as
    that. If it did not, the window is too small for a line that is only long.
    """
    cdef double seconds = now - client.behind_since
    client.behind_since = 0
    if seconds > LONG_BEHIND:
        client.window = <uint32_t> max(1, client.window / (1 + seconds))
    else:
        client.window = min(window, 2 * client.window)


cdef inline bint same_cohort(const Client* a, const Client* b) noexcept nogil:
    if a.channel != b.channel or a.has_position != b.has_position:
        return False
    return not a.has_position or (a.tick == b.tick and a.epoch == b.epoch)


cdef class Group:
    """The connections of one room.

    `window`: how many ticks may be unacknowledged; 0: any number. `senders`: who shares the sends; nobody, if not given.
    """

    def __init__(self, *, uint32_t window=0, Senders senders=None) -> None:
        self.window = window
        self._senders = Senders() if senders is None else senders
        self._connections = []
        self._free = []

    def __dealloc__(self):
        free(self._clients)
        free(self._generations)
        free(self._firsts)
        free(self._starts)
        free(self._order)
        free(self._cohorts)

    def __len__(self) -> int:
        return self._extent - len(self._free)

    def add(self, Connection connection not None, *, int channel=0, position=None) -> int:
        """Seats a connection whose client has the state of a position (None: nothing); returns its handle."""
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
        if position is not None:
            client.epoch, client.tick = position
            client.acked_tick = client.tick
            client.has_position = True
        client.window = self.window
        client.full = False
        client.held_since = client.behind_since = 0
        client.private_length = -1
        client.partial = 0
        self._longest_pending = max(self._longest_pending, connection._pending_limit)
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
        if connection.client.has_position:
            connection._highest_tick = max(connection._highest_tick, connection.client.tick)
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
            self._starts = <Py_ssize_t*> grown(self._starts, (capacity + 1) * sizeof(Py_ssize_t))
            self._order = <Py_ssize_t*> grown(self._order, capacity * sizeof(Py_ssize_t))
            self._cohorts = <int*> grown(self._cohorts, capacity * sizeof(int))
            self._capacity = capacity
        self._clients[self._extent] = NULL
        self._generations[self._extent] = 1
        self._connections.append(None)
        self._extent += 1
        return self._extent - 1

    def due(self, uint64_t tick, double now) -> list:
        """Sorts the clients that may be sent to into cohorts: the list of (position or None, channel), by cohort.

        To be called right after the room's step: what was received by now, the rules have seen, if they run here.
        """
        cdef Py_ssize_t i, count
        cdef Client* client
        with nogil:
            count = self._sort(tick, now)
        cohorts = []
        for i in range(count):
            client = self._clients[self._firsts[i]]
            position = new_tuple(Position, (client.epoch, client.tick)) if client.has_position else None
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
            self._cohorts[i] = NOBODY
            if client == NULL:
                continue
            client.cohort = NOBODY
            client.private_length = -1
            client.seen_input = client.relayed_input[0] if client.relayed else client.received_input
            if past_window(client, tick):
                if client.behind_since == 0:
                    client.behind_since = now
            elif client.behind_since != 0:
                caught_up(client, now, self.window)
            if client.behind_since != 0 or not reachable(client):
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
                self._starts[count] = 0
                count += 1
            client.cohort = self._cohorts[i] = <int> last
            self._starts[last] += 1
        self._put_in_order(count)
        return count

    @cython.nonecheck(False)
    cdef void _put_in_order(self, Py_ssize_t count) noexcept nogil:
        """From how many a cohort has in `_starts` to where each begins, and its slots from there on."""
        cdef Py_ssize_t i, at = 0
        cdef int cohort
        for i in range(count):
            at += self._starts[i]
            self._starts[i] = at
        if self._capacity:
            self._starts[count] = at
        # Backwards, so that each start ends up where it belongs.
        for i in range(self._extent - 1, -1, -1):
            cohort = self._cohorts[i]
            if cohort != NOBODY:
                self._starts[cohort] -= 1
                self._order[self._starts[cohort]] = i
        self._cohort_count = count

    def send(self, int cohort, bytes frame not None, uint32_t epoch, uint64_t tick) -> int:
        """Brings a cohort to (epoch, tick) by `frame`, a whole WebSocket frame. Returns to how many it was sent."""
        cdef const unsigned char* data = frame
        cdef Py_ssize_t length = len(frame)
        if cohort < 0 or not length:
            raise ValueError("no such cohort, or nothing to send")
        if cohort >= self._cohort_count:
            return 0
        return self._send(cohort, self._starts[cohort], self._starts[cohort + 1], data, length, epoch, tick)

    def plan(self, int cohort, Area area not None, uint32_t epoch, base) -> int:
        """Plans a message for each of a cohort: what brings it from tick `base` (None: from nothing) to the area's.
        Returns how many are to be sent; to who sees nothing new, none is."""
        cdef Py_ssize_t i, count = 0
        cdef Client* client
        cdef Connection connection
        if not 0 <= cohort < self._cohort_count:
            return 0
        area.open(0 if base is None else base, base is None)
        for i in range(self._starts[cohort], self._starts[cohort + 1]):
            client = self._clients[self._order[i]]
            if client == NULL or client.cohort != cohort or client.look == NULL:
                continue
            connection = self._connections[self._order[i]]
            connection._sight.plan(epoch)
            if client.look.length:
                count += 1
        return count

    def send_planned(self, int cohort, uint32_t epoch, uint64_t tick) -> int:
        """Sends what was planned for a cohort. Returns to how many."""
        cdef Py_ssize_t i
        if not 0 <= cohort < self._cohort_count:
            return 0
        self._longest_planned = MAX_SERVER_HEADER
        for i in range(self._starts[cohort], self._starts[cohort + 1]):
            if self._clients[self._order[i]] != NULL and self._clients[self._order[i]].look != NULL:
                self._longest_planned = max(
                    self._longest_planned, MAX_SERVER_HEADER + self._clients[self._order[i]].look.length)
        return self._send(cohort, self._starts[cohort], self._starts[cohort + 1], NULL, PLANNED, epoch, tick)

    def with_new_cells(self, int cohort) -> list:
        """Those of a cohort who begin to see a cell with what is planned for them."""
        return [
            connection for connection in self.cohort(cohort)
            if (<Connection> connection).client.look != NULL and (<Connection> connection).client.look.widens
        ]

    def flush(self) -> int:
        """Sends what waits to those for whom no state went out in this tick. Returns to how many.

        It ends the tick: there are no cohorts after it.
        """
        cdef Py_ssize_t i, waiting = 0
        cdef bint refused
        cdef Client* client
        self._cohort_count = 0
        for i in range(self._extent):
            client = self._clients[i]
            if client == NULL:
                continue
            refused = client.cohort == REFUSED
            client.cohort = NOBODY
            if not refused and has_more(client) and reachable(client):
                client.cohort = LEFT_OVER
                self._order[waiting] = i
                waiting += 1
        return self._send(LEFT_OVER, 0, waiting, NULL, 0, 0, 0) if waiting else 0

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

    cdef Py_ssize_t _send(
        self, int cohort, Py_ssize_t first, Py_ssize_t end, const unsigned char* frame, Py_ssize_t length,
        uint32_t epoch, uint64_t tick,
    ) except -1:
        """Sends to those of a range of `_order` who still are of this cohort."""
        cdef Job job
        cdef Lane* lane
        cdef Py_ssize_t i, count = 0, others = 0
        self._senders.reserve(
            (self._longest_planned if length == PLANNED else length) + self._longest_pending + self._longest_private +
            PRIVATE_OVERHEAD)
        job.clients = self._clients
        job.slots = self._order + first
        job.lanes = self._senders.lanes
        job.frame = frame
        job.length = length
        job.epoch = epoch
        job.tick = tick
        job.now = self._now
        job.cohort = cohort
        with nogil, cython.nonecheck(False):
            self._senders.run(send_range, &job, end - first)
        for i in range(self._senders.lane_count):
            lane = &self._senders.lanes[i]
            count += lane.count
            others += lane.others
            self.shared += lane.shared
            self.staged += lane.staged
            self.full += lane.full
            self.partial += lane.partial
            self.bytes_sent += lane.bytes_sent
            lane.count = lane.others = 0
            lane.shared = lane.staged = lane.full = lane.partial = lane.bytes_sent = 0
        if others:
            count += self._send_others(cohort, first, end, frame, length, epoch, tick)
        return count

    cdef Py_ssize_t _send_others(
        self, int cohort, Py_ssize_t first, Py_ssize_t end, const unsigned char* frame, Py_ssize_t length,
        uint32_t epoch, uint64_t tick,
    ) except -1:
        """What the transport must write: tails of partial sends, and everything on a TLS connection."""
        cdef Py_ssize_t i, n, done, count = 0
        cdef Client* client
        cdef Connection connection
        cdef const unsigned char* data
        for i in range(first, end):
            client = self._clients[self._order[i]]
            if client == NULL or client.cohort != cohort or nothing_planned(client, length):
                continue
            connection = self._connections[self._order[i]]
            n = outgoing(client, frame, length, self._senders.lanes[0].scratch, &data)
            done = client.partial
            client.partial = 0
            client.cohort = NOBODY
            sent(client, length != 0, epoch, tick)
            count += 1
            self.bytes_sent += n - done
            connection._transport.write(PyBytes_FromStringAndSize(<const char*> data + done, n - done))
        return count
