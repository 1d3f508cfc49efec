"""The compiled reader of cells against the naive one: random games, and frames that were damaged on the way."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import schema
from monkeytown._core import delta
from monkeytown.errors import WireError
from monkeytown.views import AreaView
from tests._core.test_area import FIRST_TICKS, divided
from tests._core.test_delta_oracle import EDITS, edited
from tests.core_reader import CoreReader
from tests.model import TableSpec
from tests.naive_reader import NaiveReader
from tests.naive_wire import NaiveWireError
from tests.randomgames import Chaos, Order, examples, schedules
from tests.vectors.broken_cells import BROKEN_CELLS, FIRST_GONE, PLACES, PLACES_SNAPSHOT, STATE, VIEW, a_thing
from tests.watchers import Ground, Watcher


class Second(CoreReader):
    """The core's reader of one schema map, with an area."""

    def assert_equals(self, naive: NaiveReader) -> None:
        assert self.position == naive.position
        assert self.glimpse is not None
        assert {cell: "far" if far else "near" for cell, far in self.glimpse.view} == naive.view
        assert self.glimpse.far_tick == naive.far_tick
        assert self.position is not None
        onward = NaiveReader({key: self.told[key] for key in ("input", "tables")} | {"hash": self.hash})
        onward.apply(delta.snapshot(self.tables, *self.position))
        assert (onward.tables, onward.steps) == (naive.tables, naive.steps)
        assert self.cells == naive.cells

    @property
    def hash(self) -> int:
        return schema.checksum({key: self.told[key] for key in ("input", "tables")})


@examples(300)
@given(game=divided(), schedule=schedules(20), first_tick=FIRST_TICKS, seed=st.integers(0, 2**32 - 1))
def test_both_readers_read_alike(
    game: tuple[tuple[TableSpec, ...], AreaView], schedule: list[list[Order]], first_tick: int, seed: int
) -> None:
    chaos = Chaos(game[0], first_tick, game[1])
    ground = Ground(chaos.twin, game[1])
    watchers = [Watcher(ground, seed + stride, stride) for stride in (1, 2, 5)]
    seconds = [Second(chaos.twin.map) for _ in watchers]
    for tick, orders in enumerate(schedule):
        chaos.tick(orders)
        ground.follow()
        for watcher, second in zip(watchers, seconds, strict=True):
            watcher.wander()
            if tick % watcher.stride == 0:
                handles = {name: {row.id: row for row in second.by_name[name]} for name in ground.names}
                frame = watcher.read(anew=watcher.random.random() < 0.05)
                if frame is not None:
                    second.apply(frame)
                    assert_same_rows(second, handles, snapshot=bool(frame[1] & 1))
                second.assert_equals(watcher.reader)


def assert_same_rows(second: Second, handles: dict[str, dict[int, Any]], snapshot: bool) -> None:
    """Who is still seen is the same row as before, whatever cell it is in; who is not is gone."""
    for name, before in handles.items():
        for id, row in before.items():
            now = second.by_name[name].get(id)
            assert row.alive == (now is not None and not snapshot)
            if row.alive:
                assert now is row


@examples(500)
@given(
    game=divided(),
    schedule=schedules(6),
    seed=st.integers(0, 2**32 - 1),
    edits=st.lists(EDITS, min_size=1, max_size=3),
)
def test_a_damaged_frame_is_refused_by_both_readers_or_read_alike(
    game: tuple[tuple[TableSpec, ...], AreaView],
    schedule: list[list[Order]],
    seed: int,
    edits: list[tuple[str, int, int]],
) -> None:
    """After a WireError a mirror is good for nothing but a snapshot: that one must put it right."""
    chaos = Chaos(game[0], 1, game[1])
    ground = Ground(chaos.twin, game[1])
    watcher, random = Watcher(ground, seed, 1), Random(seed)
    for orders in schedule:
        chaos.tick(orders)
        ground.follow()
        watcher.wander()
        frame = watcher.read()
        if frame is not None and random.random() < 0.4:
            assert_read_alike(chaos.twin.map, watcher.frames[:-1], edited(frame, edits))


def assert_read_alike(told: dict[str, Any], frames: list[bytes | None], damaged: bytes) -> None:
    naive, second = NaiveReader(told), Second(told)
    good = [frame for frame in frames if frame is not None]
    for frame in good:
        naive.apply(frame)
        second.apply(frame)
    try:
        naive.apply(damaged)
    except NaiveWireError:
        with pytest.raises(WireError):
            second.apply(damaged)
    else:
        second.apply(damaged)
        second.assert_equals(naive)
    snapshot = next((frame for frame in good if frame[1] & 1), None)
    if snapshot is not None:
        naive.apply(snapshot)
        second.apply(snapshot)
        second.assert_equals(naive)


@pytest.mark.parametrize("rule", BROKEN_CELLS)
def test_a_broken_rule_is_refused(rule: str) -> None:
    second = Second(PLACES)
    second.apply(PLACES_SNAPSHOT)
    with pytest.raises(WireError):
        second.apply(bytes.fromhex(BROKEN_CELLS[rule]))
    second.apply(PLACES_SNAPSHOT)
    assert [row.x for row in second.by_name["things"]] == [5.0, 10.0, 50.0]


@pytest.mark.parametrize(
    "frame",
    [
        STATE + FIRST_GONE + "01 02 01" + a_thing(0, 1, 13, 6, "hi"),
        VIEW + "01 00 01 00 00" + "01 02 00" + a_thing(0, 1, 13, 6, "hi"),
        STATE + "01 02 01" + a_thing(0, 1, 13, 6, "hi"),
    ],
    ids=["gone and entered", "the cell begins anew", "entered alone"],
)
def test_a_row_that_changes_cells_stays_the_row_that_it_was(frame: str) -> None:
    second = Second(PLACES)
    second.apply(PLACES_SNAPSHOT)
    first = second.by_name["things"][1 << 20]
    second.apply(bytes.fromhex(frame))
    assert first.alive
    assert (first.x, first.label) == (6.5, "hi")
    assert second.by_name["things"][1 << 20] is first
    second.apply(bytes.fromhex("43 04 01 ae02 01 02 00 01 00 00"))
    assert not first.alive
    assert second.glimpse.cell_of(first) is None


def test_what_is_seen_of_a_room_is_not_passed_on_as_deltas() -> None:
    second = Second(PLACES)
    second.apply(PLACES_SNAPSHOT)
    second.apply(bytes.fromhex(STATE))
    assert not delta.can_continue(second.tables, 300)


@pytest.mark.parametrize(
    "change",
    [
        {"tables": []},
        {"tables": [0]},
        {"tables": [2]},
        {"tables": [-1]},
        {"tables": [1, 1]},
        {"columns": 0},
        {"rows": 0},
        {"columns": 65537, "rows": 1},
    ],
    ids=str,
)
def test_an_impossible_area_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        Second(PLACES | {"area": PLACES["area"] | change})
