"""How a session goes from place to place: to a room that goes on elsewhere, or with its client to another instance.

Knows what a session has, which the session makes; not who decides where it goes.
"""

from __future__ import annotations

import secrets
from abc import abstractmethod
from typing import TYPE_CHECKING, Self

from monkeytown.identity import Identity
from monkeytown.protocol.close import CloseCode
from monkeytown.room.member import Member
from monkeytown.runtime.greeting import Greeting
from monkeytown.runtime.link import Link
from monkeytown.runtime.record import SessionRecord
from monkeytown.runtime.requests import Requests
from monkeytown.runtime.secret import ResumeSecret
from monkeytown.runtime.speaker import Speaker

if TYPE_CHECKING:
    from monkeytown.runtime.place import Place
    from monkeytown.runtime.sessions import Sessions

__all__ = ["Traveller", "kind_of_view"]

KEY_BYTES = 16


class Traveller(Speaker):
    """The side of a session that moves."""

    key: str
    """Names the session: 128 bits that nobody can guess."""
    id: str
    name: str | None
    identity: Identity | None
    hosted: Place | None
    secret: ResumeSecret
    _requests: Requests
    _greeting: Greeting
    _described: tuple[bool, float] | None
    _welcomed: float | None
    _lost: float
    _ended: bool
    has_moved = False
    """Whether it goes on at another instance."""

    def __init__(self, sessions: Sessions, link: Link | None, key: str | None = None) -> None:
        super().__init__(sessions, link)
        self.key = key or secrets.token_urlsafe(KEY_BYTES)

    @abstractmethod
    def end(self, code: CloseCode) -> None: ...
    @abstractmethod
    def _finish(self) -> None: ...
    @abstractmethod
    def describe(self, link: Link, hosted: Place, member: Member) -> None: ...

    def rehouse(self, hosted: Place, member: Member) -> None:
        """Its room goes on elsewhere, or from another moment: its client is shown that, and notices nothing else."""
        link = self._link
        if link is not None:
            link.leave()
        self.hosted = hosted
        if link is not None:
            if self._described != kind_of_view(member):
                self.describe(link, hosted, member)
            link.enter(hosted, member)
            link.flush()
        self._sessions.changed(self._session)

    def hold(self) -> None:
        """Its room is on its way elsewhere: what its client says has its turn there, after `release`."""
        self._greeting.hold()

    def release(self) -> None:
        self._greeting.release(self._session)

    def homeless(self) -> None:
        """Its room is no more, and nobody knows what became of it."""
        if self._link is None:
            self.hosted = None
            self._finish()
            return
        self._link.leave()
        self.hosted = None
        self.error("GAME-006")
        self.end(CloseCode.ROOM_CLOSED)

    def move_away(self) -> Link | None:
        """It goes on at another instance. Its link, which is to be closed with a code that says come back."""
        link, self._link = self._link, None
        self._ended = self.has_moved = True
        if link is not None and self.hosted is not None:
            link.leave()
        self._sessions.forget(self._session, moved=True)
        return link

    def lose_track(self) -> None:
        """It may have missed something that nobody can tell it any more: whoever comes back is told so."""
        self._outbox.skip()

    def record(self) -> SessionRecord:
        """What another instance needs to go on with it."""
        return SessionRecord(
            key=self.key,
            secrets=self.secret.both,
            id=self.id,
            name=self.name,
            identity=self.identity,
            room="" if self.hosted is None else self.hosted.room.id,
            received=self._requests.received,
            number=self._outbox.last,
            news=self._outbox.kept,
            described=self._described,
        )

    @classmethod
    def recorded(cls, sessions: Sessions, record: SessionRecord) -> Self:
        """One that goes on from what was recorded of it, without a connection so far."""
        session = cls(sessions, None, record.key)
        session.secret = ResumeSecret(record.key, *record.secrets)
        session.id, session.name, session.identity = record.id, record.name, record.identity
        session._requests.received = record.received
        session._outbox.restore(record.number, record.news)
        session._described = record.described
        session._welcomed, session._lost = sessions.now(), sessions.now()
        return session


def kind_of_view(member: Member) -> tuple[bool, float]:
    """Two views of one kind are described alike, and one goes on where the other was."""
    return member.sight is not None and member.view is member.sight, member.delay
