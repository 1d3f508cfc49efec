"""Areas: tables divided into cells, and what each cell has to tell, encoded once for all who see it.

An area follows the rows of its tables from cell to cell (each commit, one pass over their positions), and keeps one piece of
bytes for each cell and base for the tick. What stands in a piece is for `cells` to say, and which cells a reader sees for
`sight`. Knows nothing of players or connections.

A row leaves a cell only when it is beyond its border by a tenth of the cell's side, so that what stands on a border does not
come and go.
"""

from libc.math cimport floor, sqrt
from libc.stdint cimport uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from monkeytown._core.cells cimport CellWriter
from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.delta cimport check_settled, encoder
from monkeytown._core.rows cimport Rows, zeroed
from monkeytown.errors import SchemaError

cdef extern from "kernels.h" nogil:
    void mt_rebase(int32_t *stamp, Py_ssize_t n, int32_t shift)

cdef double BEYOND = 0.1      # of a cell's side: how far one may be beyond its border

HYSTERESIS = BEYOND


cdef CellWriter writer = CellWriter()      # one is enough: encoding holds the GIL


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

    cdef int follow_rows(self, Cells cells, int64_t tick) except -1:
        """Finds the cell of every row of a table as committed in `tick`."""
        cdef Table table = cells.table
        cdef Rows rows = table.rows
        cdef int32_t slot, cell, now
        cdef uint32_t id
        cdef bint any_moved = False
        cells.grow()
        if cells.origin != table.origin:
            mt_rebase(cells.arrived, cells.allocated, <int32_t>min(table.origin - cells.origin, <int64_t>0x7FFFFFFF))
            cells.origin = table.origin
            cells.forgotten = max(cells.forgotten, cells.origin)
        now = table.stamp_of(tick)
        for slot in range(cells.allocated):
            if slot >= rows.extent or not rows.mask[slot]:
                if cells.cell_of[slot] >= 0:
                    self.depart(cells, slot, tick)
                    cells.cell_of[slot] = -1
                    any_moved = True
                continue
            id = rows.id_of(slot)
            if cells.cell_of[slot] >= 0 and cells.ids[slot] != id:
                self.depart(cells, slot, tick)
                cells.cell_of[slot] = -1
            cell = self.cell_at(cells.x_at(slot), cells.y_at(slot), cells.cell_of[slot])
            if cell == cells.cell_of[slot]:
                if rows.dirty[slot] and table.changed_tick == tick:
                    self.touch(cell, tick)
                    if table.changed_before == tick:     # a copy that skipped ticks: its residuals are not known
                        self.before[cell] = tick
                continue
            if cells.cell_of[slot] >= 0:
                self.depart(cells, slot, tick)
                if table.has_private and rows.owner[slot]:
                    self.moved_owners.add(rows.owner[slot])
            cells.cell_of[slot] = cell
            cells.ids[slot] = id
            cells.arrived[slot] = now
            self.touch(cell, tick)
            any_moved = True
        if any_moved:
            cells.sort(self.cells)
        return 0

    cdef int depart(self, Cells cells, int32_t slot, int64_t tick) except -1:
        self.touch(cells.cell_of[slot], tick)
        return cells.depart(slot, tick)

    def restart(self):
        """The tables begin another history, as those of a copy do with a snapshot: nothing of the one before is of use."""
        cdef Cells cells
        for cells in self.inside:
            cells.forget()
        memset(self.changed, 0, self.cells * sizeof(int64_t))
        memset(self.before, 0, self.cells * sizeof(int64_t))
        memset(self.made, 0, self.cells * RECENT * sizeof(int64_t))
        self.tick = self.moving_tick = 0

    def follow(self, int64_t tick):
        """Takes in the commit of `tick`; what was encoded before it is gone."""
        cdef Cells cells
        self.moved_owners.clear()
        for cells in self.inside:
            check_settled(cells.table)
            self.follow_rows(cells, tick)
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
