"""Tables brought back from what `dump` wrote of others of their kind.

Bytes are checked against the table before anything is seen of them: whatever they are, there is a `WireError` or a table that
can be used. Knows nothing of rooms, nor of files.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memset

from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.dump cimport FORM, MARK
from monkeytown._core.fields cimport BYTE, Field, OBJECT, SINT, TEXT
from monkeytown._core.rows cimport MAX_GENERATION, Rows
from monkeytown._core.state cimport Row, Table, Tombstone
from monkeytown._core.wire cimport Reader
from monkeytown.errors import WireError

cdef enum:
    LATEST = 1 << 30             # stamps are not above it: see REBASE_AT of `state`


cdef int check(bint holds, str what) except -1:
    if not holds:
        raise WireError(f"this is no dump of these tables: {what}")
    return 0


cdef int take_array(Reader source, void *array, size_t size) except -1:
    memcpy(array, source.take_raw(size), size)
    return 0


cdef int64_t take_tick(Reader source, int64_t latest) except -1:
    cdef uint64_t tick
    source.take_varint64(&tick)
    check(tick <= <uint64_t>latest, "a tick is out of range")
    return <int64_t>tick


cdef int32_t take_below(Reader source, int64_t limit) except -1:
    cdef uint32_t number
    source.take_varint(&number)
    check(number < limit, "a number is out of range")
    return <int32_t>number


cdef bytes take_content(Reader source):
    cdef uint32_t size
    source.take_varint(&size)
    return PyBytes_FromStringAndSize(<const char *>source.take_raw(size), size)


cdef object content_of(Field field, bytes content):
    """What the game reads of a text or a blob."""
    if field.kind != TEXT:
        check(len(content) <= field.max, "a blob is too long")
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        check(False, "a text is no UTF-8")
    check(len(text) <= field.max, "a text is too long")
    return text


cdef int check_stamps(const int32_t *stamp, int32_t n, int32_t newest) except -1:
    cdef int32_t i
    cdef bint inside = True
    for i in range(n):
        inside = inside and 0 <= stamp[i] <= newest
    return check(inside, "a stamp is out of range")


cdef class Restored:
    """One table, on its way back. Nothing of it can be seen before all is checked."""

    cdef Table table
    cdef Rows rows
    cdef int32_t extent
    cdef int32_t size
    cdef int32_t newest          # stamp of the newest tick
    cdef int64_t tick
    cdef int64_t origin
    cdef int64_t changed_tick
    cdef int64_t entered_tick
    cdef int64_t forgotten
    cdef bint moving
    cdef bytes alive
    cdef list entered
    cdef list departed
    cdef list reassigned

    cdef int empty(self) except -1:
        """A table that nothing has happened in; the row of a singleton, which came with it, goes meanwhile."""
        cdef Row row
        if self.table.tick or (self.rows.size and not self.table.single):
            raise ValueError(f"table {self.table.name} is in use")
        for row in self.table.handles:
            if row is not None:
                row.live = False
        memset(self.rows.mask, 0, self.rows.allocated * sizeof(int32_t))
        memset(self.rows.alive, 0, self.rows.allocated)
        self.rows.extent = self.rows.size = self.rows.lowest_free = 0
        self.table.entered.clear()
        self.table.departed.clear()
        for column in self.table.columns:
            if (<Column>column).touched is not None:
                (<Column>column).touched.clear()
        return 0

    cdef int take(self, Reader source, Table table) except -1:
        cdef Column column
        self.table, self.rows = table, table.rows
        self.empty()
        check(take_below(source, <int64_t>1 << 32) == self.rows.capacity, "a table has another capacity")
        check(take_below(source, <int64_t>1 << 32) == len(table.columns), "a table has other columns")
        self.tick = take_tick(source, <int64_t>1 << 62)
        self.origin = take_tick(source, self.tick)
        check(self.tick - self.origin <= LATEST, "the origin is too long ago")
        self.newest = <int32_t>(self.tick - self.origin)
        self.changed_tick = take_tick(source, self.tick)
        self.entered_tick = take_tick(source, self.tick)
        self.forgotten = take_tick(source, self.tick)
        self.moving = source.take_u8() != 0
        self.take_rows(source)
        self.take_history(source)
        for column in table.columns:
            check(
                source.take_u8() == column.field.kind and source.take_u8() == column.field.linear
                and take_below(source, <int64_t>1 << 32) == column.count, "a column is of another kind")
            if column.field.storage == OBJECT:
                self.take_contents(source, column)
            else:
                self.take_numbers(source, column)
        return 0

    cdef int take_rows(self, Reader source) except -1:
        cdef Rows rows = self.rows
        cdef int32_t used, slot
        cdef const uint8_t *generations
        cdef const uint8_t *alive
        self.extent = take_below(source, <int64_t>rows.capacity + 1)
        used = take_below(source, <int64_t>rows.capacity + 1)
        check(used >= self.extent, "there are more rows than slots")
        generations = source.take_raw(used * sizeof(uint16_t))
        alive = source.take_raw(self.extent)
        self.table.grow(max(used, 1))
        memcpy(rows.generation, generations, used * sizeof(uint16_t))
        self.alive = PyBytes_FromStringAndSize(<const char *>alive, self.extent)
        for slot in range(used):
            check(rows.generation[slot] <= MAX_GENERATION, "a generation is out of range")
        for slot in range(self.extent):
            check(alive[slot] <= (1 if rows.generation[slot] else 0), "a row is neither there nor gone")
            self.size += alive[slot]
        check(not self.extent or alive[self.extent - 1], "the extent is too large")
        take_array(source, rows.spawned, self.extent * sizeof(int32_t))
        check_stamps(rows.spawned, self.extent, self.newest)
        take_array(source, rows.owner, self.extent * sizeof(int32_t))
        for slot in range(self.extent):
            check(rows.owner[slot] >= 0 and (alive[slot] or not rows.owner[slot]), "an owner is out of range")
        return 0

    cdef int take_history(self, Reader source) except -1:
        cdef int32_t count, slot, i
        cdef uint32_t id
        cdef const uint8_t *graves
        cdef Tombstone *stones
        self.entered, self.departed, self.reassigned = [], [], []
        count = take_below(source, <int64_t>self.extent + 1)
        for i in range(count):
            slot = take_below(source, self.extent)
            check(self.is_alive(slot) and (not i or slot > self.entered[i - 1]), "who entered is not there")
            self.entered.append(slot)
        count = take_below(source, 1 << 30)
        for _ in range(count):
            slot = take_below(source, self.rows.capacity)
            source.take_varint(&id)
            self.departed.append((slot, id, take_tick(source, self.tick)))
        count = take_below(source, 1 << 24)
        graves = source.take_raw(<size_t>count * sizeof(Tombstone))
        stones = <Tombstone *>realloc(self.table.tombstones, (<size_t>count + 1) * sizeof(Tombstone))
        if stones is NULL:
            raise MemoryError
        self.table.tombstones = stones
        memcpy(stones, graves, <size_t>count * sizeof(Tombstone))
        self.table.tombstone_count = 0
        for i in range(count):
            check(
                0 <= stones[i].slot < self.rows.capacity and 0 <= stones[i].spawned <= stones[i].gone <= self.tick
                and (not i or stones[i - 1].gone <= stones[i].gone), "a row is gone at no time")
        self.table.tombstone_count = count
        count = take_below(source, 1 << 30)
        for _ in range(count):
            self.reassigned.append(take_below(source, <int64_t>1 << 31))
        return 0

    cdef bint is_alive(self, int32_t slot) noexcept:
        return PyBytes_AS_STRING(self.alive)[slot] != 0

    cdef int take_numbers(self, Reader source, Column column) except -1:
        cdef Field field = column.field
        cdef int32_t slot
        cdef int i
        cdef bint inside = True
        cdef Lane *lane
        for i in range(column.count):
            lane = column.lanes + i
            take_array(source, column.at(i), <size_t>self.extent * column.itemsize)
            if field.storage == BYTE:
                for slot in range(self.extent):
                    inside = inside and (<uint8_t *>column.at(i))[slot] <= field.int_hi
            take_array(source, lane.wire, self.extent * sizeof(int32_t))
            for slot in range(self.extent):
                if field.kind == SINT:
                    inside = inside and field.int_lo <= lane.wire[slot] <= field.int_hi
                else:
                    inside = inside and <uint32_t>lane.wire[slot] <= field.largest
            check(inside, "a value is out of range")
            take_array(source, lane.stamp, self.extent * sizeof(int32_t))
            check_stamps(lane.stamp, self.extent, self.newest)
            if field.linear:
                take_array(source, lane.step, self.extent * sizeof(int32_t))
        return 0

    cdef int take_contents(self, Reader source, Column column) except -1:
        cdef int32_t slot, count
        take_array(source, column.content_stamp, self.extent * sizeof(int32_t))
        check_stamps(column.content_stamp, self.extent, self.newest)
        for slot in range(self.extent):
            if self.is_alive(slot):
                content = take_content(source)
                column.contents[slot] = content_of(column.field, content)
                column.sent[slot] = content
        count = take_below(source, <int64_t>self.extent + 1)
        for _ in range(count):
            slot = take_below(source, self.extent)
            check(self.is_alive(slot), "a text is nobody's")
            column.contents[slot] = content_of(column.field, take_content(source))
            column.touched.add(slot)
        return 0

    cdef int show(self) except -1:
        """All is well: from now on it is there."""
        cdef Table table = self.table
        cdef Rows rows = self.rows
        cdef Row row
        cdef int32_t slot
        for slot in range(self.extent):
            rows.alive[slot] = self.is_alive(slot)
            rows.mask[slot] = -1 if rows.alive[slot] else 0
            row = table.handles[slot]
            if row is not None and rows.alive[slot]:
                row.live = True
        for slot in range(rows.allocated):
            row = table.handles[slot]
            if row is not None and not row.live:
                table.handles[slot] = None
        rows.extent, rows.size = self.extent, self.size
        table.entered.update(self.entered)
        table.departed.extend(self.departed)
        table.reassigned.update(self.reassigned)
        table.reassignments_forgotten = self.tick
        table.tick = table.changed_before = self.tick      # the residuals of this tick are not known
        table.origin, table.changed_tick, table.entered_tick = self.origin, self.changed_tick, self.entered_tick
        table.forgotten, table.moving = self.forgotten, self.moving
        if table.past is not None and self.tick:
            table.past.keep(self.tick, rows)
            for slot in self.entered:
                table.past.nth(0).ids_[slot] = 0
        return 0


def restore(tables not None, bytes data not None):
    """Brings back what `dump` wrote into tables of the same schema that nothing has happened in.

    WireError for bytes that are no dump of such tables; they are not to be used then.
    """
    cdef Reader source = Reader(data)
    cdef Restored restored
    cdef uint32_t order
    cdef list all_restored = []
    check(source.take_u8() == FORM, "it is of another version")
    take_array(source, &order, sizeof(order))
    check(order == MARK, "it is of another kind of machine")
    check(take_below(source, <int64_t>1 << 32) == len(tables), "there are other tables")
    for table in tables:
        restored = Restored.__new__(Restored)
        restored.take(source, <Table?>table)
        all_restored.append(restored)
    check(not source.left(), "something follows")
    for restored in all_restored:
        restored.show()
