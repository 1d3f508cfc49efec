"""Cells: the rows of one table by where they are, who came into a cell and who left it, and what there is to tell of that.

Knows one table and the numbers of cells, and makes the sections of cells of docs/reference/wire.md, section 4. Which cell a
place is in, and which cells have news, is for `area` to say.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free
from libc.string cimport memset

from monkeytown._core.fields cimport OBJECT, SINT
from monkeytown._core.rows cimport resize, zeroed
from monkeytown._core.wire cimport PART_CHANGED, PART_CORRECTED, PART_ENTERED, PART_GONE
from monkeytown.errors import SchemaError

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
        self.number, self.table, self.count = number, table, cells
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

    cdef int forget(self) noexcept:
        """Nobody is anywhere, nor has been."""
        cdef int32_t slot, cell
        for slot in range(self.allocated):
            self.cell_of[slot] = -1
            self.arrived[slot] = 0
        for cell in range(self.count):
            self.last[cell] = -1
        memset(self.starts, 0, (self.count + 1) * sizeof(int32_t))
        self.departed = 0
        self.origin, self.forgotten = self.table.origin, self.table.forgotten
        return 0

    cdef int depart(self, int32_t slot, int64_t tick) except -1:
        """The row in a slot leaves its cell, which is remembered for a while."""
        cdef int32_t cell = self.cell_of[slot]
        cdef Departure *departure = self.departures + (self.departed & (self.capacity - 1))
        if self.departed >= self.capacity:
            self.forgotten = max(self.forgotten, departure.gone)
        departure[0] = Departure(slot, self.table.tick_of(self.arrived[slot]), tick, self.last[cell])
        self.last[cell] = self.departed
        self.departed += 1
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
