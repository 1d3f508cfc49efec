"""State frames in: applies `game_state` messages (docs/reference/wire.md, section 4) to tables.

The tables of a reader are tables like any other: what was applied can be read, and encoded for further readers. After a
`WireError` the tables may hold half a message, and only a snapshot may be applied next.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.fields cimport ANGLE, OBJECT
from monkeytown._core.glimpse cimport Glimpse, Shown, Slots
from monkeytown._core.rows cimport MAX_GENERATION
from monkeytown._core.state cimport Table
from monkeytown._core.unpack cimport Unpacker
from monkeytown._core.wire cimport Reader
from monkeytown.errors import WireError
from monkeytown.position import Position

cdef extern from "kernels.h" nogil:
    int32_t mt_wrap(uint32_t value, unsigned bits)

cdef enum:
    KIND_GAME_STATE = 0x43
    FLAG_SNAPSHOT = 1
    FLAG_CORRECTIONS = 2
    FLAG_VIEW = 4
    FLAG_FAR = 8
    PART_GONE = 1
    PART_ENTERED = 2
    PART_CHANGED = 4
    PART_CORRECTED = 8           # of cells
    HEAD_OUTLIERS = 0x40


cdef class _Applier(Unpacker):
    """One is enough: applying holds the GIL."""

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

    # ---- parts of a section ----

    cdef int take_gone(self, Table table) except -1:
        cdef int32_t count = self.take_count(1, table.rows.size), i
        self.take_numbers(self.slots, count, table.rows.extent)
        for i in range(count):
            if self.slots[i] >= table.rows.extent or not table.rows.mask[self.slots[i]]:
                raise WireError("a row is gone that was not there")
            table.remove(self.slots[i])
        return 0

    cdef int take_entered(self, Table table, int32_t stamp, Shown shown, int32_t cell) except -1:
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
            if slot < table.rows.extent and table.rows.mask[slot]:
                if shown is None:
                    table.remove(slot)
                else:
                    shown.leave(slot)
            table.rows.seat(slot, <unsigned short>(self.values[i] + 1))
            if shown is not None:
                shown.arrive(slot, cell)
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
        return 0

    cdef int32_t census(self, Table table) noexcept:
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

    cdef int take_residual_columns(self, Table table, int32_t stamp, int32_t n) except -1:
        """Of the `n` rows whose slots are in `members`."""
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
                    column.corrected_slots += [self.slots[i] for i in range(found)]
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
        if head & 0x80:
            raise WireError("unused bits are set")
        self.source.take_bits(self.steps, count, head & 0x3F)
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

    cdef int take_corrections(self, Table table, int32_t stamp, int32_t n) except -1:
        """Of the `n` rows whose slots are in `members`."""
        cdef int32_t count
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
                place += 1
        return 0

    # ---- whole messages ----

    cdef int reset(self, Table table, int64_t tick) except -1:
        """A snapshot starts from nothing: what was before is not part of this history."""
        table.clear()
        table.departed.clear()
        table.tombstone_count = 0
        table.tick = table.changed_tick = tick - 1
        table.origin = max(<int64_t>0, tick - 1)
        table.forgotten = tick
        return 0

    cdef int forget_residuals(self, Table table) except -1:
        cdef Column column
        cdef int lane
        for column in table.columns:
            column.corrected_slots = []
            for lane in range(column.count):
                memset(column.lanes[lane].residual, 0, table.rows.extent * sizeof(int32_t))
                column.lanes[lane].corrected = False
        return 0

    cdef int extrapolate(self, Table table, int32_t n, uint32_t gap) except -1:
        """Moves what is predicted of the `n` rows whose slots are in `members` on by `gap` ticks."""
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
                    if not target.step[slot]:
                        continue
                    target.wire[slot] = <int32_t>(<uint32_t>target.wire[slot] + <uint32_t>target.step[slot] * gap)
                    if column.field.kind == ANGLE:
                        target.wire[slot] &= column.field.largest
                    column.mirror(slot, lane)
        return 0

    cdef int check_moved(self, Table table) except -1:
        """What was extrapolated and then not corrected must be where a value can be."""
        cdef Column column
        cdef int lane
        cdef int32_t slot
        for column in table.columns:
            if column.field.linear:
                for lane in range(column.count):
                    for slot in range(table.rows.extent):
                        if table.rows.mask[slot]:
                            self.check_value(column, column.lanes[lane].wire[slot])
        return 0

    cdef bint in_motion(self, Table table) noexcept:
        cdef Column column
        cdef int lane
        cdef int32_t slot
        for column in table.columns:
            if column.field.linear:
                for lane in range(column.count):
                    for slot in range(table.rows.extent):
                        if column.lanes[lane].step[slot]:
                            return True
        return False

    cdef int begin_table(self, Table table, int64_t tick, bint snapshot) except -1:
        if snapshot:
            self.reset(table, tick)
        self.make_room(table.rows.extent)
        table.begin(tick)
        return self.forget_residuals(table)

    cdef int apply_table(
        self, Table table, int64_t tick, uint32_t gap, int parts, bint snapshot, bint corrections
    ) except -1:
        cdef int32_t stamp
        self.begin_table(table, tick, snapshot)
        stamp = table.stamp_of(tick)
        if parts & PART_GONE:
            self.take_gone(table)
        if not snapshot:
            self.extrapolate(table, self.census(table), gap)
        if parts & PART_ENTERED:
            self.take_entered(table, stamp, None, 0)
            table.entered_tick = tick
        if parts & PART_CHANGED:
            if corrections:
                self.take_corrections(table, stamp, self.census(table))
            else:
                self.take_residual_columns(table, stamp, self.census(table))
        self.check_moved(table)
        if table.single and not table.rows.size:
            raise WireError(f"table {table.name} is without its one row")
        table.finish(tick, parts != 0, self.in_motion(table))
        if corrections:
            table.changed_before = tick      # this tick's residuals are not known here
        return 0

    cdef int take_parts(self, bint snapshot) except -1:
        cdef int parts = self.source.take_u8()
        if not parts or parts & ~(PART_GONE | PART_ENTERED | PART_CHANGED) or (snapshot and parts != PART_ENTERED):
            raise WireError("a section has parts that it cannot have")
        return parts

    # ---- cells ----

    cdef int begin_cells(
        self, Glimpse glimpse, int64_t tick, bint snapshot, bint has_view, bint has_far
    ) except -1:
        cdef Shown shown
        glimpse.message += 1
        if snapshot:
            glimpse.rings.clear()
        for shown in glimpse.tables.values():
            shown.touched = shown.corrected = False
            if snapshot:
                shown.forget()
            self.begin_table(shown.table, tick, snapshot)
        glimpse.before = dict(glimpse.rings)
        if has_view:
            glimpse.take_view(self, snapshot, has_far)
        if snapshot or has_far:
            glimpse.far_tick = tick
        return 0

    cdef int take_cells(
        self, Glimpse glimpse, int number, int64_t tick, uint32_t gap, uint32_t far_gap, bint snapshot
    ) except -1:
        """Sections of cells to the end of the message, the first of table `number`; then what none speaks of moves on."""
        cdef Shown shown
        cdef Slots slots
        cdef uint32_t cell
        cdef int64_t place, previous = -1
        cdef int parts
        while number >= 0:
            shown = glimpse.shown_of(number)
            parts = self.source.take_u8()
            self.source.take_varint(&cell)
            place = <int64_t>cell << 8 | number
            if shown is None or place <= previous or cell not in glimpse.rings:
                raise WireError("a section of a cell is out of order, of no area table, or of a cell that is not in the view")
            if (not parts or parts >= 2 * PART_CORRECTED
                    or parts & (PART_CHANGED | PART_CORRECTED) == PART_CHANGED | PART_CORRECTED
                    or (snapshot and parts != PART_ENTERED)):
                raise WireError("a section has parts that it cannot have")
            if glimpse.is_far(cell) and not far_gap:
                raise WireError("a far cell has a section in a message without far")
            self.take_cell(shown, cell, parts, tick, far_gap if glimpse.is_far(cell) else gap)
            slots = shown.cells.get(cell)
            if slots is not None:
                slots.visited = glimpse.message
            previous = place
            number = self.source.take_u8() if self.source.left() else -1
        if snapshot:
            return 0
        for shown in glimpse.tables.values():
            for cell, slots in shown.cells.items():
                if slots.visited != glimpse.message and (far_gap or not glimpse.is_far(cell)):
                    self.extrapolate(
                        shown.table, shown.census(slots, cell, self.members), far_gap if glimpse.is_far(cell) else gap)
        return 0

    cdef int take_cell(self, Shown shown, int32_t cell, int parts, int64_t tick, uint32_t gap) except -1:
        cdef Table table = shown.table
        cdef int32_t stamp = table.stamp_of(tick), n
        shown.touched = True
        if parts & PART_GONE:
            shown.take_gone(self, shown.cells.get(cell), cell)
        n = shown.census(shown.cells.get(cell), cell, self.members)
        self.extrapolate(table, n, gap)
        if parts & PART_ENTERED:
            self.take_entered(table, stamp, shown, cell)
            table.entered_tick = tick
        n = shown.census(shown.cells.get(cell), cell, self.members)
        if parts & PART_CHANGED:
            self.take_residual_columns(table, stamp, n)
        elif parts & PART_CORRECTED:
            shown.corrected = True
            self.take_corrections(table, stamp, n)
        return 0

    cdef int finish_cells(self, Glimpse glimpse, int64_t tick) except -1:
        cdef Shown shown
        for shown in glimpse.tables.values():
            self.check_moved(shown.table)
            shown.settle()
            shown.table.finish(tick, shown.touched, self.in_motion(shown.table))
            if shown.corrected:
                shown.table.changed_before = tick
        return 0

    cdef object apply(self, bytes frame, tuple tables, object position, Glimpse glimpse):
        cdef Reader source = self.source
        cdef uint32_t epoch, gap = 0, far_gap = 0
        cdef uint64_t tick
        cdef int flags, number, place = 0
        cdef bint snapshot
        cdef Table table
        source.keep = frame
        source.open(<const uint8_t *>PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame))
        if source.take_u8() != KIND_GAME_STATE:
            raise WireError("the message is not a game_state")
        flags = source.take_u8()
        if flags >= (FLAG_VIEW if glimpse is None else 2 * FLAG_FAR) or flags & 3 == FLAG_SNAPSHOT | FLAG_CORRECTIONS:
            raise WireError("unused bits are set")
        snapshot = flags & FLAG_SNAPSHOT
        source.take_varint(&epoch)
        source.take_varint64(&tick)
        if tick >> 62:
            raise WireError("a tick is out of range")
        if not snapshot:
            source.take_varint(&gap)
            if not gap or position is None or position[0] != epoch or position[1] + gap != tick:
                raise WireError("the delta does not start at the reader's position")
            if flags & FLAG_FAR:
                source.take_varint(&far_gap)
                if not far_gap or glimpse.far_tick + far_gap != <int64_t>tick:
                    raise WireError("the far cells are at another tick")
        if glimpse is not None:
            self.begin_cells(glimpse, tick, snapshot, flags & FLAG_VIEW != 0, flags & FLAG_FAR != 0)
        number = source.take_u8() if source.left() else -1
        for table in tables:
            if glimpse is not None and place in glimpse.tables:
                place += 1
                continue
            if number != place:
                self.apply_table(table, tick, gap, 0, snapshot, flags & FLAG_CORRECTIONS)
            else:
                self.apply_table(table, tick, gap, self.take_parts(snapshot), snapshot, flags & FLAG_CORRECTIONS)
                number = source.take_u8() if source.left() else -1
                if number >= 0 and number <= place and (glimpse is None or number not in glimpse.tables):
                    raise WireError("sections are out of order")
            place += 1
        if glimpse is not None:
            self.take_cells(glimpse, number, tick, gap, far_gap, snapshot)
            self.finish_cells(glimpse, tick)
        elif number >= 0:
            raise WireError("a section is of no table")
        return Position(epoch, tick)


cdef _Applier applier = _Applier()


def apply(bytes frame not None, tuple tables not None, position, Glimpse glimpse=None):
    """Brings tables from `position` (None before the first snapshot) to the frame's position, which it returns.

    `glimpse` is what is known beside the tables of a room with an area.
    """
    return applier.apply(frame, tables, position, glimpse)
