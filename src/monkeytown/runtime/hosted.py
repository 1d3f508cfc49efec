"""One room in time, with those who sit in it: stepped, handed to its readers, and ended.

Knows its room, its sessions and what the rules did; does not know other rooms or how readers are reached: it tells its
audiences that there is something new.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import structlog

from monkeytown._core.timing import ENCODE, EVENTS, SEND, Stopwatch
from monkeytown.errors import Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.room.closing import HANDED_OVER
from monkeytown.room.member import Member
from monkeytown.room.publications import Publication
from monkeytown.room.room import Room
from monkeytown.runtime.clockwork import Clockwork
from monkeytown.runtime.kept import KeptRoom
from monkeytown.runtime.listing import Listing
from monkeytown.runtime.place import Holder
from monkeytown.runtime.seats import Seats

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host

__all__ = ["HostedRoom"]

log = structlog.get_logger()

# Slower rooms do not let events wait for the next tick.
PROMPT_RATE = 20


class HostedRoom(KeptRoom):
    """One room in time, with those who sit in it."""

    def __init__(self, host: Host, room: Room, stopwatch: Stopwatch, listing: Listing) -> None:
        super().__init__(room, host.metrics.games[room.name])
        self._room = room
        self.listing = listing
        self.seats = Seats(room.members)
        self.sessions: dict[str, Holder] = {}
        """By player id."""
        self.empty_since: float | None = host.now()
        self._host = host
        self._stopwatch = stopwatch
        self._untold: set[Member] = set()
        """For whom there was something private in a step that nothing was made ready after."""
        self._clockwork = Clockwork(host, room)
        self._topics: set[str] = set()
        """What it listens to."""
        self._ended = False
        self._broken = False
        self.in_doubt = False
        """Whether it may be another instance's by now. Nothing happens here, nobody is told anything, till that is clear."""
        if room.closed is not None:
            self._end()
        else:
            self._start()

    @property
    def room(self) -> Room:
        return self._room

    @property
    def _hosted(self) -> HostedRoom:
        return self

    @property
    def is_full(self) -> bool:
        """Whether nobody else can sit down; seats that are only reserved count as free."""
        return self.room.closed is not None or self.room.is_full

    def has_seats_for(self, players: Collection[str]) -> bool:
        """Whether all of these can sit down."""
        limit = self.room.game.max_players
        return self.room.closed is None and self.seats.has_for(players, limit, self._host.now())

    # Players

    def join(self, session: Holder) -> Member:
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

    def claim(self, session: Holder) -> Member | None:
        """Gives the seat that a session's player has already to what holds that session now; None if there is no seat."""
        member = self.room.members.get(session.id)
        if member is None or self.room.closed is not None:
            return None
        former = self.sessions.get(session.id)
        self.sessions[session.id] = session
        if former is not None and former.key != session.key:
            former.replaced()
        self.empty_since = None
        return member

    def _take_over(self, session: Holder, former: Holder) -> Member:
        """The same player has come from elsewhere, with a client that knows nothing yet."""
        member = self.room.members[session.id]
        self.sessions[session.id] = session
        former.replaced()
        member.input = 0
        self.room.resume(session.id)
        self.room.introduce_all(member)
        self.room.keeping.remind(member)
        return member

    def drop(self, session: Holder) -> None:
        self.advance()
        self.room.drop(session.id)
        self.disturbed()

    def resume(self, session: Holder) -> None:
        self.advance()
        self.room.resume(session.id)
        self.disturbed()

    def leave(self, session: Holder) -> None:
        if self.sessions.get(session.id) is not session:
            return
        del self.sessions[session.id]
        self.advance()
        self.room.leave(session.id)
        self._vacated()
        self.disturbed()

    def introduce_all(self, session: Holder) -> None:
        member = self.room.members[session.id]
        self.room.introduce_all(member)
        session.take_mail(member)

    def chat(self, session: Holder, text: str) -> None:
        self.advance()
        self.room.chat(session.id, text)
        self.disturbed()

    def act(self, session: Holder, action: dict[str, Any], number: int, seen_tick: int) -> None:
        self.advance()
        self.room.act(session.id, action, number, seen_tick)
        self.disturbed()

    def note_documents(self) -> None:
        """What the rules have changed in their players' documents is kept, if the room goes on here."""
        if self.room.closed is None and not self._ended and not self.in_doubt:
            self.room.keeping.documents()
            self._settle()

    def hear(self, publication: Publication) -> None:
        """Another room has said something that this one listens to."""
        self.advance()
        self._room.hear(publication.topic, *publication.content)
        self.disturbed()

    # Time

    def step(self, steps: int) -> None:
        """Moves the room by that many ticks."""
        room = self._room
        if self.in_doubt:
            return
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
                or room.publications.said
                or room.publications.topics != self._topics
            ):
                self._settle()
                self._stopwatch.lap(SEND)
        except Exception:
            self._failed()

    def prepare(self) -> None:
        """Makes ready what brings whoever reads to now, once, however many ticks that is."""
        if self.in_doubt:
            return
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
        if self.in_doubt:
            return
        try:
            for audience in self.audiences:
                audience.send()
        except Exception:
            self._failed()
        self._stopwatch.lap(SEND)

    def _too_long(self, nanoseconds: int) -> None:
        """All other rooms of this instance wait for this one, tick after tick."""
        if not self._ended:
            self._room.overrun(nanoseconds / 1e9)
            self._settle()

    def _failed(self) -> None:
        """Not the rules' fault, which the room catches, but ours: other rooms must not pay for it."""
        self._broken = True
        log.exception("a room failed", game=self.room.name, room=self.room.id)
        self._metrics.rooms_failed += 1
        self.dispose()

    def advance(self) -> None:
        """A room without ticks moves to the time it is, before anything happens in it."""
        if not self._host.attentive():
            return  # whether the room is still ours is not known
        if self.room.tick_rate or self._ended:
            return
        self._host.ticker.course.start()
        self._clockwork.advance()

    def disturbed(self) -> None:
        """Something happened outside of a tick. A room without ticks shows it at once."""
        if self._ended or self.in_doubt:
            return
        if not self.room.tick_rate:
            self._stopwatch.lap(EVENTS)
            self.step(1)
            self.prepare()
            self.send()
            self._stopwatch.finish()
            self._clockwork.set_timer(self._fire)
            return
        notified = self._settle()
        if self.room.tick_rate < PROMPT_RATE:
            for session in notified:
                session.flush()

    def _fire(self) -> None:
        """A timer of a room without ticks is due."""
        if not self._ended:
            self.advance()
            self.disturbed()

    # What the rules did

    def _settle(self) -> list[Holder]:
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
        publications = room.publications
        if publications.topics != self._topics:
            before, self._topics = self._topics, set(publications.topics)
            self._host.topics.follow(self, self._topics, before)
        for publication in publications.take():
            self._host.topics.publish(publication, self)
        if room.kicked:
            kicked, room.kicked = room.kicked, []
            for member, reason in kicked:
                self._send_away(member.id, CloseCode.KICKED, reason or CloseCode.KICKED.reason)
        if room.closed is not None and room.closed is not HANDED_OVER and not self._ended:
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

    def _start(self) -> None:
        """From now on time passes."""
        if self._room.tick_rate:
            self._clockwork.tick(self.step, (self.prepare, self.send), self._stopwatch, self._too_long)
        else:
            self._clockwork.wind(self._fire)

    def _stop(self) -> None:
        """Time stands still."""
        self._host.topics.follow(self, set(), self._topics)
        self._topics = set()
        self._clockwork.stop()

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
