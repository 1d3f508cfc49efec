"""What is known of a room beside the game in it: who opened it, for whom, since when; and which rooms look for players.

Knows rooms by game, mode and seats; not how they run, nor who asks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, Protocol, TypeVar

from monkeytown.room.setup import Setup

__all__ = ["MOST_LOOKED_AT", "Listing", "Waiting"]

MOST_LOOKED_AT = 1000
"""Rooms that one search goes through: those that have waited longest, whose windows of ranks are the widest. With more than
that the search would be felt by the ticks that wait for it."""


@dataclass(slots=True)
class Listing:
    """Of one room, from its opening on."""

    setup: Setup = field(default_factory=Setup)
    creator: str = ""
    """The id of the player who asked for it; empty if it was opened for whoever came first."""
    rank: float | None = None
    """What that player said it is; None if nothing."""
    number: int = 0
    """Counts the rooms of this instance: a newer one has a higher number."""
    opened: float = 0.0
    """Seconds since 1970."""
    waiting_since: float = 0.0
    """On the host's clock: when it was opened, or had a seat again after it was full."""


class Listed(Hashable, Protocol):
    """What is asked of a room."""

    @property
    def listing(self) -> Listing: ...

    @property
    def game_name(self) -> str: ...

    @property
    def is_full(self) -> bool: ...


R = TypeVar("R", bound=Listed)


class Waiting(Generic[R]):
    """Public rooms with a seat that nobody sits on, by game and mode. Those that have filled up drop out when they are met,
    so that a search does not go through all rooms of a busy instance."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, str], dict[R, None]] = {}

    def add(self, room: R, now: float) -> None:
        """It has a seat, perhaps again. Nothing happens if that is known, or nobody's business."""
        if room.listing.setup.private or room.is_full:
            return
        rooms = self._rooms.setdefault(_key(room), {})
        if room not in rooms:
            room.listing.waiting_since = now
            rooms[room] = None

    def remove(self, room: R) -> None:
        """It has ended, or filled up."""
        key = _key(room)
        rooms = self._rooms.get(key, {})
        rooms.pop(room, None)
        if not rooms:
            self._rooms.pop(key, None)

    def of(self, game: str, mode: str) -> Iterator[R]:
        """Those of a game and a mode, who waits for longest first. Seats that are only reserved count as seats."""
        for room in tuple(islice(self._rooms.get((game, mode), ()), MOST_LOOKED_AT)):
            if room.is_full:
                self.remove(room)
            else:
                yield room


def _key(room: Listed) -> tuple[str, str]:
    return room.game_name, room.listing.setup.mode
