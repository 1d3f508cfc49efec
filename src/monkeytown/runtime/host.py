"""The rooms of this instance: found, opened, and forgotten once they have ended.

Knows rooms by name and id, and time; what goes on in one is `monkeytown.runtime.hosted`'s. Whatever goes wrong in a game's
rules ends that room alone.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from monkeytown._core.timing import Stopwatch
from monkeytown.errors import Refusal
from monkeytown.game import Game
from monkeytown.room.checkpoint import Checkpoint
from monkeytown.room.ledger import Entry, Kind
from monkeytown.room.room import Room
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.runtime.listing import Listing, Waiting
from monkeytown.runtime.matchmaking import choose
from monkeytown.runtime.metrics import Metrics
from monkeytown.runtime.place import Audience, Place
from monkeytown.runtime.ticker import Ticker
from monkeytown.runtime.topics import Topics

if TYPE_CHECKING:
    from monkeytown.room.member import Member
    from monkeytown.runtime.session import Session

__all__ = ["Host"]

DOCUMENTS_SECONDS = 10.0
"""How often a room's players' documents are looked at, beside when they leave."""


class Host:
    """All rooms of this instance, and the games that rooms can be opened of."""

    def __init__(
        self,
        games: Iterable[type[Game]],
        ticker: Ticker,
        *,
        make_audiences: Callable[[Room], list[Audience]] = lambda room: [],
        keep: Callable[[Room, list[Entry]], None] = lambda room, entries: None,
        max_players: int | None = None,
        max_rooms: int = 0,
        empty_seconds: float = 10.0,
        now: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] | None = None,
    ) -> None:
        self.games = {game.name: game for game in games}
        self.rooms: dict[str, HostedRoom] = {}
        self.mirrors: dict[str, Place] = {}
        """Rooms of other instances, where players of this one are."""
        self.opened: Callable[[HostedRoom], object] = lambda hosted: None
        """Is told of each room that begins here."""
        self.forgotten: Callable[[HostedRoom], object] = lambda hosted: None
        """Is told of each that does not go on here."""
        self.attentive: Callable[[], bool] = lambda: True
        """Whether this process can have missed nothing; asked before anything happens in a room."""
        self.topics = Topics(lambda call: self.call_later(0.0, call))
        self.waiting: Waiting[HostedRoom] = Waiting()
        """Those that look for players."""
        self.ticker = ticker
        self.metrics: Metrics = ticker.metrics
        self.now = now
        self.keep = keep
        """Takes what must last of a room."""
        self._make_audiences = make_audiences
        self._max_players = max_players
        self._max_rooms = max_rooms
        self._opened = 0
        self._empty_seconds = empty_seconds
        self._call_later = call_later
        self._awaited: dict[str, list[str]] = {}
        """The ids of rooms that were brought back, by who was in them."""
        self._to_document: Iterator[HostedRoom] = iter(())
        self._swept = now()

    @property
    def places(self) -> Iterator[Place]:
        """All rooms where players of this instance are, or may come to be."""
        yield from tuple(self.rooms.values())
        yield from tuple(self.mirrors.values())

    def find_seat(self, game_id: str, player_id: str) -> HostedRoom:
        """The room that a `gameId` means to a player; a new one if it is a game's name and none has a seat.

        Raises `Refusal`.
        """
        waiting = self.waiting.of(game_id, "") if game_id in self.games else None
        return choose(game_id, player_id, rooms=self.rooms, waiting=waiting, open_room=self.open_room)

    def seat(self, hosted: Place, session: Session, game_id: str) -> Member:
        """Has a session's player sit down. Raises `Refusal`; a room that has filled up is none, like one that was full."""
        assert isinstance(hosted, HostedRoom)
        try:
            return hosted.join(session)
        except Refusal as refusal:
            if refusal.code == "GAME-002" and game_id == hosted.room.id:
                raise Refusal(code="GAME-001") from refusal
            raise

    def awaiting(self, player_id: str, game_id: str) -> HostedRoom | None:
        """The room that a `gameId` means to a player who was in it when it was put away, and has not come back yet."""
        for room_id in self._awaited.get(player_id, ()):
            hosted = self.rooms.get(room_id)
            if hosted is not None and hosted.is_meant_by(game_id) and hosted.awaits(player_id):
                return hosted
        return None

    def most_players(self, game_name: str) -> int:
        """How many may be in a room of a game, unless whoever opens it wants it smaller; 0: any number."""
        return self._max_players or self.games[game_name].max_players

    def open_room(self, game_name: str, listing: Listing | None = None) -> HostedRoom:
        """A new room. Its id cannot be guessed; its dice are nobody's.

        Raises `Refusal`: there are too many, or its rules do not want it or have failed.
        """
        if 0 < self._max_rooms <= len(self.rooms):
            raise Refusal(code="GAME-008")
        listing = listing or Listing()
        setup = listing.setup
        if setup.max_players is None:
            setup = setup._replace(max_players=self._max_players)
        stopwatch = self._stopwatch(game_name)
        room = Room(
            self.games[game_name],
            room_id=secrets.token_urlsafe(16),
            seed=secrets.randbits(64),
            setup=setup,
            stopwatch=stopwatch,
        )
        room.keeping.ledger.note(Kind.OPENED, game=game_name, mode=setup.mode, private=setup.private)
        return self._opened_with(room, stopwatch, listing)

    def keeps(self, game_name: str) -> bool:
        """Whether rooms of this game are to outlive the server: it is served, and has a `save`."""
        game = self.games.get(game_name)
        return game is not None and game.save is not Game.save

    def bring_back(self, saved: Checkpoint, seat_seconds: float) -> HostedRoom:
        """A room that was put away goes on. Its players' seats wait for them for so long, or as long as the game says; those
        who were put away with it have theirs, and the room stays open as long.

        Raises `SchemaError` or `WireError` if the game is another by now, and `Refusal` if its rules fail.
        """
        stopwatch = self._stopwatch(saved.game)
        room = Room(self.games[saved.game], room_id=saved.room, saved=saved, stopwatch=stopwatch)
        hosted = self._opened_with(room, stopwatch, Listing(saved.setup))
        seconds = room.game.seat_seconds
        until = self.now() + (seat_seconds if seconds is None else seconds)
        awaited = [] if saved.members else saved.players
        hosted.await_players(awaited, until)
        for player_id in awaited:
            self._awaited.setdefault(player_id, []).append(saved.room)
        return hosted

    def _stopwatch(self, game_name: str) -> Stopwatch:
        return Stopwatch(self.metrics.games[game_name].timing, self.ticker.course)

    def _opened_with(self, room: Room, stopwatch: Stopwatch, listing: Listing) -> HostedRoom:
        self.metrics.games[room.name].rooms_opened += 1
        self._opened += 1
        listing.number, listing.opened = self._opened, time.time()
        hosted = HostedRoom(self, room, stopwatch, listing)
        if room.closed is not None:
            raise Refusal(code="GAME-005")
        self.rooms[room.id] = hosted
        hosted.audiences = self._make_audiences(room)
        self.waiting.add(hosted, self.now())
        self.opened(hosted)
        return hosted

    def sweep(self, now: float) -> None:
        """Ends rooms that have been empty for long enough; to be called now and then."""
        self._note_documents(now)
        for hosted in list(self.rooms.values()):
            empty = hosted.empty_since is not None and now - hosted.empty_since >= self._empty_seconds
            if empty and not hosted.seats.reserved(now):
                hosted.dispose()
            else:
                self.waiting.add(hosted, now)  # the rules may have made room

    def _note_documents(self, now: float) -> None:
        """Of a few rooms at a time: a sweep must not hold up a tick."""
        share = max(len(self.rooms) * (now - self._swept) / DOCUMENTS_SECONDS, 1)
        self._swept = now
        for hosted in islice(self._to_document, round(share)):
            hosted.note_documents()
            share -= 1
        if share >= 1:
            self._to_document = iter(tuple(self.rooms.values()))

    def forget(self, hosted: HostedRoom) -> None:
        """The room has ended."""
        self.rooms.pop(hosted.room.id, None)
        self.waiting.remove(hosted)
        self.metrics.games[hosted.game_name].rooms_ended += 1
        self.forgotten(hosted)

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        if self._call_later is not None:
            return self._call_later(seconds, call)
        return asyncio.get_running_loop().call_later(seconds, call)

    def close(self) -> None:
        """Ends all rooms."""
        for hosted in list(self.rooms.values()):
            hosted.dispose()
        self.ticker.close()
