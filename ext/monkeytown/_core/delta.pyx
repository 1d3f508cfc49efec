"""State frames out: the `game_state` messages of docs/reference/wire.md, section 4, from committed tables.

Reads tables, never changes them. Whether a reader gets a delta is not decided here; what a delta must contain is.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from monkeytown._core.columns cimport Column
from monkeytown._core.fields cimport OBJECT
from monkeytown._core.pack cimport Packer, best_plan
from monkeytown._core.rows cimport Rows
from monkeytown._core.state cimport Table, Tombstone
from monkeytown._core.wire cimport mt_bit_length

cdef extern from "kernels.h" nogil:
    int32_t mt_count_marked(const int32_t *mark, Py_ssize_t n)
    Py_ssize_t mt_marked(const int32_t *mark, Py_ssize_t n, int32_t *out)

cdef enum:
    KIND_GAME_STATE = 0x43
    FLAG_SNAPSHOT = 1
    FLAG_CORRECTIONS = 2
    PART_GONE = 1
    PART_ENTERED = 2
    PART_CHANGED = 4


cdef class _Encoder(Packer):
    """One is enough: encoding holds the GIL."""

    cdef size_t charged          # up to where the bytes of this frame were put down to a column

    cdef void charge(self, Column column) noexcept:
        """Puts what was written since the last charge down to a column."""
        column.bytes_encoded += self.out.size - self.charged
        self.charged = self.out.size

    cdef bint put_gone(self, Table table, int64_t base) except -1:
        cdef int32_t i = table.tombstone_count, count = 0
        cdef Tombstone *stone
        cdef set slots = None
        while i and table.tombstones[i - 1].gone > base:
            i -= 1
            stone = table.tombstones + i
            if stone.spawned > base or (stone.slot < table.rows.extent and table.rows.mask[stone.slot]):
                continue     # the reader never saw it, or sees who took its slot
            if slots is None:
                slots = set()
            slots.add(stone.slot)
        if slots is None:
            return False
        self.make_room(len(slots))
        for slot in sorted(slots):
            self.slots[count] = slot
            count += 1
        self.out.put_varint(count)
        self.put_gaps(self.slots, count)
        return True

    cdef bint put_entered(self, Table table, int64_t base, bint all_rows) except -1:
        cdef Rows rows = table.rows
        cdef int32_t slot, count = 0, i, since
        cdef uint32_t all_bits = 0
        cdef Column column
        if not all_rows and table.entered_tick <= base:
            return False
        since = table.stamp_of(base)
        for slot in range(rows.extent):
            if rows.mask[slot] and (all_rows or rows.spawned[slot] > since):
                self.slots[count] = slot
                count += 1
        if not count:
            return False
        self.out.put_varint(count)
        self.put_gaps(self.slots, count)
        for i in range(count):
            self.values[i] = rows.generation[self.slots[i]] - 1
            all_bits |= self.values[i]
        self.out.put_packed(self.values, count, all_bits)
        self.charged = self.out.size
        for column in table.columns:
            if column.field.owner_only:
                continue
            if column.field.storage == OBJECT:
                self.put_contents(column, self.slots, count)
            for lane in range(column.count):
                self.put_absolute(column, lane, self.slots, count)
            self.charge(column)
        return True

    cdef bint put_changed(self, Table table) except -1:
        """Residuals of the newest tick."""
        cdef Rows rows = table.rows
        cdef int32_t n = rows.size, count, i
        cdef bint dense = rows.size == rows.extent
        count = mt_count_marked(rows.dirty, rows.extent)
        if not count:
            return False
        if count < n or not dense:
            mt_marked(rows.dirty, rows.extent, self.slots)
        if count < n:
            if not dense:
                self.census(rows)
            for i in range(count):
                self.ranks[i] = self.slots[i] if dense else self.rank_of[self.slots[i]]
            if self.all_is_cheaper(table, count, n):
                count = n
                for i in range(n):
                    self.slots[i] = i if dense else self.members[i]
        self.put_row_set(self.ranks, count, n)
        self.put_residual_columns(table, count, dense and count == n)
        return True

    cdef bint all_is_cheaper(self, Table table, int32_t count, int32_t n) noexcept:
        """Whether zeros for the rows that did not change cost less than saying which rows did."""
        cdef uint64_t cost_all = 0, cost_some
        cdef uint32_t gap_bits = 0, all_bits
        cdef int32_t i, previous = 0
        cdef Column column
        cdef int lane
        for i in range(count):
            gap_bits |= self.ranks[i] - previous
            previous = self.ranks[i] + 1
        cost_some = min(<uint64_t>(n + 7) // 8 * 8, 16 + <uint64_t>count * mt_bit_length(gap_bits))
        for column in table.columns:
            for lane in range(column.count):
                if column.lanes[lane].corrected and not column.field.owner_only:
                    all_bits = self.take_residuals(column.lanes + lane, self.slots, count, False)
                    cost_some += best_plan(self.values, count, all_bits, 0).cost
                    cost_all += best_plan(self.values, count, all_bits, n - count).cost
        return cost_all <= cost_some

    cdef int put_residual_columns(self, Table table, int32_t count, bint dense) except -1:
        cdef size_t mask = self.reserve_mask(table)
        cdef uint32_t all_bits
        cdef Column column
        cdef int lane, place = 0
        self.charged = self.out.size
        for column in table.columns:
            if column.field.owner_only:
                continue
            if column.field.storage == OBJECT:
                if column.corrected_slots and self.put_corrected_contents(column, count, dense):
                    self.mark(mask, place)
                place += 1
            for lane in range(column.count):
                if column.lanes[lane].corrected:
                    all_bits = self.take_residuals(column.lanes + lane, self.slots, count, dense)
                    self.put_residuals(count, best_plan(self.values, count, all_bits, 0))
                    self.mark(mask, place)
                place += 1
            self.charge(column)
        return 0

    cdef bint put_corrected_contents(self, Column column, int32_t count, bint dense) except -1:
        """Text and blobs that changed, as a row set of the `count` selected rows; both lists are in order of slots."""
        cdef int32_t i = 0, found = 0, slot
        for slot in column.corrected_slots:
            if not dense:
                while self.slots[i] != slot:
                    i += 1
            self.rank_of[found] = slot if dense else i
            self.members[found] = slot
            found += 1
        self.put_row_set(self.rank_of, found, count)
        self.put_contents(column, self.members, found)
        return found > 0

    cdef bint put_corrections(self, Table table, int64_t base) except -1:
        """Values corrected since an older base."""
        cdef Rows rows = table.rows
        cdef int32_t since = table.stamp_of(base), slot, count
        cdef size_t start = self.out.size, mask
        cdef const int32_t *stamp
        cdef Column column
        cdef int lane, place = 0
        cdef bint found = False
        if table.changed_tick <= base:
            return False
        mask = self.reserve_mask(table)
        self.charged = self.out.size
        self.census(rows)
        for column in table.columns:
            if column.field.owner_only:
                continue
            for lane in range(column.count or 1):
                stamp = column.lanes[lane].stamp if column.count else column.content_stamp
                count = 0
                for slot in range(rows.extent):
                    if stamp[slot] > since and rows.mask[slot] and rows.spawned[slot] <= since:
                        self.slots[count] = slot
                        self.ranks[count] = self.rank_of[slot]
                        count += 1
                if count:
                    self.put_row_set(self.ranks, count, rows.size)
                    if column.count:
                        self.put_absolute(column, lane, self.slots, count)
                    else:
                        self.put_contents(column, self.slots, count)
                    self.mark(mask, place)
                    found = True
                place += 1
            self.charge(column)
        if not found:
            self.out.size = start
        return found

    cdef size_t reserve_mask(self, Table table) except 0:
        """Room for a column mask, all zero; returns where it is."""
        cdef size_t columns = 0, at = self.out.size
        cdef Column column
        for column in table.columns:
            if not column.field.owner_only:
                columns += column.count or 1
        columns = (columns + 7) // 8
        self.out.reserve(columns)
        memset(self.out.data + at, 0, columns)
        self.out.size += columns
        return at

    cdef int mark(self, size_t mask, int place) noexcept:
        self.out.data[mask + (place >> 3)] |= <uint8_t>(1 << (place & 7))
        return 0

    cdef int put_section(self, Table table, int number, int64_t base, bint snapshot, bint corrections) except -1:
        cdef size_t start = self.out.size
        cdef int parts = 0
        self.make_room(table.rows.extent)
        self.out.put_u8(number)
        self.out.put_u8(0)
        if snapshot:
            parts = PART_ENTERED if self.put_entered(table, 0, True) else 0
        else:
            if self.put_gone(table, base):
                parts |= PART_GONE
            if self.put_entered(table, base, False):
                parts |= PART_ENTERED
            if corrections:
                if self.put_corrections(table, base):
                    parts |= PART_CHANGED
            elif table.changed_tick == table.tick and self.put_changed(table):
                parts |= PART_CHANGED
        if parts:
            self.out.data[start + 1] = <uint8_t>parts
            table.bytes_encoded += self.out.size - start
        else:
            self.out.size = start
        return 0

    cdef bytes frame(self, tuple tables, uint32_t epoch, int64_t base, int64_t tick, bint snapshot):
        cdef bint corrections = False
        cdef Table table
        cdef int number = 0
        for table in tables:
            if table.entered or table.departed:
                raise RuntimeError(f"rows came or went in table {table.name} since the commit of tick {table.tick}")
            corrections = corrections or (not snapshot and base < table.changed_before)
        self.out.reset()
        self.out.put_u8(KIND_GAME_STATE)
        self.out.put_u8(FLAG_SNAPSHOT if snapshot else FLAG_CORRECTIONS if corrections else 0)
        self.out.put_varint(epoch)
        self.out.put_varint(tick)
        if not snapshot:
            self.out.put_varint(tick - base)
        for table in tables:
            self.put_section(table, number, base, snapshot, corrections)
            number += 1
        return PyBytes_FromStringAndSize(<const char *>self.out.data, self.out.size)


cdef _Encoder encoder = _Encoder()


def snapshot(tuple tables not None, uint32_t epoch, int64_t tick):
    """The whole state at `tick`, the newest commit of all tables, as a `game_state` message."""
    return encoder.frame(tables, epoch, 0, tick, True)


def encode(tuple tables not None, uint32_t epoch, int64_t base, int64_t tick):
    """What brings a reader from tick `base` to `tick`, the newest commit of all tables, as a `game_state` message."""
    if not 0 < tick - base < 1 << 32:
        raise ValueError(f"no delta leads from tick {base} to tick {tick}")
    return encoder.frame(tables, epoch, base, tick, False)


def can_continue(tuple tables not None, int64_t base):
    """Whether a reader at tick `base` can be given a delta: all that happened since is still known."""
    cdef Table table
    for table in tables:
        if not table.remembers(base):
            return False
    return True


def has_news(tuple tables not None, int64_t base):
    """Whether a reader at tick `base` has anything to be told: something changed since, or is in motion."""
    cdef Table table
    for table in tables:
        if table.changed_tick > base or (table.moving and table.tick > base):
            return True
    return False
