"""State frames out: the `game_state` messages of docs/reference/wire.md, section 4, from committed tables.

Reads tables, never changes them. Whether a reader gets a delta is not decided here; what a delta must contain is.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from monkeytown._core.rows cimport Rows
from monkeytown._core.sections cimport SectionWriter
from monkeytown._core.state cimport Table, Tombstone
from monkeytown._core.wire cimport (
    FLAG_CORRECTIONS, FLAG_SNAPSHOT, KIND_GAME_STATE, PART_CHANGED, PART_ENTERED, PART_GONE
)

cdef extern from "kernels.h" nogil:
    int32_t mt_count_marked(const int32_t *mark, Py_ssize_t n)
    Py_ssize_t mt_marked(const int32_t *mark, Py_ssize_t n, int32_t *out)


cdef int check_settled(Table table) except -1:
    """Between a commit and what is encoded of it no row may come or go."""
    if table.entered or table.departed:
        raise RuntimeError(f"rows came or went in table {table.name} since the commit of tick {table.tick}")
    return 0


cdef class TableWriter(SectionWriter):
    """Sections of whole tables. One is enough: encoding holds the GIL."""

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
        cdef int32_t slot, count = 0, since
        if not all_rows and table.entered_tick <= base:
            return False
        since = table.stamp_of(base)
        for slot in range(rows.extent):
            if rows.mask[slot] and (all_rows or rows.spawned[slot] > since):
                self.slots[count] = slot
                count += 1
        if count:
            self.put_entering(table, count)
        return count > 0

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
        return self.put_residuals_of(table, count, n, dense, False)

    cdef bint put_corrections(self, Table table, int64_t base) except -1:
        """Values corrected since an older base."""
        if table.changed_tick <= base:
            return False
        self.census(table.rows)
        return self.put_corrections_of(
            table, self.members, table.rows.size, table.rows.spawned, table.stamp_of(base))

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
            check_settled(table)
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


cdef TableWriter encoder = TableWriter()


def is_settled(tuple tables not None):
    """Whether no row has come or gone since the newest commit, so that there is something to encode."""
    cdef Table table
    for table in tables:
        if table.entered or table.departed:
            return False
    return True


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
