"""The pieces that state frames are made of: gaps, row sets, columns of values, residuals at the width that suits them.

Knows columns and the forms of docs/reference/wire.md, sections 1 and 4; not which rows or columns a frame holds, which is
what `delta` decides.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from monkeytown._core.fields cimport SINT
from monkeytown._core.wire cimport HEAD_OUTLIERS, HEAD_QUOTIENTS, QUOTIENT_BITS, mt_bit_length

cdef extern from "kernels.h" nogil:
    uint32_t mt_zigzag_rows(const int32_t *values, const int32_t *rows, uint32_t *out, Py_ssize_t n)
    uint32_t mt_zigzag_all(const int32_t *values, uint32_t *out, Py_ssize_t n)
    uint32_t mt_take_rows(const int32_t *values, const int32_t *rows, uint32_t *out, Py_ssize_t n)
    Py_ssize_t mt_next_wider(const uint32_t *values, Py_ssize_t start, unsigned width)
    uint32_t mt_count_wider(const uint32_t *values, Py_ssize_t n, unsigned width)
    uint64_t mt_sum_quotients(const uint32_t *values, Py_ssize_t n, unsigned width)
    void mt_split(uint32_t *values, uint32_t *quotients, Py_ssize_t n, unsigned width)

cdef enum:
    ROWS_ALL = 0
    ROWS_BITMAP = 1
    ROWS_GAPS = 2
    OUTLIER_HEAD_BITS = 24       # what an outlier section costs before its first outlier: count and two widths
    UNARY_END_BITS = 7           # unused ones at the end of quotients, at most
    WIDEST_REMAINDER = 16        # at most 28; wider ones save too little to look for


cdef inline uint64_t outlier_cost(uint32_t outliers, uint64_t total, unsigned longest) noexcept:
    if not outliers:
        return 0
    return OUTLIER_HEAD_BITS + <uint64_t>outliers * (longest + mt_bit_length(<uint32_t>(total // outliers)) + 1)


cdef Plan best_plan(const uint32_t *values, int32_t count, uint32_t all_bits, int32_t zeros) noexcept:
    """The cheapest width for `count` values, whose OR is `all_bits`, and `zeros` zeros beside them.

    Goes down from the width that fits all, and stops as soon as the outliers alone cost more than the best so far. Quotients
    want two or three bits less than that width.
    """
    cdef unsigned longest = mt_bit_length(all_bits), width = longest
    cdef uint64_t total = <uint64_t>count + zeros, apart
    cdef uint32_t above
    cdef unsigned packed_width
    cdef Plan best = Plan(longest, False, 0, total * longest)
    while width:
        width -= 1
        above = mt_count_wider(values, count, width)
        apart = outlier_cost(above, total, longest)
        if apart >= best.cost:
            break
        if apart + total * width < best.cost:
            best = Plan(width, False, above, apart + total * width)
    packed_width = min(best.width, WIDEST_REMAINDER)
    for width in range(packed_width - min(packed_width, 3), packed_width - min(packed_width, 1)):
        above = 0
        if longest > width + QUOTIENT_BITS:
            above = mt_count_wider(values, count, width + QUOTIENT_BITS)
        apart = outlier_cost(above, total, longest) + mt_sum_quotients(values, count, width) + UNARY_END_BITS
        if apart + total * (width + 1) < best.cost:
            best = Plan(width, True, above, apart + total * (width + 1))
    return best


cdef class Packer:
    """Scratch memory for the rows of one table, and the writer that a frame is built in."""

    def __cinit__(self):
        self.out = Writer()

    def __dealloc__(self):
        free(self.slots)

    cdef int make_room(self, int32_t rows) except -1:
        cdef int32_t *memory
        if rows <= self.capacity:
            return 0
        rows += rows // 2
        memory = <int32_t *>realloc(self.slots, <size_t>7 * rows * sizeof(int32_t))
        if memory is NULL:
            raise MemoryError
        self.capacity = rows
        self.slots, self.ranks, self.members, self.rank_of = memory, memory + rows, memory + 2 * rows, memory + 3 * rows
        self.values, self.gaps = <uint32_t *>memory + 4 * rows, <uint32_t *>memory + 5 * rows
        self.apart = <uint32_t *>memory + 6 * rows
        return 0

    cdef int census(self, Rows rows) noexcept:
        """Numbers the rows alive in order of their slots."""
        cdef int32_t slot, rank = 0
        for slot in range(rows.extent):
            self.rank_of[slot] = rank
            if rows.mask[slot]:
                self.members[rank] = slot
                rank += 1
        return 0

    cdef int put_gaps(self, const int32_t *numbers, int32_t count) except -1:
        """Ascending numbers as `packed` gaps."""
        cdef int32_t i, previous = -1
        cdef uint32_t all_bits = 0
        for i in range(count):
            self.gaps[i] = numbers[i] - previous - 1
            all_bits |= self.gaps[i]
            previous = numbers[i]
        return self.out.put_packed(self.gaps, count, all_bits)

    cdef int put_row_set(self, const int32_t *numbers, int32_t count, int32_t n) except -1:
        cdef int32_t i, previous = -1
        cdef uint32_t all_bits = 0
        cdef size_t bitmap = (n + 7) // 8, start
        if count == n:
            return self.out.put_u8(ROWS_ALL)
        for i in range(count):
            all_bits |= numbers[i] - previous - 1
            previous = numbers[i]
        if bitmap <= (<size_t>count * mt_bit_length(all_bits) + 7) // 8 + (3 if count > 127 else 2):
            self.out.put_u8(ROWS_BITMAP)
            self.out.reserve(bitmap)
            start = self.out.size
            memset(self.out.data + start, 0, bitmap)
            for i in range(count):
                self.out.data[start + (numbers[i] >> 3)] |= <uint8_t>(1 << (numbers[i] & 7))
            self.out.size += bitmap
            return 0
        self.out.put_u8(ROWS_GAPS)
        self.out.put_varint(count)
        return self.put_gaps(numbers, count)

    cdef int put_contents(self, Column column, const int32_t *slots, int32_t count) except -1:
        cdef int32_t i
        cdef bytes content
        for i in range(count):
            content = column.sent[slots[i]]
            self.out.put_varint(PyBytes_GET_SIZE(content))
            self.out.put_raw(<const uint8_t *>PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))
        return 0

    cdef int put_absolute(self, Column column, int lane, const int32_t *slots, int32_t count) except -1:
        """Values as they are, and the steps of those that are predicted."""
        cdef Lane *source = column.lanes + lane
        cdef uint32_t all_bits
        if column.field.kind == SINT:
            all_bits = mt_zigzag_rows(source.wire, slots, self.values, count)
        else:
            all_bits = mt_take_rows(source.wire, slots, self.values, count)
        self.out.put_packed(self.values, count, all_bits)
        if column.field.linear:
            all_bits = mt_zigzag_rows(source.step, slots, self.values, count)
            self.out.put_packed(self.values, count, all_bits)
        return 0

    cdef uint32_t take_residuals(self, const Lane *lane, const int32_t *slots, int32_t count, bint dense) noexcept:
        """The zigzag of the residuals of some rows (`dense`: of all) into `values`; returns their OR."""
        if dense:
            return mt_zigzag_all(lane.residual, self.values, count)
        return mt_zigzag_rows(lane.residual, slots, self.values, count)

    cdef int put_residuals(self, int32_t count, Plan plan) except -1:
        """What `take_residuals` took, packed as planned."""
        cdef int32_t i = 0, apart = 0
        cdef uint32_t all_bits = 0
        cdef unsigned near = plan.width + (QUOTIENT_BITS if plan.quotients else 0)
        while apart < <int32_t>plan.outliers:
            i = <int32_t>mt_next_wider(self.values, i, near)
            self.rank_of[apart] = i          # free at this point: ranks were taken before
            self.apart[apart] = self.values[i]
            all_bits |= self.values[i]
            self.values[i] = 0
            apart += 1
        self.out.put_u8(
            plan.width | (HEAD_QUOTIENTS if plan.quotients else 0) | (HEAD_OUTLIERS if plan.outliers else 0))
        if plan.quotients:
            mt_split(self.values, self.gaps, count, plan.width)
        self.out.put_bits(self.values, count, plan.width)
        if plan.quotients:
            self.out.put_unary(self.gaps, count)
        if not apart:
            return 0
        self.out.put_varint(apart)
        self.put_gaps(self.rank_of, apart)
        return self.out.put_packed(self.apart, apart, all_bits)
