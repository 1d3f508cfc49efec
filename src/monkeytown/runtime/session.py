"""A session: one player from its first message to its last. It outlives the connections that it has, one after the other.

Knows links, rooms and what the client must not miss; does not know sockets or frames. What the client may ask for is
`monkeytown.runtime.requests`' matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monkeytown.errors import Refusal
from monkeytown.identity import Identity
from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode, may_return
from monkeytown.protocol.messages import Hello, Resume
from monkeytown.room.member import Member
from monkeytown.runtime.elsewhere import Seat
from monkeytown.runtime.greeting import TURNED_AWAY, Greeting
from monkeytown.runtime.link import Link
from monkeytown.runtime.requests import Requests
from monkeytown.runtime.secret import ResumeSecret
from monkeytown.runtime.speaker import SERVER
from monkeytown.runtime.traveller import Traveller, kind_of_view

if TYPE_CHECKING:
    from monkeytown.runtime.place import Place
    from monkeytown.runtime.sessions import Sessions

__all__ = ["SERVER", "Session"]


class Session(Traveller):
    """One player. `receive` takes its messages; the room's host hands it what the room says."""

    def __init__(self, sessions: Sessions, link: Link | None, key: str | None = None) -> None:
        super().__init__(sessions, link, key)
        self.id = self.key
        """The player's id: one that a token stands for, or nobody's but this session's."""
        self.name: str | None = None
        self.identity: Identity | None = None
        """Who the player has shown to be; None for one without a token."""
        self.hosted: Place | None = None
        """The room it is in."""
        self.said_something = False
        self.address = "" if link is None else link.address
        """Where its client is, or was last."""
        self.secret = ResumeSecret(self.key)
        self._requests = Requests(sessions)
        self._welcomed: float | None = None
        """When its link was last welcomed."""
        self._lost = 0.0
        """When it lost the link before."""
        self._ended = False
        self._dismissed: tuple[int, str] | None = None
        """How the game ended it while nobody was there to be told."""
        self._described: tuple[bool, float] | None = None
        """What kind of view its client was last told of."""
        self._greeting = Greeting(sessions)

    @property
    def _session(self) -> Session:
        return self

    @property
    def is_open(self) -> bool:
        """Whether it goes on and has a connection."""
        return self._link is not None and not self._ended

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or goes on at another instance."""
        return self._ended

    @property
    def is_welcome(self) -> bool:
        """Whether the client was told who it is."""
        return self._welcomed is not None

    def receive(self, data: bytes) -> None:
        """One whole message of its client."""
        if self._link is None or self._ended:
            return
        self.said_something = True
        self._greeting.take(self, self._link, data, self._requests)

    # What the client may do

    def hello(self, link: Link, message: Hello) -> None:
        """The client says who it is, or who it was. Raises `Refusal`: whoever it was, that is over."""
        self._greeting.hello(self, link, message)

    def become(self, identity: Identity | None, name: str | None) -> None:
        """The client has said who it is. Raises `Refusal` if it may not be that."""
        if identity is None:
            self._sessions.admit_guest(self)
        elif self.identity is None and not self.is_welcome:
            self.identity, self.id = identity, identity.id
        elif identity.id == self.id:
            self.identity = identity
        else:
            raise Refusal(code="AUTH-003")
        if self.identity is not None and self.identity.name is not None:
            self.name = self.identity.name
        elif name is not None:
            self.name = name

    def join(self, link: Link, game_id: str) -> None:
        """Takes a seat, or the one that the same player has there already. Raises `Refusal`."""
        if self.hosted is not None:
            raise Refusal(code="GAME-004")
        self._sessions.admit_guest(self)
        if self._sessions.elsewhere is not None:
            self._greeting.hold()
            seat = self._sessions.elsewhere.seat(self, game_id)
            self._sessions.ask(seat, lambda answer: self._answered(link, answer))
            return
        hosted = self._sessions.seat_of(self, game_id) or self._sessions.host.find_seat(game_id, self.id)
        self._sit(link, hosted, self._sessions.host.seat(hosted, self, game_id))

    def _answered(self, link: Link, answer: Seat | Refusal) -> None:
        """It has a seat, or none, after others were asked."""
        if isinstance(answer, Seat) and (not self.is_open or self.hosted is not None):
            answer.place.leave(self)
        elif isinstance(answer, Seat):
            self._sit(self._link or link, *answer)
        elif self.is_open:
            self.refused(answer)
        self._greeting.release(self)

    def _sit(self, link: Link, hosted: Place, member: Member) -> None:
        """Shows its client the room that it has a seat in."""
        self.hosted = hosted
        self._requests.joined(hosted.room.tick_rate)
        if self._welcomed is None:
            self.welcome(member.player.name)
        self.describe(link, hosted, member)
        self.take_mail(member)
        link.enter(hosted, member)
        link.flush()
        hosted.disturbed()
        self._sessions.changed(self)

    def refused(self, refusal: Refusal) -> None:
        """What its client has asked for is not granted."""
        self.error(refusal.code, refusal.message)
        if refusal.code in TURNED_AWAY:
            self.end(TURNED_AWAY[refusal.code])

    def leave(self) -> None:
        """Gives the seat up. Raises `Refusal` if there is none."""
        if self.hosted is None:
            raise Refusal(code="GAME-003")
        self._leave()

    # Connections that come and go

    def go_on(self, link: Link, resume: Resume) -> None:
        """Goes on over this link; whoever had the session before is told."""
        self._move_to(link)
        self.secret.renew(resume.session)
        if self._dismissed is not None:
            self._end(*self._dismissed)
            return
        hosted = self.hosted
        member = None if hosted is None else hosted.members[self.id]
        missed = self._outbox.since(resume.number)
        number = self._outbox.last if missed is None else resume.number
        self._outbox.acknowledge(number)
        link.count_from(number)
        position = None if member is None else self._position(member, resume)
        resumed = None if member is None else "snapshot" if position is None else "delta"
        metrics = self._sessions.host.metrics
        metrics.resumed[resumed or "nowhere"] += 1
        metrics.unrecovered += missed is None
        self.welcome(
            self.name or "" if member is None else member.player.name,
            recovered=missed is not None,
            resumed=resumed,
            received=self._requests.received,
            number=number,
            gameId=None if hosted is None else hosted.room.id,
        )
        if hosted is not None and member is not None and position is None:
            self.describe(link, hosted, member)
        for number, news in missed or ():
            self._send(number, news)
            link.flush()  # what may be missed is as much as may wait
        if hosted is not None and member is not None:
            if missed is None:
                hosted.introduce_all(self)
            link.enter(hosted, member, position)
            link.flush()
            hosted.resume(self)

    def _move_to(self, link: Link) -> None:
        """From now on this link is its own. The one before gets the session that the new one had begun with, and ends."""
        newcomer, former = link.session, self._link
        if former is None:
            self._requests.was_away(self._sessions.now() - self._lost)
        newcomer._link, newcomer._ended = former, True
        self._sessions.back(self)
        link.session, self._link, self.address = self, link, link.address
        self.said_something = True
        if former is not None:
            former.session = newcomer
            if self.hosted is not None:
                former.leave()
            former.close(CloseCode.REPLACED, CloseCode.REPLACED.reason)

    def _position(self, member: Member, resume: Resume) -> Position | None:
        """Where the client stands in the room, if a delta can start there."""
        hosted = self.hosted
        if hosted is None or resume.game_id != hosted.room.id or resume.epoch is None or resume.tick is None:
            return None
        if self._described != kind_of_view(member):
            return None
        position = Position(resume.epoch, resume.tick)
        return position if hosted.room.decide(position, member).is_delta else None

    def lost(self, link: Link, *, for_good: bool = False) -> None:
        """This connection of it is gone, whoever ended it. `for_good`: the client has said that it does not come back."""
        if link is not self._link:
            return
        self._let_go(link)
        if self.hosted is None or for_good or self._ended:
            self._finish()
        else:
            self._drop(self.hosted)

    def end(self, code: CloseCode) -> None:
        """Sends the client away."""
        self._end(code, code.reason)

    def replaced(self) -> None:
        """The same player has come from elsewhere and has its seat now."""
        hosted, self.hosted = self.hosted, None
        if hosted is not None and self._link is not None:
            self._link.leave()
        self.send_away(CloseCode.REPLACED)

    def send_away(self, code: CloseCode) -> None:
        """It is over, whether its client is there or not."""
        if self._link is None:
            self._finish()
        else:
            self.end(code)

    def remind(self) -> None:
        """Its token has expired; the client is asked for another one."""
        if self._link is not None:
            self.error("AUTH-004")

    def expire_token(self) -> None:
        """There was none in time: the client is to come back with one. Its seat is kept."""
        if self._link is not None:
            self.end(CloseCode.EXPIRED)

    def dismiss(self, code: int, reason: str) -> None:
        """The game sends the player away. One who has no connection hears of it when it comes back."""
        if self._link is not None:
            self._end(code, reason)
        else:
            self.hosted = None
            self._dismissed = code, reason
            self._sessions.keep(self, self._sessions.limits.seat_seconds)

    def expire(self) -> None:
        """It has been away for too long."""
        self._sessions.host.metrics.sessions_expired += 1
        self._finish()

    def confirm(self) -> None:
        """Finds out whether the client has read its welcome: it says nothing between its hello and that."""
        link = self._link
        if link is not None and self._welcomed is not None and link.last_received > self._welcomed:
            self.secret.confirm()

    def _end(self, code: int, reason: str) -> None:
        """Ends the connection, and the session as well if the client is not to come back."""
        link = self._link
        if self._ended or link is None:
            return
        self._let_go(link)
        if self.hosted is not None and may_return(code):
            self._drop(self.hosted)
        else:
            self._finish()
        link.close(code, reason)

    def _let_go(self, link: Link) -> None:
        self.confirm()
        self.prune()
        self._link, self._lost = None, self._sessions.now()
        if self.hosted is not None:
            link.leave()

    def _drop(self, hosted: Place) -> None:
        """There is a seat and no connection."""
        seconds = hosted.room.seat_seconds
        if seconds is None:
            seconds = self._sessions.limits.seat_seconds
        if seconds > 0:
            self._sessions.keep(self, seconds)
            hosted.drop(self)
        else:
            self._finish()

    def _finish(self) -> None:
        self._ended = True
        self._leave()
        self._sessions.forget(self)

    def _leave(self) -> None:
        hosted, self.hosted = self.hosted, None
        if hosted is not None:
            if self._link is not None:
                self._link.leave()
            hosted.leave(self)

    # What the client is told

    def welcome(self, name: str, **about: Any) -> None:
        self._sessions.welcome(self)
        self._welcomed = self._sessions.now()
        who = {"playerId": self.id, "name": name, "server": SERVER, "session": self.secret.token}
        self.say("welcome", who | about)
        self._sessions.changed(self, urgent=True)

    def describe(self, link: Link, hosted: Place, member: Member) -> None:
        self._described = kind_of_view(member)
        if not link.codec.is_text:
            link.send(hosted.schema(member))

    def complain(self, code: str) -> None:
        """The same for what a client can cause many times a second: told once in a while."""
        if self._requests.may_complain():
            self.error(code)
        else:
            self._sessions.host.metrics.errors[code] += 1

    def describe_anew(self, hosted: Place, member: Member) -> None:
        """The player sees the room in another way: it is described, and then shown, as if they had joined again."""
        link = self._link
        if link is None:
            return
        link.leave()
        self.describe(link, hosted, member)
        link.flush()  # what is queued goes out behind the next state, which is of the new kind already
        link.enter(hosted, member)
