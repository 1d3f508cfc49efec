"""The rooms of this instance: opened, stepped, handed to their readers, and ended.

Knows rooms, sessions and time; does not know how readers are reached: it tells each room's audiences that there is something
new. Whatever goes wrong in a game's rules ends that room alone.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

import structlog

from monkeytown._core.timing import ENCODE, EVENTS, SEND, Stopwatch
from monkeytown.errors import Refusal
from monkeytown.game import Game
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import BINARY
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.room.view import EVERYTHING
from monkeytown.runtime.audience import Audience, traffic_of
from monkeytown.runtime.listing import Listing, Waiting
from monkeytown.runtime.matchmaking import choose
from monkeytown.runtime.metrics import Metrics, Traffic
from monkeytown.runtime.seats import Seats
from monkeytown.runtime.ticker import Beat, Ticker

if TYPE_CHECKING:
    from monkeytown.runtime.session import Session

__all__ = ["Host", "HostedRoom"]

log = structlog.get_logger()

# Slower rooms do not let events wait for the next tick.
PROMPT_RATE = 20


class HostedRoom:
    """One room in time, with those who sit in it."""

    def __init__(self, host: Host, room: Room, stopwatch: Stopwatch, listing: Listing) -> None:
        self.room = room
        self.listing = listing
        self.seats = Seats(room.members)
        self.audiences: list[Audience] = []
        self.sessions: dict[str, Session] = {}
        """By player id."""
        self.empty_since: float | None = host.now()
        self._host = host
        self._metrics = host.metrics.games[room.name]
        self._stopwatch = stopwatch
        self._untold: set[Member] = set()
        """For whom there was something private in a step that nothing was made ready after."""
        self._beat: Beat | None = None
        self._advanced = host.now()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._schemas: dict[bool, bytes] = {}
        """By whether all is seen."""
        self._broken = False
        if room.closed is not None:
            self._end()
        elif room.tick_rate:
            self._beat = host.ticker.add(room.tick_rate, self.step, (self.prepare, self.send), stopwatch)
        else:
            self._set_timer()

    @property
    def game_name(self) -> str:
        return self.room.name

    @property
    def is_full(self) -> bool:
        """Whether nobody else can sit down; seats that are only reserved count as free."""
        return self.room.closed is not None or self.room.is_full

    def has_seats_for(self, players: Collection[str]) -> bool:
        """Whether all of these can sit down."""
        limit = self.room.game.max_players
        return self.room.closed is None and self.seats.has_for(players, limit, self._host.now())

    def schema(self, member: Member) -> bytes:
        """The `schema` message of the binary encoding: the same for all who see the room in the same way."""
        everything = member.view is EVERYTHING
        if everything not in self._schemas:
            self._schemas[everything] = BINARY.encode("schema", self.room.describe(member))
        return self._schemas[everything]

    # Players

    def join(self, session: Session) -> Member:
        """Seats a session's player. Raises `Refusal`."""
        self.advance()
        try:
            self.room.join(session.id, session.name)
        except Refusal:
            self._settle()
            raise
        self.sessions[session.id] = session
        self.seats.sit(session.id)
        self.empty_since = None
        self._metrics.joins += 1
        return self.room.members[session.id]

    def drop(self, session: Session) -> None:
        """The session has no connection; its player's seat is kept."""
        self.advance()
        self.room.drop(session.id)
        self.disturbed()

    def resume(self, session: Session) -> None:
        """It has one again."""
        self.advance()
        self.room.resume(session.id)
        self.disturbed()

    def leave(self, session: Session) -> None:
        """The session's player is gone."""
        if self.sessions.pop(session.id, None) is None:
            return
        self.advance()
        self.room.leave(session.id)
        self._vacated()
        self.disturbed()

    # Time

    def step(self, steps: int) -> None:
        """Moves the room by that many ticks."""
        room = self.room
        try:
            for _ in range(steps):
                room.step()
                if room.touched:
                    self._untold |= room.touched
            self._metrics.ticks += steps
            if room.notified or room.reviewed or room.kicked or room.closed is not None:
                self._settle()
                self._stopwatch.lap(SEND)
        except Exception:
            self._failed()

    def prepare(self) -> None:
        """Makes ready what brings whoever reads to now, once, however many ticks that is."""
        try:
            if self._untold:
                self.room.touched |= self._untold
                self._untold.clear()
            for audience in self.audiences:
                audience.prepare(self.room)
        except Exception:
            self._failed()
        self._stopwatch.lap(ENCODE)

    def send(self) -> None:
        try:
            for audience in self.audiences:
                audience.send()
        except Exception:
            self._failed()
        self._stopwatch.lap(SEND)

    def traffic(self) -> Traffic:
        """What the room said to its readers so far."""
        return traffic_of(self.room, self.audiences)

    def retire(self, audience: Audience) -> None:
        """Nobody reads this way any more."""
        self.audiences.remove(audience)
        self._metrics.ended.add(audience.traffic())

    def _failed(self) -> None:
        """Not the rules' fault, which the room catches, but ours: other rooms must not pay for it."""
        self._broken = True
        log.exception("a room failed", game=self.room.name, room=self.room.id)
        self._metrics.rooms_failed += 1
        self.dispose()

    def advance(self) -> None:
        """A room without ticks moves to the time it is, before anything happens in it."""
        if self.room.tick_rate or self._ended:
            return
        now = self._host.now()
        self._host.ticker.course.start()
        self.room.advance(now - self._advanced)
        self._advanced = now

    def disturbed(self) -> None:
        """Something happened outside of a tick. A room without ticks shows it at once."""
        if self._ended:
            return
        if not self.room.tick_rate:
            self._stopwatch.lap(EVENTS)
            self.step(1)
            self.prepare()
            self.send()
            self._stopwatch.finish()
            self._set_timer()
            return
        notified = self._settle()
        if self.room.tick_rate < PROMPT_RATE:
            for session in notified:
                session.flush()

    def _fire(self) -> None:
        """A timer of a room without ticks is due."""
        self._timer = None
        if not self._ended:
            self.advance()
            self.disturbed()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.room.next_timer
        if due is not None and not self._ended:
            self._timer = self._host.call_later(due, self._fire)

    # What the rules did

    def _settle(self) -> list[Session]:
        """Hands over what the room has for its players, and acts on who was kicked and whether it ended."""
        room = self.room
        told = []
        if room.notified:
            for member in room.notified:
                session = self.sessions.get(member.id)
                if session is not None:
                    session.take_mail(member)
                    told.append(session)
            room.notified.clear()
        if room.reviewed:
            for member in room.reviewed:
                session = self.sessions.get(member.id)
                if session is not None:
                    session.describe_anew(self, member)
            room.reviewed.clear()
        if room.kicked:
            kicked, room.kicked = room.kicked, []
            for member, reason in kicked:
                self._send_away(member.id, CloseCode.KICKED, reason or CloseCode.KICKED.reason)
        if room.closed is not None and not self._ended:
            self._end()
        return told

    def _send_away(self, player_id: str, code: int, reason: str) -> None:
        session = self.sessions.pop(player_id, None)
        if session is not None:
            session.dismiss(code, reason)
        self._vacated()

    def _vacated(self) -> None:
        """Somebody's seat is free."""
        if not self.sessions:
            self.empty_since = self._host.now()
        self._host.waiting.add(self, self._host.now())

    def dispose(self) -> None:
        """Ends the room, if it has not ended yet."""
        if not self._ended:
            self.room.dispose()
            self._settle()

    def _end(self) -> None:
        self._ended = True
        if self._beat is not None:
            self._host.ticker.remove(self._beat)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        closing = self.room.closed
        assert closing is not None
        if closing.error is not None:
            error = closing.error
            self._metrics.rooms_failed += 1
            log.error(
                "a hook failed; its room has ended",
                game=error.game,
                hook=error.hook,
                room=error.room,
                file=error.file,
                line=error.line,
                exc_info=error.__cause__,
            )
        self._host.forget(self)
        if closing.error is None and not self._broken:
            # The room has committed once more: its players see how it ended.
            self.prepare()
            self.send()
        for player_id in list(self.sessions):
            self._send_away(player_id, closing.code, closing.reason)
        self.room.dispose()
        self._metrics.ended.add(self.traffic())


