"""All sessions of this instance: who may come back to which, and for how long.

Knows players' ids and time; does not know messages or connections.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from monkeytown.runtime.limits import Limits
from monkeytown.runtime.link import Link
from monkeytown.runtime.secret import player_of
from monkeytown.runtime.session import Session

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host

__all__ = ["Sessions"]

# A sweep must not hold up a tick. Who comes back too late is refused even if it was not yet swept, and who is told
# something is pruned anyway.
EXPIRED_AT_ONCE, PRUNED_AT_ONCE = 50, 250


class Sessions:
    """Sessions by their player's id, from their first welcome until they are over."""

    def __init__(
        self,
        host: Host,
        limits: Limits,
        *,
        may_keep: Callable[[str, int], bool] = lambda address, count: True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.limits = limits
        self.now = now
        self._known: dict[str, Session] = {}
        self._away: dict[Session, float] = {}
        """Until when those without a connection are kept; who has been away for longest comes first."""
        self._away_from: dict[str, dict[Session, None]] = {}
        """The same by the address that they had."""
        self._may_keep = may_keep
        self._to_prune: Iterator[Session] = iter(())

    def __len__(self) -> int:
        return len(self._known)

    @property
    def away(self) -> int:
        """How many have no connection and may come back."""
        return len(self._away)

    def begin(self, link: Link) -> Session:
        """A session for a client that has said nothing yet."""
        return Session(self, link)

    def welcome(self, session: Session) -> None:
        """From now on it can be resumed."""
        self._known[session.id] = session

    def find(self, token: str) -> Session | None:
        """The session that a token opens; None if there is none, or it was away for too long."""
        session = self._known.get(player_of(token))
        if session is None:
            return None
        session.confirm()
        if not session.secret.opened_by(token):
            return None
        until = self._away.get(session)
        if until is not None and self.now() >= until:
            session.expire()
            return None
        return session

    def keep(self, session: Session, seconds: float) -> None:
        """It has lost its connection, and so long to come back. When too many have, or too many of one address, those gone
        for longest make room."""
        self._away[session] = self.now() + seconds
        neighbours = self._away_from.setdefault(session.address, {})
        neighbours[session] = None
        if not self._may_keep(session.address, len(neighbours)):
            self._push_out(next(iter(neighbours)))
        elif len(self._away) > self.limits.kept_sessions:
            self._push_out(next(iter(self._away)))

    def _push_out(self, session: Session) -> None:
        self.host.metrics.sessions_pushed_out += 1
        session.expire()

    def back(self, session: Session) -> None:
        """It has a connection again."""
        if self._away.pop(session, None) is None:
            return
        neighbours = self._away_from[session.address]
        del neighbours[session]
        if not neighbours:
            del self._away_from[session.address]

    def forget(self, session: Session) -> None:
        """It is over."""
        self._known.pop(session.id, None)
        self.back(session)

    def sweep(self, now: float) -> None:
        """Ends those that have been away for too long; to be called now and then."""
        over = (session for session, until in self._away.items() if now >= until)
        for session in list(islice(over, EXPIRED_AT_ONCE)):
            session.expire()
        for _ in range(PRUNED_AT_ONCE):
            known = next(self._to_prune, None)
            if known is None:
                self._to_prune = iter(tuple(self._known.values()))
                break
            known.prune()
