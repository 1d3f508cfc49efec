"""What a reader has of a room with an area: which cells it sees, how far they are, and which row is in which.

The reader's side of cells (docs/reference/wire.md, sections 3 and 4); `sight` is the server's. Knows cells and who is in
them; `mirror` reads the values. A row that leaves one cell and enters another in the same message keeps its handle.
"""

from libc.stdlib cimport free
from libc.string cimport memmove

from monkeytown._core.columns cimport Column
from monkeytown._core.rows cimport resize
from monkeytown._core.state cimport Row
from monkeytown.errors import WireError

cdef enum:
    NEAR = 1
    FAR = 2
    MOST_CELLS = 65536


cdef class Slots:
    """The slots that one cell counts: of the rows in it, and of rows that went elsewhere before they were gone from it."""

    def __dealloc__(self):
        free(self.items)

    cdef int32_t find(self, int32_t slot) noexcept:
        """The first place whose slot is not below `slot`."""
        cdef int32_t low = 0, high = self.count, middle
        if high and self.items[high - 1] < slot:
            return high
        while low < high:
            middle = (low + high) // 2
            if self.items[middle] < slot:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int add(self, int32_t slot) except -1:
        cdef int32_t place = self.find(slot), wanted = max(8, 2 * self.capacity)
        if place < self.count and self.items[place] == slot:
            return 0
        if self.count == self.capacity:
            resize(<void **>&self.items, sizeof(int32_t), self.capacity, wanted)
            self.capacity = wanted
        memmove(self.items + place + 1, self.items + place, (self.count - place) * sizeof(int32_t))
        self.items[place] = slot
        self.count += 1
        return 0

    cdef int drop(self, int32_t place) noexcept:
        self.count -= 1
        memmove(self.items + place, self.items + place + 1, (self.count - place) * sizeof(int32_t))
        return 0


cdef class Shown:
    """One area table: its rows by cell."""

    def __cinit__(self, Table table not None):
        self.table = table
        self.cells, self.left, self.arrived = {}, {}, set()

    def __dealloc__(self):
        free(self.homes)

    cdef int leave(self, int32_t slot) except -1:
        """Takes the row out of its slot. Whether it is gone for good is known at the message's end."""
        cdef Table table = self.table
        cdef Column column
        if slot in self.arrived:
            self.arrived.discard(slot)
        else:
            self.left[slot] = (table.rows.id_of(slot), table.handles[slot], table.tick_of(table.rows.spawned[slot]))
        table.handles[slot] = None
        if slot < self.allocated:
            self.homes[slot] = 0
        for column in table.columns:
            column.settle(slot)
        return table.rows.vacate(slot)

    cdef int arrive(self, int32_t slot, int32_t cell) except -1:
        """A row has taken the slot, and is in the cell."""
        cdef Table table = self.table
        cdef Slots slots = self.cells.get(cell)
        if self.allocated < table.rows.allocated:
            resize(<void **>&self.homes, sizeof(int32_t), self.allocated, table.rows.allocated)
            self.allocated = table.rows.allocated
        if slots is None:
            slots = self.cells[cell] = Slots()
        slots.add(slot)
        self.homes[slot] = cell + 1
        self.arrived.add(slot)
        former = self.left.get(slot)
        if former is not None and former[0] == table.rows.id_of(slot):
            table.handles[slot] = former[1]
        return 0

    cdef int take_gone(self, Unpacker source, Slots slots, int32_t cell) except -1:
        cdef int32_t count = source.take_count(1, 0 if slots is None else slots.count), i, slot, place
        source.make_room(count)
        source.take_numbers(source.slots, count, self.table.rows.capacity)
        for i in range(count):
            slot = source.slots[i]
            place = slots.find(slot)
            if place == slots.count or slots.items[place] != slot:
                raise WireError("a slot is gone from a cell that did not count it")
            slots.drop(place)
            if self.homes[slot] == cell + 1:
                self.leave(slot)
        return 0

    cdef int lose(self, int32_t cell) except -1:
        cdef Slots slots = self.cells.pop(cell, None)
        cdef int32_t i
        if slots is None:
            return 0
        for i in range(slots.count):
            if self.homes[slots.items[i]] == cell + 1:
                self.leave(slots.items[i])
        return 0

    cdef int32_t census(self, Slots slots, int32_t cell, int32_t *members) noexcept:
        """The slots of the rows that are in the cell; how many there are."""
        cdef int32_t i, count = 0
        if slots is None:
            return 0
        for i in range(slots.count):
            if self.homes[slots.items[i]] == cell + 1:
                members[count] = slots.items[i]
                count += 1
        return count

    cdef int settle(self) except -1:
        """The message has been read: whoever left and is nowhere else is gone."""
        cdef Table table = self.table
        cdef int32_t slot
        cdef Row row
        for slot, (id, row, spawned) in self.left.items():
            if slot < table.rows.extent and table.rows.mask[slot] and table.rows.id_of(slot) == id:
                continue
            if row is not None:
                row.live = False
            table.departed.append((slot, id, spawned))
        self.left.clear()
        self.arrived.clear()
        return 0

    cdef int forget(self) except -1:
        """Before a snapshot, also after a message that was not read to its end."""
        cdef int32_t slot
        for slot in range(self.allocated):
            self.homes[slot] = 0
        self.cells.clear()
        self.settle()
        return 0


