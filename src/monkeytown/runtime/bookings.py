"""Seats for players who are not here yet: in a room that they name, in a room of their own, or in whichever suits them.

Knows the host's rooms and who asked for what; not who asks over which connection, nor how often they may. Whatever is
decided is done at once, without waiting in between: two who ask at the same time cannot get the same seat, and the second
finds the room that the first has opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from monkeytown.errors import Refusal
from monkeytown.room.setup import Setup
from monkeytown.runtime.host import Host
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.listing import Listing

__all__ = ["Booking", "Bookings", "Wish"]


class Booking(NamedTuple):
    """Seats that wait until then, in seconds since 1970."""

    hosted: HostedRoom
    until: float
    opened: bool = False
    """Whether the room is a new one."""


class Wish(NamedTuple):
    """What players want of a room. `options`: None, whichever; otherwise exactly these."""

    game: str
    players: Collection[str]
    mode: str = ""
    rank: float | None = None
    options: Mapping[str, Any] | None = None


class Bookings:
    """Reserves seats. Each player has asked for one group of seats at most: whoever asks anew gives the others up, so that
    nobody keeps all rooms full."""

    def __init__(self, host: Host, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._host = host
        self._limits = limits
        self._clock = clock
        self._asked: dict[str, tuple[HostedRoom, float]] = {}
        """Where somebody has seats reserved and until when, on the host's clock; what runs out first comes first."""

    def reserve(self, by: str, room_id: str, players: Collection[str]) -> Booking:
        """Seats in the room of that id. Raises `Refusal`, always the same: there is none, or it has not so many."""
        self._give_up(by)
        hosted = self._host.rooms.get(room_id)
        if hosted is None or not hosted.has_seats_for(players):
            raise Refusal(code="GAME-001")
        return self._book(by, hosted, players)

    def open(self, by: str, game: str, setup: Setup) -> Booking:
        """A new room with a seat for who asks. Raises `Refusal`."""
        self._give_up(by)
        hosted = self._host.open_room(game, Listing(setup, creator=by))
        return self._book(by, hosted, (by,))._replace(opened=True)

    def match(self, by: str, wish: Wish, may_open: Callable[[], None]) -> Booking:
        """Seats in a room that suits, or in a new one. `may_open` is called before one is opened. Raises `Refusal`."""
        self._give_up(by)
        hosted = self._suiting(wish)
        if hosted is not None:
            return self._book(by, hosted, wish.players)
        may_open()
        setup = Setup(mode=wish.mode, options=wish.options or {})
        hosted = self._host.open_room(wish.game, Listing(setup, creator=by, rank=wish.rank))
        if not hosted.has_seats_for(wish.players):
            hosted.dispose()
            raise Refusal("A room of this game has not so many seats.", "GAME-002")
        return self._book(by, hosted, wish.players)._replace(opened=True)

    def _suiting(self, wish: Wish) -> HostedRoom | None:
        """The room whose rank is nearest; of those alike, who has waited longest."""
        now = self._host.now()
        best, nearest = None, float("inf")
        for hosted in self._host.waiting.of(wish.game, wish.mode):
            listing = hosted.listing
            if wish.options is not None and wish.options != listing.setup.options:
                continue
            away = self._away(wish.rank, listing, now)
            if away is None or away >= nearest:
                continue
            if hosted.has_seats_for(wish.players) and not hosted.sessions.keys() & wish.players:
                best, nearest = hosted, away
                if away == 0.0:
                    break
        return best

    def _away(self, rank: float | None, listing: Listing, now: float) -> float | None:
        """How far a rank is from a room's; None if that is too far. Whoever has no rank suits everybody, though not best."""
        window = self._limits.match_window
        if rank is None or listing.rank is None:
            return window if rank is not None else 0.0
        away = abs(rank - listing.rank)
        widened = window + self._limits.match_widening * (now - listing.waiting_since)
        return away if away <= widened else None

    def _book(self, by: str, hosted: HostedRoom, players: Collection[str]) -> Booking:
        now, seconds = self._host.now(), self._limits.reserved_seconds
        hosted.seats.reserve(by, players, now + seconds)
        self._asked[by] = hosted, now + seconds
        return Booking(hosted, self._clock() + seconds)

    def _give_up(self, by: str) -> None:
        now = self._host.now()
        hosted, _ = self._asked.pop(by, (None, 0.0))
        if hosted is not None:
            hosted.seats.release(by)
        while self._asked:
            first, (_, until) = next(iter(self._asked.items()))
            if now < until:
                break
            del self._asked[first]
