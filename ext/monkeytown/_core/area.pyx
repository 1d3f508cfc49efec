"""Areas: tables divided into cells, and what each cell has to tell, encoded once for all who see it.

An area follows the rows of its tables from cell to cell (each commit, one pass over their positions), remembers who came
into a cell and who left it, and makes the sections of cells of docs/reference/wire.md, section 4: one piece of bytes for
each cell and base, kept for the tick. Which cells a reader sees is for `sight` to say. Knows nothing of players or
connections.

A row leaves a cell only when it is beyond its border by a tenth of the cell's side, so that what stands on a border does not
come and go.
"""

from libc.math cimport floor, sqrt
from libc.stdlib cimport free
from libc.string cimport memset

from monkeytown._core.columns cimport Lane
from monkeytown._core.delta cimport check_settled, encoder
from monkeytown._core.fields cimport OBJECT, SINT
from monkeytown._core.rows cimport Rows, resize, zeroed
from monkeytown._core.wire cimport PART_CHANGED, PART_CORRECTED, PART_ENTERED, PART_GONE
from monkeytown.errors import SchemaError

cdef extern from "kernels.h" nogil:
    void mt_rebase(int32_t *stamp, Py_ssize_t n, int32_t shift)

cdef double BEYOND = 0.1      # of a cell's side: how far one may be beyond its border

HYSTERESIS = BEYOND

cdef enum:
    FEWEST_DEPARTURES = 1024


cdef inline double real(Column column, int32_t slot) noexcept:
    """A wire value in units of the game."""
    cdef int32_t wire = column.lanes[0].wire[slot]
    if column.field.kind == SINT:
        return wire
    return column.field.lo + column.field.step * <double><uint32_t>wire


cdef class Cells:
    """The rows of one table by cell."""

    def __cinit__(self, int number, Table table not None, str x not None, str y not None, int32_t cells):
        cdef int32_t cell
        self.number, self.table = number, table
        self.x, self.y = table.column(x), table.column(y)
        for column in (self.x, self.y):
            if (<Column>column).field.storage == OBJECT or (<Column>column).count != 1:
                raise SchemaError(f"{(<Column>column).field!r} is no number to find a cell by")
        self.starts = <int32_t *>zeroed(cells + 1, sizeof(int32_t))
        self.last = <int64_t *>zeroed(cells, sizeof(int64_t))
        for cell in range(cells):
            self.last[cell] = -1
        self.capacity = FEWEST_DEPARTURES
        while self.capacity < 4 * table.rows.capacity:
            self.capacity *= 2
        self.departures = <Departure *>zeroed(self.capacity, sizeof(Departure))

    def __dealloc__(self):
        free(self.cell_of)
        free(self.ids)
        free(self.arrived)
        free(self.slots)
        free(self.starts)
        free(self.last)
        free(self.departures)

    cdef int grow(self) except -1:
        cdef int32_t old = self.allocated, new = self.table.rows.allocated, slot
        if old == new:
            return 0
        resize(<void **>&self.cell_of, sizeof(int32_t), old, new)
        resize(<void **>&self.ids, sizeof(uint32_t), old, new)
        resize(<void **>&self.arrived, sizeof(int32_t), old, new)
        resize(<void **>&self.slots, sizeof(int32_t), old, new)
        for slot in range(old, new):
            self.cell_of[slot] = -1
        self.allocated = new
        return 0

    cdef int32_t at(self, int32_t slot) noexcept:
        """The cell of the row in a slot; -1 for none, and for what came since the last commit."""
        return self.cell_of[slot] if slot < self.allocated else -1

    cdef double x_at(self, int32_t slot) noexcept:
        return real(self.x, slot)

    cdef double y_at(self, int32_t slot) noexcept:
        return real(self.y, slot)

    cdef int follow(self, Area area, int64_t tick) except -1:
        """Finds the cell of every row as committed in `tick`."""
        cdef Table table = self.table
        cdef Rows rows = table.rows
        cdef int32_t slot, cell, now
        cdef uint32_t id
        cdef bint any_moved = False
        self.grow()
        if self.origin != table.origin:
            mt_rebase(self.arrived, self.allocated, <int32_t>min(table.origin - self.origin, <int64_t>0x7FFFFFFF))
            self.origin = table.origin
            self.forgotten = max(self.forgotten, self.origin)
        now = table.stamp_of(tick)
        for slot in range(self.allocated):
            if slot >= rows.extent or not rows.mask[slot]:
                if self.cell_of[slot] >= 0:
                    self.depart(area, slot, tick)
                    self.cell_of[slot] = -1
                    any_moved = True
                continue
            id = rows.id_of(slot)
            if self.cell_of[slot] >= 0 and self.ids[slot] != id:
                self.depart(area, slot, tick)
                self.cell_of[slot] = -1
            cell = area.cell_at(self.x_at(slot), self.y_at(slot), self.cell_of[slot])
            if cell == self.cell_of[slot]:
                if rows.dirty[slot] and table.changed_tick == tick:
                    area.touch(cell, tick)
                continue
            if self.cell_of[slot] >= 0:
                self.depart(area, slot, tick)
                if table.has_private and rows.owner[slot]:
                    area.moved_owners.add(rows.owner[slot])
            self.cell_of[slot] = cell
            self.ids[slot] = id
            self.arrived[slot] = now
            area.touch(cell, tick)
            any_moved = True
        if any_moved:
            self.sort(area.cells)
        return 0

    cdef int depart(self, Area area, int32_t slot, int64_t tick) except -1:
        cdef int32_t cell = self.cell_of[slot]
        cdef Departure *departure = self.departures + (self.departed & (self.capacity - 1))
        if self.departed >= self.capacity:
            self.forgotten = max(self.forgotten, departure.gone)
        departure[0] = Departure(slot, self.table.tick_of(self.arrived[slot]), tick, self.last[cell])
        self.last[cell] = self.departed
        self.departed += 1
        area.touch(cell, tick)
        return 0

    cdef int sort(self, int32_t cells) noexcept:
        """A counting sort: rows by cell, and in order of slots within each."""
        cdef int32_t *starts = self.starts
        cdef int32_t slot, cell, total = 0, count
        memset(starts, 0, (cells + 1) * sizeof(int32_t))
        for slot in range(self.allocated):
            if self.cell_of[slot] >= 0:
                starts[self.cell_of[slot]] += 1
        for cell in range(cells):
            count = starts[cell]
            starts[cell] = total
            total += count
        starts[cells] = total
        for slot in range(self.allocated):
            cell = self.cell_of[slot]
            if cell >= 0:
                self.slots[starts[cell]] = slot
                starts[cell] += 1
        for cell in range(cells, 0, -1):
            starts[cell] = starts[cell - 1]
        starts[0] = 0
        return 0


