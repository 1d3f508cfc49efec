"""Batches: all inputs of a tick as columns, one number of each per input, and no Python object for any of them.

Knows the queue, and of a player what its `Seat` holds; knows nothing of rooms. A batch owns its memory: what a game keeps of
it beyond the tick stays readable and does not change.
"""

from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.stdint cimport uint8_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove

from monkeytown._core.arrays cimport Array, Source, new_array, write_numbers
from monkeytown._core.fields cimport BOOL, Field, INTEGER, REAL
from monkeytown._core.inputs cimport Entry
from monkeytown._core.rows cimport grown
from monkeytown._core.state cimport Table
from monkeytown._core.wire cimport Reader, Writer
from monkeytown.errors import WireError

cdef enum:
    FEWEST = 64


cdef class Seat:
    """What compiled code has to know of a player who sends inputs."""

    def __init__(self, int32_t number):
        if number < 0:
            raise ValueError("a player's number is not negative")
        self.number = number


cdef class Seats:
    """Seats by the player's number: as many as there are players, whatever their numbers are."""

    def __cinit__(self):
        self.taken = []

    def __dealloc__(self):
        free(self.numbers)

    def __len__(self):
        return PyList_GET_SIZE(self.taken)

    def add(self, Seat seat not None):
        """In place of the seat of that number, if there is one."""
        cdef Py_ssize_t at = self.place(seat.number), count = PyList_GET_SIZE(self.taken), capacity
        if at < count and self.numbers[at] == seat.number:
            self.taken[at] = seat
            seat.noted_at = 0
            return
        if count == self.capacity:
            capacity = max(<Py_ssize_t>FEWEST, 2 * count)
            self.numbers = <int32_t *>grown(self.numbers, capacity * sizeof(int32_t))
            self.capacity = capacity
        self.taken.insert(at, seat)
        memmove(self.numbers + at + 1, self.numbers + at, (count - at) * sizeof(int32_t))
        self.numbers[at] = seat.number
        seat.noted_at = 0

    def remove(self, Seat seat not None):
        cdef Py_ssize_t at = self.place(seat.number), count = PyList_GET_SIZE(self.taken)
        if at < count and self.numbers[at] == seat.number:
            del self.taken[at]
            memmove(self.numbers + at, self.numbers + at + 1, (count - at - 1) * sizeof(int32_t))

    cdef Py_ssize_t place(self, int32_t number) noexcept:
        """Where a number is, or would be."""
        cdef Py_ssize_t low = 0, high = PyList_GET_SIZE(self.taken), middle
        while low < high:
            middle = (low + high) // 2
            if self.numbers[middle] < number:
                low = middle + 1
            else:
                high = middle
        return low

    cdef Seat find(self, int32_t number):
        """The seat of a number, or None."""
        cdef Py_ssize_t at = self.place(number)
        if at < PyList_GET_SIZE(self.taken) and self.numbers[at] == number:
            return <Seat>PyList_GET_ITEM(self.taken, at)
        return None

    def get(self, int32_t number):
        """The seat of a number; None if there is none."""
        return self.find(number)

    def note(self, int64_t now) -> bool:
        """Finds out who has another newest input than when this was last called; of them that is known since `now` (from 1).
        Returns whether there are any; whoever was added since is one."""
        cdef Py_ssize_t i
        cdef Seat seat
        cdef bint found = False
        for i in range(PyList_GET_SIZE(self.taken)):
            seat = <Seat>PyList_GET_ITEM(self.taken, i)
            if seat.input != seat.noted or not seat.noted_at:
                seat.noted, seat.noted_at = seat.input, now
                found = True
        return found

    def noted(self, int64_t since) -> bytes:
        """The newest inputs that are known since later than `since`, for `learn` of other seats; empty if there are none.

        How much further each number is than the one before, and the input: varints.
        """
        cdef Py_ssize_t i
        cdef int32_t last = -1
        cdef Seat seat
        cdef Writer out = Writer()
        for i in range(PyList_GET_SIZE(self.taken)):
            seat = <Seat>PyList_GET_ITEM(self.taken, i)
            if seat.noted_at > since:
                out.put_varint(seat.number - last)
                out.put_varint(seat.noted)
                last = seat.number
        return out.getvalue()

    def learn(self, bytes data not None) -> None:
        """Takes over what `noted` gave of other seats, also of numbers that have none yet. WireError for anything else."""
        cdef Reader source = Reader(data)
        cdef int64_t number = -1
        cdef uint32_t gap, newest
        cdef Seat seat
        while source.left():
            source.take_varint(&gap)
            source.take_varint(&newest)
            number += gap
            if not gap or number >= <int64_t>1 << 31:
                raise WireError("the newest inputs are not in order")
            seat = self.find(<int32_t>number)
            if seat is None:
                seat = Seat(<int32_t>number)
                self.add(seat)
            seat.input = newest

    def drain(self, Queue queue not None, absent=()):
        """All that wait, in order, as a Batch; the queue is then empty.

        What comes from players without a seat, or from those in `absent`, is left out. Each seat knows afterwards the
        number of its newest input and the tick that it had seen.
        """
        cdef Batch batch = Batch.__new__(Batch)
        batch.take(queue, self, absent if absent else None)
        return batch


