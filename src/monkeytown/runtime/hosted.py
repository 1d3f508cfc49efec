"""One room in time, with those who sit in it: stepped, handed to its readers, and ended.

Knows its room, its sessions and what the rules did; does not know other rooms or how readers are reached: it tells its
audiences that there is something new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

import structlog

from monkeytown._core.timing import ENCODE, EVENTS, SEND, Stopwatch
from monkeytown.errors import HookError, Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import BINARY
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.room.view import EVERYTHING
from monkeytown.runtime.listing import Listing
from monkeytown.runtime.metrics import Traffic
from monkeytown.runtime.seats import Seats
from monkeytown.runtime.ticker import Beat

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host
    from monkeytown.runtime.session import Session

__all__ = ["Audience", "HostedRoom"]

log = structlog.get_logger()

# Slower rooms do not let events wait for the next tick.
PROMPT_RATE = 20

BROUGHT_BACK = ""
"""Has reserved the seats of those who were in a room when it was put away. Nobody's id is empty."""


class Audience(Protocol):
    """The readers of one kind in one room."""

    def prepare(self, room: Room) -> None:
        """The room has moved: makes ready what brings its readers to now."""

    def send(self) -> None:
        """Sends what was made ready, unless the room has ended meanwhile."""

    def traffic(self) -> Traffic:
        """What was sent to them so far."""
        return Traffic()


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

    def is_meant_by(self, game_id: str) -> bool:
        """Whether a `gameId` is the room's, or that of its game."""
        return game_id in (self.room.name, self.room.id)

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
        """Seats a session's player, or gives it the seat that it has already. Raises `Refusal`."""
        self.advance()
        former = self.sessions.get(session.id)
        if former is not None:
            return self._take_over(session, former)
        identity = session.identity
        document = None if identity is None or not identity.has_data else identity.data
        guest = identity is None or identity.guest
        try:
            self.room.join(session.id, session.name, guest=guest, data=document)
        except Refusal:
            self._settle()
            raise
        self.sessions[session.id] = session
        self.seats.sit(session.id)
        self.empty_since = None
        self._metrics.joins += 1
        return self.room.members[session.id]

    def _take_over(self, session: Session, former: Session) -> Member:
        """The same player has come from elsewhere, with a client that knows nothing yet."""
        member = self.room.members[session.id]
        self.sessions[session.id] = session
        former.replaced()
        member.input = 0
        self.room.resume(session.id)
        self.room.introduce_all(member)
        self.room.keeping.remind(member)
        return member

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

    def note_documents(self) -> None:
        """What the rules have changed in their players' documents is kept."""
        if self.room.closed is None:
            self.room.keeping.documents()
            self._settle()

    # Put away

    def await_players(self, players: Collection[str], until: float) -> None:
        """The room was brought back: these have their seats until then, and it stays open as long."""
        self.seats.reserve(BROUGHT_BACK, players, until)
        self.empty_since = until

    def awaits(self, player_id: str) -> bool:
        """Whether the player was here when the room was put away, and has not come back yet."""
        return self.seats.waits_for(player_id, BROUGHT_BACK)

    def checkpoint(self) -> bytes | None:
        """The room as it is, to be brought back should the server end without a word; None if it has ended, or ends now."""
        return self._checkpoint(self.room.checkpoint)

    def put_away(self) -> bytes | None:
        """The room stops here, to be brought back later; None if it has ended."""
        self.advance()
        self.disturbed()
        saved = self._checkpoint(self.room.put_away)
        if saved is not None:
            self._ended = True
            self._stop()
            self._host.forget(self)
            self._host.keep(self.room, self.room.keeping.ledger.take())
        return saved

    def _checkpoint(self, make: Callable[[], bytes]) -> bytes | None:
        if self._ended:
            return None
        try:
            return make()
        except HookError:
            self._settle()
            return None

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
            if (
                room.notified
                or room.reviewed
                or room.kicked
                or room.closed is not None
                or room.keeping.ledger.entries
            ):
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
        traffic = Traffic(self.room.encoded.made, self.room.encoded.shared)
        if self.room.area is not None:
            traffic.frames_encoded += self.room.area.encoded
            traffic.frames_shared += self.room.area.shared
        for table in self.room.tables:
            rest = table.bytes_encoded
            for field, column in zip(table.entity.fields(), table.columns, strict=True):
                traffic.column_bytes[table.name, field.name] = column.bytes_encoded
                rest -= column.bytes_encoded
            traffic.column_bytes[table.name, ""] = rest
        for audience in self.audiences:
            traffic.add(audience.traffic())
        return traffic

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
        if room.keeping.ledger.entries:
            self._host.keep(room, room.keeping.ledger.take())
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

    def _stop(self) -> None:
        """Time stands still."""
        if self._beat is not None:
            self._host.ticker.remove(self._beat)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._ended = True
        self._stop()
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
        self._host.keep(self.room, self.room.keeping.ledger.take())
        self._metrics.ended.add(self.traffic())