cdef class CellWriter(SectionWriter):
    """Sections of cells. One is enough: encoding holds the GIL."""

    cdef bint put_departures(self, Cells cells, int32_t cell, int64_t base) except -1:
        """*Gone*: who was in the cell at `base` and is not now."""
        cdef int64_t number = cells.last[cell], oldest = cells.departed - cells.capacity
        cdef Departure *departure
        cdef int32_t count = 0, i, slot
        while number >= 0 and number >= oldest:
            departure = cells.departures + (number & (cells.capacity - 1))
            if departure.gone <= base:
                break
            number = departure.previous
            # Who came after the base was never seen; who is in the slot now, in this cell, takes the place of who was.
            if departure.arrived > base or cells.cell_of[departure.slot] == cell:
                continue
            self.make_room(count + 1)
            slot = departure.slot
            i = count
            while i and self.slots[i - 1] > slot:
                self.slots[i] = self.slots[i - 1]
                i -= 1
            self.slots[i] = slot
            count += 1
        if count:
            self.out.put_varint(count)
            self.put_gaps(self.slots, count)
        return count > 0

    cdef bint put_arrivals(self, Cells cells, const int32_t *members, int32_t n, int64_t base) except -1:
        cdef int32_t i, count = 0, since = cells.table.stamp_of(base)
        for i in range(n):
            if cells.arrived[members[i]] > since:
                self.slots[count] = members[i]
                count += 1
        if count:
            self.put_entering(cells.table, count)
        return count > 0

    cdef bint put_dirty(self, Cells cells, const int32_t *members, int32_t n, int64_t base) except -1:
        cdef Table table = cells.table
        cdef int32_t i, count = 0, since = table.stamp_of(base)
        cdef bint any_arrived = False
        if table.changed_tick != table.tick:
            return False
        for i in range(n):
            self.members[i] = members[i]
            if cells.arrived[members[i]] > since:
                any_arrived = True
            elif table.rows.dirty[members[i]]:
                self.slots[count] = members[i]
                self.ranks[count] = i
                count += 1
        if count:
            self.put_residuals_of(table, count, n, False, any_arrived)
        return count > 0

    cdef int put_whole(self, Cells cells, int32_t cell) except -1:
        cdef int32_t start = cells.starts[cell], n = cells.starts[cell + 1] - start, i
        cdef size_t before = self.out.size
        if not n:
            return 0
        self.make_room(n)
        for i in range(n):
            self.slots[i] = cells.slots[start + i]
        self.out.put_u8(cells.number)
        self.out.put_u8(PART_ENTERED)
        self.out.put_varint(cell)
        self.put_entering(cells.table, n)
        cells.table.bytes_encoded += self.out.size - before
        return 0

    cdef int put_since(self, Cells cells, int32_t cell, int64_t base, bint residuals) except -1:
        """The section that brings a cell from `base` to now; by residuals if nothing in it changed between the two."""
        cdef const int32_t *members = cells.slots + cells.starts[cell]
        cdef int32_t n = cells.starts[cell + 1] - cells.starts[cell]
        cdef size_t start = self.out.size
        cdef int parts = 0
        self.make_room(max(n, 1))
        self.out.put_u8(cells.number)
        self.out.put_u8(0)
        self.out.put_varint(cell)
        if self.put_departures(cells, cell, base):
            parts |= PART_GONE
        if self.put_arrivals(cells, members, n, base):
            parts |= PART_ENTERED
        if residuals:
            if self.put_dirty(cells, members, n, base):
                parts |= PART_CHANGED
        elif self.put_corrections_of(cells.table, members, n, cells.arrived, cells.table.stamp_of(base)):
            parts |= PART_CORRECTED
        if parts:
            self.out.data[start + 1] = <uint8_t>parts
            cells.table.bytes_encoded += self.out.size - start
        else:
            self.out.size = start
        return 0


