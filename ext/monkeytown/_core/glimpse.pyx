"""What a reader of cells keeps beside its tables: its view, the cell of each row, and the tick of its far cells.

The reader's side of *Cells* and *Cells in a state* in docs/reference/wire.md, sections 3 and 4. Knows which rows are in which
cell, not what is in the rows: `mirror` reads the sections.

A row that leaves a cell stays in its table until the message ends, since it may come into another cell and is then the same
row to whoever holds it. A slot may be counted by a cell that its row has left, until that cell hears of it; how many those
are is for the server to bound.
"""

from libc.stdlib cimport free, realloc
from libc.string cimport memset

from monkeytown.errors import WireError

cdef enum:
    MAX_CELLS = 65536
    FEWEST = 16


cdef int reserve(int32_t **array, int32_t *capacity, int64_t wanted) except -1:
    """Grows an array of slots; there are never more of them than rows a table can have, twice over."""
    cdef int64_t grown = max(<int64_t>FEWEST, <int64_t>capacity[0])
    cdef void *memory
    while grown < wanted:
        grown *= 2
    if grown > capacity[0]:
        memory = realloc(array[0], grown * sizeof(int32_t))
        if memory is NULL:
            raise MemoryError
        array[0] = <int32_t *>memory
        capacity[0] = <int32_t>grown
    return 0


cdef class Counted:
    """The slots of one table that one cell counts, in ascending order."""

    def __dealloc__(self):
        free(self.slots)

    cdef int add(self, const int32_t *slots, int32_t count) except -1:
        """Ascending slots; those that are there already stay."""
        cdef int32_t i = self.count - 1, j = count - 1, common = 0, place
        reserve(&self.slots, &self.capacity, <int64_t>self.count + count)
        while i >= 0 and j >= 0:
            common += self.slots[i] == slots[j]
            if self.slots[i] >= slots[j]:
                if self.slots[i] == slots[j]:
                    j -= 1
                i -= 1
            else:
                j -= 1
        i, j = self.count - 1, count - 1
        place = self.count + count - common
        self.count = place
        while j >= 0:
            place -= 1
            if i >= 0 and self.slots[i] > slots[j]:
                self.slots[place] = self.slots[i]
                i -= 1
            else:
                if i >= 0 and self.slots[i] == slots[j]:
                    i -= 1
                self.slots[place] = slots[j]
                j -= 1
        return 0

    cdef int strike(self, const int32_t *slots, int32_t count) except -1:
        cdef int32_t i, kept = 0, found = 0
        for i in range(self.count):
            if found < count and self.slots[i] == slots[found]:
                found += 1
            else:
                self.slots[kept] = self.slots[i]
                kept += 1
        self.count = kept
        if found < count:
            raise WireError("a row is gone from a cell that it was not in")
        return 0


cdef class Ground:
    """Where the rows of one table are."""

    def __cinit__(self, Table table not None):
        self.table = table

    def __dealloc__(self):
        free(self.cell_of)
        free(self.left)

    cdef int forget(self) noexcept:
        if self.allocated:
            memset(self.cell_of, 0xFF, self.allocated * sizeof(int32_t))
        self.left_count = 0
        return 0

    cdef int leave(self, int32_t slot, int32_t cell) except -1:
        """A row leaves a cell, unless it is in another by now. The slot has been entered, so there is room for it."""
        if self.cell_of[slot] == cell:
            reserve(&self.left, &self.left_capacity, <int64_t>self.left_count + 1)
            self.cell_of[slot] = -1
            self.left[self.left_count] = slot
            self.left_count += 1
        return 0

    cdef int enter(self, const int32_t *slots, int32_t count, int32_t cell) except -1:
        """Rows of the table, in ascending order of slots, are in a cell from now on."""
        cdef int32_t i, old = self.allocated
        if count and slots[count - 1] >= old:
            reserve(&self.cell_of, &self.allocated, <int64_t>slots[count - 1] + 1)
            memset(self.cell_of + old, 0xFF, (self.allocated - old) * sizeof(int32_t))
        for i in range(count):
            self.cell_of[slots[i]] = cell
        return 0

    cdef int32_t gather(self, Counted counted, int32_t cell, int32_t *out) noexcept:
        """The rows that are in a cell, of those slots that it counts; `out` has room for all of them."""
        cdef int32_t i, n = 0
        for i in range(counted.count):
            if self.cell_of[counted.slots[i]] == cell:
                out[n] = counted.slots[i]
                n += 1
        return n


