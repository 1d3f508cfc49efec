"""State as values: what the JSON encoding shows, and what only the owner of a row may see.

Reads tables, never changes them. Values are those of the wire, not the game's own: every reader sees the same.
"""

from base64 import b64encode

from libc.stdint cimport int32_t, int64_t, uint32_t

from monkeytown._core.cells cimport Cells
from monkeytown._core.columns cimport Column
from monkeytown._core.fields cimport BLOB, ENUM, OBJECT, REAL, REF, SINT
from monkeytown._core.rows cimport Rows
from monkeytown._core.sight cimport Sight
from monkeytown._core.state cimport Table, Tombstone
from monkeytown._core.wire cimport Writer, mt_zigzag


cdef object plain(Column column, int32_t slot, int lane):
    """One value in terms of JSON: numbers to 10 significant digits, enums by name, refs by id or null."""
    if column.field.storage == REAL:
        return float(f"{column.field.wire_to_real(column.lanes[lane].wire[slot]):.10g}")
    if column.field.kind == ENUM:
        return column.field.values[column.lanes[lane].wire[slot]]
    if column.field.kind == REF:
        return str(<uint32_t>column.lanes[lane].wire[slot]) if column.lanes[lane].wire[slot] else None
    if column.field.kind == BLOB:
        return b64encode(column.sent[slot]).decode()
    return column.wire_value(slot, lane)


cdef object plain_field(Column column, int32_t slot):
    cdef int lane
    if column.field.count:
        return [plain(column, slot, lane) for lane in range(column.count)]
    return plain(column, slot, 0)


cdef bint differs(Column column, int32_t slot, int32_t since) noexcept:
    """Whether a field of a row may have another value than it had at the stamp `since`."""
    cdef int lane
    if column.field.storage == OBJECT:
        return column.content_stamp[slot] > since
    for lane in range(column.count):
        if column.lanes[lane].stamp[slot] > since:
            return True
        if column.field.linear and column.lanes[lane].step[slot]:
            return True
    return False


cdef dict row_values(Table table, int32_t slot, int32_t since, bint all_fields):
    cdef Column column
    cdef dict values = {}
    for column in table.columns:
        if not column.field.owner_only and (all_fields or differs(column, slot, since)):
            values[column.field.name] = plain_field(column, slot)
    return values


cdef dict table_changes(Table table, base):
    cdef Rows rows = table.rows
    cdef int32_t slot, i = table.tombstone_count
    cdef int64_t start = 0 if base is None else base
    cdef int32_t since = table.stamp_of(start)
    cdef bint entered
    cdef dict changed = {}, found = {}
    cdef list gone = []
    cdef Tombstone *stone
    for slot in range(rows.extent):
        if not rows.mask[slot]:
            continue
        entered = base is None or rows.spawned[slot] > since
        values = row_values(table, slot, since, entered)
        if values or entered:
            changed[str(rows.id_of(slot))] = values
    while base is not None and i and table.tombstones[i - 1].gone > start:
        i -= 1
        stone = table.tombstones + i
        if stone.spawned <= start:
            gone.append(str(stone.id))
    if changed:
        found["set"] = changed
    if gone:
        found["gone"] = gone
    return found


def changes(tuple tables not None, base):
    """The `tables` of a JSON `game_state`: what differs from tick `base`, or everything for None.

    {table: {"set": {id: {field: value}}, "gone": [id]}}; what is empty is left out.
    """
    cdef Table table
    found = {}
    for table in tables:
        inside = table_changes(table, base)
        if inside or base is None:
            found[table.name] = inside
    return found


cdef dict cell_changes(Table table, Cells cells, Sight sight, base):
    """The same for the rows that a reader sees, whose ids of before are in `sight.shown`."""
    cdef Rows rows = table.rows
    cdef int32_t slot, since = table.stamp_of(0 if base is None else base)
    cdef dict changed = {}, found = {}
    cdef set before = sight.shown.get(table.name, set()) if base is not None else set()
    cdef set now = set()
    for slot in range(rows.extent):
        if not rows.mask[slot] or sight.find(cells.at(slot)) is NULL:
            continue
        id = str(rows.id_of(slot))
        now.add(id)
        values = row_values(table, slot, since, id not in before)
        if values or id not in before:
            changed[id] = values
    sight.shown[table.name] = now
    if changed:
        found["set"] = changed
    if before - now:
        found["gone"] = sorted(before - now, key=int)
    return found


