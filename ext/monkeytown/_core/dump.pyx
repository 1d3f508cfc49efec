"""Tables put away: everything that a table holds, as bytes for another process of this kind of machine. `restore` reads them.

What the game wrote is there as it wrote it, floats included, and what it wrote since the newest commit is still to be
committed. So are the wire's values, steps and stamps and those who are gone: a reader at any position of the same history
goes on with a delta. Not there: the residuals of the newest tick (deltas that lead to that very tick are made of
corrections, as a mirror makes them), what `rewind` kept (it begins anew), and when rows changed hands (their owners are told
all anew).

Whole arrays are copied, free slots included: that costs microseconds, in the thread that ticks. Knows nothing of rooms, nor
of files.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

from monkeytown._core.columns cimport Column, Lane
from monkeytown._core.fields cimport BYTE, OBJECT, TEXT
from monkeytown._core.rows cimport Rows
from monkeytown._core.state cimport Table, Tombstone
from monkeytown._core.wire cimport Writer

cdef uint32_t BYTE_ORDER = MARK


cdef int put_array(Writer out, const void *array, size_t size) except -1:
    return out.put_raw(<const uint8_t *>array, size) if size else 0


cdef int put_content(Writer out, bytes content) except -1:
    out.put_varint(PyBytes_GET_SIZE(content))
    return out.put_raw(<const uint8_t *>PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))


cdef int put_rows(Writer out, Rows rows) except -1:
    cdef int32_t used = rows.allocated
    while used > rows.extent and not rows.generation[used - 1]:
        used -= 1
    out.put_varint(rows.extent)
    out.put_varint(used)
    put_array(out, rows.generation, used * sizeof(uint16_t))
    put_array(out, rows.alive, rows.extent)
    put_array(out, rows.spawned, rows.extent * sizeof(int32_t))
    return put_array(out, rows.owner, rows.extent * sizeof(int32_t))


cdef int put_history(Writer out, Table table) except -1:
    """Who came, who is gone, and whose rows changed hands."""
    out.put_varint(len(table.entered))
    for slot in sorted(table.entered):
        out.put_varint(slot)
    out.put_varint(len(table.departed))
    for slot, id, spawned in table.departed:
        out.put_varint(slot)
        out.put_varint(id)
        out.put_varint(spawned)
    out.put_varint(table.tombstone_count)
    put_array(out, table.tombstones, table.tombstone_count * sizeof(Tombstone))
    out.put_varint(len(table.reassigned))
    for owner in sorted(table.reassigned):
        out.put_varint(owner)
    return 0


cdef int put_numbers(Writer out, Column column) except -1:
    cdef int32_t extent = column.rows.extent, slot
    cdef uint8_t largest = <uint8_t>column.field.int_hi
    cdef int i
    cdef uint8_t *copy
    cdef Lane *lane
    for i in range(column.count):
        lane = column.lanes + i
        put_array(out, column.at(i), <size_t>extent * column.itemsize)
        if column.field.storage == BYTE:
            # What NumPy wrote beyond the range is clamped, as the next commit would.
            copy = out.data + out.size - extent
            for slot in range(extent):
                copy[slot] = min(copy[slot], largest)
        put_array(out, lane.wire, extent * sizeof(int32_t))
        put_array(out, lane.stamp, extent * sizeof(int32_t))
        if column.field.linear:
            put_array(out, lane.step, extent * sizeof(int32_t))
    return 0


cdef int put_contents(Writer out, Column column) except -1:
    """Text and blobs: what the wire has, and what was written since."""
    cdef Rows rows = column.rows
    cdef int32_t slot
    cdef list fresh
    put_array(out, column.content_stamp, rows.extent * sizeof(int32_t))
    for slot in range(rows.extent):
        if rows.mask[slot]:
            put_content(out, <bytes>PyList_GET_ITEM(column.sent, slot))
    fresh = [slot for slot in sorted(column.touched) if slot < rows.extent and rows.mask[slot]]
    out.put_varint(len(fresh))
    for slot in fresh:
        value = column.contents[slot]
        out.put_varint(slot)
        put_content(out, (<str>value).encode() if column.field.kind == TEXT else <bytes>value)
    return 0


cdef int put_table(Writer out, Table table) except -1:
    cdef Column column
    out.put_varint(table.rows.capacity)
    out.put_varint(len(table.columns))
    out.put_varint(table.tick)
    out.put_varint(table.origin)
    out.put_varint(table.changed_tick)
    out.put_varint(table.entered_tick)
    out.put_varint(table.forgotten)
    out.put_u8(table.moving)
    put_rows(out, table.rows)
    put_history(out, table)
    for column in table.columns:
        out.put_u8(column.field.kind)
        out.put_u8(column.field.linear)
        out.put_varint(column.count)
        if column.field.storage == OBJECT:
            put_contents(out, column)
        else:
            put_numbers(out, column)
    return 0


def dump(tables not None):
    """All that these tables hold."""
    cdef Writer out = Writer()
    out.put_u8(FORM)
    put_array(out, &BYTE_ORDER, sizeof(BYTE_ORDER))
    out.put_varint(len(tables))
    for table in tables:
        put_table(out, <Table?>table)
    return PyBytes_FromStringAndSize(<const char *>out.data, out.size)
