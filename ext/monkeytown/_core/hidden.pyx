"""What state frames do not say of tables: whose rows are, and what only their owners see. For copies that serve readers.

A supplement goes with the frame that leads to the same tick, is made from the tick that the frame starts from, and is
applied behind it. What a copy then answers when it is asked for what is private is what the original answers, from every
tick that the copy has stood at: players whose rows changed hands are named even if all is again as it was, and so are values.

Only tables with owner-only fields have something to hide. Bytes are checked against the tables before they are used: whatever
they are, there is a `WireError` or tables that can be used.

    for each table that has something, in order: its number (u8); then
        whether nothing is known of what was before (u8, 0 or 1), and all that is told is all there is
        players     count (varint), then numbers (varints): whose rows changed hands, all of whose rows follow
        owners      count (varint), then slot and number (varints) of each row that is theirs, by slot
        values      count (varint), then slot (varint) and the owner-only fields as in a `private` message, by slot
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.fields cimport OBJECT, SINT
from monkeytown._core.state cimport Table
from monkeytown._core.unpack cimport Unpacker
from monkeytown._core.wire cimport Reader, Writer, mt_unzigzag, mt_zigzag
from monkeytown.errors import WireError

cdef enum:
    MOST_REASSIGNMENTS = 4096


cdef bint differs(list columns, int32_t slot, int32_t since) noexcept:
    """Whether something that only its owner sees of a row may have another value than it had at the stamp `since`."""
    cdef Column column
    cdef int lane
    for column in columns:
        if column.field.storage == OBJECT and column.content_stamp[slot] > since:
            return True
        for lane in range(column.count):
            if column.lanes[lane].stamp[slot] > since:
                return True
    return False


cdef list secrets_of(Table table):
    cdef Column column
    return [column for column in table.columns if column.field.owner_only]


# ---- out ----


cdef int put_owners(Writer out, Table table, bint anew, int64_t base) except -1:
    """Whose rows changed hands, and which are theirs now. Of a table told anew: all that are somebody's."""
    cdef int32_t slot, owner
    cdef set players = set()
    cdef list owned = []
    if not anew:
        for tick, number in reversed(table.reassignments):
            if tick <= base:
                break
            players.add(number)
    if anew or players:
        for slot in range(table.rows.extent):
            owner = table.rows.owner[slot]
            if table.rows.mask[slot] and owner and (anew or owner in players):
                owned.append(slot)
    out.put_varint(<uint32_t>len(players))
    for number in sorted(players):
        out.put_varint(number)
    out.put_varint(<uint32_t>len(owned))
    for slot in owned:
        out.put_varint(slot)
        out.put_varint(table.rows.owner[slot])
    return len(players) > 0 or len(owned) > 0


cdef int put_values(Writer out, Table table, list columns, list slots) except -1:
    cdef Column column
    cdef int32_t slot
    cdef int lane
    out.put_varint(<uint32_t>len(slots))
    for slot in slots:
        out.put_varint(slot)
        for column in columns:
            if column.field.storage == OBJECT:
                content = <bytes>column.sent[slot]
                out.put_varint(<uint32_t>len(content))
                out.raw(content)
            for lane in range(column.count):
                if column.field.kind == SINT:
                    out.put_varint(mt_zigzag(column.lanes[lane].wire[slot]))
                else:
                    out.put_varint(<uint32_t>column.lanes[lane].wire[slot])
    return 0


cdef int put_table(Writer out, Table table, int number, base) except -1:
    cdef size_t start = out.size
    cdef bint anew = base is None or base < table.reassignments_forgotten
    cdef int32_t slot, since = 0 if base is None else table.stamp_of(base)
    cdef list columns = secrets_of(table), slots = []
    for slot in range(table.rows.extent):
        if table.rows.mask[slot] and (
                base is None or table.rows.spawned[slot] > since or differs(columns, slot, since)):
            slots.append(slot)
    out.put_u8(number)
    out.put_u8(anew)
    if not put_owners(out, table, anew, 0 if base is None else base) and not slots and not anew:
        out.size = start
        return 0
    return put_values(out, table, columns, slots)


