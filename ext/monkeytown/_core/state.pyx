"""Tables: the state of a room, versioned by tick.

A table joins rows (who is there) and columns (what they hold) with time: `commit` turns what the game wrote since the last
tick into wire values, stamps what differs from the prediction, and remembers who entered and who is gone. Knows nothing of
bytes; `delta` reads what is here.
"""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove, memset

from monkeytown._core.columns cimport Places
from monkeytown._core.fields cimport OBJECT, REAL, REF
from monkeytown._core.rows cimport MAX_ROWS, resize
from monkeytown.errors import FieldError, Gone, NoSuchTick, SchemaError, TableFull

cdef enum:
    FIRST_ROWS = 16          # room for so many rows at first; doubled as they fill
    MAX_TOMBSTONES = 4096    # readers who stand before the oldest of them get a snapshot
    MAX_REASSIGNMENTS = 1024
    REBASE_AT = 1 << 30      # stamps stay below it
    REBASE_KEEPS = 1 << 29   # how many ticks of stamps survive a rebase

cdef extern from "kernels.h" nogil:
    void mt_rebase(int32_t *stamp, Py_ssize_t n, int32_t shift)


cdef class Table:
    """Rows of one entity class, up to `capacity` of them.

    Iterating gives the rows in order of their slots; rows may be spawned and despawned meanwhile. `table.x` is the column of
    the field `x`.
    """

    def __cinit__(self, str name not None, entity not None, int32_t capacity, bint single=False, int rewind=0):
        if not 1 <= capacity <= MAX_ROWS:
            raise SchemaError(f"table {name}: a capacity goes from 1 to {MAX_ROWS}")
        self.name = name
        self.entity = entity
        self.single = single
        self.rows = Rows(1 if single else capacity)
        self.handles = []
        self.entered, self.departed = set(), []
        self.reassigned, self.reassignments = set(), []
        columns = []
        for place, field in enumerate(entity.fields()):
            if (<Field?>field).index != place:
                raise SchemaError(f"{field!r} is not bound to {entity.__name__}")
            columns.append(Column(field, self.rows, self))
            self.has_private = self.has_private or field.owner_only
        self.columns = tuple(columns)
        if not columns:
            raise SchemaError(f"{entity.__name__} has no fields")
        if rewind:
            self.past = Past(name, entity, self.columns, rewind + 1)
        self.grow(1)

    def __dealloc__(self):
        free(self.fresh)
        free(self.tombstones)

    def __class_getitem__(cls, item):
        return cls

    def __getattr__(self, str name):
        try:
            return self.column(name)
        except KeyError:
            raise AttributeError(f"table {self.name} has no column {name!r}") from None

    def column(self, str name not None):
        """The column of a field, also of one whose name `table.name` means something else by. KeyError if there is none."""
        field = getattr(self.entity, name, None)
        if isinstance(field, Field):
            return self.columns[field.index]
        raise KeyError(name)

    def __repr__(self):
        return f"<table {self.name}: {self.rows.size} of {self.rows.capacity} {self.entity.__name__}>"

    @property
    def capacity(self):
        return self.rows.capacity

    @property
    def extent(self):
        """One more than the highest slot in use: the length of the columns."""
        return self.rows.extent

    @property
    def alive(self):
        """Which slots are in use: a read-only copy of booleans as long as the columns."""
        return memoryview(bytes(self.rows.alive[:self.rows.extent])).cast("?")

    def bind_ref(self, str field not None, Table target not None):
        """Tells a `ref` field which table its ids are looked up in."""
        column = <Column>self.column(field)
        if column.field.kind != REF:
            raise SchemaError(f"{column.field!r} is not a ref")
        column.target = target

    def pin(self):
        """From now on the arrays do not move: memory for the whole capacity, since NumPy may hold on to it."""
        if not self.pinned:
            self.grow(self.rows.capacity)
            self.pinned = True

    cdef int grow(self, int32_t wanted) except -1:
        cdef int32_t allocated = max(self.rows.allocated, min(<int32_t>FIRST_ROWS, self.rows.capacity))
        if wanted > self.rows.capacity:
            raise TableFull(f"table {self.name} is full: its capacity is {self.rows.capacity}")
        while allocated < wanted:
            allocated = min(allocated * 2, self.rows.capacity)
        if allocated == self.rows.allocated:
            return 0
        for column in self.columns:
            (<Column>column).grow(allocated)
        resize(<void **>&self.fresh, sizeof(int32_t), self.rows.allocated, allocated)
        self.handles.extend([None] * (allocated - self.rows.allocated))
        self.rows.grow(allocated)
        return 0

    cdef Row handle(self, int32_t slot):
        cdef Row row = self.handles[slot]
        if row is None:
            row = self.entity.__new__(self.entity)
            row.table_, row.slot_, row.live = self, slot, True
            self.handles[slot] = row
        return row

    def spawn(self, *, int owner=0, **values):
        """A new row, with the defaults of its fields where no value is given. `owner` is a player's number."""
        cdef int32_t slot
        cdef Row row
        if self.single and self.rows.size:
            raise TableFull(f"table {self.name} has its one row already")
        slot = self.rows.take()
        if slot < 0:
            self.grow(self.rows.allocated + 1)
            slot = self.rows.take()
        self.entered.add(slot)
        row = self.handle(slot)
        try:
            for column in self.columns:
                (<Column>column).clear_row(slot)
            if owner:
                self.own(slot, owner)
            for name, value in values.items():
                field = getattr(self.entity, name, None)
                if not isinstance(field, Field):
                    raise TypeError(f"{self.entity.__name__} has no field {name!r}")
                (<Column>self.columns[(<Field>field).index]).put(slot, value) if not (<Field>field).count else (
                    setattr(row, name, value))
        except BaseException:
            self.remove(slot)
            raise
        return row

    def despawn(self, row):
        """Ends a row, given as itself or by id. KeyError if it is gone already."""
        self.remove(self.slot_for(row))

    def clear(self):
        """Ends all rows."""
        cdef int32_t slot
        for slot in range(self.rows.extent - 1, -1, -1):
            if slot < self.rows.extent and self.rows.mask[slot]:
                self.remove(slot)

    cdef int remove(self, int32_t slot) except -1:
        cdef Row row = self.handles[slot]
        if row is not None:
            row.live = False
            self.handles[slot] = None
        if self.rows.owner[slot] and self.has_private:
            self.reassigned.add(self.rows.owner[slot])
        if slot in self.entered:
            self.entered.discard(slot)
        else:
            self.departed.append((slot, self.rows.id_of(slot), self.tick_of(self.rows.spawned[slot])))
        for column in self.columns:
            (<Column>column).settle(slot)
        return self.rows.vacate(slot)

    cdef int32_t slot_for(self, object key) except -1:
        cdef int32_t slot = -1
        if isinstance(key, Row):
            if (<Row>key).live and (<Row>key).table_ is self:
                slot = (<Row>key).slot_
        elif 0 <= key < 1 << 32:
            slot = self.rows.slot_of(key)
        if slot < 0:
            raise KeyError(key)
        return slot

    def __len__(self):
        return self.rows.size

    def __bool__(self):
        return True

    def __iter__(self):
        cdef int32_t slot = 0
        while slot < self.rows.extent:
            if self.rows.mask[slot]:
                yield self.handle(slot)
            slot += 1

    def __getitem__(self, id):
        return self.handle(self.slot_for(id))

    def __contains__(self, key):
        try:
            self.slot_for(key)
        except KeyError:
            return False
        return True

    def get(self, id, default=None):
        """The row of an id, or `default` if it is gone."""
        try:
            return self.handle(self.slot_for(id))
        except KeyError:
            return default

    def row(self, int32_t slot):
        """The row in a slot: what an index into a column belongs to. KeyError if the slot is free."""
        if not 0 <= slot < self.rows.extent or not self.rows.mask[slot]:
            raise KeyError(slot)
        return self.handle(slot)

    def id_for(self, row):
        """The id of a row of this table, given as itself or by id; FieldError if it is gone or of another table."""
        try:
            return self.rows.id_of(self.slot_for(row))
        except KeyError:
            raise FieldError(f"{row!r} is not in table {self.name}") from None

    cdef int own(self, int32_t slot, int32_t owner) except -1:
        if owner < 0:
            raise FieldError(f"an owner is a player's number, not {owner}")
        if self.rows.owner[slot] != owner and self.has_private:
            self.reassigned.update(number for number in (self.rows.owner[slot], owner) if number)
        self.rows.owner[slot] = owner
        return 0

    # ---- time ----

    def at(self, int64_t tick, *, bint clamp=False):
        """The table as readers had it at a tick. NoSuchTick if that is not kept, or with `clamp` the nearest that is."""
        if self.past is None:
            raise NoSuchTick(f"table {self.name} keeps no past: table({self.entity.__name__}, rewind=seconds)")
        return self.past.at(tick, clamp)

    cdef int32_t stamp_of(self, int64_t tick) noexcept:
        """A tick as a stamp; ticks before the origin are all alike."""
        return <int32_t>(tick - self.origin) if tick > self.origin else 0

    cdef int64_t tick_of(self, int32_t stamp) noexcept:
        return self.origin + stamp

    cdef int rebase(self, int64_t tick) noexcept:
        """Moves the origin up so that stamps stay small; what was older than it is then as old as can be."""
        cdef int64_t distance = tick - REBASE_KEEPS - self.origin
        cdef int32_t shift = <int32_t>min(distance, <int64_t>REBASE_AT)
        for column in self.columns:
            (<Column>column).rebase(shift)
        mt_rebase(self.rows.spawned, self.rows.allocated, shift)
        self.origin += distance
        self.forgotten = max(self.forgotten, self.origin)
        return 0

    cdef int begin(self, int64_t tick) except -1:
        if tick <= self.tick:
            raise ValueError(f"tick {tick} does not come after tick {self.tick}")
        if tick - self.origin >= REBASE_AT:
            self.rebase(tick)
        if self.changed_tick == self.tick:
            memset(self.rows.dirty, 0, self.rows.extent * sizeof(int32_t))
        self.changed_before = self.changed_tick
        return 0

    cdef int commit(self, int64_t tick) except -1:
        cdef int32_t stamp, motion = 0, slot
        cdef int lane
        cdef bint changed
        cdef Column column
        self.begin(tick)
        stamp = self.stamp_of(tick)
        changed = len(self.entered) > 0
        if changed:
            self.entered_tick = tick
        for slot in self.entered:
            self.rows.spawned[slot] = stamp
        for column in self.columns:
            if column.field.storage == OBJECT:
                changed = column.commit_contents(stamp) or changed
                continue
            for lane in range(column.count):
                column.quantise(lane, self.fresh)
                for slot in self.entered:
                    column.enter(lane, slot, self.fresh[slot], stamp)
                changed = column.compare(lane, self.fresh, stamp, &motion) or changed
        self.finish(tick, changed, motion != 0)
        if self.past is not None:
            self.past.keep(tick, self.rows)
        return 0

    cdef int finish(self, int64_t tick, bint changed, bint moving) except -1:
        changed = self.bury(tick) or changed
        if self.reassigned:
            changed = True
            self.reassignments.extend((tick, owner) for owner in sorted(self.reassigned))
            self.reassigned.clear()
            too_many = len(self.reassignments) - MAX_REASSIGNMENTS
            if too_many > 0:
                self.reassignments_forgotten = self.reassignments[too_many - 1][0]
                del self.reassignments[:too_many]
        self.entered.clear()
        self.moving = moving
        self.tick = tick
        if changed:
            self.changed_tick = tick
        return 0

    cdef int bury(self, int64_t tick) except -1:
        """Writes down who is gone since the last commit; the oldest are forgotten when there are too many."""
        cdef int32_t count = len(self.departed), drop
        cdef Tombstone *stones
        if not count:
            return 0
        drop = max(0, self.tombstone_count + count - MAX_TOMBSTONES)
        if drop >= self.tombstone_count:
            drop = self.tombstone_count
        if drop:
            self.forgotten = max(self.forgotten, self.tombstones[drop - 1].gone)
            self.tombstone_count -= drop
            memmove(self.tombstones, self.tombstones + drop, self.tombstone_count * sizeof(Tombstone))
        stones = <Tombstone *>realloc(self.tombstones, (self.tombstone_count + count) * sizeof(Tombstone))
        if stones is NULL:
            raise MemoryError
        self.tombstones = stones
        for slot, id, spawned in self.departed:
            self.tombstones[self.tombstone_count] = Tombstone(slot, id, spawned, tick)
            self.tombstone_count += 1
        self.departed.clear()
        return 1

    cdef bint remembers(self, int64_t base) noexcept:
        """Whether a reader who stands at `base` can be told all that happened since."""
        return self.forgotten <= base <= self.tick


