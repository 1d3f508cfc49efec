"""A name is any public room with a seat; an id is that room."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest

from monkeytown.errors import Refusal
from monkeytown.runtime.matchmaking import choose


@dataclass
class Table:
    """Keeps its seats for some."""

    guests: str = "*"

    def has_seats_for(self, players: Collection[str]) -> bool:
        return self.guests == "*" or all(player in self.guests for player in players)


def no_new_room(name: str) -> Table:
    raise AssertionError("a room was opened")


FULL, FREE, FOR_ADA = Table(""), Table(), Table("ada")


def test_a_name_finds_the_first_room_with_a_seat_for_who_comes() -> None:
    waiting = [FULL, FOR_ADA, FREE]
    assert choose("ludo", "ada", rooms={}, waiting=waiting, open_room=no_new_room) is FOR_ADA
    assert choose("ludo", "bob", rooms={}, waiting=waiting, open_room=no_new_room) is FREE


def test_a_name_opens_a_room_when_all_are_full() -> None:
    new = Table()
    opened = choose("ludo", "bob", rooms={}, waiting=[FULL, FOR_ADA], open_room={"ludo": new}.__getitem__)
    assert opened is new


def test_an_id_finds_its_room() -> None:
    rooms = {"a": FREE, "b": FOR_ADA}
    assert choose("a", "bob", rooms=rooms, waiting=None, open_room=no_new_room) is FREE
    assert choose("b", "ada", rooms=rooms, waiting=None, open_room=no_new_room) is FOR_ADA


@pytest.mark.parametrize("game_id", ["full", "kept", "unknown", ""])
def test_what_cannot_be_joined_is_not_there(game_id: str) -> None:
    rooms = {"full": FULL, "kept": FOR_ADA}
    with pytest.raises(Refusal) as refusal:
        choose(game_id, "bob", rooms=rooms, waiting=None, open_room=no_new_room)
    assert refusal.value.code == "GAME-001"
