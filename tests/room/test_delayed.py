"""A room as it was, read like the room itself."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown.position import Position, Reason
from monkeytown.room.delayed import Delayed
from monkeytown.room.room import Room
from tests.naive_reader import NaiveReader

from .meadow import Meadow
from .pond import a_room

DELAY = 10  # ticks


@pytest.fixture
def room() -> Room:
    return a_room(Meadow)


def step(room: Room, past: Delayed) -> dict[int, Any]:
    """One tick; where the bees are in it."""
    room.step()
    past.follow()
    game: Any = room.game
    return {bee.id: bee.x for bee in game.bees}


def test_shows_what_was_so_many_seconds_ago_and_nothing_before(room: Room) -> None:
    game: Any = room.game
    past = Delayed(room, DELAY / room.tick_rate)
    eyes, position = NaiveReader(room.schema.describe(everything=True)), None
    history: list[dict[int, Any]] = []
    for tick in range(60):
        if tick % 7 == 0:
            game.bees.spawn(x=tick * 10, y=5)
        if tick % 13 == 12:
            game.bees.despawn(next(iter(game.bees)))
        for bee in game.bees:
            bee.x += 1
        history.append(step(room, past))
        if tick < DELAY:
            assert past.position is None
            continue
        reading = past.read(position)
        assert reading.frame is not None
        eyes.apply(reading.frame)
        position = reading.position
        assert position == Position(room.epoch, room.tick - DELAY)
        seen = {id: row["x"] / 8 for id, row in eyes.tables["bees"].items()}
        assert seen == history[tick - DELAY]


def test_who_comes_late_or_skips_is_served_from_there(room: Room) -> None:
    game: Any = room.game
    bee = game.bees.spawn(x=1)
    past = Delayed(room, DELAY / room.tick_rate)
    for _ in range(30):
        bee.x += 1
        step(room, past)
    first = past.read(None)
    assert (first.reason, first.is_snapshot) == (Reason.FIRST_READ, True)
    eyes = NaiveReader(room.schema.describe(everything=True))
    eyes.apply(first.frame or b"")
    for _ in range(5):
        bee.x += 3
        step(room, past)
    late = past.read(first.position)
    assert late.reason is Reason.CONTINUED
    eyes.apply(late.frame or b"")
    assert [row["x"] / 8 for row in eyes.tables["bees"].values()] == [26.0]


def test_a_room_at_rest_has_nothing_to_keep(room: Room) -> None:
    past = Delayed(room, DELAY / room.tick_rate)
    for _ in range(DELAY + 1):
        step(room, past)
    position = past.position
    assert position is not None
    for _ in range(5):
        step(room, past)
    assert past.position == position
    assert past.read(position).frame is None
