"""Which room a `gameId` means: a game's name is the public room that has waited longest for players, or a new one; anything
else a room's id.

Knows rooms by name, id and seats, and how to ask for another; not how rooms run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

from monkeytown.errors import Refusal

__all__ = ["choose"]


class Seated(Protocol):
    """What is asked of a room."""

    def has_seats_for(self, players: Collection[str]) -> bool: ...


R = TypeVar("R", bound=Seated)


def choose(
    game_id: str,
    player_id: str,
    *,
    rooms: Mapping[str, R],
    waiting: Iterable[R] | None,
    open_room: Callable[[str], R],
) -> R:
    """The room to join. `waiting` are the public rooms of the game of that name; None if there is no such game.

    Raises `Refusal`: there is no such game or room. A room that is full is none, so that nobody finds out which ids there
    are by trying.
    """
    if waiting is not None:
        for room in waiting:
            if room.has_seats_for((player_id,)):
                return room
        return open_room(game_id)
    named = rooms.get(game_id)
    if named is None or not named.has_seats_for((player_id,)):
        raise Refusal(code="GAME-001")
    return named
