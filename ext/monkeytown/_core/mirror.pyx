"""State frames in: applies `game_state` messages (docs/reference/wire.md, section 4) to tables.

The tables of a reader are tables like any other: what was applied can be read, and encoded for further readers. Those that
are divided into cells can be encoded whole only: what a reader does not see it cannot pass on. After a `WireError` the tables
may hold half a message, and only a snapshot may be applied next.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from monkeytown._core.columns cimport Column
from monkeytown._core.glimpse cimport Counted, Glimpse, Ground, Seen
from monkeytown._core.section_reader cimport SectionReader
from monkeytown._core.state cimport Table
from monkeytown._core.wire cimport (
    FLAG_CORRECTIONS, FLAG_FAR, FLAG_SNAPSHOT, FLAG_VIEW, KIND_GAME_STATE, PART_CHANGED, PART_CORRECTED,
    PART_ENTERED, PART_GONE, Reader
)
from monkeytown.errors import WireError
from monkeytown.position import Position

cdef enum:
    ALL_PARTS = PART_GONE | PART_ENTERED | PART_CHANGED | PART_CORRECTED
    EITHER_CHANGE = PART_CHANGED | PART_CORRECTED


cdef class _Applier(SectionReader):
    """One is enough: applying holds the GIL."""

    # ---- tables ----

    cdef int reset(self, Table table, int64_t tick) except -1:
        """A snapshot starts from nothing: what was before is not part of this history."""
        cdef Column column
        cdef int lane
        table.clear()
        table.departed.clear()
        for column in table.columns:
            if column.field.owner_only and table.rows.allocated:
                # The frame does not bring them, and what they were stamped with counted from another origin.
                if column.content_stamp is not NULL:
                    memset(column.content_stamp, 0, table.rows.allocated * sizeof(int32_t))
                for lane in range(column.count):
                    memset(column.lanes[lane].stamp, 0, table.rows.allocated * sizeof(int32_t))
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

    cdef int apply_table(
        self, Table table, int64_t tick, uint32_t gap, int parts, bint snapshot, bint corrections
    ) except -1:
        cdef int32_t stamp
        if snapshot:
            self.reset(table, tick)
        self.make_room(table.rows.extent)
        table.begin(tick)
        stamp = table.stamp_of(tick)
        self.forget_residuals(table)
        if parts & PART_GONE:
            self.take_gone(table)
        if not snapshot:
            self.extrapolate(table, self.census(table), gap)
        if parts & PART_ENTERED:
            self.take_entered(table, stamp, False)
            table.entered_tick = tick
        if parts & PART_CHANGED:
            if corrections:
                self.take_corrections(table, self.census(table), stamp)
            else:
                self.take_residual_columns(table, self.census(table), stamp)
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

    cdef int open_grounds(self, Glimpse glimpse, int64_t tick, bint snapshot) except -1:
        cdef Ground ground
        for ground in glimpse.grounds:
            if snapshot:
                self.reset(ground.table, tick)
            ground.table.begin(tick)
            self.forget_residuals(ground.table)
        return 0

    cdef int close_grounds(self, Glimpse glimpse, int64_t tick) except -1:
        """What no section spoke of moves on, and whoever left a cell for none that is seen is gone."""
        cdef Ground ground
        cdef Counted counted
        cdef Seen seen
        cdef Table table
        cdef int32_t i, slot, place = 0
        for ground in glimpse.grounds:
            table = ground.table
            for seen in glimpse.seen.values():
                counted = seen.counted[place]
                if not counted.told and not seen.still:
                    self.make_room(counted.count)
                    self.extrapolate(table, ground.gather(counted, seen.cell, self.members), seen.gap)
            for i in range(ground.left_count):
                slot = ground.left[i]
                if ground.cell_of[slot] < 0 and slot < table.rows.extent and table.rows.mask[slot]:
                    table.remove(slot)
            ground.left_count = 0
            self.check_moved(table)
            table.finish(tick, ground.changed, self.in_motion(table))
            table.changed_before = table.forgotten = tick      # what is not seen is not known to further readers
            place += 1
        return 0

    cdef int apply_cell(self, Ground ground, Seen seen, Counted counted, int parts, int64_t tick) except -1:
        cdef Table table = ground.table
        cdef int32_t stamp = table.stamp_of(tick), count, i
        if seen.still:
            raise WireError("a section is of a far cell, without the far ring")
        counted.told = ground.changed = True
        if parts & PART_GONE:
            count = self.take_count(1, counted.count)
            self.make_room(count)
            self.take_numbers(self.slots, count, table.rows.capacity)
            counted.strike(self.slots, count)
            for i in range(count):
                ground.leave(self.slots[i], seen.cell)
        self.make_room(counted.count)
        self.extrapolate(table, ground.gather(counted, seen.cell, self.members), seen.gap)
        if parts & PART_ENTERED:
            count = self.take_entered(table, stamp, True)
            table.entered_tick = tick
            ground.enter(self.slots, count, seen.cell)
            counted.add(self.slots, count)
        self.make_room(counted.count)
        if parts & PART_CHANGED:
            self.take_residual_columns(table, ground.gather(counted, seen.cell, self.members), stamp)
        elif parts & PART_CORRECTED:
            self.take_corrections(table, ground.gather(counted, seen.cell, self.members), stamp)
        return 0

    cdef int apply_cells(self, Glimpse glimpse, int number, int64_t tick, bint snapshot) except -1:
        """Sections of cells; that of table `number` (-1: there is none) has begun."""
        cdef uint32_t cell
        cdef int64_t order, before = -1
        cdef int parts
        cdef Seen seen
        while number >= 0:
            parts = self.source.take_u8()
            self.source.take_varint(&cell)
            place = glimpse.places.get(number)
            if place is None:
                raise WireError("a section of cells is of a table that has none")
            if not parts or parts & ~ALL_PARTS or parts & EITHER_CHANGE == EITHER_CHANGE:
                raise WireError("a section has parts that it cannot have")
            if snapshot and parts != PART_ENTERED:
                raise WireError("a section has parts that it cannot have")
            order = <int64_t>cell << 8 | number
            if order <= before:
                raise WireError("sections are out of order")
            before = order
            seen = glimpse.seen.get(cell)
            if seen is None:
                raise WireError("a section is of a cell that is not seen")
            self.apply_cell(glimpse.grounds[place], seen, seen.counted[place], parts, tick)
            number = self.source.take_u8() if self.source.left() else -1
        return 0

    # ---- whole messages ----

    cdef int apply_tables(
        self, tuple tables, Glimpse glimpse, int64_t tick, uint32_t gap, bint snapshot, bint corrections
    ) except -2:
        """Sections of the tables that everybody sees. Returns the number of the table whose cells come next, or -1."""
        cdef Reader source = self.source
        cdef dict divided = {} if glimpse is None else glimpse.places
        cdef int number = source.take_u8() if source.left() else -1, place = -1
        cdef Table table
        for table in tables:
            place += 1
            if place in divided:
                continue
            if number != place:
                self.apply_table(table, tick, gap, 0, snapshot, corrections)
                continue
            self.apply_table(table, tick, gap, self.take_parts(snapshot), snapshot, corrections)
            number = source.take_u8() if source.left() else -1
            if 0 <= number <= place and number not in divided:
                break
        if number >= 0 and number not in divided:
            raise WireError("a section is of no table, or out of order")
        return number

    cdef object apply(self, bytes frame, tuple tables, object position, Glimpse glimpse):
        cdef Reader source = self.source
        cdef uint32_t epoch, gap = 0, far_gap = 0
        cdef uint64_t tick
        cdef int flags, number, allowed = FLAG_SNAPSHOT | FLAG_CORRECTIONS
        cdef bint snapshot, corrections, far
        if glimpse is not None:
            allowed |= FLAG_VIEW | FLAG_FAR
        source.keep = frame
        source.open(<const uint8_t *>PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame))
        if source.take_u8() != KIND_GAME_STATE:
            raise WireError("the message is not a game_state")
        flags = source.take_u8()
        snapshot, corrections, far = flags & FLAG_SNAPSHOT != 0, flags & FLAG_CORRECTIONS != 0, flags & FLAG_FAR != 0
        source.take_varint(&epoch)
        source.take_varint64(&tick)
        if (snapshot and corrections) or flags & ~allowed or tick >> 62:
            raise WireError("unused bits are set, or a tick is out of range")
        if not snapshot:
            source.take_varint(&gap)
            if not gap or position is None or position[0] != epoch or position[1] + gap != tick:
                raise WireError("the delta does not start at the reader's position")
            if far:
                source.take_varint(&far_gap)
                if not far_gap or glimpse.far_tick + far_gap != <int64_t>tick:
                    raise WireError("the far ring does not start at the reader's far tick")
        if glimpse is not None:
            glimpse.begin(tick, gap, far, far_gap, snapshot)
            self.open_grounds(glimpse, tick, snapshot)
            if flags & FLAG_VIEW:
                glimpse.take_view(self)
        number = self.apply_tables(tables, glimpse, tick, gap, snapshot, corrections)
        if glimpse is not None:
            self.apply_cells(glimpse, number, tick, snapshot)
            self.close_grounds(glimpse, tick)
        return Position(epoch, tick)


cdef _Applier applier = _Applier()


def apply(bytes frame not None, tuple tables not None, position, Glimpse glimpse=None):
    """Brings tables from `position` (None before the first snapshot) to the frame's position, which it returns.

    `glimpse` is what else the reader of a room with an `area` keeps."""
    return applier.apply(frame, tables, position, glimpse)
