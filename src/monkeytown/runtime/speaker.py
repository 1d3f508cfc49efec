"""What a session says to its client, over whatever link it has: what may be missed, and what must not be.

Knows the link, and the outbox that keeps what is not acknowledged; not what is asked, nor rooms.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from monkeytown.errors import ERROR_CODES
from monkeytown.room.mail import News, packed
from monkeytown.room.member import Member
from monkeytown.runtime.link import Link
from monkeytown.runtime.outbox import Outbox

if TYPE_CHECKING:
    from monkeytown.runtime.session import Session
    from monkeytown.runtime.sessions import Sessions

__all__ = ["SERVER", "Speaker"]


def _server() -> str:
    try:
        return f"monkeytown/{version('monkeytown')}"
    except PackageNotFoundError:
        return "monkeytown"


SERVER = _server()
"""What `welcome` calls this program."""


class Speaker:
    """The telling side of one session, which is the only one of its kind."""

    def __init__(self, sessions: Sessions, link: Link | None) -> None:
        self._sessions = sessions
        self._link = link
        self._outbox = Outbox()

    @property
    def _session(self) -> Session:
        raise NotImplementedError

    def error(self, code: str, message: str | None = None) -> None:
        """A numbered `error`."""
        self._sessions.host.metrics.errors[code] += 1
        self._tell(News("error", packed({"code": code, "message": message or ERROR_CODES[code]})))
        self.flush()

    def take_mail(self, member: Member) -> None:
        """What the room has for this player goes on its way."""
        self.prune()
        for news in member.take_mail():
            self._tell(news)

    def tell(self, news: News) -> None:
        """Something that does not come from its room."""
        self._tell(news)
        self.flush()

    def prune(self) -> None:
        """What the client has read need not be kept any longer."""
        if self._link is not None:
            self._outbox.acknowledge(self._link.acked_number)

    def flush(self) -> None:
        if self._link is not None:
            self._link.flush()

    def say(self, kind: str, payload: object) -> None:
        """A message that it does not matter to miss."""
        if self._link is not None:
            self._link.send(self._link.codec.encode(kind, payload))

    def _tell(self, news: News) -> None:
        self._send(self._outbox.append(news), news)
        self._sessions.changed(self._session)

    def _send(self, number: int, news: News) -> None:
        link = self._link
        if link is not None:
            link.send_numbered(link.codec.encode(news.type, news.payload, number), number)