cdef class Row(Holder):
    """One entity: a handle to a row of a table. Attributes that are no fields are the game's own and stay on the server."""

    cdef object read_field(self, Field field):
        cdef Column column
        if not self.live:
            raise Gone(f"{type(self).__name__}.{field.name}: the entity is gone or was never spawned")
        column = <Column>self.table_.columns[field.index]
        if field.count:
            return Places(column, self.slot_)
        return column.get(self.slot_)

    cdef int write_field(self, Field field, object value) except -1:
        cdef Column column
        cdef int place
        if not self.live:
            raise Gone(f"{type(self).__name__}.{field.name}: the entity is gone or was never spawned")
        column = <Column>self.table_.columns[field.index]
        if not field.count:
            return column.put(self.slot_, value)
        # All places are checked before the first is written.
        if field.storage == REAL:
            values = [field.real(one) for one in value]
        elif field.kind == REF:
            values = [None if one is None else column.target.id_for(one) for one in value]
        else:
            values = [field.integer_to_python(field.integer(one)) for one in value]
        if len(values) != field.count:
            field.refuse(value, f"it has {field.count} places")
        for place in range(field.count):
            column.put_place(self.slot_, place, values[place])
        return 0

    @property
    def id(self):
        """Names this entity for good: generation * 2**20 + slot."""
        if not self.live:
            raise Gone(f"{type(self).__name__}: the entity is gone or was never spawned")
        return self.table_.rows.id_of(self.slot_)

    @property
    def slot(self):
        """Its place in the columns of its table."""
        return self.slot_

    @property
    def table(self):
        return self.table_

    @property
    def alive(self):
        return self.live

    @property
    def owner(self):
        """The number of the player who owns it, who alone sees its owner_only fields; 0 for none."""
        return self.table_.rows.owner[self.slot_] if self.live else 0

    @owner.setter
    def owner(self, int32_t owner):
        if not self.live:
            raise Gone(f"{type(self).__name__}: the entity is gone or was never spawned")
        self.table_.own(self.slot_, owner)

    def __repr__(self):
        if not self.live:
            return f"<{type(self).__name__}, gone>"
        return f"<{type(self).__name__} {self.id}>"


def commit(tables, int64_t tick):
    """Makes `tick` the newest version of all tables: what the game wrote since the last one is now what readers get."""
    for table in tables:
        (<Table?>table).commit(tick)