cdef class Seen:
    """A cell of the view."""


cdef class Glimpse:
    """What one reader of an area sees. `area` is that of the schema, `tables` are all of the room's, in order."""

    def __init__(self, area not None, tuple tables not None):
        numbers, columns, rows = list(area["tables"]), area["columns"], area["rows"]
        for number in (columns, rows, *numbers):
            if type(number) is not int:
                raise WireError("an area is described by whole numbers")
        if columns < 1 or rows < 1 or columns * rows > MAX_CELLS:
            raise WireError("an area has 1 to 65,536 cells")
        if not numbers or numbers != sorted(set(numbers)) or min(numbers) < 0 or max(numbers) >= len(tables):
            raise WireError("an area has tables of the room, in order")
        self.cells = columns * rows
        self.grounds = tuple(Ground(tables[number]) for number in numbers)
        self.places = {number: place for place, number in enumerate(numbers)}
        for ground in self.grounds:
            if (<Ground>ground).table.single:
                raise WireError("an area has no table of a single row")
        self.seen = {}

    @property
    def view(self):
        """The cells that the reader sees, in order: (cell, whether it is in the far ring)."""
        return [(cell, (<Seen>self.seen[cell]).far) for cell in sorted(self.seen)]

    def cell_of(self, row not None):
        """The cell that a row is in; None for one of a table that is not divided, or that is gone."""
        cdef Ground ground
        cdef int32_t slot
        if row.alive:
            slot = row.slot
            for ground in self.grounds:
                if ground.table is row.table and slot < ground.allocated and ground.cell_of[slot] >= 0:
                    return ground.cell_of[slot]
        return None

    cdef int begin(self, int64_t tick, uint32_t gap, bint brings_far, uint32_t far_gap, bint snapshot) except -1:
        """A message begins: what it does to the cells that are seen before it."""
        cdef Seen seen
        cdef Counted counted
        cdef Ground ground
        self.gap, self.brings_far, self.snapshot = gap, brings_far or snapshot, snapshot
        if snapshot:
            self.seen = {}
        for ground in self.grounds:
            ground.changed = snapshot
            if snapshot:
                ground.forget()
        for seen in self.seen.values():
            seen.still = seen.far and not brings_far
            seen.gap = far_gap if seen.far else gap
            for counted in seen.counted:
                counted.told = False
        if self.brings_far:
            self.far_tick = tick
        return 0

    cdef list take_cells(self, Unpacker source):
        cdef int32_t count = source.take_count(0, self.cells), i
        if not count:
            return []
        source.make_room(count)
        source.take_numbers(source.slots, count, self.cells)
        return [source.slots[i] for i in range(count)]

    cdef int take_view(self, Unpacker source) except -1:
        cdef list lost = self.take_cells(source), near = self.take_cells(source), far = self.take_cells(source)
        cdef Seen seen
        cdef Ground ground
        cdef Counted counted
        cdef int32_t place, i
        if self.snapshot and lost:
            raise WireError("a cell is lost in a snapshot")
        if far and not set(far).isdisjoint(near):
            raise WireError("a cell is near and far")
        for cell in lost:
            seen = self.seen.pop(cell, None)
            if seen is None:
                raise WireError("a cell is lost that was not in the view")
            place = 0
            for ground in self.grounds:
                counted = seen.counted[place]
                for i in range(counted.count):
                    ground.leave(counted.slots[i], seen.cell)
                place += 1
        for cell in near:
            self.show(cell, False)
        for cell in far:
            self.show(cell, True)
        return 0

    cdef int show(self, int32_t cell, bint far) except -1:
        cdef Seen seen = self.seen.get(cell)
        if seen is None:
            if far and not self.brings_far:
                raise WireError("a far cell comes without the far ring")
            seen = self.seen[cell] = Seen.__new__(Seen)
            seen.cell, seen.gap = cell, self.gap
            seen.counted = tuple([Counted.__new__(Counted) for _ in self.grounds])
        elif seen.far != far and not self.brings_far:
            raise WireError("a cell changes its ring without the far ring")
        seen.far = far
        return 0
