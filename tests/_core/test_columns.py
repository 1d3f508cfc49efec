"""Columns as NumPy sees them: shared memory that never moves, and values that are put right at the commit."""

import gc
import math

import numpy
import pytest

from monkeytown.errors import FieldError
from tests._core.jungle import Room


@pytest.fixture
def room() -> Room:
    return Room()


def test_numpy_shares_the_columns(room: Room) -> None:
    rows = [room.monkeys.spawn(x=float(place), coins=place, path=[place] * 3) for place in range(4)]
    x, coins = numpy.asarray(room.monkeys.x), numpy.asarray(room.monkeys.coins)
    path, flags = numpy.asarray(room.monkeys.path), numpy.asarray(room.monkeys.flags)
    assert [column.dtype.name for column in (x, coins, flags)] == ["float64", "int64", "bool"]
    assert (x.shape, path.shape, flags.shape) == ((4,), (4, 3), (4, 2))
    x += 0.5
    path[2] = [7, 8, 9]
    flags[1, 1] = True
    assert [row.x for row in rows] == [0.5, 1.5, 2.5, 3.5]
    assert rows[2].path == [7.0, 8.0, 9.0]
    assert list(rows[1].flags) == [False, True]
    rows[3].x = -1.0
    assert x[3] == -1.0
    assert room.wire(rows[2])["path"] == [7, 8, 9]


def test_memory_lent_to_numpy_never_moves(room: Room) -> None:
    first = room.monkeys.spawn(x=1.0)
    x = numpy.asarray(room.monkeys.x)
    for _ in range(39):
        room.monkeys.spawn()
    x[0] = 2.0
    assert first.x == 2.0
    room.monkeys.clear()
    room.commit()
    x[0] = 3.0
    heir = room.monkeys.spawn(x=4.0)
    assert (heir.slot, x[0]) == (0, 4.0)
    table = room.monkeys
    room.by_name.clear()
    del room, heir, first, table
    gc.collect()
    assert x[0] == 4.0


def test_text_and_blobs_have_no_numbers_to_share(room: Room) -> None:
    room.monkeys.spawn()
    for column in (room.monkeys.label, room.monkeys.raw):
        with pytest.raises(BufferError):
            memoryview(column)


def test_what_numpy_writes_out_of_range_is_clamped_at_the_commit(room: Room) -> None:
    rows = [room.monkeys.spawn() for _ in range(3)]
    numpy.asarray(room.monkeys.x)[:] = [99.0, -math.inf, 0.25]
    numpy.asarray(room.monkeys.coins)[:] = [2**40, -5, 3]
    numpy.asarray(room.monkeys.fruit)[:] = [7, 1, 0]
    numpy.asarray(room.monkeys.heading)[:] = [1e300, -1e17, math.pi]
    wires = [room.wire(row) for row in rows]
    assert [wire["x"] for wire in wires] == [40, 0, 20]
    assert [wire["coins"] for wire in wires] == [255, 0, 3]
    assert [wire["fruit"] for wire in wires] == [1, 1, 0]
    assert wires[2]["heading"] == 128
    assert [row.x for row in rows] == [10.0, -10.0, 0.25]
    assert [row.coins for row in rows] == [255, 0, 3]


@pytest.mark.parametrize(
    ("name", "value"),
    [("x", math.nan), ("heading", math.nan), ("heading", math.inf), ("strict", 1.5), ("exact", 9)],
)
def test_what_numpy_writes_and_a_field_refuses_fails_the_commit(room: Room, name: str, value: float) -> None:
    room.monkeys.spawn()
    second = room.monkeys.spawn()
    numpy.asarray(getattr(room.monkeys, name))[1] = value
    with pytest.raises(FieldError, match=rf"Monkey\.{name} of {second.id}"):
        room.commit()


def test_putting_one_value_right_leaves_the_others_alone(room: Room) -> None:
    rows = [room.monkeys.spawn(x=1.25, heading=7.0) for _ in range(2)]
    numpy.asarray(room.monkeys.x)[0] = 99.0
    numpy.asarray(room.monkeys.heading)[0] = 1e300
    room.commit()
    assert (rows[0].x, abs(rows[0].heading) <= 2 * math.pi) == (10.0, True)
    assert (rows[1].x, rows[1].heading) == (1.25, 7.0)


def test_what_numpy_writes_to_a_free_slot_is_nobodys_business(room: Room) -> None:
    rows = [room.monkeys.spawn() for _ in range(3)]
    room.monkeys.despawn(rows[1])
    numpy.asarray(room.monkeys.x)[1] = math.nan
    numpy.asarray(room.monkeys.strict)[1] = 55.0
    numpy.asarray(room.monkeys.coins)[1] = -(2**60)
    room.commit()
    heir = room.monkeys.spawn()
    assert (heir.slot, heir.x, heir.coins) == (1, 0.0, 0)
    assert room.wire(heir)["x"] == 20


def test_every_column_is_found_by_its_field(room: Room) -> None:
    room.monkeys.spawn(x=2.0)
    assert numpy.asarray(room.monkeys.column("x")).tolist() == [2.0]
    with pytest.raises(KeyError):
        room.monkeys.column("id")
    with pytest.raises(AttributeError, match="no column 'y_'"):
        _ = room.monkeys.y_
