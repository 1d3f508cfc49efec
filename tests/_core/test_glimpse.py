"""Readers of a part of a room against each other, and against the room: random motion, every reader, damaged frames."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import schema
from monkeytown._core import mirror
from monkeytown._core.glimpse import Glimpse
from monkeytown.errors import WireError
from monkeytown.position import Position
from tests._core.forest import EPOCH, GAME, Forest, Watcher
from tests._core.test_delta_oracle import EDITS, edited
from tests.chaos import examples
from tests.naive_reader import NaiveReader
from tests.naive_wire import NaiveWireError

SHAPES = st.sampled_from([(5, 45.0, 3), (5, 0.0, 1), (1, 0.0, 1), (9, 30.0, 2), (3, 60.0, 7)])


class Mirror:
    """The core's reader."""

    def __init__(self, forest: Forest) -> None:
        self.specs = forest.map["tables"]
        self.by_name = schema.Schema(GAME).build()
        self.tables = tuple(self.by_name.values())
        self.glimpse = Glimpse(forest.map["area"], self.tables)
        self.position: Position | None = None

    def apply(self, frame: bytes) -> None:
        self.position = mirror.apply(frame, self.tables, self.position, self.glimpse)


def shown(core: Mirror) -> dict[str, dict[int, dict[str, int | str]]]:
    """The wire values of the core's reader, by table, id and field, like those of the naive one."""
    found: dict[str, dict[int, dict[str, int | str]]] = {}
    for spec, table in zip(core.specs, core.tables, strict=True):
        found[table.name] = {
            row.id: {field["name"]: wire_of(field, getattr(row, field["name"])) for field in spec["fields"]} for row in table
        }
    return found


def wire_of(field: dict[str, Any], value: Any) -> Any:
    if field["type"] == "fixed":
        return round((value - field["lo"]) / field["step"])
    return int(value) if field["type"] == "bool" else value


def assert_alike(naive: NaiveReader, core: Mirror) -> None:
    assert naive.position == core.position
    assert shown(core) == naive.tables
    assert core.glimpse.view == naive.view
    assert core.glimpse.far_tick == naive.far_tick
    homes = {
        name: {row.id: core.glimpse.cell_of(row) for row in core.by_name[name]} for name in ("apes", "nuts")
    }
    assert homes == naive.cells


def assert_true(forest: Forest, naive: NaiveReader) -> None:
    """What the reader has of the cells that are near, and of the other tables, is what the room has."""
    near = {cell for cell, ring in naive.view.items() if ring == "near" or naive.far_tick == forest.tick}
    for spec, table in zip(forest.map["tables"], forest.tables, strict=True):
        has = naive.tables[table.name]
        homes = naive.cells.get(table.name)
        expected = {
            row.id: {field["name"]: wire_of(field, getattr(row, field["name"])) for field in spec["fields"]}
            for row in table
        }
        for id, row in has.items():
            if homes is None or homes[id] in near:
                assert expected[id] == row
        if homes is None:
            assert has.keys() == expected.keys()


@examples(150)
@given(seed=st.integers(0, 2**32), shape=SHAPES)
def test_all_readers_know_the_same_of_the_part_they_see(seed: int, shape: tuple[int, float, int]) -> None:
    forest = Forest(Random(seed), *shape)
    watchers = [(Watcher(forest, stride), NaiveReader(forest.map), Mirror(forest)) for stride in (1, 2, 5)]
    for _ in range(30):
        forest.step()
        for watcher, naive, core in watchers:
            frame = watcher.read()
            if frame is None:
                continue
            before = {(table.name, row.id): row for table in core.tables for row in table}
            naive.apply(frame)
            core.apply(frame)
            assert_alike(naive, core)
            assert_true(forest, naive)
            if frame[1] & 1:
                continue
            after = {(table.name, row.id): row for table in core.tables for row in table}
            for key, row in before.items():
                assert row.alive == (after.get(key) is row)


@examples(300)
@given(seed=st.integers(0, 2**32), shape=SHAPES, edits=st.lists(EDITS, min_size=1, max_size=3), ticks=st.integers(0, 6))
def test_a_damaged_frame_is_refused_by_both_readers_or_read_alike(
    seed: int, shape: tuple[int, float, int], edits: list[tuple[str, int, int]], ticks: int
) -> None:
    forest = Forest(Random(seed), *shape)
    watcher, naive, core = Watcher(forest, 1), NaiveReader(forest.map), Mirror(forest)
    frames = [watcher.read()]
    for _ in range(ticks):
        forest.step()
        frames.append(watcher.read())
    told = [frame for frame in frames if frame is not None]
    for frame in told[:-1]:
        naive.apply(frame)
        core.apply(frame)
    damaged = edited(told[-1], edits)
    try:
        naive.apply(damaged)
    except NaiveWireError:
        with pytest.raises(WireError):
            core.apply(damaged)
    else:
        core.apply(damaged)
        assert_alike(naive, core)
    forest.step()
    whole = watcher.sight.read(EPOCH, None)
    assert whole is not None
    naive.apply(whole)
    core.apply(whole)
    assert_alike(naive, core)


@pytest.mark.parametrize(
    "area",
    [
        {"tables": []},
        {"tables": [1, 1]},
        {"tables": [9]},
        {"tables": [0]},
        {"tables": None},
        {"rows": 0},
        {"columns": 70_000},
        {"rows": 70_000, "columns": 1},
        {"columns": 300, "rows": 300},
    ],
)
def test_a_broken_area_is_refused(area: dict[str, Any]) -> None:
    tables = tuple(schema.Schema(GAME).build().values())
    with pytest.raises(WireError):
        Glimpse({"tables": [1], "columns": 3, "rows": 3} | area, tables)


def test_a_row_of_a_table_that_all_see_is_in_no_cell() -> None:
    forest = Forest(Random(1))
    core = Mirror(forest)
    frame = Watcher(forest, 1).read()
    assert frame is not None
    core.apply(frame)
    with pytest.raises(KeyError):
        core.glimpse.cell_of(core.by_name["board"].row(0))