cdef class Glimpse:
    """What one reader sees of the `tables` of a room, whose schema has the map `area`. WireError if that breaks a rule."""

    def __init__(self, dict area not None, tuple tables not None):
        cdef int previous = -1
        self.tables, self.rings, self.before = {}, {}, {}
        try:
            columns, rows, numbers = area["columns"], area["rows"], list(area["tables"])
            if not (1 <= columns <= MOST_CELLS and 1 <= rows <= MOST_CELLS and columns * rows <= MOST_CELLS):
                raise WireError("an area has 1 to 65,536 cells")
            self.cell_count = columns * rows
            for number in numbers:
                if not previous < number < len(tables) or (<Table?>tables[number]).single:
                    raise WireError("an area has tables in ascending order, none of them single")
                previous = number
                self.tables[number] = Shown(tables[number])
        except (KeyError, TypeError) as error:
            raise WireError("an area lacks something") from error
        if not numbers:
            raise WireError("an area has tables")

    @property
    def view(self):
        """The ring of each cell that is seen."""
        return {cell: "near" if ring == NEAR else "far" for cell, ring in self.rings.items()}

    def cell_of(self, Row row not None):
        """The cell that a row is in. KeyError if it is in none."""
        cdef Shown shown
        for shown in self.tables.values():
            if shown.table is row.table_ and row.live and shown.homes[row.slot_]:
                return shown.homes[row.slot_] - 1
        raise KeyError(row)

    cdef Shown shown_of(self, int number):
        return self.tables.get(number)

    cdef bint is_far(self, int32_t cell) except -1:
        """Whether the cell was far before this message, and went on from there."""
        return self.before.get(cell) == FAR

    cdef int take_cells(self, Unpacker source) except -1:
        """One list of cells, into the slots of `source`."""
        cdef int32_t count = source.take_count(0, self.cell_count)
        source.make_room(count)
        if count:
            source.take_numbers(source.slots, count, self.cell_count)
        return count

    cdef int take_view(self, Unpacker source, bint snapshot, bint has_far) except -1:
        cdef Shown shown
        cdef int32_t count = self.take_cells(source), i, cell
        cdef int ring
        if count and snapshot:
            raise WireError("a snapshot loses cells")
        for i in range(count):
            cell = source.slots[i]
            if self.rings.pop(cell, None) is None:
                raise WireError("a cell is lost that was not in the view")
            del self.before[cell]
            for shown in self.tables.values():
                shown.lose(cell)
        listed = set()
        for ring in (NEAR, FAR):
            count = self.take_cells(source)
            for i in range(count):
                cell = source.slots[i]
                if cell in listed:
                    raise WireError("a cell is in both rings")
                if not has_far and self.before.get(cell, ring) != ring:
                    raise WireError("a cell changes its ring without far")
                listed.add(cell)
                self.rings[cell] = ring
        return 0