class Host:
    """All rooms of this instance, and the games that rooms can be opened of."""

    def __init__(
        self,
        games: Iterable[type[Game]],
        ticker: Ticker,
        *,
        make_audiences: Callable[[Room], list[Audience]] = lambda room: [],
        max_players: int | None = None,
        max_rooms: int = 0,
        empty_seconds: float = 10.0,
        now: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] | None = None,
    ) -> None:
        self.games = {game.name: game for game in games}
        self.rooms: dict[str, HostedRoom] = {}
        self.waiting: Waiting[HostedRoom] = Waiting()
        self.ticker = ticker
        self.metrics: Metrics = ticker.metrics
        self.now = now
        self._make_audiences = make_audiences
        self._max_players = max_players
        self._max_rooms = max_rooms
        self._empty_seconds = empty_seconds
        self._call_later = call_later
        self._opened = 0

    def find_seat(self, game_id: str, player_id: str) -> HostedRoom:
        """The room that a `gameId` means to a player; a new one if it is a game's name and no room has a seat. Raises `Refusal`."""
        waiting = self.waiting.of(game_id, "") if game_id in self.games else None
        return choose(game_id, player_id, rooms=self.rooms, waiting=waiting, open_room=self.open_room)

    def most_players(self, game_name: str) -> int:
        """How many may be in a room of a game, unless whoever opens it wants it smaller; 0: any number."""
        return self._max_players or self.games[game_name].max_players

    def open_room(self, game_name: str, listing: Listing | None = None) -> HostedRoom:
        """A new room. Its id cannot be guessed; its dice are nobody's. Raises `Refusal`: there are too many, the rules do not
        want it or have failed."""
        if 0 < self._max_rooms <= len(self.rooms):
            raise Refusal(code="GAME-008")
        listing = listing or Listing()
        setup = listing.setup
        if setup.max_players is None:
            setup = setup._replace(max_players=self._max_players)
        stopwatch = Stopwatch(self.metrics.games[game_name].timing, self.ticker.course)
        room = Room(
            self.games[game_name],
            room_id=secrets.token_urlsafe(16),
            seed=secrets.randbits(64),
            setup=setup,
            stopwatch=stopwatch,
        )
        self.metrics.games[game_name].rooms_opened += 1
        self._opened += 1
        listing.number, listing.opened = self._opened, time.time()
        hosted = HostedRoom(self, room, stopwatch, listing)
        if room.closed is not None:
            raise Refusal(code="GAME-005")
        hosted.audiences = self._make_audiences(room)
        self.rooms[room.id] = hosted
        self.waiting.add(hosted, self.now())
        return hosted

    def sweep(self, now: float) -> None:
        """Ends rooms that have been empty for long enough; to be called now and then."""
        for hosted in list(self.rooms.values()):
            empty = hosted.empty_since is not None and now - hosted.empty_since >= self._empty_seconds
            if empty and not hosted.seats.reserved(now):
                hosted.dispose()
            else:
                self.waiting.add(hosted, now)  # the rules may have made room

    def forget(self, hosted: HostedRoom) -> None:
        """The room has ended."""
        self.rooms.pop(hosted.room.id, None)
        self.waiting.remove(hosted)
        self.metrics.games[hosted.game_name].rooms_ended += 1

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        if self._call_later is not None:
            return self._call_later(seconds, call)
        return asyncio.get_running_loop().call_later(seconds, call)

    def close(self) -> None:
        """Ends all rooms."""
        for hosted in list(self.rooms.values()):
            hosted.dispose()
        self.ticker.close()