cdef CellWriter writer = CellWriter()


cdef class Area:
    """Tables by cell. `inside`: (number, table, name of the x field, name of the y field); `outside`: (number, table) of
    the others.

    The cells are `columns` × `rows` squares of side `size` from (`x`, `y`) on; what is further out is in the cell
    nearest to it. Whoever looks from a cell sees all that is within `radius` of any place in it, and, in the far ring,
    within `far`.
    """

    def __init__(
        self, inside not None, outside not None, *, int32_t columns, int32_t rows, double x, double y, double size,
        double radius, double far=0, int far_every=1,
    ):
        if columns < 1 or rows < 1 or <int64_t>columns * rows > MAX_CELLS or not size > 0 or not radius > 0:
            raise SchemaError("an area has 1 to 65,536 cells of some size")
        if self.pieces is not NULL:
            raise ValueError("an area is made once")
        self.columns, self.rows, self.cells = columns, rows, columns * rows
        self.x, self.y, self.size, self.far_every = x, y, size, far_every
        self.inside = tuple(Cells(number, table, x_name, y_name, self.cells) for number, table, x_name, y_name in inside)
        self.outside = tuple(outside)
        self.changed = <int64_t *>zeroed(self.cells, sizeof(int64_t))
        self.before = <int64_t *>zeroed(self.cells, sizeof(int64_t))
        self.moving = <uint8_t *>zeroed(self.cells, 1)
        self.pieces = <Piece *>zeroed(self.cells * RECENT, sizeof(Piece))
        self.made = <int64_t *>zeroed(self.cells * RECENT, sizeof(int64_t))
        self.arena = Writer()
        self.older = {}
        self.moved_owners = set()
        self.surround(radius, max(far, radius) if far_every > 1 else radius)

    def __dealloc__(self):
        free(self.offsets)
        free(self.changed)
        free(self.before)
        free(self.moving)
        free(self.pieces)
        free(self.made)

    cdef int surround(self, double radius, double far) except -1:
        """Which cells are seen from a cell: called once."""
        cdef double reach = far / self.size / (1 - 2 * BEYOND) + 2
        # No further than across the area, which is less than 4 * MAX_CELLS cells.
        cdef int32_t columns = <int32_t>min(reach, self.columns - 1.0), rows = <int32_t>min(reach, self.rows - 1.0), dx, dy
        cdef double across, along, distance
        self.offsets = <Offset *>zeroed((2 * columns + 1) * (2 * rows + 1), sizeof(Offset))
        for dy in range(-rows, rows + 1):
            for dx in range(-columns, columns + 1):
                # From border to border; both who looks and who is seen may be a little beyond theirs.
                along = max(0.0, (abs(dx) - 1 - 2 * BEYOND) * self.size)
                across = max(0.0, (abs(dy) - 1 - 2 * BEYOND) * self.size)
                distance = sqrt(along * along + across * across) * (1 + 1e-9)
                if distance < far or not distance:  # what touches is seen whatever the radius is
                    self.offsets[self.offset_count] = Offset(dx, dy, NEAR if distance < radius or not distance else FAR)
                    self.offset_count += 1
        return 0

    cdef int32_t cell_at(self, double x, double y, int32_t current) noexcept:
        """The cell of a place; the `current` one (-1: none) as long as the place is hardly beyond its border."""
        cdef double across = (x - self.x) / self.size, along = (y - self.y) / self.size
        cdef int32_t column = -1, row = -1
        if current >= 0:
            column, row = current % self.columns, current // self.columns
        if current < 0 or across < column - BEYOND or across >= column + 1 + BEYOND:
            column = <int32_t>min(max(floor(across), 0.0), <double>(self.columns - 1))
        if current < 0 or along < row - BEYOND or along >= row + 1 + BEYOND:
            row = <int32_t>min(max(floor(along), 0.0), <double>(self.rows - 1))
        return row * self.columns + column

    cdef int touch(self, int32_t cell, int64_t tick) noexcept:
        if self.changed[cell] != tick:
            self.before[cell] = self.changed[cell]
            self.changed[cell] = tick
        return 0

    def follow(self, int64_t tick):
        """Takes in the commit of `tick`; what was encoded before it is gone."""
        cdef Cells cells
        self.moved_owners.clear()
        for cells in self.inside:
            check_settled(cells.table)
            cells.follow(self, tick)
        self.tick = tick
        self.arena.reset()
        self.older.clear()

    cdef Cells cells_of(self, Table table):
        cdef Cells cells
        for cells in self.inside:
            if cells.table is table:
                return cells
        return None

    cdef int find_motion(self) noexcept:
        """Fills in `moving`, once in a tick and only if somebody asks."""
        cdef Cells cells
        cdef Column column
        cdef const Lane *lane
        cdef int number
        cdef int32_t slot
        if self.moving_tick == self.tick:
            return 0
        self.moving_tick = self.tick
        memset(self.moving, 0, self.cells)
        for cells in self.inside:
            if not cells.table.moving:
                continue
            for column in cells.table.columns:
                if not column.field.linear:
                    continue
                for number in range(column.count):
                    lane = column.lanes + number
                    for slot in range(cells.table.rows.extent):
                        if lane.step[slot] and cells.cell_of[slot] >= 0:
                            self.moving[cells.cell_of[slot]] = 1
        return 0

    def remembers(self, int64_t base):
        """Whether a reader at `base` can be told all that happened since in tables that everybody sees."""
        cdef Table table
        if base > self.tick:
            return False
        for _, table in self.outside:
            if not table.remembers(base):
                return False
        return True

    cdef int open(self, int64_t base, bint snapshot) except -1:
        """What follows is for readers at `base`, or for those who have nothing. The tables that everybody sees come first."""
        cdef size_t start = self.arena.size
        cdef Table table
        cdef Writer out = encoder.out
        self.base, self.snapshot, self.corrections, self.common_news = base, snapshot, False, snapshot
        for _, table in self.outside:
            check_settled(table)
            if not snapshot and base < table.changed_before:
                self.corrections = True
            if table.changed_tick > base or table.moving:
                self.common_news = True
        encoder.out = self.arena
        try:
            for number, table in self.outside:
                encoder.put_section(table, number, 0 if snapshot else base, snapshot, self.corrections)
        finally:
            encoder.out = out
        self.common = Piece(start, self.arena.size - start)
        return 0

    cdef Piece *whole(self, int32_t cell) except NULL:
        """All of a cell."""
        cdef Piece *piece = self.pieces + cell * RECENT + WHOLE
        cdef Cells cells
        if self.made[cell * RECENT + WHOLE] == self.tick:
            self.shared += 1
            return piece
        writer.out = self.arena
        piece.offset = self.arena.size
        for cells in self.inside:
            writer.put_whole(cells, cell)
        piece.length = self.arena.size - piece.offset
        self.made[cell * RECENT + WHOLE] = self.tick
        self.encoded += 1
        return piece

    cdef Piece *since(self, int32_t cell, int64_t base) except NULL:
        """What brings a reader of a cell from `base` to now; a length of -1 if that is no longer known."""
        # Residuals are those of this tick: what happened in an earlier one is not among them.
        cdef bint residuals = self.changed[cell] == self.tick and self.before[cell] <= base
        cdef int64_t behind = 1 if residuals else self.tick - base
        cdef int64_t place = cell * RECENT + behind
        cdef Piece *piece
        if behind >= RECENT:
            return self.long_since(cell, base)
        piece = self.pieces + place
        if self.made[place] == self.tick:
            self.shared += 1
            return piece
        self.make(piece, cell, self.tick - 1 if residuals else base, residuals)
        self.made[place] = self.tick
        return piece

    cdef Piece *long_since(self, int32_t cell, int64_t base) except NULL:
        """The same for those far behind, who are few."""
        key = (cell, base)
        found = self.older.get(key)
        if found is None:
            self.make(&self.rare, cell, base, False)
            self.older[key] = (self.rare.offset, self.rare.length)
        else:
            self.rare.offset, self.rare.length = found
            self.shared += 1
        return &self.rare

    cdef int make(self, Piece *piece, int32_t cell, int64_t base, bint residuals) except -1:
        cdef Cells cells
        self.encoded += 1
        piece.offset, piece.length = self.arena.size, 0
        for cells in self.inside:
            if base < cells.forgotten:
                piece.length = -1
                return 0
        writer.out = self.arena
        for cells in self.inside:
            writer.put_since(cells, cell, base, residuals)
        piece.length = self.arena.size - piece.offset
        return 0
