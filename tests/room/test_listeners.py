"""Who listens to a room hears what everybody in it is told, when it is told, and nothing that is for one player."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monkeytown import Player
from monkeytown.errors import Refusal
from monkeytown.room.mail import News
from monkeytown.room.room import Room
from tests.room.pond import Pond, Wall, a_room, told


class Hall(Wall):
    """Greets who comes, aloud and in private; turns Eve away."""

    def on_join(self, player: Player) -> None:
        self.broadcast("welcome", player.name)
        player.send("psst", "the code is 1234")
        if player.name == "Eve":
            raise Refusal("Not you.")


class Ears:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.heard: list[tuple[str, Any]] = []
        room.listeners.append(self.hear)

    def hear(self, news: News) -> None:
        self.heard.append((news.type, msgspec.msgpack.decode(news.payload)))


def test_it_hears_who_comes_what_is_said_and_who_goes() -> None:
    room = a_room(Hall)
    ears = Ears(room)
    room.join("a", "Ada")
    room.join("b", "Bob")
    room.chat("b", "hello")
    room.act("a", {"do": "send", "data": 3})
    room.act("a", {"do": "refuse"})
    room.leave("a")
    assert ears.heard == [
        ("player_joined", {"id": "a", "name": "Ada"}),
        ("game_event", {"event": "welcome", "data": "Ada"}),
        ("player_joined", {"id": "b", "name": "Bob"}),
        ("game_event", {"event": "welcome", "data": "Bob"}),
        ("game_event", {"event": "chat", "data": {"playerId": "b", "name": "Bob", "text": "HELLO"}}),
        ("player_left", {"playerId": "a"}),
    ]
    assert ("game_event", {"event": "psst", "data": "the code is 1234"}) in told(room.members["b"])


def test_it_hears_nothing_of_one_who_is_turned_away() -> None:
    room = a_room(Hall)
    ears = Ears(room)
    with pytest.raises(Refusal):
        room.join("e", "Eve")
    assert ears.heard == []


def test_it_hears_what_is_said_to_nobody_and_why_the_room_has_ended() -> None:
    room = a_room(Hall)
    room.join("a", "Ada")
    room.act("a", {"do": "later", "seconds": 1})
    room.leave("a")
    ears = Ears(room)
    room.advance(2)
    room.dispose()
    assert ears.heard == [
        ("game_event", {"event": "ring", "data": {"at": 1.0}}),
        ("error", {"code": "GAME-006", "message": "The room has closed."}),
    ]


def test_it_hears_in_the_middle_of_a_tick() -> None:
    class Clock(Pond):
        def on_tick(self, dt: float) -> None:
            self.broadcast("tick", self.tick)

    room = a_room(Clock)
    ticks: list[tuple[int, int]] = []
    room.listeners.append(
        lambda news: ticks.append((room.tick, msgspec.msgpack.decode(news.payload)["data"]))
    )
    for _ in range(3):
        room.step()
    assert ticks == [(1, 2), (2, 3), (3, 4)], "of the version that is being made"


def test_who_does_not_listen_any_more_hears_nothing() -> None:
    room = a_room(Hall)
    ears = Ears(room)
    room.listeners.remove(ears.hear)
    room.join("a", "Ada")
    assert ears.heard == []
