"""Rooms are recorded: what is in a recording is what the room had, at every moment, and what everybody was told."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Entity, Game, Player, table, uint
from monkeytown.client.replay import Replay
from monkeytown.protocol.replay import MOST, STATE
from monkeytown.protocol.replayfile import open_recording
from monkeytown.readers import recorder as recorders
from monkeytown.readers.recorder import Recorder
from monkeytown.room.room import Room
from tests.naive_replay import NaiveReplay
from tests.randomgames import Chaos, crowded, examples, schedules, schemas
from tests.replays import MemoryTape, TwinRoom, reader_of
from tests.room.meadow import Meadow
from tests.room.pond import Hop, Pond, Wall


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Studio:
    """A room that is recorded, under a clock that the test moves."""

    def __init__(self, room: Any, rate: float = 20) -> None:
        self.room = room
        self.clock = Clock()
        self.tapes: list[MemoryTape] = []
        self.recorder = Recorder(room, self.load, rate=rate, now=self.clock)

    def load(self, room: Any) -> MemoryTape:
        self.tapes.append(MemoryTape(room))
        return self.tapes[-1]

    def step(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.clock.time += 1 / (self.room.tick_rate or 60)
            self.room.step()
            self.recorder.prepare(self.room)
            self.recorder.send()

    def end(self) -> NaiveReplay:
        """As a host does it: the room ends, its audiences are told, it is disposed of."""
        self.room.game.close("it is late")
        self.room.step()
        self.recorder.prepare(self.room)
        self.room.dispose()
        return self.replay()

    def replay(self, number: int = 0) -> NaiveReplay:
        return NaiveReplay(self.tapes[number].data)


def studio(game: type[Game], rate: float = 20, **options: Any) -> Studio:
    return Studio(Room(game, room_id="room-1", **options), rate)


def hop(room: Room, who: str, by: float = 1.0, croak: bool = False) -> None:
    assert room.inputs is not None
    room.inputs.put(room.members[who].number, room.tick, Hop(by=by, croak=croak))


def frogs(tables: dict[str, dict[int, dict[str, Any]]]) -> dict[str, int]:
    return {row["name"]: row["x"] for row in tables["frogs"].values()}


def test_a_room_is_recorded_from_its_first_state_to_its_last() -> None:
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    pond.step(3)
    hop(pond.room, "a", by=2)
    pond.step(2)
    replay = pond.end()
    moments = list(replay.play())
    assert moments[0].at == 1
    assert frogs(moments[0].tables) == {}
    assert frogs(moments[-1].tables) == {"Ada": 102 * 16}
    assert [moment.at for moment in moments if moment.event is None] == [1, 2, 5, 6]
    assert replay.until == pond.room.tick
    assert pond.tapes[0].complete is True
    assert pond.recorder.is_over


def test_what_everybody_is_told_is_at_its_moment() -> None:
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    pond.step(4)
    pond.room.join("b", "Bob")
    pond.room.chat("b", "hello")
    pond.step(2)
    pond.room.leave("a")
    replay = pond.end()
    events = [(moment.at, moment.event[0], set(moment.players)) for moment in replay.play() if moment.event]
    assert events == [
        (2, "player_joined", {"a"}),
        (6, "player_joined", {"a", "b"}),
        (6, "game_event", {"a", "b"}),
        (8, "player_left", {"b"}),
        (8, "error", {"b"}),
    ]
    assert pond.tapes[0].players == 2


def test_what_is_private_is_not_recorded() -> None:
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    for _ in range(2):
        hop(pond.room, "a", croak=True)
        pond.step()
    pond.room.members["a"].player.send("psst", "the code is 1234")
    hop(pond.room, "a")
    pond.step()
    assert pond.room.tables[0].row(0).flies == 2
    replay = pond.end()
    assert all("flies" not in row for moment in replay.play() for row in moment.tables["frogs"].values())
    assert b"1234" not in b"".join(message for block in replay.blocks for _, message in block.items)
    with Replay(open_recording(reader_of(replay.data), len(replay.data))) as read:
        read.seek(10)
        assert [frog.flies for frog in read.tables["frogs"]] == [0]


def test_all_of_a_world_is_recorded_whatever_its_players_see() -> None:
    meadow = studio(Meadow)
    for number in range(40):
        meadow.room.game.flowers.spawn(x=25 * number, y=25 * number)
    meadow.room.join("a", "Ada")
    meadow.step(3)
    replay = meadow.end()
    assert replay.header["schema"].get("area") is None
    assert len(list(replay.play())[-1].tables["flowers"]) == 40


@pytest.mark.parametrize(("rate", "stride"), [(50, 1), (25, 2), (20, 2), (17, 3), (1, 50), (1000, 1)])
def test_states_are_taken_so_often(rate: float, stride: int) -> None:
    class Busy(Pond):
        def on_tick(self, dt: float) -> None:
            self.lilies.row(0).size = self.tick % 200

    busy = studio(Busy, rate)
    busy.step(3 * stride + 1)
    ticks = [moment.at for moment in busy.end().play() if moment.event is None]
    assert ticks[:3] == [1, *[tick for tick in (stride, 2 * stride, 3 * stride) if tick > 1]][:3]


def test_a_room_that_is_stepped_several_ticks_at_once_is_recorded_as_often() -> None:
    """A server that is too busy shows every third tick, and those need not be the ones that it is recorded at."""

    class Busy(Pond):
        def on_tick(self, dt: float) -> None:
            self.lilies.row(0).size = self.tick % 200

    busy = studio(Busy, rate=17)
    for _ in range(5):
        for _ in range(3):
            busy.room.step()
        busy.recorder.prepare(busy.room)
    ticks = [moment.at for moment in busy.end().play() if moment.event is None]
    assert ticks == [1, 4, 7, 10, 13, 16, 17]


def test_blocks_begin_every_few_seconds_and_each_can_be_read_alone() -> None:
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    for _ in range(700):
        hop(pond.room, "a", by=0.5)
        pond.step()
    replay = pond.end()
    assert len(replay.blocks) == 3
    lengths = [after.at - before.at for before, after in pairwise(replay.blocks)]
    assert all(250 <= length <= 252 for length in lengths)
    assert all(block.last is not None for block in replay.blocks)
    whole = list(replay.play())
    for number, block in enumerate(replay.blocks):
        alone = list(replay.play(number))
        assert alone[0].players == ({"a": "Ada"} if number else {})
        assert alone == whole[len(whole) - len(alone) :]
        assert block.items[-1][0] - block.at <= 252


def test_a_room_at_rest_costs_nothing() -> None:
    pond = studio(Pond)
    pond.step(50 * 60)
    assert pond.tapes[0].blocks == []
    pond.room.join("a", "Ada")
    pond.step(2)
    replay = pond.end()
    assert len(replay.blocks) == 2
    assert [block.at for block in replay.blocks] == [1, 3002]


def test_a_game_without_ticks_is_recorded_by_the_clock() -> None:
    wall = studio(Wall)
    wall.room.join("a", "Ada")
    for seconds, do in ((0.5, "write"), (2, "erase"), (60, "write")):
        wall.clock.time += seconds
        wall.room.act("a", {"do": do})
        wall.room.step()
        wall.recorder.prepare(wall.room)
    wall.clock.time += 3
    replay = wall.end()
    assert replay.header["rate"] == 1000
    notes = [
        (moment.at, moment.tables["note"][1 << 20]["text"])
        for moment in replay.play()
        if moment.event is None
    ]
    assert notes == [(0, ""), (500, "write"), (2500, "erase"), (62500, "write"), (62500, "write")]
    assert replay.until == 65500


def test_a_block_ends_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "BLOCK_BYTES", 300)
    wall = studio(Pond, rate=1)
    for number in range(20):
        wall.room.join(f"p{number}", "x" * 24)
        wall.step()
    replay = wall.end()
    assert len(replay.blocks) > 1
    sizes = [sum(len(message) for _, message in block.items[1:]) for block in replay.blocks]
    assert max(sizes) < 600, "what makes it full ends it, whenever states are due"


def test_a_block_ends_when_it_has_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorders.BLOCK_ITEMS < MOST
    monkeypatch.setattr(recorders, "BLOCK_ITEMS", 10)
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    for _ in range(30):
        hop(pond.room, "a", by=0.5)
        pond.step()
    assert [len(block.items) for block in pond.end().blocks][:3] == [10, 10, 10]


def test_a_room_that_goes_on_for_long_is_recorded_in_several_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "FILE_SECONDS", 7.0)
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    for number in range(900):
        hop(pond.room, "a", by=0.25)
        if number == 600:
            pond.room.join("b", "Bob")
            pond.room.leave("a")
            pond.room.join("a", "Ada")
        pond.step()
    pond.end()
    assert [tape.complete for tape in pond.tapes] == [False, True]
    first, second = pond.replay(0), pond.replay(1)
    assert second.blocks[0].at == first.until
    assert frogs(next(second.play()).tables) == frogs(list(first.play())[-1].tables)
    assert (pond.tapes[0].players, pond.tapes[1].players) == (1, 2)


def test_a_room_whose_rules_fail_is_recorded_up_to_then() -> None:
    class Fragile(Pond):
        def on_tick(self, dt: float) -> None:
            if self.tick == 5:
                raise ZeroDivisionError("on purpose")

    pond = studio(Fragile, rate=50)
    pond.room.join("a", "Ada")
    pond.step(6)
    replay = pond.replay()
    assert [moment.at for moment in replay.play() if moment.event is None] == [1, 2]
    assert list(replay.play())[-1].event == (
        "error",
        {"code": "GAME-005", "message": "The rules of the game failed; the room has ended."},
    )
    assert replay.blocks[-1].last is None, "nobody can tell any more"


def test_a_room_that_fails_at_once_leaves_nothing() -> None:
    class Stillborn(Pond):
        def on_create(self) -> None:
            raise ZeroDivisionError("on purpose")

    pond = studio(Stillborn)
    pond.recorder.finish()
    assert pond.tapes[0].blocks == []
    assert pond.recorder.is_over
    pond.recorder.finish()
    pond.recorder.prepare(pond.room)


def test_a_tape_that_fails_ends_the_recording_and_nothing_else() -> None:
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    pond.step(2)
    pond.tapes[0].failed = True
    pond.step(2)
    assert pond.recorder.is_over
    assert pond.room.listeners == []
    hop(pond.room, "a")
    pond.step(2)
    assert pond.room.closed is None
    assert pond.tapes[0].blocks == []
    pond.recorder.finish()


def test_a_recorder_that_goes_wrong_ends_its_recording_and_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    hop(pond.room, "a")
    pond.step(400)

    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(pond.recorder, "_read", broken)
    pond.step(2)
    assert pond.recorder.is_over
    assert pond.room.closed is None
    assert pond.room.listeners == []
    assert pond.tapes[0].complete is False
    assert len(pond.replay().blocks) >= 1
    pond.step(2)


def test_what_was_said_before_there_was_a_state_comes_behind_it() -> None:
    """A room is opened in the middle of something: its first state is that of its next step."""

    class Box(Entity):
        lid = uint(1)

    class Boxed(Game):
        boxes = table(Box)

        def on_join(self, player: Player) -> None:
            player.entity = self.boxes.spawn()

    room = Room(Boxed, room_id="room-1")
    room.join("a", "Ada")
    boxed = Studio(room, rate=60)
    room.join("b", "Bob")
    boxed.step()
    items = boxed.end().blocks[0].items
    assert [message[0] for _, message in items][:2] == [STATE, 0x45]


def played(moments: list[Any]) -> dict[int, Any]:
    return {moment.at: (moment.tables, moment.steps) for moment in moments if moment.event is None}


def recorded(
    specs: Any, schedule: Any, rate: float, monkeypatch_seconds: float
) -> tuple[Studio, dict[int, Any]]:
    chaos = Chaos(specs, first_tick=1)
    chaos.tick([])
    room = TwinRoom(chaos.twin)
    room.committed()
    found = Studio(room, rate)
    had = {room.tick: (chaos.twin.shared, chaos.twin.steps)}
    for orders in schedule:
        chaos.tick(orders)
        room.committed()
        found.clock.time += monkeypatch_seconds
        found.recorder.prepare(room)
        had[room.tick] = chaos.twin.shared, chaos.twin.steps
    return found, had


@given(schemas(), schedules(40), st.sampled_from([60, 20]), st.sampled_from([1 / 60, 2.0]))
@examples(60)
def test_whatever_happens_in_a_game_is_recorded(specs: Any, schedule: Any, rate: float, pace: float) -> None:
    found, had = recorded(specs, schedule, rate, pace)
    found.recorder.finish()
    replay = found.replay()
    seen = played(list(replay.play()))
    assert all(state == had[at] for at, state in seen.items())
    if rate == 60:
        # Between two states a room is at rest: nothing is left out.
        last: Any = None
        for at, state in had.items():
            last = seen.get(at, last)
            assert last == state
    with Replay(open_recording(reader_of(replay.data), len(replay.data))) as read:
        assert read.check() == []


@given(schemas(), st.integers(0, 2**32 - 1), st.lists(st.floats(0, 1), min_size=1, max_size=5))
@examples(25)
def test_any_moment_can_be_sought(specs: Any, seed: int, places: list[float]) -> None:
    found, had = recorded(specs, crowded(seed, 60), 60, 0.4)
    found.recorder.finish()
    data = found.tapes[0].data
    naive = played(list(found.replay().play()))
    with Replay(open_recording(reader_of(data), len(data))) as read:
        for place in places:
            read.seek(place * read.seconds)
            assert had[read.tick] == naive[read.tick]
            assert read.state_hash() == hash_at(specs, seed, read.tick)


def hash_at(specs: Any, seed: int, tick: int) -> int:
    """The hash of the same game's state when it is played anew up to a tick."""
    from monkeytown.protocol.replay import state_hash

    chaos = Chaos(specs, first_tick=1)
    chaos.tick([])
    for orders in crowded(seed, 60):
        if chaos.twin.tick == tick:
            break
        chaos.tick(orders)
    return state_hash(chaos.twin.snapshot())


def test_a_header_says_all_that_there_is_to_say() -> None:
    pond = studio(Pond)
    header = pond.end().header
    assert set(header) == {
        field.name for field in dataclasses.fields(dataclasses.make_dataclass("H", header))
    }
    assert (header["game"], header["rate"], header["epoch"]) == ("pond", 50, 1)
