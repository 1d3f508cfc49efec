"""What state frames do not say of tables: whose rows are, and what only their owners see. For copies of a room that serve readers.

A supplement goes with the frame that leads to the same tick, is made from the tick that the frame starts from, and is applied
behind it. Bytes are checked against the tables before anything is written: whatever they are, there is a `WireError` or tables
that can be used.

    for each table that has something: its number (u8), then
        owners      count + 1 (varint), then slot and player number (varints) of every row that is somebody's; 0: as before
        values      count (varint), then slot (varint) and the owner-only fields as in a `private` message
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.fields cimport BLOB, OBJECT, SINT, TEXT
from monkeytown._core.state cimport Table
from monkeytown._core.wire cimport Reader, Writer, mt_zigzag
from monkeytown.errors import WireError

cdef enum:
    MOST_REASSIGNMENTS = 4096


cdef bint differs(Table table, int32_t slot, int32_t since) noexcept:
    """Whether something that only its owner sees of a row may have another value than it had at the stamp `since`."""
    cdef Column column
    cdef int lane
    for column in table.columns:
        if not column.field.owner_only:
            continue
        if column.field.storage == OBJECT:
            if column.content_stamp[slot] > since:
                return True
            continue
        for lane in range(column.count):
            if column.lanes[lane].stamp[slot] > since:
                return True
            if column.field.linear and column.lanes[lane].step[slot]:
                return True
    return False


cdef bint changed_hands(Table table, base):
    """Whether some row may be somebody else's than it was at tick `base`."""
    if base is None or base < table.reassignments_forgotten:
        return True
    newest = len(table.reassignments) - 1
    return newest >= 0 and table.reassignments[newest][0] > base


cdef int put_owners(Writer out, Table table) except -1:
    cdef int32_t slot
    cdef list owned = [
        slot for slot in range(table.rows.extent) if table.rows.mask[slot] and table.rows.owner[slot]]
    out.put_varint(<uint32_t>len(owned) + 1)
    for slot in owned:
        out.put_varint(slot)
        out.put_varint(table.rows.owner[slot])
    return 0


cdef int put_values(Writer out, Table table, list slots) except -1:
    cdef Column column
    cdef int32_t slot
    cdef int lane
    out.put_varint(<uint32_t>len(slots))
    for slot in slots:
        out.put_varint(slot)
        for column in table.columns:
            if not column.field.owner_only:
                continue
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


def encode(tuple tables not None, base) -> bytes:
    """What has changed since tick `base`, or everything for None; empty if there is nothing."""
    cdef Writer out = Writer()
    cdef Table table
    cdef int32_t slot, since
    cdef int number = 0
    cdef bint handed
    for table in tables:
        if table.has_private and (base is None or table.changed_tick > base):
            since = 0 if base is None else table.stamp_of(base)
            handed = changed_hands(table, base)
            slots = [
                slot for slot in range(table.rows.extent) if table.rows.mask[slot] and (
                    base is None or table.rows.spawned[slot] > since or differs(table, slot, since))]
            if handed or slots:
                out.put_u8(number)
                if handed:
                    put_owners(out, table)
                else:
                    out.put_varint(0)
                put_values(out, table, slots)
        number += 1
    return out.getvalue()


cdef int32_t take_row(Reader source, Table table) except -1:
    cdef uint32_t slot
    source.take_varint(&slot)
    if slot >= <uint32_t>table.rows.extent or not table.rows.mask[slot]:
        raise WireError("a supplement is of a row that is not there")
    return <int32_t>slot


cdef int take_owners(Reader source, Table table, uint32_t count, int64_t tick) except -1:
    """All owners anew: who is not named owns nothing."""
    cdef uint32_t owner
    cdef Py_ssize_t i
    cdef int32_t slot, last = -1, before
    cdef dict owners = {}
    for i in range(count):
        slot = take_row(source, table)
        source.take_varint(&owner)
        if slot <= last or not owner or owner >> 31:
            raise WireError("the owners of a supplement are not in order")
        last = slot
        owners[slot] = owner
    for slot in range(table.rows.extent):
        before = table.rows.owner[slot]
        owner = owners.get(slot, 0)
        if table.rows.mask[slot] and <uint32_t>before != owner:
            table.reassignments.extend((tick, number) for number in (before, owner) if number)
            table.rows.owner[slot] = <int32_t>owner
    i = len(table.reassignments) - MOST_REASSIGNMENTS
    if i > 0:
        table.reassignments_forgotten = table.reassignments[i - 1][0]
        del table.reassignments[:i]
    return 0


cdef int take_number(Reader source, Column column, int lane, int32_t slot, int32_t stamp) except -1:
    cdef uint32_t number
    cdef int64_t value
    cdef Lane *values = column.lanes + lane
    source.take_varint(&number)
    value = <int64_t>(number >> 1) ^ -<int64_t>(number & 1) if column.field.kind == SINT else <int64_t>number
    if column.field.kind == SINT:
        if not column.field.int_lo <= value <= column.field.int_hi:
            raise WireError("a value of a supplement is out of range")
    elif number > column.field.largest:
        raise WireError("a value of a supplement is out of range")
    if values.wire[slot] != <int32_t>value:
        values.wire[slot] = <int32_t>value
        values.stamp[slot] = stamp
    column.mirror(slot, lane)      # also of a row that has begun with defaults in the place of one that is gone
    if column.field.linear:
        values.step[slot] = 0
    return 0


cdef int take_content(Reader source, Column column, int32_t slot, int32_t stamp) except -1:
    cdef uint32_t size
    source.take_varint(&size)
    content = (<const char *>source.take_raw(size))[:size]
    if column.field.kind == BLOB and <int64_t>size > column.field.max:
        raise WireError("a blob of a supplement is too long")
    if column.field.kind == TEXT:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise WireError("a text of a supplement is no UTF-8") from None
        if len(text) > column.field.max:
            raise WireError("a text of a supplement is too long")
    if column.sent[slot] != content:
        column.content_stamp[slot] = stamp
    column.mirror_content(slot, content)
    return 0


cdef int take_values(Reader source, Table table, int64_t tick) except -1:
    cdef uint32_t count, i
    cdef int32_t slot, stamp = table.stamp_of(tick)
    cdef int lane
    cdef Column column
    source.take_varint(&count)
    for i in range(count):
        slot = take_row(source, table)
        for column in table.columns:
            if column.field.owner_only:
                if column.field.storage == OBJECT:
                    take_content(source, column, slot, stamp)
                for lane in range(column.count):
                    take_number(source, column, lane, slot, stamp)
    return 0


def apply(tuple tables not None, bytes data not None, int64_t tick) -> None:
    """Takes a supplement in, right after the frame that has led the tables to `tick`. WireError for bytes that are none."""
    cdef Reader source = Reader(data)
    cdef Table table
    cdef uint32_t owners
    cdef int number, last = -1
    while source.left():
        number = source.take_u8()
        if not last < number < len(tables):
            raise WireError("a supplement is of a table that is not there")
        last = number
        table = tables[number]
        if not table.has_private or table.tick != tick:
            raise WireError("a supplement is of a table that has nothing to hide, or of another tick")
        source.take_varint(&owners)
        if owners:
            take_owners(source, table, owners - 1, tick)
        take_values(source, table, tick)
        table.changed_tick = tick
