"""The past: what a table held in its last ticks, as readers of the wire had it. For lag compensation.

Knows columns and rows and nothing of tables, which call `keep` at each commit. Only what all players see as numbers is
kept: no text, no blobs, no array fields, nothing owner_only.
"""

from cpython.list cimport PyList_GET_ITEM
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from monkeytown._core.arrays cimport Array, new_array
from monkeytown._core.columns cimport Column
from monkeytown._core.fields cimport BOOL, Field, INTEGER, OBJECT, REAL
from monkeytown._core.rows cimport MAX_ROWS
from monkeytown.errors import NoSuchTick


cdef class Moment:
    """A table as it was at one tick: `moment.x` is the read-only column of the field `x`, by slot.

    Stays as it is for as long as it is kept. Values in slots where `alive` is false mean nothing.
    """

    def __dealloc__(self):
        free(self.ids_)
        free(self.wire)

    cdef int hold(self, int64_t tick, tuple columns, Rows rows) except -1:
        """Takes the values of a commit. Whatever was in the memory is overwritten."""
        cdef int32_t slot, n = rows.extent
        cdef int place = 0
        cdef Column column
        if n > self.room or self.ids_ is NULL:
            free(self.ids_)
            free(self.wire)
            self.room, self.extent = 0, 0
            self.wire = NULL
            self.ids_ = <uint32_t *>malloc((<size_t>n + 1) * sizeof(uint32_t))
            self.wire = <int32_t *>malloc((<size_t>n + 1) * (<size_t>len(columns) + 1) * sizeof(int32_t))
            if self.ids_ is NULL or self.wire is NULL:
                raise MemoryError
            self.room = n
        self.tick, self.extent = tick, n
        for slot in range(n):
            self.ids_[slot] = rows.id_of(slot) if rows.mask[slot] else 0
        for column in columns:
            memcpy(self.wire + <size_t>place * self.room, column.lanes[0].wire, n * sizeof(int32_t))
            place += 1
        return 0

    def __len__(self):
        return self.extent

    def __getattr__(self, str name):
        try:
            return self.column(name)
        except KeyError:
            raise AttributeError(f"the past has no column {name!r}") from None

    def column(self, str name not None):
        """The column of a field, also of one whose name means something else here. KeyError if it is not kept."""
        if self.read is None:
            self.read = {}
        if name not in self.read:
            self.read[name] = self.values(self.place_of(name))
        return self.read[name]

    def place_of(self, str name not None):
        field = getattr(self.entity, name, None)
        if not isinstance(field, Field) or self.fields is None or field not in self.fields:
            raise KeyError(name)
        return self.fields.index(field)

    cdef object values(self, int place):
        cdef Field field = self.fields[place]
        cdef Array array = new_array(
            c"d" if field.storage == REAL else c"q" if field.storage == INTEGER else c"?" if field.kind == BOOL else c"B",
            self.extent)
        cdef const int32_t *wire = self.wire + <size_t>place * self.room
        cdef int32_t slot
        for slot in range(self.extent):
            if field.storage == REAL:
                (<double *>array.data)[slot] = field.wire_to_real(wire[slot])
            elif field.storage == INTEGER:
                (<int64_t *>array.data)[slot] = field.wire_to_integer(wire[slot])
            else:
                (<uint8_t *>array.data)[slot] = <uint8_t>wire[slot]
        array.readonly = True
        return memoryview(array)

    cdef object value(self, str name, int32_t slot):
        cdef int place = self.place_of(name)
        return (<Field>self.fields[place]).wire_to_python(self.wire[<size_t>place * self.room + slot])

    @property
    def ids(self):
        """Who stood in each slot, 0 for nobody: uint32."""
        cdef Array array = new_array(c"I", self.extent)
        if self.extent:
            memcpy(array.data, self.ids_, self.extent * sizeof(uint32_t))
        array.readonly = True
        return memoryview(array)

    @property
    def alive(self):
        """Which slots were in use: booleans."""
        cdef Array array = new_array(c"?", self.extent)
        cdef int32_t slot
        for slot in range(self.extent):
            array.data[slot] = self.ids_[slot] != 0
        array.readonly = True
        return memoryview(array)

    def row(self, int32_t slot):
        """The values of who stood in a slot. KeyError if it was free."""
        cdef Ghost ghost
        if not 0 <= slot < self.extent or not self.ids_[slot]:
            raise KeyError(slot)
        ghost = Ghost.__new__(Ghost)
        ghost.moment, ghost.slot_ = self, slot
        return ghost

    def get(self, id, default=None):
        """The values of an entity, or `default` if it was not there. Takes an id, or a row that is alive now."""
        cdef int64_t number = getattr(id, "id", id)
        cdef int32_t slot = <int32_t>(number & (MAX_ROWS - 1))
        if number <= 0 or slot >= self.extent or self.ids_[slot] != number:
            return default
        return self.row(slot)

    def __repr__(self):
        return f"<{self.extent} slots at tick {self.tick}>"


cdef class Ghost:
    """One entity as it was. Its fields are read-only."""

    def __getattr__(self, str name):
        if self.moment is not None:
            try:
                return self.moment.value(name, self.slot_)
            except KeyError:
                pass
        raise AttributeError(f"the past has no field {name!r}")

    @property
    def id(self):
        return self.moment.ids_[self.slot_] if self.moment is not None else 0

    @property
    def slot(self):
        return self.slot_

    def __repr__(self):
        return f"<{self.id} as it was>"


cdef class Past:
    """The last `length` commits of a table."""

    def __cinit__(self, str table not None, object entity not None, tuple columns not None, int length):
        cdef Column column
        if length < 1:
            raise ValueError("the past has at least one tick")
        self.table, self.entity, self.length = table, entity, length
        kept = []
        for column in columns:
            if column.field.storage != OBJECT and not column.field.count and not column.field.owner_only:
                kept.append(column)
        self.columns = tuple(kept)
        self.fields = tuple([(<Column>column).field for column in kept])
        self.moments = []

    cdef Moment nth(self, Py_ssize_t age):
        """The newest is 0."""
        return <Moment>PyList_GET_ITEM(self.moments, (self.next - 1 - age + 2 * self.length) % self.length)

    cdef int keep(self, int64_t tick, Rows rows) except -1:
        cdef Moment moment = None
        if self.count == self.length:
            moment = self.moments[self.next]
        if moment is None or moment.lent:
            moment = Moment.__new__(Moment)
            moment.entity, moment.fields = self.entity, self.fields
            if self.count == self.length:
                self.moments[self.next] = moment
            else:
                self.moments.append(moment)
                self.count += 1
        moment.hold(tick, self.columns, rows)
        self.next = (self.next + 1) % self.length
        return 0

    cdef Moment at(self, int64_t tick, bint clamp):
        """The newest commit that was no later than `tick`."""
        cdef Py_ssize_t low = 0, high = self.count - 1, middle
        cdef Moment moment
        if not self.count:
            raise NoSuchTick(f"table {self.table} has not been committed yet")
        if self.nth(0).tick < tick or tick < self.nth(high).tick:
            if not clamp:
                raise NoSuchTick(
                    f"table {self.table} keeps ticks {self.nth(high).tick} to {self.nth(0).tick}, not {tick}")
            tick = min(max(tick, self.nth(high).tick), self.nth(0).tick)
        while low < high:
            middle = (low + high) // 2
            if self.nth(middle).tick <= tick:
                high = middle
            else:
                low = middle + 1
        moment = self.nth(low)
        moment.lent = True
        return moment
