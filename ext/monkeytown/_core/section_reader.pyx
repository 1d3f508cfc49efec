"""The parts of a section for a set of rows, read back and stored in a table: who went, who came, what changed.

The counterpart of `sections`. Knows one table at a time; not which sections a message has, nor what it does to the rows that
no section speaks of, which is for `mirror` to say.
"""

from libc.string cimport memcpy

from monkeytown._core.columns cimport Lane
from monkeytown._core.fields cimport ANGLE, OBJECT
from monkeytown._core.rows cimport MAX_GENERATION, SLOT_BITS
from monkeytown._core.wire cimport HEAD_OUTLIERS, HEAD_QUOTIENTS, HEAD_WIDTH
from monkeytown.errors import WireError

cdef extern from "kernels.h" nogil:
    int32_t mt_wrap(uint32_t value, unsigned bits)


cdef class SectionReader(Unpacker):
    """`members` are the rows that a part is about, as slots."""

    cdef int store_absolute(self, Column column, int lane, const int32_t *slots, int32_t count, int32_t stamp) except -1:
        cdef Lane *target = column.lanes + lane
        cdef int32_t i, slot
        self.take_absolute(column, lane, count)
        for i in range(count):
            slot = slots[i]
            target.wire[slot] = <int32_t>self.values[i]
            target.residual[slot] = 0
            target.stamp[slot] = stamp
            if column.field.linear:
                target.step[slot] = <int32_t>self.steps[i]
            column.mirror(slot, lane)
        return 0

    cdef int store_contents(self, Column column, const int32_t *slots, int32_t count, int32_t stamp) except -1:
        cdef int32_t i
        for i in range(count):
            column.mirror_content(slots[i], self.take_content(column))
            column.content_stamp[slots[i]] = stamp
        return 0

    cdef int take_gone(self, Table table) except -1:
        cdef int32_t count = self.take_count(1, table.rows.size), i
        self.take_numbers(self.slots, count, table.rows.extent)
        for i in range(count):
            if self.slots[i] >= table.rows.extent or not table.rows.mask[self.slots[i]]:
                raise WireError("a row is gone that was not there")
            table.remove(self.slots[i])
        return 0

    cdef int32_t take_entered(self, Table table, int32_t stamp, bint stays) except -1:
        """Rows that enter, whose slots are then in `slots`. With `stays` one of the same id stays the same row."""
        cdef int32_t count = self.take_count(1, table.rows.capacity), i, slot
        cdef Column column
        cdef int lane
        self.make_room(count)
        self.take_numbers(self.slots, count, table.rows.capacity)
        self.source.take_packed(self.values, count)
        table.grow(self.slots[count - 1] + 1)
        for i in range(count):
            slot = self.slots[i]
            if self.values[i] >= MAX_GENERATION:
                raise WireError("a generation is out of range")
            if not stays or table.rows.slot_of((self.values[i] + 1) << SLOT_BITS | <uint32_t>slot) < 0:
                if slot < table.rows.extent and table.rows.mask[slot]:
                    table.remove(slot)
                table.rows.seat(slot, <unsigned short>(self.values[i] + 1))
            table.rows.spawned[slot] = stamp
            for column in table.columns:
                column.clear_row(slot)
                column.settle(slot)
        self.make_room(table.rows.extent)
        for column in table.columns:
            if column.field.owner_only:
                continue
            if column.field.storage == OBJECT:
                self.store_contents(column, self.slots, count, stamp)
            for lane in range(column.count):
                self.store_absolute(column, lane, self.slots, count, stamp)
        return count

    cdef int32_t census(self, Table table) noexcept:
        """All rows, into `members`."""
        cdef int32_t slot, count = 0
        for slot in range(table.rows.extent):
            if table.rows.mask[slot]:
                self.members[count] = slot
                count += 1
        return count

    cdef int place_rows(self, int32_t *numbers, const int32_t *among, int32_t count) noexcept:
        """Places among rows become slots."""
        cdef int32_t i
        for i in range(count):
            self.slots[i] = among[numbers[i]]
        return 0

    cdef const uint8_t *take_mask(self, Table table) except NULL:
        cdef int columns = 0
        cdef Column column
        cdef const uint8_t *mask
        for column in table.columns:
            if not column.field.owner_only:
                columns += column.count or 1
        mask = self.source.take_raw((columns + 7) // 8)
        if columns & 7 and mask[columns >> 3] >> (columns & 7):
            raise WireError("unused bits are set")
        return mask

    cdef int check_seen(self, Table table, int32_t slot, int32_t stamp) except -1:
        if table.rows.spawned[slot] == stamp:
            raise WireError("a row changes in the message that it enters in")
        return 0

    cdef int take_residual_columns(self, Table table, int32_t n, int32_t stamp) except -1:
        """*Changed*, with residuals, of the `n` rows of `members`."""
        cdef int32_t count, found
        cdef const uint8_t *mask
        cdef Column column
        cdef int lane, place = 0, i
        count = self.take_row_set(self.chosen, n)
        self.place_rows(self.chosen, self.members, count)
        memcpy(self.members, self.slots, count * sizeof(int32_t))      # from here on: the selected rows
        mask = self.take_mask(table)
        for column in table.columns:
            if column.field.owner_only:
                continue
            if column.field.storage == OBJECT:
                if mask[place >> 3] >> (place & 7) & 1:
                    found = self.take_row_set(self.chosen, count)
                    self.place_rows(self.chosen, self.members, found)
                    self.store_contents(column, self.slots, found, stamp)
                    column.corrected_slots = [self.slots[i] for i in range(found)]
                    for i in range(found):
                        self.check_seen(table, self.slots[i], stamp)
                        table.rows.dirty[self.slots[i]] = 1
                place += 1
            for lane in range(column.count):
                if mask[place >> 3] >> (place & 7) & 1:
                    self.take_residuals(table, column, lane, count, stamp)
                place += 1
        return 0

    cdef int take_residuals(self, Table table, Column column, int lane, int32_t count, int32_t stamp) except -1:
        cdef Lane *target = column.lanes + lane
        cdef unsigned bits = column.field.bits if column.field.kind == ANGLE else 32
        cdef int head = self.source.take_u8()
        cdef int32_t apart = 0, i, slot, residual
        self.source.take_bits(self.steps, count, head & HEAD_WIDTH)
        if head & HEAD_QUOTIENTS:
            self.source.take_unary(self.steps, count, head & HEAD_WIDTH)
        if head & HEAD_OUTLIERS:
            apart = self.take_count(1, count)
            self.take_numbers(self.places, apart, count)
            self.source.take_packed(self.values, apart)
            for i in range(apart):
                if self.steps[self.places[i]]:
                    raise WireError("an outlier has a packed residual too")
                self.steps[self.places[i]] = self.values[i]
        for i in range(count):
            if not self.steps[i]:
                continue
            slot = self.members[i]
            self.check_seen(table, slot, stamp)
            residual = self.signed_of(column, self.steps[i])
            target.wire[slot] = <int32_t>(<uint32_t>target.wire[slot] + <uint32_t>residual)
            if column.field.kind == ANGLE:
                target.wire[slot] &= column.field.largest
            self.check_value(column, target.wire[slot])
            if column.field.linear:
                target.step[slot] = mt_wrap(<uint32_t>target.step[slot] + <uint32_t>residual, bits)
            target.residual[slot] = residual
            target.stamp[slot] = stamp
            target.corrected = True
            table.rows.dirty[slot] |= residual
            column.mirror(slot, lane)
        return 0

    cdef int take_corrections(self, Table table, int32_t n, int32_t stamp) except -1:
        """*Changed*, with corrections, of the `n` rows of `members`."""
        cdef int32_t count, i
        cdef const uint8_t *mask = self.take_mask(table)
        cdef Column column
        cdef int lane, place = 0
        for column in table.columns:
            if column.field.owner_only:
                continue
            for lane in range(column.count or 1):
                if mask[place >> 3] >> (place & 7) & 1:
                    count = self.take_row_set(self.chosen, n)
                    self.place_rows(self.chosen, self.members, count)
                    if column.count:
                        self.store_absolute(column, lane, self.slots, count, stamp)
                    else:
                        self.store_contents(column, self.slots, count, stamp)
                    for i in range(count):
                        table.rows.dirty[self.slots[i]] = 1
                place += 1
        return 0

    cdef int extrapolate(self, Table table, int32_t n, uint32_t gap) except -1:
        """Moves what is predicted on by `gap` ticks, in the `n` rows of `members`."""
        cdef Column column
        cdef Lane *target
        cdef int lane
        cdef int32_t i, slot
        for column in table.columns:
            if not column.field.linear:
                continue
            for lane in range(column.count):
                target = column.lanes + lane
                for i in range(n):
                    slot = self.members[i]
                    if target.step[slot]:
                        target.wire[slot] = <int32_t>(<uint32_t>target.wire[slot] + <uint32_t>target.step[slot] * gap)
                        if column.field.kind == ANGLE:
                            target.wire[slot] &= column.field.largest
                        column.mirror(slot, lane)
        return 0
