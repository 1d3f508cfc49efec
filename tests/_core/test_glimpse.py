"""The core's reader of a part of a room against the naive one: random games, readers who are passed over, damaged frames."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import schema
from monkeytown._core import delta, mirror
from monkeytown._core.glimpse import Glimpse
from monkeytown._core.state import Row
from monkeytown.errors import WireError
from monkeytown.position import Position
from monkeytown.views import AreaView, area
from tests._core.test_area import CROWD, FIRST_TICKS, divided
from tests._core.test_delta_oracle import EDITS, edited
from tests.chaos import Chaos, Order, examples, schedules
from tests.model import TableSpec
from tests.naive_reader import NaiveReader
from tests.naive_wire import NaiveWireError, crc
from tests.twin import Twin, declared_game
from tests.watchers import Ground, Watcher

GameView = tuple[tuple[TableSpec, ...], AreaView]


class Mirror:
    """The core's reader of what a twin's room sends."""

    def __init__(self, twin: Twin) -> None:
        self.everything = {key: value for key, value in twin.map.items() if key != "area"}
        self.everything["hash"] = crc({key: twin.map[key] for key in ("input", "tables")})
        self.by_name = schema.Schema(declared_game(twin.specs)).build()
        self.tables = tuple(self.by_name.values())
        self.glimpse = Glimpse(twin.map["area"], self.tables)
        self.position: Position | None = None

    def apply(self, frame: bytes) -> None:
        self.position = mirror.apply(frame, self.tables, self.position, self.glimpse)

    def rows(self) -> dict[tuple[str, int], Row]:
        return {(table.name, row.id): row for table in self.tables for row in table}

    def assert_like(self, naive: NaiveReader) -> None:
        assert self.position == naive.position
        assert self.position is not None
        onward = NaiveReader(self.everything)
        onward.apply(delta.snapshot(self.tables, *self.position))
        assert (onward.tables, onward.steps) == (naive.tables, naive.steps)
        assert self.glimpse.view == naive.view
        assert self.glimpse.far_tick == naive.far_tick
        assert naive.cells == {
            name: {row.id: self.glimpse.cell_of(row) for row in self.by_name[name]} for name in naive.cells
        }


@examples(150)
@given(game=divided(), schedule=schedules(20), first_tick=FIRST_TICKS, seed=st.integers(0, 2**32 - 1))
def test_the_core_reads_what_the_naive_reader_does(
    game: GameView, schedule: list[list[Order]], first_tick: int, seed: int
) -> None:
    """And a row that only changes cells is the same row before and after."""
    specs, view = game
    chaos = Chaos(specs, first_tick, view)
    ground = Ground(chaos.twin, view)
    readers = [(Watcher(ground, seed + stride, stride), Mirror(chaos.twin)) for stride in (1, 2, 5)]
    for tick, orders in enumerate(schedule):
        chaos.tick(orders)
        ground.follow()
        for watcher, core in readers:
            watcher.wander()
            if tick % watcher.stride:
                continue
            frame = watcher.read(anew=watcher.random.random() < 0.03)
            if frame is None:
                continue
            before = core.rows()
            core.apply(frame)
            core.assert_like(watcher.reader)
            if not frame[1] & 1:
                after = core.rows()
                assert all(row.alive == (after.get(key) is row) for key, row in before.items())


@examples(250)
@given(
    game=divided(),
    schedule=schedules(6),
    edits=st.lists(EDITS, min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_damaged_frame_is_refused_by_both_readers_or_read_alike(
    game: GameView, schedule: list[list[Order]], edits: list[tuple[str, int, int]], seed: int
) -> None:
    """After a WireError a reader is good for nothing but a snapshot: that one must put it right."""
    specs, view = game
    chaos = Chaos(specs, 1, view)
    ground = Ground(chaos.twin, view)
    watcher, naive, core = Watcher(ground, seed, 1), NaiveReader(chaos.twin.map), Mirror(chaos.twin)
    for orders in schedule:
        chaos.tick(orders)
        ground.follow()
        watcher.wander()
        watcher.read()
    told = [frame for frame in watcher.frames if frame is not None]
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
        core.assert_like(naive)
    chaos.tick([])
    ground.follow()
    whole = watcher.read(anew=True)
    assert whole is not None
    core.apply(whole)
    core.assert_like(watcher.reader)


@pytest.mark.parametrize(
    "broken",
    [
        {"tables": []},
        {"tables": [0, 0]},
        {"tables": [9]},
        {"tables": [-1]},
        {"tables": [1]},
        {"tables": None},
        {"tables": ["things"]},
        {"rows": 0},
        {"columns": 70_000},
        {"rows": 70_000, "columns": 1},
        {"columns": 300, "rows": 300},
        {"columns": None},
    ],
    ids=str,
)
def test_a_broken_area_is_refused(broken: dict[str, Any]) -> None:
    tables = tuple(schema.Schema(declared_game(CROWD)).build().values())
    with pytest.raises(WireError):
        Glimpse({"tables": [0], "columns": 3, "rows": 3} | broken, tables)
    with pytest.raises(WireError):
        Glimpse({"tables": [0], "columns": 3}, tables)


def test_a_row_of_a_table_that_all_see_is_in_no_cell() -> None:
    view = area(100, "things")
    twin = Twin(CROWD, view=view)
    ground = Ground(twin, view)
    twin.commit()
    ground.follow()
    core = Mirror(twin)
    frame = Watcher(ground, 1, 1).read()
    assert frame is not None
    core.apply(frame)
    with pytest.raises(KeyError):
        core.glimpse.cell_of(core.by_name["board"].row(0))


def test_tables_that_were_read_whole_are_not_read_in_cells_without_a_snapshot() -> None:
    """Whoever mixes the two must get an error or a table, never a crash."""
    view = area(100, "things")
    twin = Twin(CROWD, view=view)
    ground = Ground(twin, view)
    watcher = Watcher(ground, 1, 1)
    watcher.look_at(50.0, 50.0)
    core = Mirror(twin)
    for place in range(3):
        twin.spawn("things", x=50.0 + place, y=50.0)
        twin.commit()
        ground.follow()
        frame = watcher.read()
        assert frame is not None
        if place == 1:
            core.position = mirror.apply(twin.snapshot(), core.tables, None)
        else:
            core.apply(frame)
    assert len(core.by_name["things"]) == 3
