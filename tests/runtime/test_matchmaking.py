"""A name is any room with a seat; an id is that room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from monkeytown.errors import Refusal
from monkeytown.runtime.matchmaking import choose


@dataclass
class Table:
    game_name: str
    has_seat: bool = True


def no_new_room(name: str) -> Table:
    raise AssertionError("a room was opened")


def test_a_name_finds_the_first_room_with_a_seat() -> None:
    full, other, free = Table("ludo", False), Table("chess"), Table("ludo")
    assert choose("ludo", {"ludo", "chess"}, {"a": full, "b": other, "c": free}, no_new_room) is free


def test_a_name_opens_a_room_when_all_are_full() -> None:
    new = Table("ludo")
    assert choose("ludo", {"ludo"}, {"a": Table("ludo", False)}, lambda name: new) is new


def test_an_id_finds_its_room() -> None:
    room = Table("ludo")
    assert choose("a", {"ludo"}, {"a": room}, no_new_room) is room


@pytest.mark.parametrize(("game_id", "code"), [("a", "GAME-002"), ("b", "GAME-001"), ("", "GAME-001")])
def test_what_cannot_be_joined_is_refused(game_id: str, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        choose(game_id, {"ludo"}, {"a": Table("ludo", False)}, no_new_room)
    assert refusal.value.code == code