cdef class Batch:
    """The inputs of one tick in order of arrival. `batch.turn` is the column of the field `turn`."""

    def __cinit__(self):
        self.senders, self.columns = [], []

    def __init__(self):
        self.make(None, 0)

    cdef int make(self, Layout layout, Py_ssize_t most) except -1:
        cdef Field field
        self.players_, self.numbers_ = new_array(c"i", most), new_array(c"I", most)
        self.ticks_, self.slots_ = new_array(c"q", most), new_array(c"q", most)
        if layout is None:
            return 0
        self.layout = layout
        for field in layout.input_class.fields():
            self.columns.append(new_array(
                c"d" if field.storage == REAL else c"q" if field.storage == INTEGER else c"?" if field.kind == BOOL
                else c"B", most))
        return 0

    cdef int trim(self, Py_ssize_t count) noexcept:
        """Fewer have come through than there was room for. Nothing is lent out yet."""
        cdef Array array
        self.players_.count = self.numbers_.count = self.ticks_.count = self.slots_.count = count
        for place in range(PyList_GET_SIZE(self.columns)):
            array = <Array>PyList_GET_ITEM(self.columns, place)
            array.count = count
        return 0

    cdef int take(self, Queue queue, Seats seats, object absent) except -1:
        cdef Py_ssize_t i, count = 0
        cdef int32_t *kept
        cdef Entry *entry
        cdef Array places = new_array(c"i", queue.count)
        cdef Seat seat
        self.make(queue.layout, queue.count)
        kept = <int32_t *>places.data
        for i in range(queue.count):
            entry = queue.entries + i
            queue.waiting[entry.player] = 0
            seat = seats.find(entry.player)
            if seat is None or (absent is not None and seat in absent):
                continue
            seat.input = entry.number
            if entry.acknowledged:
                seat.seen_tick = entry.acknowledged
            (<int32_t *>self.players_.data)[count] = entry.player
            (<uint32_t *>self.numbers_.data)[count] = entry.number
            (<int64_t *>self.ticks_.data)[count] = entry.acknowledged
            (<int64_t *>self.slots_.data)[count] = slot_of(seat)
            self.senders.append(seat)
            kept[count] = <int32_t>i
            count += 1
        for i in range(PyList_GET_SIZE(self.columns)):
            fill(<Array>PyList_GET_ITEM(self.columns, i), queue.entries, kept, count, <int>i)
        queue.count = 0
        self.trim(count)
        return 0

    def __len__(self):
        return self.players_.count

    def __getattr__(self, str name):
        try:
            return self.column(name)
        except KeyError:
            raise AttributeError(f"an input has no field {name!r}") from None

    def column(self, str name not None):
        """The column of a field, also of one whose name `batch.name` means something else by. KeyError if there is none."""
        return memoryview(self.array_of(name))

    cdef Array array_of(self, str name):
        if self.layout is None:
            raise KeyError(name)
        return <Array>self.columns[self.layout.places[name]]

    def scatter(self, **columns):
        """Writes fields to where their senders' entities stand: `batch.scatter(turn=turns)` puts each sender's newest `turn`
        into its slot of `turns`.

        Who has no entity is left out. The arrays are writable and of the same numbers as the columns; TypeError if one is
        not, IndexError if it ends before a slot.
        """
        cdef Array source
        cdef Source target
        cdef Py_ssize_t i, stride
        cdef const int64_t *slots = <const int64_t *>self.slots_.data
        cdef int64_t last = -1
        for i in range(self.slots_.count):
            last = max(last, slots[i])
        for name, values in columns.items():
            try:
                source = self.array_of(name)
            except KeyError:
                raise TypeError(f"an input has no field {name!r}") from None
            target = write_numbers(values, name, source.format[0])
            if last >= target.count:
                raise IndexError(f"{name}: there is no place {last} in an array of {target.count}")
            stride = target.view.strides[0]
            for i in range(self.slots_.count):
                if slots[i] >= 0:
                    memcpy(<char *>target.view.buf + slots[i] * stride, source.data + i * source.itemsize, source.itemsize)

    def of(self, Table table not None):
        """The inputs of those alone whose entity is in this table, so that every slot is one of its rows."""
        cdef Py_ssize_t i, count = 0
        cdef Seat seat
        cdef Batch part = Batch.__new__(Batch)
        cdef int64_t *slots = <int64_t *>self.slots_.data
        cdef Array source, target, places = new_array(c"i", len(self))
        cdef int32_t *kept = <int32_t *>places.data
        for i in range(self.players_.count):
            seat = self.senders[i]
            if slots[i] >= 0 and slot_of(seat) == slots[i] and seat.entity.table_ is table:
                kept[count] = <int32_t>i
                part.senders.append(seat)
                count += 1
        part.make(self.layout, count)
        for source, target in zip(self.arrays(), part.arrays()):
            for i in range(count):
                memcpy(target.data + i * target.itemsize, source.data + kept[i] * source.itemsize, target.itemsize)
        return part

    cdef list arrays(self):
        return [self.players_, self.numbers_, self.ticks_, self.slots_, *self.columns]

    @property
    def players(self):
        """The numbers of the players who sent them: int32."""
        return memoryview(self.players_)

    @property
    def numbers(self):
        """Each player's own count of its inputs: uint32."""
        return memoryview(self.numbers_)

    @property
    def ticks(self):
        """The newest tick that the sender had applied when it sent this, 0 for none: int64."""
        return memoryview(self.ticks_)

    @property
    def slots(self):
        """Where the sender's `player.entity` stands in its table, -1 without one: int64, as indices are."""
        return memoryview(self.slots_)

    def __repr__(self):
        return f"<{len(self)} inputs>"


cdef int32_t slot_of(Seat seat) noexcept:
    if seat.entity is None or not seat.entity.live:
        return -1
    return seat.entity.slot_


cdef int fill(Array column, const Entry *entries, const int32_t *kept, Py_ssize_t count, int place) noexcept nogil:
    cdef Py_ssize_t i
    cdef double number
    for i in range(count):
        number = entries[kept[i]].numbers[place]
        if column.itemsize == 1:
            (<uint8_t *>column.data)[i] = <uint8_t>number
        elif column.format[0] == c"d":
            (<double *>column.data)[i] = number
        else:
            (<int64_t *>column.data)[i] = <int64_t>number
    return 0
