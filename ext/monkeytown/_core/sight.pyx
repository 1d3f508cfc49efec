"""Sights: which cells of an area one reader sees, and the message that brings it from what it has to what it is to have.

A sight follows a focus (a row, or a place) from cell to cell. It is compared with what its reader was last told only
when a message is planned, so a reader that was passed over for a while is simply told the difference. Planning holds the
GIL; putting a planned message together does not. Knows the form of docs/reference/wire.md, section 4; not whose sight it is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from monkeytown._core.area cimport FAR, NEAR
from monkeytown._core.rows cimport grown
from monkeytown._core.state cimport Row
from monkeytown._core.wire cimport (
    FLAG_CORRECTIONS, FLAG_FAR, FLAG_SNAPSHOT, FLAG_VIEW, KIND_GAME_STATE, Writer
)

cdef enum:
    FIRST_CELLS = 16


cdef Py_ssize_t compose(const Look *look, uint8_t *out) noexcept nogil:
    """The planned message; `out` has room for `look.length` bytes. Returns that length."""
    cdef const uint8_t *arena = look.arena[0]
    cdef uint8_t *at = out + look.head_length
    cdef int32_t i
    memcpy(out, look.head, look.head_length)
    for i in range(look.piece_count):
        memcpy(at, arena + look.pieces[i].offset, look.pieces[i].length)
        at += look.pieces[i].length
    return at - out


cdef void told(Look *look, int64_t tick) noexcept nogil:
    """The planned message, of `tick`, is on its way."""
    cdef Seen *known = look.known
    look.known, look.known_count = look.following, look.following_count
    look.following = known
    look.length = 0
    look.tick = tick
    look.settled = look.settles
    if look.brings_far:
        look.far_tick = tick


cdef class _Lists:
    """The three lists of a view part; one is enough, since planning holds the GIL."""

    cdef Writer out
    cdef uint32_t *numbers
    cdef int32_t capacity
    cdef int32_t counts[3]

    def __cinit__(self):
        self.out = Writer()

    def __dealloc__(self):
        free(self.numbers)

    cdef int clear(self, int32_t most) except -1:
        """Empties the lists; each has room for `most` cells."""
        if most > self.capacity:
            self.numbers = <uint32_t *>grown(self.numbers, <size_t>3 * most * sizeof(uint32_t))
            self.capacity = most
        memset(self.counts, 0, sizeof(self.counts))
        return 0

    cdef int add(self, int which, int32_t cell) noexcept:
        """In its place, if it is not there yet; nearly always at the end."""
        cdef uint32_t *numbers = self.numbers + which * self.capacity
        cdef int32_t place = self.counts[which], i
        while place and numbers[place - 1] > <uint32_t>cell:
            place -= 1
        if place and numbers[place - 1] == <uint32_t>cell:
            return 0
        for i in range(self.counts[which], place, -1):
            numbers[i] = numbers[i - 1]
        numbers[place] = cell
        self.counts[which] += 1
        return 0

    cdef bint any(self) noexcept:
        return self.counts[0] or self.counts[1] or self.counts[2]

    cdef int put(self) except -1:
        cdef int which
        cdef int32_t i
        cdef uint32_t all_bits
        cdef uint32_t *numbers
        for which in range(3):
            numbers = self.numbers + which * self.capacity
            self.out.put_varint(self.counts[which])
            if not self.counts[which]:
                continue
            all_bits = numbers[0]
            for i in range(self.counts[which] - 1, 0, -1):
                numbers[i] -= numbers[i - 1] + 1
                all_bits |= numbers[i]
            self.out.put_packed(numbers, self.counts[which], all_bits)
        return 0


cdef enum:
    LOST = 0
    TO_NEAR = 1
    TO_FAR = 2

cdef _Lists lists = _Lists()


cdef class Sight:
    """What one reader of an area sees. Without a focus it sees nothing but what everybody sees."""

    def __cinit__(self, Area area not None):
        self.area = area
        self.shown = {}
        self.cell = -1
        self.look.arena = <const uint8_t *const *>&area.arena.data
        self.reserve(FIRST_CELLS)

    def __dealloc__(self):
        free(self.look.known)
        free(self.look.wanted)
        free(self.look.following)
        free(self.look.head)
        free(self.look.pieces)

    def follow(self, row):
        """The focus is a row, of a table of the area, for as long as it lives; then the place where it was last. None,
        or a row that is gone: the place it is at.
        """
        cdef Cells cells = self.area.cells_of((<Row>row).table_) if row is not None and (<Row?>row).live else None
        self.focus_cells = cells
        if cells is not None:
            self.focus_id = cells.table.rows.id_of((<Row>row).slot_)

    def look_at(self, double x, double y):
        """The focus is a place."""
        if x != x or y != y:
            raise ValueError("a place to look at is two numbers")
        self.focus_cells = None
        self.focus_x, self.focus_y, self.has_place = x, y, True

    @property
    def place(self):
        """Where it looked from last, (x, y); None before that."""
        return (self.focus_x, self.focus_y) if self.has_place else None

    cdef int aim(self) except -1:
        """Finds the cell to look from, and what is to be seen from it."""
        cdef int32_t slot, cell
        if self.focus_cells is not None:
            slot = self.focus_cells.table.rows.slot_of(self.focus_id)
            if slot >= 0:
                self.focus_x, self.focus_y = self.focus_cells.x_at(slot), self.focus_cells.y_at(slot)
                self.has_place = True
            else:
                self.focus_cells = None
        if not self.has_place:
            return 0
        cell = self.area.cell_at(self.focus_x, self.focus_y, self.cell)
        if cell != self.cell:
            self.cell = cell
            self.want()
        return 0

    cdef int want(self) except -1:
        cdef Area area = self.area
        cdef int32_t column = self.cell % area.columns, row = self.cell // area.columns, i, count = 0
        self.look.settled = False
        self.reserve(min(area.offset_count, area.cells))
        for i in range(area.offset_count):
            if 0 <= column + area.offsets[i].columns < area.columns and 0 <= row + area.offsets[i].rows < area.rows:
                self.look.wanted[count] = Seen(
                    (row + area.offsets[i].rows) * area.columns + column + area.offsets[i].columns, area.offsets[i].ring, 0)
                count += 1
        self.look.wanted_count = count
        return 0

    cdef int reserve(self, int32_t count) except -1:
        """Room for so many cells."""
        cdef Look *look = &self.look
        if count <= look.capacity:
            return 0
        look.known = <Seen *>grown(look.known, count * sizeof(Seen))
        look.wanted = <Seen *>grown(look.wanted, count * sizeof(Seen))
        look.following = <Seen *>grown(look.following, count * sizeof(Seen))
        look.pieces = <Piece *>grown(look.pieces, (count + 1) * sizeof(Piece))
        look.capacity = count
        return 0

    cdef bint compare(self, bint brings_far) noexcept:
        """Fills in `following`, and the lists with how it differs from `known`. Rings change, and far cells come, only
        with the far ring.
        """
        cdef Look *look = &self.look
        cdef const Seen *known = look.known
        cdef const Seen *known_end = look.known + look.known_count
        cdef const Seen *wanted = look.wanted
        cdef const Seen *wanted_end = look.wanted + look.wanted_count
        cdef Seen *out = look.following
        cdef bint delayed = False
        while known < known_end or wanted < wanted_end:
            if wanted == wanted_end or (known < known_end and known.cell < wanted.cell):
                lists.add(LOST, known.cell)
                known += 1
            elif known == known_end or wanted.cell < known.cell:
                if wanted.ring == NEAR or brings_far:
                    lists.add(TO_NEAR if wanted.ring == NEAR else TO_FAR, wanted.cell)
                    out[0] = Seen(wanted.cell, wanted.ring, self.area.tick)
                    out += 1
                else:
                    delayed = True
                wanted += 1
            else:
                out[0] = known[0]
                if known.ring != wanted.ring:
                    if brings_far:
                        lists.add(TO_NEAR if wanted.ring == NEAR else TO_FAR, wanted.cell)
                        out.ring = wanted.ring
                    else:
                        delayed = True
                out += 1
                known += 1
                wanted += 1
        look.following_count = <int32_t>(out - look.following)
        return not delayed

    cdef bint gather(self, bint brings_far) except -1:
        """The pieces of all cells of `following`. Returns whether anything in them is in motion, unless there are pieces."""
        cdef Look *look = &self.look
        cdef Area area = self.area
        cdef const Seen *known = look.known
        cdef const Seen *known_end = look.known + (0 if area.snapshot else look.known_count)
        cdef Seen *seen
        cdef Piece *piece
        cdef int64_t base
        cdef int32_t i
        look.piece_count = 0
        look.length = area.common.length
        if area.common.length:
            look.pieces[0] = area.common
            look.piece_count = 1
        for i in range(look.following_count):
            seen = look.following + i
            while known < known_end and known.cell < seen.cell:
                known += 1
            if known == known_end or known.cell != seen.cell:
                piece = area.whole(seen.cell)
            else:
                if known.ring == FAR and not brings_far:
                    continue
                base = look.far_tick if known.ring == FAR else area.base
                if area.changed[seen.cell] <= base:
                    continue
                piece = area.since(seen.cell, base)
                if piece.length < 0:     # what came and went since then is not known any more: the cell begins anew
                    lists.add(LOST, seen.cell)
                    lists.add(TO_NEAR if seen.ring == NEAR else TO_FAR, seen.cell)
                    seen.since = area.tick
                    piece = area.whole(seen.cell)
            if piece.length:
                look.pieces[look.piece_count] = piece[0]
                look.piece_count += 1
                look.length += piece.length
        if look.piece_count or area.common_news:
            return True
        area.find_motion()
        for i in range(look.following_count):
            if area.moving[look.following[i].cell] and (look.following[i].ring == NEAR or brings_far):
                return True
        return False

    cdef int put_head(self, uint32_t epoch, bint view) except -1:
        cdef Look *look = &self.look
        cdef Area area = self.area
        cdef Writer out = lists.out
        out.reset()
        out.put_u8(KIND_GAME_STATE)
        out.put_u8(
            (FLAG_SNAPSHOT if area.snapshot else FLAG_CORRECTIONS if area.corrections else 0)
            | (FLAG_VIEW if view else 0) | (FLAG_FAR if look.brings_far and not area.snapshot else 0))
        out.put_varint(epoch)
        out.put_varint(area.tick)
        if not area.snapshot:
            out.put_varint(area.tick - area.base)
            if look.brings_far:
                out.put_varint(area.tick - look.far_tick)
        if view:
            lists.put()
        if <Py_ssize_t>out.size > look.head_capacity:
            look.head = <uint8_t *>grown(look.head, out.size + out.size // 2)
            look.head_capacity = out.size + out.size // 2
        memcpy(look.head, out.data, out.size)
        look.head_length = out.size
        look.length += out.size
        return 0

    cdef int renew(self, bint anew) except -1:
        """Finds out what the reader is to see, and how that differs from what it was last told; `anew`: from nothing."""
        cdef Look *look = &self.look
        cdef bint brings_far = anew
        self.aim()
        look.length, look.widens = 0, False
        if anew:
            look.known_count = 0
            look.settled = False     # also if nothing at all is seen: the reader's view was emptied
        elif self.area.far_every > 1 and self.area.tick - look.far_tick >= self.area.far_every:
            brings_far = True
        lists.clear(look.capacity)
        if look.settled:
            memcpy(look.following, look.known, look.known_count * sizeof(Seen))
            look.following_count, look.settles = look.known_count, True
        else:
            look.settles = self.compare(brings_far)
        look.brings_far = brings_far
        return 0

    cdef int plan(self, uint32_t epoch) except -1:
        """Plans the message that brings the reader from the base that the area was opened for to its tick; `look.length`
        is then that of the message, or 0."""
        cdef Look *look = &self.look
        self.renew(self.area.snapshot)
        if not self.gather(look.brings_far) and not lists.any():
            look.length = 0
            return 0
        look.widens = lists.counts[TO_NEAR] > 0 or lists.counts[TO_FAR] > 0
        return self.put_head(epoch, lists.any())

    cdef const Seen *find(self, int32_t cell) noexcept:
        """What the reader knows of a cell with what is planned, or was told if nothing is; NULL if it does not see it."""
        cdef const Seen *seen = self.look.following if self.look.length else self.look.known
        cdef int32_t count = self.look.following_count if self.look.length else self.look.known_count
        cdef int32_t low = 0, high = count, middle
        while low < high:
            middle = (low + high) // 2
            if seen[middle].cell < cell:
                low = middle + 1
            else:
                high = middle
        return seen + low if low < count and seen[low].cell == cell else NULL

    cdef bint shows(self, int32_t cell) noexcept:
        """Whether the reader sees a cell with what is planned, or with what it was told if nothing is."""
        return self.began(cell) >= 0

    cdef int64_t began(self, int32_t cell) noexcept:
        """The tick in which the reader began to see it; -1 if it does not."""
        cdef const Seen *seen = self.find(cell)
        return -1 if seen is NULL else seen.since

    def can_continue(self, int64_t base):
        """Whether what the reader has at tick `base` is what it was last told, and all since then is known."""
        return self.look.tick == base and self.area.remembers(base)

    def forget(self):
        """The reader has nothing any more: what it is shown next begins from nothing."""
        self.look.tick = self.look.length = 0

    def advance(self, bint anew):
        """For readers who are told by other means: they are about to be shown what they are to see."""
        cdef int64_t before = self.look.tick
        self.renew(anew)
        told(&self.look, self.area.tick)
        self.look.tick = before      # until they have been

    def arrive(self):
        """The same: they have been."""
        self.look.tick = self.area.tick

    def read(self, uint32_t epoch, base):
        """The message that brings the reader from tick `base`, at which it must have left off (None: from nothing), to
        the newest; None if there is nothing to say. The reader is taken to have it."""
        cdef bytes message
        self.area.open(0 if base is None else base, base is None)
        self.plan(epoch)
        if not self.look.length:
            return None
        message = PyBytes_FromStringAndSize(NULL, self.look.length)
        compose(&self.look, <uint8_t *>PyBytes_AS_STRING(message))
        told(&self.look, self.area.tick)
        return message

    @property
    def tick(self):
        """At which the reader knows what it was last told; 0 before that."""
        return self.look.tick

    @property
    def cells(self):
        """The cells that the reader was last told it sees: (cell, whether it is in the far ring)."""
        return [(self.look.known[i].cell, self.look.known[i].ring == FAR) for i in range(self.look.known_count)]
