"""How a client introduces itself: with nothing, with a token, or as who it was before.

Knows what is said and in which order; who a token stands for the sessions' gate says. That may take a while, in which what
comes from the client waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monkeytown.errors import Refusal
from monkeytown.identity import Identity
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.messages import Hello
from monkeytown.runtime.link import Link

if TYPE_CHECKING:
    from monkeytown.runtime.requests import Requests
    from monkeytown.runtime.session import Session
    from monkeytown.runtime.sessions import Sessions

__all__ = ["TURNED_AWAY", "Greeting"]

MOST_WAITING = 64
"""Messages that wait while a token is looked at."""

TURNED_AWAY = {
    "AUTH-001": CloseCode.NOT_ALLOWED,
    "AUTH-004": CloseCode.EXPIRED,
    "AUTH-005": CloseCode.BANNED,
    "AUTH-006": CloseCode.NOT_ALLOWED,
}
"""What becomes of a client whose greeting was refused, by error code."""


class Greeting:
    """Of one session. Like its requests it is handed the session each time."""

    __slots__ = ("_sessions", "_waiting")

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: list[bytes] | None = None
        """What came while a token is looked at; None while none is."""

    def hold(self) -> None:
        """What comes from the client waits, until `release`."""
        if self._waiting is None:
            self._waiting = []

    def release(self, session: Session) -> None:
        """Whatever waited has its turn."""
        waiting, self._waiting = self._waiting or [], None
        for data in waiting:
            session.receive(data)

    def take(self, session: Session, link: Link, data: bytes, requests: Requests) -> None:
        """One whole message, which has its turn once it is clear who says it."""
        if self._waiting is None:
            requests.take(session, link, data)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(data)
        else:
            session.end(CloseCode.FLOODING)

    def hello(self, session: Session, link: Link, message: Hello) -> None:
        """Raises `Refusal`."""
        if message.token is None:
            self._greet(session, link, message, None)
            return
        self.hold()
        self._sessions.identify(message.token, lambda verdict: self._identified(link, message, verdict))

    def _identified(self, link: Link, message: Hello, verdict: Identity | Refusal) -> None:
        """It is clear who the token stands for."""
        session = link.session
        waiting, self._waiting = self._waiting, None
        if not session.is_open:
            return
        try:
            if isinstance(verdict, Refusal):
                raise verdict
            self._greet(session, link, message, verdict)
        except Refusal as refusal:
            session.error(refusal.code, refusal.message)
            if isinstance(verdict, Refusal):
                session.end(TURNED_AWAY.get(refusal.code, CloseCode.GOING_AWAY))
        self._finish(link, waiting or [])

    def _finish(self, link: Link, waiting: list[bytes]) -> None:
        link.flush()
        if self._waiting is not None:  # another instance is asked for the session
            self._waiting += waiting
            return
        session = link.session  # another one, if the client has come back to it
        for data in waiting:
            session.receive(data)

    def _greet(self, session: Session, link: Link, message: Hello, identity: Identity | None) -> None:
        if message.resume is None:
            session.become(identity, message.name)
            session.welcome(session.name or "")
            return
        if session.is_welcome:
            raise Refusal(code="AUTH-003")
        former = self._sessions.find(message.resume.session)
        elsewhere = self._sessions.elsewhere
        if former is None and elsewhere is not None:
            self.hold()
            found = elsewhere.find(message.resume.session, identity)
            self._sessions.ask(found, lambda answer: self._found(link, message, identity, answer))
            return
        self._go_on(session, link, message, identity, former)

    def _found(
        self, link: Link, message: Hello, identity: Identity | None, answer: Session | Refusal | None
    ) -> None:
        """Other instances have the session, or not."""
        session = link.session
        waiting, self._waiting = self._waiting or [], None
        former = None if isinstance(answer, Refusal) else answer
        if not session.is_open:
            return  # what was found is kept here, until its client comes back
        try:
            self._go_on(session, link, message, identity, former)
        except Refusal as refusal:
            session.error(refusal.code, refusal.message)
        self._finish(link, waiting)

    def _go_on(
        self,
        session: Session,
        link: Link,
        message: Hello,
        identity: Identity | None,
        former: Session | None,
    ) -> None:
        """The client is who it was, or, since nobody knows that any more, somebody new."""
        assert message.resume is not None
        if former is not None and self._may_have(former, identity):
            former.identity = identity or former.identity
            former.go_on(link, message.resume)
            return
        self._sessions.host.metrics.resumed["refused"] += 1
        session.become(identity, message.name)
        session.welcome(session.name or "", recovered=False, resumed=None, received=0, number=0, gameId=None)
        raise Refusal(code="AUTH-003")

    def _may_have(self, session: Session, identity: Identity | None) -> bool:
        """Whether whoever comes back may have this session: nobody else, and nobody on a token that has expired."""
        if identity is not None:
            return identity.id == session.id
        return session.identity is None or not self._sessions.has_expired(session.identity)