def encode(tuple tables not None, base) -> bytes:
    """What has changed since tick `base`, or everything for None; empty if there is nothing."""
    cdef Writer out = Writer()
    cdef Table table
    cdef int number = 0
    for table in tables:
        if table.has_private and (base is None or table.changed_tick > base):
            put_table(out, table, number, base)
        number += 1
    return out.getvalue()


# ---- in ----


cdef class _Taker(Unpacker):
    """One is enough: applying holds the GIL."""

    cdef int32_t take_slot(self, Table table, int32_t before) except -1:
        cdef uint32_t slot
        self.source.take_varint(&slot)
        if slot >= <uint32_t>table.rows.extent or not table.rows.mask[slot] or <int32_t>slot <= before:
            raise WireError("a supplement is of rows that are not there, or out of order")
        return <int32_t>slot

    cdef int32_t take_player(self) except -1:
        cdef uint32_t number
        self.source.take_varint(&number)
        if not number or number >> 31:
            raise WireError("a supplement is of a player who cannot be")
        return <int32_t>number

    cdef int take_owners(self, Table table, int64_t tick, bint anew) except -1:
        cdef int32_t count = self.take_count(0, 1 << 30), slot = -1
        cdef set players = {self.take_player() for _ in range(count)}
        if anew:
            table.reassignments.clear()
            table.reassignments_forgotten = tick
        else:
            table.reassignments.extend([(tick, number) for number in sorted(players)])
        for slot in range(table.rows.extent):
            if anew or table.rows.owner[slot] in players:
                table.rows.owner[slot] = 0
        slot = -1
        count = self.take_count(0, table.rows.size)
        for _ in range(count):
            slot = self.take_slot(table, slot)
            table.rows.owner[slot] = self.take_player()
        return self.forget_oldest(table)

    cdef int forget_oldest(self, Table table) except -1:
        cdef Py_ssize_t too_many = len(table.reassignments) - MOST_REASSIGNMENTS
        if too_many > 0:
            table.reassignments_forgotten = table.reassignments[too_many - 1][0]
            del table.reassignments[:too_many]
        return 0

    cdef int take_number(self, Column column, int lane, int32_t slot, int32_t stamp) except -1:
        cdef Lane *target = column.lanes + lane
        cdef uint32_t number
        cdef int32_t wire
        self.source.take_varint(&number)
        wire = mt_unzigzag(number) if column.field.kind == SINT else <int32_t>number
        self.check_value(column, wire)
        target.wire[slot] = wire
        target.stamp[slot] = stamp
        return column.mirror(slot, lane)

    cdef int take_values(self, Table table, int64_t tick) except -1:
        cdef int32_t count = self.take_count(0, table.rows.size), slot = -1, stamp = table.stamp_of(tick)
        cdef list columns = secrets_of(table)
        cdef int lane
        cdef Column column
        for _ in range(count):
            slot = self.take_slot(table, slot)
            for column in columns:
                if column.field.storage == OBJECT:
                    column.mirror_content(slot, self.take_content(column))
                    column.content_stamp[slot] = stamp
                for lane in range(column.count):
                    self.take_number(column, lane, slot, stamp)
        return 0

    cdef bint take_table(self, Table table, int64_t tick) except -1:
        cdef int anew = self.source.take_u8()
        if not table.has_private or table.tick != tick or anew > 1:
            raise WireError("a supplement is of a table that has nothing to hide, or of another tick")
        self.take_owners(table, tick, anew)
        self.take_values(table, tick)
        table.changed_tick = tick
        return anew


cdef _Taker taker = _Taker()


def apply(tuple tables not None, bytes data not None, int64_t tick) -> bool:
    """Takes a supplement in, right after the frame that has led the tables to `tick`. WireError for bytes that are none.

    Returns whether it is not known whose rows changed hands: then everybody is to be told anew.
    """
    cdef int number, last = -1
    cdef bint anew = False
    taker.source = Reader(data)
    while taker.source.left():
        number = taker.source.take_u8()
        if not last < number < len(tables):
            raise WireError("a supplement is of tables that are not there, or out of order")
        last = number
        anew = taker.take_table(tables[number], tick) or anew
    return anew