def look(tuple tables not None, Sight sight not None, base):
    """`changes` for one reader of an area, who is taken to have them."""
    cdef Table table
    cdef Cells cells
    found = {}
    sight.advance(base is None)
    for table in tables:
        cells = sight.area.cells_of(table)
        inside = table_changes(table, base) if cells is None else cell_changes(table, cells, sight, base)
        if inside or base is None:
            found[table.name] = inside
    return found


# ---- what only owners see ----


cdef bint differs_privately(Table table, int32_t slot, int32_t since) noexcept:
    cdef Column column
    for column in table.columns:
        if column.field.owner_only and differs(column, slot, since):
            return True
    return False


cdef bint changed_hands(Table table, int32_t owner, int64_t base):
    if base < table.reassignments_forgotten:
        return True
    for tick, number in reversed(table.reassignments):
        if tick <= base:
            return False
        if number == owner:
            return True
    return False


cdef list private_slots(Table table, int32_t owner, base, bint reset, Sight sight):
    """The rows of an owner that have something to tell it since tick `base`, or all with `reset`; with a sight only
    those in it.
    """
    cdef int32_t slot, since
    cdef Cells cells = None if sight is None else sight.area.cells_of(table)
    cdef list found = []
    if not table.has_private:
        return found
    since = 0 if reset else table.stamp_of(base)
    for slot in range(table.rows.extent):
        if not table.rows.mask[slot] or table.rows.owner[slot] != owner:
            continue
        if cells is not None and not sight.shows(cells.at(slot)):
            continue
        if reset or table.rows.spawned[slot] > since or differs_privately(table, slot, since) or (
                cells is not None and (cells.arrived[slot] > since or sight.began(cells.at(slot)) > base)):
            found.append(slot)
    return found


def changed_owners(tuple tables not None, int64_t base):
    """Numbers of the players whose owner_only values, or whose rows, changed since tick `base`."""
    cdef Table table
    cdef int32_t slot, since
    cdef set owners = set()
    for table in tables:
        if not table.has_private or table.changed_tick <= base:
            continue
        since = table.stamp_of(base)
        for slot in range(table.rows.extent):
            if table.rows.mask[slot] and table.rows.owner[slot] and differs_privately(table, slot, since):
                owners.add(table.rows.owner[slot])
        for tick, owner in reversed(table.reassignments):
            if tick <= base:
                break
            owners.add(owner)
    return owners


def private(tuple tables not None, int32_t owner, base, Sight sight=None):
    """The values of a `private` message (docs/reference/wire.md, section 5) for one owner: (reset, bytes).

    What changed since tick `base`; everything, with `reset` true, for None or if rows changed hands since. With a sight,
    of the rows that it shows.
    """
    cdef Writer out = Writer()
    cdef Table table
    cdef Column column
    cdef int number = 0, lane
    cdef int32_t slot
    cdef bint reset = base is None
    for table in tables:
        reset = reset or (table.has_private and changed_hands(table, owner, base))
    for table in tables:
        slots = private_slots(table, owner, base, reset, sight)
        if slots:
            out.put_u8(number)
            out.put_varint(len(slots))
        for slot in slots:
            out.put_varint(slot)
            for column in table.columns:
                if column.field.owner_only:
                    if column.field.storage == OBJECT:
                        content = <bytes>column.sent[slot]
                        out.put_varint(len(content))
                        out.raw(content)
                    for lane in range(column.count):
                        if column.field.kind == SINT:
                            out.put_varint(mt_zigzag(column.lanes[lane].wire[slot]))
                        else:
                            out.put_varint(<uint32_t>column.lanes[lane].wire[slot])
        number += 1
    return reset, out.getvalue()


def private_values(tuple tables not None, int32_t owner, base, Sight sight=None):
    """The same for the JSON encoding: {table: {id: {field: value}}}."""
    cdef Table table
    cdef Column column
    cdef int32_t slot
    found = {}
    for table in tables:
        reset = base is None or (table.has_private and changed_hands(table, owner, base))
        slots = private_slots(table, owner, base, reset, sight)
        if slots:
            found[table.name] = {
                str(table.rows.id_of(slot)): {
                    column.field.name: plain_field(column, slot) for column in table.columns if column.field.owner_only
                }
                for slot in slots
            }
    return found
