"""Columns: one field of all rows of a table, as the game writes it and as the wire has it.

Knows fields and slots, not tables or ticks: a tick arrives as a stamp. The game's side is plain numbers that NumPy can
share; the wire's side is integers. `quantise` and `compare` join the two once per tick.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES
from cpython.list cimport PyList_GET_ITEM
from libc.math cimport M_PI, fmod, isfinite, isnan
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from monkeytown._core.fields cimport ANGLE, BOOL, BYTE, FIXED, INTEGER, OBJECT, REAL, REF, TEXT
from monkeytown._core.rows cimport resize
from monkeytown.errors import FieldError, Gone

cdef extern from "kernels.h" nogil:
    double MT_ROUND_LIMIT
    int mt_quantise_fixed(const double *game, int32_t *wire, Py_ssize_t n, double lo, double scale, double limit)
    int mt_quantise_angle(const double *game, int32_t *wire, Py_ssize_t n, double scale, int32_t mask)
    int mt_quantise_integer(const int64_t *game, int32_t *wire, Py_ssize_t n, int64_t lo, int64_t hi)
    int mt_quantise_byte(const uint8_t *game, int32_t *wire, Py_ssize_t n, uint8_t largest)
    int32_t mt_compare_hold(
        const int32_t *fresh, int32_t *wire, int32_t *residual, int32_t *stamp, int32_t *dirty, const int32_t *alive,
        Py_ssize_t n, int32_t tick, unsigned bits)
    int32_t mt_compare_linear(
        const int32_t *fresh, int32_t *wire, int32_t *step, int32_t *residual, int32_t *stamp, int32_t *dirty,
        const int32_t *alive, Py_ssize_t n, int32_t tick, unsigned bits, int32_t *motion)
    void mt_rebase(int32_t *stamp, Py_ssize_t n, int32_t shift)


cdef class Column:
    """One field of all rows. `numpy.asarray(table.x)` shares its memory: shape (extent,), or (extent, n) for an array field.

    Values that NumPy writes out of range are clamped or refused when the tick is committed.
    """

    def __cinit__(self, Field field not None, Rows rows not None, table):
        self.field = field
        self.rows = rows
        self.table = table
        if field.storage == OBJECT:
            self.contents, self.sent, self.touched, self.corrected_slots = [], [], set(), []
            return
        self.count = field.count or 1
        self.itemsize = 1 if field.storage == BYTE else 8
        self.lanes = <Lane *>calloc(self.count, sizeof(Lane))
        if self.lanes is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        free(self.game)
        free(self.content_stamp)
        if self.lanes is NULL:
            return
        for i in range(self.count):
            free(self.lanes[i].wire)
            free(self.lanes[i].step)
            free(self.lanes[i].residual)
            free(self.lanes[i].stamp)
        free(self.lanes)

    def __len__(self):
        return self.rows.extent

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        if self.field.storage == OBJECT:
            raise BufferError(f"{self.field.owner}.{self.field.name} is {self.field.type}: it has no numbers to share")
        self.table.pin()
        cdef bint flat = self.field.count == 0
        self.shape[0], self.shape[1] = self.rows.extent, self.count
        self.strides[0], self.strides[1] = self.itemsize, self.itemsize * <Py_ssize_t>self.allocated
        if not flat and not flags & PyBUF_STRIDES == PyBUF_STRIDES:
            raise BufferError("an array field needs a reader of strided memory")
        buffer.buf = self.game
        buffer.obj = self
        buffer.len = self.itemsize * self.shape[0] * self.count
        buffer.readonly = 0
        buffer.itemsize = self.itemsize
        buffer.format = NULL
        if flags & PyBUF_FORMAT:
            buffer.format = b"d" if self.field.storage == REAL else b"q" if self.field.storage == INTEGER else (
                b"?" if self.field.kind == BOOL else b"B")
        buffer.ndim = 1 if flat else 2
        buffer.shape = self.shape if flags & PyBUF_ND else NULL
        buffer.strides = self.strides if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL

    cdef char *at(self, int lane) noexcept:
        return self.game + <size_t>lane * self.allocated * self.itemsize

    cdef int grow(self, int32_t allocated) except -1:
        cdef size_t old = self.allocated, new = allocated
        cdef int i
        cdef char *game
        cdef Lane *lane
        if self.field.storage == OBJECT:
            resize(<void **>&self.content_stamp, sizeof(int32_t), old, new)
            self.contents.extend([self.field.default] * (allocated - self.allocated))
            self.sent.extend([b""] * (allocated - self.allocated))
            self.allocated = allocated
            return 0
        game = <char *>calloc(new * self.count, self.itemsize)
        if game is NULL:
            raise MemoryError
        for i in range(self.count):
            lane = self.lanes + i
            if old:
                memcpy(game + <size_t>i * new * self.itemsize, self.at(i), old * self.itemsize)
            resize(<void **>&lane.wire, sizeof(int32_t), old, new)
            resize(<void **>&lane.residual, sizeof(int32_t), old, new)
            resize(<void **>&lane.stamp, sizeof(int32_t), old, new)
            if self.field.linear:
                resize(<void **>&lane.step, sizeof(int32_t), old, new)
        free(self.game)
        self.game = game
        self.allocated = allocated
        return 0

    cdef int clear_row(self, int32_t slot) except -1:
        """A new row begins with the field's default."""
        cdef int i
        if self.field.storage == OBJECT:
            self.contents[slot] = self.field.default
            self.touched.add(slot)
            return 0
        for i in range(self.count):
            if self.field.storage == REAL:
                (<double *>self.at(i))[slot] = self.field.default
            elif self.field.kind == REF:
                (<int64_t *>self.at(i))[slot] = 0
            elif self.field.storage == INTEGER:
                (<int64_t *>self.at(i))[slot] = self.field.default
            else:
                (<uint8_t *>self.at(i))[slot] = <uint8_t>self.field.integer(self.field.default)
        return 0

    cdef int settle(self, int32_t slot) noexcept:
        """A row that is gone stands still, so that it costs the next commits nothing."""
        cdef int i
        if self.field.linear:
            for i in range(self.count):
                self.lanes[i].step[slot] = 0
        return 0

    cdef int quantise(self, int lane, int32_t *fresh) except -1:
        """The game's values as wire values, for all rows up to the extent."""
        cdef Field field = self.field
        cdef int32_t n = self.rows.extent
        cdef bint outside
        if field.kind == FIXED:
            outside = mt_quantise_fixed(<double *>self.at(lane), fresh, n, field.lo, field.scale, field.limit)
        elif field.kind == ANGLE:
            outside = mt_quantise_angle(<double *>self.at(lane), fresh, n, field.scale, field.largest)
        elif field.storage == INTEGER:
            outside = mt_quantise_integer(<int64_t *>self.at(lane), fresh, n, field.int_lo, field.int_hi)
        else:
            outside = mt_quantise_byte(<uint8_t *>self.at(lane), fresh, n, <uint8_t>field.int_hi)
        return self.repair(lane, fresh) if outside else 0

    cdef int repair(self, int lane, int32_t *fresh) except -1:
        """Something is out of range, written through NumPy: clamp it in the game too, or refuse it."""
        cdef Field field = self.field
        cdef int32_t slot
        cdef double real
        for slot in range(self.rows.extent):
            if field.storage == REAL:
                real = (<double *>self.at(lane))[slot]
                if field.kind == FIXED and field.lo <= real <= field.hi:
                    continue
                if field.kind == ANGLE and -MT_ROUND_LIMIT < real * field.scale < MT_ROUND_LIMIT:
                    continue
                (<double *>self.at(lane))[slot] = real = self.repair_real(slot, real)
                fresh[slot] = <int32_t>field.real_to_wire(real)
            elif self.rows.mask[slot]:
                self.repair_integer(slot, lane)
        return 0

    cdef double repair_real(self, int32_t slot, double real) except? -1.0:
        cdef Field field = self.field
        if not self.rows.mask[slot]:
            return field.default
        if field.raises or isnan(real) or (field.kind == ANGLE and not isfinite(real)):
            raise FieldError(f"{field.owner}.{field.name} of {self.rows.id_of(slot)} is {real}")
        return fmod(real, 2 * M_PI) if field.kind == ANGLE else field.real(real)

    cdef int repair_integer(self, int32_t slot, int lane) except -1:
        """`quantise` has clamped the wire value already."""
        cdef Field field = self.field
        cdef bint wide = field.storage == INTEGER
        cdef int64_t value = (<int64_t *>self.at(lane))[slot] if wide else (<uint8_t *>self.at(lane))[slot]
        if field.raises and not field.int_lo <= value <= field.int_hi:
            raise FieldError(f"{field.owner}.{field.name} of {self.rows.id_of(slot)} is {value}")
        value = min(max(value, field.int_lo), field.int_hi)
        if wide:
            (<int64_t *>self.at(lane))[slot] = value
        else:
            (<uint8_t *>self.at(lane))[slot] = <uint8_t>value
        return 0

    cdef int compare(self, int lane, const int32_t *fresh, int32_t stamp, int32_t *motion) noexcept:
        """Holds the wire values against their prediction, keeps what differs, and takes the new ones."""
        cdef Lane *column = self.lanes + lane
        cdef unsigned bits = self.field.bits if self.field.kind == ANGLE else 32
        cdef int32_t *dirty = self.rows.hidden if self.field.owner_only else self.rows.dirty
        if self.field.linear:
            column.corrected = mt_compare_linear(
                fresh, column.wire, column.step, column.residual, column.stamp, dirty, self.rows.mask,
                self.rows.extent, stamp, bits, motion) != 0
        else:
            column.corrected = mt_compare_hold(
                fresh, column.wire, column.residual, column.stamp, dirty, self.rows.mask, self.rows.extent, stamp, bits) != 0
        return column.corrected

    cdef int commit_contents(self, int32_t stamp) except -1:
        """Text and blobs: only what was written is looked at."""
        cdef int32_t slot
        cdef bytes content
        self.corrected_slots = []
        for slot in sorted(self.touched):
            if slot >= self.rows.extent or not self.rows.mask[slot]:
                continue
            value = self.contents[slot]
            content = (<str>value).encode() if self.field.kind == TEXT else <bytes>value
            if content == self.sent[slot]:
                continue
            self.sent[slot] = content
            self.content_stamp[slot] = stamp
            if self.rows.spawned[slot] != stamp:
                if not self.field.owner_only:
                    self.rows.dirty[slot] = 1
                self.corrected_slots.append(slot)
        self.touched.clear()
        return len(self.corrected_slots) > 0

    cdef int enter(self, int lane, int32_t slot, int32_t wire, int32_t stamp) noexcept:
        """A row that this commit shows for the first time: at rest, and equal to its prediction."""
        cdef Lane *column = self.lanes + lane
        column.wire[slot] = wire
        column.stamp[slot] = stamp
        if self.field.linear:
            column.step[slot] = 0
        return 0

    cdef int rebase(self, int32_t shift) noexcept:
        cdef int i
        if self.field.storage == OBJECT:
            mt_rebase(self.content_stamp, self.allocated, shift)
        for i in range(self.count):
            mt_rebase(self.lanes[i].stamp, self.allocated, shift)
        return 0

    cdef object get(self, int32_t slot):
        if self.field.storage == OBJECT:
            return <object>PyList_GET_ITEM(self.contents, slot)
        return self.get_place(slot, 0)

    cdef int put(self, int32_t slot, object value) except -1:
        if self.field.storage == OBJECT:
            self.contents[slot] = self.field.content(value)
            self.touched.add(slot)
            return 0
        return self.put_place(slot, 0, value)

    cdef object get_place(self, int32_t slot, int place):
        cdef int64_t integer
        if self.field.storage == REAL:
            return (<double *>self.at(place))[slot]
        if self.field.storage == BYTE:
            return self.field.integer_to_python((<uint8_t *>self.at(place))[slot])
        integer = (<int64_t *>self.at(place))[slot]
        if self.field.kind == REF:
            return self.target.get(integer) if integer else None
        return integer

    cdef int put_place(self, int32_t slot, int place, object value) except -1:
        if self.field.storage == REAL:
            (<double *>self.at(place))[slot] = self.field.real(value)
        elif self.field.storage == BYTE:
            (<uint8_t *>self.at(place))[slot] = <uint8_t>self.field.integer(value)
        elif self.field.kind == REF:
            (<int64_t *>self.at(place))[slot] = 0 if value is None else self.target.id_for(value)
        else:
            (<int64_t *>self.at(place))[slot] = self.field.integer(value)
        return 0

    cdef object wire_value(self, int32_t slot, int lane):
        """What a reader of the wire makes of the value: not the game's own, which may lie between two steps."""
        if self.field.storage == OBJECT:
            content = <bytes>self.sent[slot]
            return content.decode() if self.field.kind == TEXT else content
        return self.field.wire_to_python(self.lanes[lane].wire[slot])

    cdef int mirror(self, int32_t slot, int lane) except -1:
        """The game's side of a value that came by the wire."""
        cdef int32_t wire = self.lanes[lane].wire[slot]
        if self.field.storage == REAL:
            (<double *>self.at(lane))[slot] = self.field.wire_to_real(wire)
        elif self.field.storage == BYTE:
            (<uint8_t *>self.at(lane))[slot] = <uint8_t>wire
        else:
            (<int64_t *>self.at(lane))[slot] = self.field.wire_to_integer(wire)
        return 0

    cdef int mirror_content(self, int32_t slot, bytes content) except -1:
        self.sent[slot] = content
        self.contents[slot] = content.decode() if self.field.kind == TEXT else content
        return 0


cdef class Places:
    """The places of an array field of one row: reads, writes, iterates like a list of fixed length."""

    def __cinit__(self, Column column not None, int32_t slot):
        self.column, self.slot = column, slot
        self.id = column.rows.id_of(slot)

    cdef int place(self, Py_ssize_t index) except -1:
        if self.column.rows.slot_of(self.id) < 0:
            raise Gone(f"{self.column.field.owner}.{self.column.field.name}: the entity is gone")
        if index < 0:
            index += self.column.count
        if not 0 <= index < self.column.count:
            raise IndexError(f"{self.column.field.owner}.{self.column.field.name} has {self.column.count} places")
        return <int>index

    def __len__(self):
        return self.column.count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return list(self)[index]
        return self.column.get_place(self.slot, self.place(index))

    def __setitem__(self, Py_ssize_t index, value):
        self.column.put_place(self.slot, self.place(index), value)

    def __iter__(self):
        return iter([self[index] for index in range(self.column.count)])

    def __eq__(self, other):
        if isinstance(other, (Places, list, tuple)):
            return list(self) == list(other)
        return NotImplemented

    def __repr__(self):
        return repr(list(self))
