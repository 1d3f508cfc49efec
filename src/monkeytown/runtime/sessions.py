"""All sessions of this instance: who may come back to which, and for how long.

Knows keys, players' ids and time; does not know messages or connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from heapq import heappop, heappush
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from monkeytown.errors import Refusal
from monkeytown.identity import Identity
from monkeytown.protocol.close import CloseCode
from monkeytown.room.publications import Publication
from monkeytown.runtime.elsewhere import Elsewhere
from monkeytown.runtime.gate import Gate, OpenGate
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.link import Link
from monkeytown.runtime.secret import key_of
from monkeytown.runtime.session import Session

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host
    from monkeytown.runtime.place import Place

__all__ = ["Sessions"]

log = structlog.get_logger()

A = TypeVar("A")

# A sweep must not hold up a tick. Who comes back too late is refused even if it was not yet swept, and who is told
# something is pruned anyway.
EXPIRED_AT_ONCE, PRUNED_AT_ONCE = 50, 250


class Sessions:
    """All of them, from their first welcome until they are over."""

    def __init__(
        self,
        host: Host,
        limits: Limits,
        *,
        gate: Gate | None = None,
        may_keep: Callable[[str, int], bool] = lambda address, count: True,
        now: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        host.topics.tell = self.tell
        self.limits = limits
        self.gate: Gate = gate or OpenGate()
        self.now = now
        self.in_turn: Callable[[Callable[[], None]], object] = lambda call: call()
        """Calls what lets somebody in, in its turn."""
        self.elsewhere: Elsewhere | None = None
        """The other instances, if there are any."""
        self._wall_clock = wall_clock
        self._known: dict[str, Session] = {}
        """By their keys."""
        self._players: dict[str, set[Session]] = {}
        """Those of players with a token, by the player's id."""
        self._expiring: list[tuple[float, float, int, str]] = []
        """A heap: when to do something about which token, when that expires, and the key of its session."""
        self._count = count()
        self._asking: set[asyncio.Task[None]] = set()
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
        self._known[session.key] = session
        if session.identity is not None:
            self._players.setdefault(session.id, set()).add(session)
            self.watch(session)

    # Who players are

    def admit_guest(self, session: Session) -> None:
        """Raises `Refusal` if the client has shown no token and nobody comes in without one."""
        if session.identity is None and not self.gate.guests:
            raise Refusal(code="AUTH-006")

    def identify(self, token: str, tell: Callable[[Identity | Refusal], None]) -> None:
        """Finds out who a token stands for, and tells."""
        self.ask(self.gate.identify(token), tell)

    def ask(self, question: Coroutine[Any, Any, A], tell: Callable[[A | Refusal], None]) -> None:
        """Waits for an answer, and tells it in its turn."""
        task = asyncio.get_running_loop().create_task(self._ask(question, tell))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, question: Coroutine[Any, Any, A], tell: Callable[[A | Refusal], None]) -> None:
        answer: A | Refusal
        try:
            answer = await question
        except Refusal as refusal:
            answer = refusal
        except Exception:
            log.exception("what a client asked for could not be found out")
            answer = Refusal(code="SYS-001")
        self.in_turn(lambda: tell(answer))

    def watch(self, session: Session) -> None:
        """Its client is to be asked for another token when this one expires."""
        identity = session.identity
        if identity is not None and identity.expires is not None:
            heappush(self._expiring, (identity.expires, identity.expires, next(self._count), session.key))

    def has_expired(self, identity: Identity) -> bool:
        """Whether a token is of no use any more, its grace included."""
        return (
            identity.expires is not None
            and self._wall_clock() >= identity.expires + self.limits.expiry_seconds
        )

    def seat_of(self, session: Session, game_id: str) -> Place | None:
        """The room that a `gameId` means to a player who has a seat there already."""
        if session.identity is None:
            return None
        for other in self._players.get(session.id, ()):
            if other.hosted is not None and other.hosted.is_meant_by(game_id):
                return other.hosted
        return self.host.awaiting(session.id, game_id)

    def send_away(self, player_id: str, code: CloseCode) -> int:
        """Ends all sessions of a player; how many those were."""
        sessions = list(self._players.get(player_id, ()))
        for session in sessions:
            session.send_away(code)
        return len(sessions)

    def tell(self, publication: Publication) -> None:
        """Something for a player of whom some session may be here."""
        for session in self.of(publication.player):
            session.tell(publication.news)

    def of(self, player_id: str) -> list[Session]:
        """The sessions of a player, who is somebody's token or a session without one."""
        by_key = self._known.get(player_id)
        return list(self._players.get(player_id, () if by_key is None else (by_key,)))

    def documented(self, player_id: str, data: bytes) -> None:
        """The rules have changed a player's document: whatever room comes next gets that one."""
        for session in self._players.get(player_id, ()):
            if session.identity is not None:
                session.identity = session.identity._replace(data=data)

    def _expire_tokens(self) -> None:
        now, grace = self._wall_clock(), self.limits.expiry_seconds
        while self._expiring and self._expiring[0][0] <= now:
            due, expires, _, key = heappop(self._expiring)
            session = self._known.get(key)
            if session is None or session.identity is None or session.identity.expires != expires:
                continue  # it is over, or has another token by now
            if due > expires:
                session.expire_token()
            else:
                session.remind()
                heappush(self._expiring, (expires + grace, expires, next(self._count), key))

    def find(self, token: str) -> Session | None:
        """The session that a token opens; None if there is none, or it was away for too long."""
        session = self._known.get(key_of(token))
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

    def changed(self, session: Session, *, urgent: bool = False) -> None:
        """Something of it is different that whoever goes on with it elsewhere must know; urgent: or it cannot go on."""
        if self.elsewhere is not None:
            self.elsewhere.changed(session, urgent)

    def take_in(self, session: Session, seconds: float) -> None:
        """One that comes from another instance, without a connection so far."""
        self._known[session.key] = session
        if session.identity is not None:
            self._players.setdefault(session.id, set()).add(session)
            self.watch(session)
        self.keep(session, seconds)

    def known(self, key: str) -> Session | None:
        return self._known.get(key)

    @property
    def all(self) -> list[Session]:
        return list(self._known.values())

    def forget(self, session: Session, *, moved: bool = False) -> None:
        """It is over, or goes on at another instance."""
        known = self._known.pop(session.key, None)
        others = self._players.get(session.id)
        if others is not None:
            others.discard(session)
            if not others:
                del self._players[session.id]
        self.back(session)
        if known is not None and not moved and self.elsewhere is not None:
            self.elsewhere.forgotten(session)

    def close(self) -> None:
        """Nobody is let in any more."""
        for task in self._asking:
            task.cancel()

    def sweep(self, now: float) -> None:
        """Ends those that have been away for too long; to be called now and then."""
        self._expire_tokens()
        over = (session for session, until in self._away.items() if now >= until)
        for session in list(islice(over, EXPIRED_AT_ONCE)):
            session.expire()
        for _ in range(PRUNED_AT_ONCE):
            known = next(self._to_prune, None)
            if known is None:
                self._to_prune = iter(tuple(self._known.values()))
                break
            known.prune()
