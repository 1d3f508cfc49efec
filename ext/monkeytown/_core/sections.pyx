"""Sections of state frames: the parts of docs/reference/wire.md, section 4, for rows that somebody else has selected.

A section speaks of a set of rows in order of their slots: all rows of a table, or those in one cell. Which set, which rows of
it and since when is for `delta` and `area` to say. Reads tables, never changes them.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from monkeytown._core.columns cimport Column
from monkeytown._core.fields cimport OBJECT
from monkeytown._core.pack cimport best_plan
from monkeytown._core.rows cimport Rows
from monkeytown._core.wire cimport mt_bit_length


cdef class SectionWriter(Packer):

    cdef void charge(self, Column column) noexcept:
        """Puts what was written since the last charge down to a column."""
        column.bytes_encoded += self.out.size - self.charged
        self.charged = self.out.size

    cdef int put_entering(self, Table table, int32_t count) except -1:
        """*Entered*: the first `count` rows of `slots`, whole."""
        cdef Rows rows = table.rows
        cdef int32_t i
        cdef int lane
        cdef uint32_t all_bits = 0
        cdef Column column
        self.out.put_varint(count)
        self.put_gaps(self.slots, count)
        for i in range(count):
            self.values[i] = rows.generation[self.slots[i]] - 1
            all_bits |= self.values[i]
        self.out.put_packed(self.values, count, all_bits)
        self.charged = self.out.size
        for column in table.columns:
            if column.field.owner_only:
                continue
            if column.field.storage == OBJECT:
                self.put_contents(column, self.slots, count)
            for lane in range(column.count):
                self.put_absolute(column, lane, self.slots, count)
            self.charge(column)
        return 0

    cdef bint put_residuals_of(self, Table table, int32_t count, int32_t n, bint dense, bint any_arrived) except -1:
        """*Changed*, with residuals of the newest tick: the first `count` rows of `slots`, whose places are in `ranks`
        and which are among the `n` rows of `members` (`dense`: slots, places and members are all the same, and none need
        be filled in).

        Rows that have just arrived (`any_arrived`: there are some) are selected only where their residuals are zero.
        """
        cdef int32_t i
        if count < n and not any_arrived and self.all_is_cheaper(table, count, n):
            count = n
            for i in range(n):
                self.slots[i] = i if dense else self.members[i]
        self.put_row_set(self.ranks, count, n)
        self.put_residual_columns(table, count, dense and count == n)
        return True

    cdef bint all_is_cheaper(self, Table table, int32_t count, int32_t n) noexcept:
        """Whether zeros for the rows that did not change cost less than saying which rows did."""
        cdef uint64_t cost_all = 0, cost_some
        cdef uint32_t gap_bits = 0, all_bits
        cdef int32_t i, previous = 0
        cdef Column column
        cdef int lane
        for i in range(count):
            gap_bits |= self.ranks[i] - previous
            previous = self.ranks[i] + 1
        cost_some = min(<uint64_t>(n + 7) // 8 * 8, 16 + <uint64_t>count * mt_bit_length(gap_bits))
        for column in table.columns:
            for lane in range(column.count):
                if column.lanes[lane].corrected and not column.field.owner_only:
                    all_bits = self.take_residuals(column.lanes + lane, self.slots, count, False)
                    cost_some += best_plan(self.values, count, all_bits, 0).cost
                    cost_all += best_plan(self.values, count, all_bits, n - count).cost
        return cost_all <= cost_some

    cdef int put_residual_columns(self, Table table, int32_t count, bint dense) except -1:
        cdef size_t mask = self.reserve_mask(table)
        cdef uint32_t all_bits
        cdef Column column
        cdef int lane, place = 0
        self.charged = self.out.size
        for column in table.columns:
            if column.field.owner_only:
                continue
            if column.field.storage == OBJECT:
                if column.corrected_slots and self.put_changed_contents(table, column, count, dense):
                    self.mark(mask, place)
                place += 1
            for lane in range(column.count):
                if column.lanes[lane].corrected:
                    all_bits = self.take_residuals(column.lanes + lane, self.slots, count, dense)
                    if all_bits:
                        self.put_residuals(count, best_plan(self.values, count, all_bits, 0))
                        self.mark(mask, place)
                place += 1
            self.charge(column)
        return 0

    cdef bint put_changed_contents(self, Table table, Column column, int32_t count, bint dense) except -1:
        """Text and blobs that changed in the newest tick, as a row set of the `count` selected rows. What a new row
        holds has come with it."""
        cdef int32_t now = table.stamp_of(table.tick), i, found = 0, slot
        cdef int32_t *changed = <int32_t *>self.apart     # free at this point: outliers come with numbers only
        for i in range(count):
            slot = i if dense else self.slots[i]
            if column.content_stamp[slot] == now and table.rows.spawned[slot] != now:
                self.rank_of[found] = i
                changed[found] = slot
                found += 1
        if found:
            self.put_row_set(self.rank_of, found, count)
            self.put_contents(column, changed, found)
        return found > 0

    cdef bint put_corrections_of(
        self, Table table, const int32_t *members, int32_t n, const int32_t *arrived, int32_t since
    ) except -1:
        """*Changed*, with absolute values: whatever was corrected after the stamp `since` in those of the `n` rows of
        `members` that arrived no later."""
        cdef size_t start = self.out.size, mask = self.reserve_mask(table)
        cdef int32_t slot, count, i
        cdef const int32_t *stamp
        cdef Column column
        cdef int lane, place = 0
        cdef bint found = False
        self.charged = self.out.size
        for column in table.columns:
            if column.field.owner_only:
                continue
            for lane in range(column.count or 1):
                stamp = column.lanes[lane].stamp if column.count else column.content_stamp
                count = 0
                for i in range(n):
                    slot = members[i]
                    if stamp[slot] > since and arrived[slot] <= since:
                        self.slots[count] = slot
                        self.ranks[count] = i
                        count += 1
                if count:
                    self.put_row_set(self.ranks, count, n)
                    if column.count:
                        self.put_absolute(column, lane, self.slots, count)
                    else:
                        self.put_contents(column, self.slots, count)
                    self.mark(mask, place)
                    found = True
                place += 1
            self.charge(column)
        if not found:
            self.out.size = start
        return found

    cdef size_t reserve_mask(self, Table table) except 0:
        """Room for a column mask, all zero; returns where it is."""
        cdef size_t columns = 0, at = self.out.size
        cdef Column column
        for column in table.columns:
            if not column.field.owner_only:
                columns += column.count or 1
        columns = (columns + 7) // 8
        self.out.reserve(columns)
        memset(self.out.data + at, 0, columns)
        self.out.size += columns
        return at

    cdef int mark(self, size_t mask, int place) noexcept:
        self.out.data[mask + (place >> 3)] |= <uint8_t>(1 << (place & 7))
        return 0
