"""Inputs: what players steer with, in a fixed layout. Parsed, clamped and queued without touching a Python object.

The form is docs/reference/wire.md, section 6. Knows nothing of rooms or connections; a player is a number.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport rint
from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove

from monkeytown._core.fields cimport ANGLE, FIXED, REAL, SINT
from monkeytown._core.rows cimport grown, resize
from monkeytown.errors import FieldError, SchemaError, WireError

cdef enum:
    KIND_PLAYER_INPUT = 0x04
    MAX_HEAD = 5 + 5 + 10         # a player's number, an input's, and a tick
    FIRST_ENTRIES = 64


cdef class Record(Holder):
    """One input of one player. Fields not given have their defaults."""

    def __init__(self, **values):
        cdef Field field
        for field in type(self).fields():
            self.write_field(field, field.default)
        for name, value in values.items():
            found = getattr(type(self), name, None)
            if not isinstance(found, Field):
                raise FieldError(f"{type(self).__name__} has no field {name!r}")
            self.write_field(found, value)

    cdef object read_field(self, Field field):
        if field.storage == REAL:
            return self.numbers[field.index]
        return field.integer_to_python(<int64_t>self.numbers[field.index])

    cdef int write_field(self, Field field, object value) except -1:
        self.numbers[field.index] = field.real(value) if field.storage == REAL else <double>field.integer(value)
        return 0

    def __repr__(self):
        inside = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in type(self).fields())
        return f"{type(self).__name__}({inside})"


cdef int put_varint(uint8_t *out, uint64_t value) noexcept:
    cdef int at = 0
    while value >= 0x80:
        out[at] = <uint8_t>(value & 0x7F | 0x80)
        value >>= 7
        at += 1
    out[at] = <uint8_t>value
    return at + 1


cdef Py_ssize_t take_varint(const uint8_t *message, Py_ssize_t length, Py_ssize_t at, int most, uint64_t *value) noexcept:
    """Where the varint ends, or -1 if it is cut off or longer than `most` bytes."""
    cdef int i
    value[0] = 0
    for i in range(most):
        if at >= length or (i == 9 and message[at] > 1):
            return -1
        value[0] |= <uint64_t>(message[at] & 0x7F) << (7 * i)
        at += 1
        if message[at - 1] < 0x80:
            return at
    return -1


cdef class Layout:
    """Where the fields of an input class lie in a `player_input` message."""

    def __init__(self, input_class not None, int hash):
        cdef Field field
        cdef int bits = 0
        self.input_class, self.hash = input_class, hash
        fields = input_class.fields()
        self.places = {field.name: place for place, field in enumerate(fields)}
        if not 1 <= len(fields) <= MAX_INPUT_FIELDS:
            raise SchemaError(f"{input_class.__name__}: an input has 1 to {MAX_INPUT_FIELDS} fields")
        for field in fields:
            self.slices[self.count] = Slice(field.kind, field.bits, field.largest, field.lo, field.step)
            if field.kind == ANGLE:
                self.slices[self.count].step = 1.0 / field.scale
            self.count += 1
            bits += field.bits
        self.size = (bits + 7) // 8
        if 3 + 5 + 10 + self.size > MAX_INPUT_MESSAGE:
            raise SchemaError(f"{input_class.__name__}: the fields take {self.size} bytes; an input has room for 46")

    cdef int unpack(self, const uint8_t *source, double *numbers) noexcept:
        """Fields to game values, clamped. Returns the unused bits of the last byte."""
        cdef uint64_t carry = 0
        cdef int filled = 0, i
        cdef uint32_t wire
        cdef Slice *slice
        for i in range(self.count):
            slice = self.slices + i
            while filled < slice.bits:
                carry |= <uint64_t>source[0] << filled
                source += 1
                filled += 8
            wire = <uint32_t>(carry & ((<uint64_t>1 << slice.bits) - 1))
            carry >>= slice.bits
            filled -= slice.bits
            if slice.kind == SINT:
                numbers[i] = <int32_t>(wire << (32 - slice.bits)) >> (32 - slice.bits)
                continue
            if wire > slice.largest:
                wire = slice.largest
            numbers[i] = slice.lo + wire * slice.step if slice.kind in (FIXED, ANGLE) else wire
        return <int>carry

    cdef int squeeze(self, const double *numbers, uint8_t *out) noexcept:
        """The reverse, of numbers that are values of the fields. Returns how many bytes those are, which is `size`."""
        cdef uint64_t carry = 0
        cdef int64_t wire
        cdef int filled = 0, at = 0, i
        cdef Slice *slice
        for i in range(self.count):
            slice = self.slices + i
            if slice.kind == FIXED:
                wire = min(max(<int64_t>rint((numbers[i] - slice.lo) / slice.step), <int64_t>0), <int64_t>slice.largest)
            elif slice.kind == ANGLE:
                wire = <int64_t>rint(numbers[i] / slice.step)
            else:
                wire = <int64_t>numbers[i]
            carry |= (<uint64_t>wire & ((<uint64_t>1 << slice.bits) - 1)) << filled
            filled += slice.bits
            while filled >= 8:
                out[at] = <uint8_t>carry
                carry >>= 8
                filled -= 8
                at += 1
        if filled:
            out[at] = <uint8_t>carry
            at += 1
        return at

    cdef int read(
        self, const uint8_t *message, Py_ssize_t length, uint32_t *number, int64_t *acknowledged, double *numbers
    ) noexcept:
        cdef uint64_t value
        cdef Py_ssize_t at = 3
        if length < 3 or length > MAX_INPUT_MESSAGE or message[0] != KIND_PLAYER_INPUT:
            return MALFORMED
        if (message[1] | message[2] << 8) != self.hash:
            return OTHER_SCHEMA
        at = take_varint(message, length, at, 5, &value)
        if at < 0 or value >> 32 or not value:
            return MALFORMED
        number[0] = <uint32_t>value
        at = take_varint(message, length, at, 10, &value)
        if at < 0 or value >> 62 or length - at != self.size:
            return MALFORMED
        acknowledged[0] = <int64_t>value
        return MALFORMED if self.unpack(message + at, numbers) else PUSHED

    def parse(self, bytes message not None):
        """A whole `player_input` message as (number, acknowledged tick, record). WireError if it is not one."""
        cdef uint32_t number
        cdef int64_t acknowledged
        cdef Record record = self.input_class.__new__(self.input_class)
        cdef int result = self.read(
            <const uint8_t *>PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message), &number, &acknowledged, record.numbers)
        if result == OTHER_SCHEMA:
            raise WireError("the input belongs to another schema")
        if result != PUSHED:
            raise WireError("the input is malformed")
        return number, acknowledged, record

    def pack(self, Record record not None, uint32_t number, int64_t acknowledged=0):
        """A whole `player_input` message."""
        cdef uint8_t message[MAX_INPUT_MESSAGE + 8]
        cdef uint64_t carry = 0
        cdef int filled = 0, at = 3, i = 0
        cdef Field field
        message[0] = KIND_PLAYER_INPUT
        message[1], message[2] = self.hash & 0xFF, self.hash >> 8
        at += put_varint(message + at, number)
        at += put_varint(message + at, acknowledged)
        for field in self.input_class.fields():
            if field.storage == REAL:
                wire = field.real_to_wire(record.numbers[i])
            else:
                wire = <int64_t>record.numbers[i]
            carry |= (<uint64_t>wire & ((<uint64_t>1 << field.bits) - 1)) << filled
            filled += field.bits
            while filled >= 8:
                message[at] = <uint8_t>carry
                carry >>= 8
                filled -= 8
                at += 1
            i += 1
        if filled:
            message[at] = <uint8_t>carry
            at += 1
        return PyBytes_FromStringAndSize(<const char *>message, at)


cdef class Queue:
    """Inputs that wait for the next tick, in order of arrival, at most `per_player` of each player: the newest ones."""

    def __init__(self, Layout layout not None, int per_player=4):
        self.layout, self.per_player = layout, per_player
        self.capacity = FIRST_ENTRIES
        self.entries = <Entry *>grown(self.entries, self.capacity * sizeof(Entry))

    def __dealloc__(self):
        free(self.entries)
        free(self.waiting)

    def __len__(self):
        return self.count

    cdef Entry *place(self, int player) except NULL:
        """Room for one more entry of a player; its oldest one goes if it has too many. Counted by the caller."""
        cdef Py_ssize_t i, players
        if player < 0:
            raise ValueError("a player's number is not negative")
        if player >= self.players:
            players = max(<Py_ssize_t>64, 2 * <Py_ssize_t>(player + 1))
            resize(<void **>&self.waiting, sizeof(int32_t), self.players, players)
            self.players = players
        if self.waiting[player] >= self.per_player:
            for i in range(self.count):
                if self.entries[i].player == player:
                    memmove(self.entries + i, self.entries + i + 1, (self.count - i - 1) * sizeof(Entry))
                    break
            self.count -= 1
            self.waiting[player] -= 1
            self.dropped += 1
        if self.count == self.capacity:
            self.entries = <Entry *>grown(self.entries, 2 * self.capacity * sizeof(Entry))
            self.capacity *= 2
        return self.entries + self.count

    cdef int push(self, int player, const uint8_t *message, Py_ssize_t length) except -2:
        """Queues a whole `player_input` message; its number and acknowledged tick are left in `pushed_…`."""
        cdef Entry entry
        cdef int result = self.layout.read(
            message, length, &entry.number, &entry.acknowledged, entry.numbers)
        if result != PUSHED:
            return result
        entry.player = player
        self.pushed_acknowledged = entry.acknowledged
        self.place(player)[0] = entry
        self.pushed_number = entry.number
        self.count += 1
        self.waiting[player] += 1
        return PUSHED

    def push_message(self, int player, bytes message not None):
        """The same from Python: (number, acknowledged tick). WireError if the message is not one of this layout."""
        cdef int result = self.push(player, <const uint8_t *>PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message))
        if result == OTHER_SCHEMA:
            raise WireError("the input belongs to another schema")
        if result != PUSHED:
            raise WireError("the input is malformed")
        return self.pushed_number, self.pushed_acknowledged

    def put(self, int player, uint32_t number, Record record not None, int64_t acknowledged=0):
        """Queues an input that did not come in the packed layout."""
        cdef Entry *entry = self.place(player)
        entry.player, entry.number, entry.acknowledged = player, number, acknowledged
        memcpy(entry.numbers, record.numbers, sizeof(entry.numbers))
        self.count += 1
        self.waiting[player] += 1

    def take_packed(self):
        """All that wait, in order, for the queue of another instance; this one is then empty. Empty bytes if none do."""
        cdef Py_ssize_t i
        cdef uint8_t *at
        cdef bytes packed
        if not self.count:
            return b""
        packed = PyBytes_FromStringAndSize(NULL, 2 + self.count * (MAX_HEAD + self.layout.size))
        at = <uint8_t *>PyBytes_AS_STRING(packed)
        at[0], at[1] = self.layout.hash & 0xFF, self.layout.hash >> 8
        at += 2
        for i in range(self.count):
            at += put_varint(at, self.entries[i].player)
            at += put_varint(at, self.entries[i].number)
            at += put_varint(at, self.entries[i].acknowledged)
            at += self.layout.squeeze(self.entries[i].numbers, at)
            self.waiting[self.entries[i].player] = 0
        self.count = 0
        return packed[:at - <uint8_t *>PyBytes_AS_STRING(packed)]

    cdef Py_ssize_t take_entry(self, const uint8_t *message, Py_ssize_t length, Py_ssize_t at, Entry *entry) noexcept:
        """One entry of what `take_packed` gives. Returns where the next one begins; -1: it is none."""
        cdef uint64_t player = 0, number = 0, acknowledged = 0
        at = take_varint(message, length, at, 5, &player)
        if at > 0:
            at = take_varint(message, length, at, 5, &number)
        if at > 0:
            at = take_varint(message, length, at, 10, &acknowledged)
        if at < 0 or player >> 31 or number >> 32 or acknowledged >> 62 or length - at < self.layout.size:
            return -1
        entry.player, entry.number, entry.acknowledged = <int32_t>player, <uint32_t>number, <int64_t>acknowledged
        return -1 if self.layout.unpack(message + at, entry.numbers) else at + self.layout.size

    def put_packed(self, bytes data not None, allowed not None):
        """Queues what `take_packed` gave of another queue of this layout, as if it had been pushed here. How many those were.

        Players who are not in `allowed` are left out. Nothing is queued, and WireError raised, for any other bytes.
        """
        cdef const uint8_t *message = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t at = 2, length = PyBytes_GET_SIZE(data), queued = 0
        cdef Entry entry
        if length < 2 or (message[0] | message[1] << 8) != self.layout.hash:
            raise WireError("the inputs belong to another schema")
        while at < length:
            at = self.take_entry(message, length, at, &entry)
            if at < 0:
                raise WireError("the inputs are malformed")
        at = 2
        while at < length:
            at = self.take_entry(message, length, at, &entry)
            if entry.player in allowed:
                self.place(entry.player)[0] = entry
                self.count += 1
                self.waiting[entry.player] += 1
                queued += 1
        return queued

    def drain(self):
        """All that wait, in order: (player, number, acknowledged tick, record). The queue is then empty."""
        cdef Py_ssize_t i
        cdef Record record
        cdef object input_class = self.layout.input_class
        cdef list drained = []
        for i in range(self.count):
            record = input_class.__new__(input_class)
            memcpy(record.numbers, self.entries[i].numbers, self.layout.count * sizeof(double))
            drained.append((
                self.entries[i].player, self.entries[i].number, self.entries[i].acknowledged, record))
            self.waiting[self.entries[i].player] = 0
        self.count = 0
        return drained
