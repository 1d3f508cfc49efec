"""Hosted rooms put away and brought back: time stands still, seats wait, and rules that fail end one room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monkeytown import Player
from monkeytown.errors import Refusal
from monkeytown.room.checkpoint import going_on, unpacked
from monkeytown.room.ledger import Entry, Kind
from monkeytown.room.room import Room
from monkeytown.runtime.host import Host
from tests.runtime.stage import Client, Clock, Dots, Turns, make_host


class KeptTurns(Turns):
    """Fails to save, or to load, if that is what the dot says."""

    name = "turns"
    seat_seconds = 40

    def save(self) -> Any:
        if self.dot.x == 13:
            raise ValueError("no")
        return self.dot.id

    def load(self, saved: Any) -> None:
        self.dot = self.dots[saved]
        if self.dot.x == 7:
            raise ValueError("no")
        self.after(3, self.ring)


class KeptDots(Dots):
    name = "dots"

    def save(self) -> Any:
        return {player.id: player.entity.id for player in self.players}

    def on_leave(self, player: Player) -> None:
        raise AssertionError("nobody has left")


class Kept:
    """What a host was told to keep."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __call__(self, room: Room, entries: list[Entry]) -> None:
        self.entries += entries

    @property
    def kinds(self) -> list[Kind]:
        return [entry.kind for entry in self.entries]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def host(clock: Clock, kept: Kept) -> Host:
    return make_host(clock, KeptTurns, KeptDots, keep=kept, empty_seconds=10)


def test_games_with_a_save_are_kept(clock: Clock) -> None:
    host = make_host(clock, KeptDots, Turns)
    assert [host.keeps(name) for name in ("dots", "turns", "chess")] == [True, False, False]


def test_time_stands_still_and_the_rules_hear_nothing(
    clock: Clock, client: Callable[..., Client], host: Host, kept: Kept
) -> None:
    player = client()
    hosted = player.join("dots")
    clock.run(1)
    data = hosted.put_away()
    assert data is not None
    assert unpacked(data).final
    assert host.rooms == {}
    tick = hosted.room.tick
    clock.run(1)
    player.lose()
    hosted.leave(player.session)
    hosted.dispose()
    assert hosted.room.tick == tick
    assert kept.kinds == [Kind.OPENED, Kind.JOINED, Kind.LEFT]
    assert hosted.put_away() is None
    assert hosted.checkpoint() is None


def test_a_room_without_ticks_moves_up_to_then(clock: Clock, client: Callable[..., Client]) -> None:
    player = client()
    hosted = player.join("turns")
    player.say("player_input", action={"do": "later"})
    clock.sleep(2.5)  # a timer is due, and was not yet called
    data = hosted.put_away()
    assert data is not None
    assert unpacked(data).time == 2.5
    assert [payload["event"] for payload in player.got("game_event")] == ["ring"]
    clock.run(10)


def test_its_seats_wait_and_then_it_ends(clock: Clock, client: Callable[..., Client], host: Host) -> None:
    data = client().join("turns").put_away()
    assert data is not None
    saved = going_on(unpacked(data))
    hosted = host.bring_back(saved, seat_seconds=300)
    (player_id,) = saved.players
    assert hosted.awaits(player_id)
    assert not hosted.awaits("somebody")
    assert hosted.seats.taken(clock.seconds()) == 1
    clock.run(39)
    host.sweep(clock.seconds())
    assert host.rooms == {saved.room: hosted}
    clock.run(12)
    host.sweep(clock.seconds())
    assert host.rooms == {}


def test_timers_made_in_load_fire(clock: Clock, client: Callable[..., Client], host: Host) -> None:
    data = client().join("turns").put_away()
    assert data is not None
    hosted = host.bring_back(going_on(unpacked(data)), seat_seconds=300)
    player = client()
    player.join(hosted.room.id)
    clock.run(4)
    assert [payload["event"] for payload in player.got("game_event")] == ["ring"]


def test_the_game_may_leave_it_to_the_server_how_long_seats_wait(
    clock: Clock, client: Callable[..., Client], host: Host
) -> None:
    data = client().join("dots").put_away()
    assert data is not None
    host.bring_back(going_on(unpacked(data)), seat_seconds=100)
    clock.run(99)
    host.sweep(clock.seconds())
    assert len(host.rooms) == 1
    clock.run(12)
    host.sweep(clock.seconds())
    assert host.rooms == {}


@pytest.mark.parametrize("way", ["checkpoint", "put_away"])
def test_a_save_that_fails_ends_its_room(
    clock: Clock, client: Callable[..., Client], host: Host, kept: Kept, way: str
) -> None:
    player = client()
    hosted = player.join("turns")
    hosted.room.game.dot.x = 13
    assert getattr(hosted, way)() is None
    assert host.rooms == {}
    assert player.errors == ["GAME-005"]
    assert player.closed is not None
    assert kept.kinds[-1] is Kind.CLOSED


def test_a_load_that_fails_leaves_no_room(client: Callable[..., Client], host: Host) -> None:
    hosted = client().join("turns")
    hosted.room.game.dot.x = 7
    data = hosted.put_away()
    assert data is not None
    with pytest.raises(Refusal, match="GAME-005"):
        host.bring_back(unpacked(data), seat_seconds=1)
    assert host.rooms == {}


def test_those_who_were_put_away_with_it_have_their_seats_and_if_nobody_comes_it_ends(
    clock: Clock, client: Callable[..., Client], host: Host
) -> None:
    room = client().join("turns").room
    saved = unpacked(room.hand_over())
    del host.rooms[room.id]
    hosted = host.bring_back(going_on(saved), seat_seconds=300)
    (player_id,) = saved.players
    assert list(hosted.room.members) == [player_id]
    assert not hosted.awaits(player_id)
    assert host.awaiting(player_id, "turns") is None
    assert hosted.seats.taken(clock.seconds()) == 1
    clock.run(39)
    host.sweep(clock.seconds())
    assert host.rooms == {saved.room: hosted}
    clock.run(12)
    host.sweep(clock.seconds())
    assert host.rooms == {}
