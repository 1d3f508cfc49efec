"""Which room a `gameId` means: a game's name is the first of its rooms with a seat, or a new one; anything else a room's id.

Knows rooms by name, id and seats, and how to ask for another; not how rooms run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from monkeytown.errors import Refusal

__all__ = ["Seats", "choose"]


class Seats(Protocol):
    """What is asked of a room."""

    @property
    def game_name(self) -> str: ...

    @property
    def has_seat(self) -> bool: ...


R = TypeVar("R", bound=Seats)


def choose(game_id: str, games: Iterable[str], rooms: Mapping[str, R], open_room: Callable[[str], R]) -> R:
    """The room to join. Raises `Refusal`: there is no such game or room, or the room that was named is full."""
    if game_id in games:
        for room in rooms.values():
            if room.game_name == game_id and room.has_seat:
                return room
        return open_room(game_id)
    named = rooms.get(game_id)
    if named is None:
        raise Refusal(code="GAME-001")
    if not named.has_seat:
        raise Refusal(code="GAME-002")
    return named
