"""A room of another instance, as the sessions of this one know it: read here, and played there.

Knows the copy, its owner and the sessions that sit in it. What comes from the owner is applied and shown; what sessions want
goes to the owner. Does not know how an owner is found, nor what becomes of a room whose owner is gone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog

from monkeytown.cluster.messages import (
    Act,
    Back,
    Behind,
    Chat,
    Claim,
    Drop,
    Inputs,
    Introduce,
    Join,
    Joined,
    Leave,
    Mail,
    Message,
)
from monkeytown.cluster.sayings import Sayings
from monkeytown.errors import Refusal, WireError
from monkeytown.protocol.close import CloseCode
from monkeytown.room.feed import Mark
from monkeytown.room.member import Member
from monkeytown.room.mirrored import MirroredRoom
from monkeytown.runtime.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from monkeytown.cluster.node import Node
    from monkeytown.room.feed import Update
    from monkeytown.runtime.session import Session

__all__ = ["Mirror", "said"]

log = structlog.get_logger()

ASK_AGAIN_SECONDS = 0.1
"""A mirror that stands somewhere else than its owner thinks says so no more often."""

REMEMBERED_SECONDS = 5.0
"""Longer than from one checkpoint to the next, and until somebody goes on from it."""


class Mirror(Place):
    """One room of another instance."""

    is_mirror = True

    def __init__(self, node: Node, room: MirroredRoom, owner: str) -> None:
        super().__init__(room, node.host.metrics.games[room.name])
        self.mirrored = room
        self.owner = owner
        """The instance where its rules run."""
        self.sessions: dict[str, Session] = {}
        """By player id."""
        self.sayings = Sayings()
        self.is_lost = False
        """Whether its owner is gone, or another one by now."""
        self.lonely_since: float | None = node.now()
        """Since when it has no sessions."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once there is something to show."""
        self._node = node
        self._numbers: dict[int, Session] = {}
        self._asking: Counter[str] = Counter()
        """For whose seats the owner is asked, by player id."""
        self._left: dict[int, float] = {}
        """Who has left, and when: an owner that goes on from a moment before that does not know."""
        self._asked = 0.0
        if room.mark.position is not None:
            self.ready.set_result(None)

    # What comes from the owner

    def apply(self, update: Update) -> bool:
        """Whether there is something new to show."""
        try:
            fits = self.mirrored.apply(update)
        except WireError:
            self._node.counters["malformed_states"] += 1
            log.warning("a state of another instance cannot be read", room=self.room.id, exc_info=True)
            self._ask_again()
            return False
        if not fits:
            if _newer(update.mark, self.mirrored.mark):
                self._ask_again()
            return False
        if not self.ready.done():
            self.ready.set_result(None)
        for member in self.mirrored.reviewed:
            session = self.sessions.get(member.id)
            if session is not None:
                session.describe_anew(self, member)
        self.mirrored.reviewed.clear()
        return True

    def stands(self, mark: Mark) -> None:
        """The owner thinks that this is where the mirror is."""
        if _newer(mark, self.mirrored.mark):
            self._ask_again()

    def _ask_again(self) -> None:
        now = self._node.now()
        if now - self._asked < ASK_AGAIN_SECONDS:
            return
        self._asked = now
        self.tell(Behind(self.room.id, *said(self.mirrored.mark)))

    def show(self) -> None:
        """Its readers are brought to where it stands."""
        try:
            for audience in self.audiences:
                audience.prepare(self.room)
            for audience in self.audiences:
                audience.send()
            self.mirrored.shown()
        except Exception:
            log.exception("the readers of a mirror could not be served", room=self.room.id)
            self._node.host.metrics.games[self.room.name].rooms_failed += 1

    def deliver(self, mail: Mail) -> None:
        told: dict[Session, Member] = {}
        for news, numbers in mail.news:
            for number in numbers:
                session = self._numbers.get(number)
                if session is not None:
                    member = self.members[session.id]
                    member.tell(news)
                    told[session] = member
        for session, member in told.items():
            if session.hosted is self:  # otherwise it is about to sit down, and reads its mail then
                session.take_mail(member)

    def send_away(self, number: int, code: int, reason: str) -> None:
        session = self._numbers.get(number)
        if session is None:
            return
        self._unseat(session)
        if code == CloseCode.REPLACED:
            session.replaced()
        else:
            session.dismiss(code, reason)

    # Sessions

    def tell(self, message: Message) -> None:
        self._node.courier.send(self.owner, message)

    async def join(self, session: Session) -> Member:
        """A seat for a session's player. Raises `Refusal`, and `TimeoutError` if the owner says nothing."""
        return await self._ask_for(session, Join, lambda joined: self._seat(session, joined))

    async def claim(self, session: Session) -> Member:
        """The seat that a session's player has already."""
        return await self._ask_for(session, Claim, lambda joined: self._claimed(session, joined))

    async def _ask_for(
        self, session: Session, make: type[Join | Claim], accept: Callable[[Joined], Member]
    ) -> Member:
        who = (self.room.id, session.key, session.id, session.name, session.identity)
        self._asking[session.id] += 1
        try:
            return await self._node.ask(
                self.owner,
                lambda ask: make(ask, *who),
                Joined,
                accept,
                late=lambda joined: self._seated_late(session, joined),
            )
        finally:
            self._asking -= Counter((session.id,))
            if not self.sessions:
                self.lonely_since = self._node.now()

    def _seated_late(self, session: Session, joined: Joined) -> None:
        """Nobody has waited for this seat."""
        if joined.player not in self._numbers and not self._asking[session.id]:
            self.tell(Leave(self.room.id, joined.player))

    def _claimed(self, session: Session, joined: Joined) -> Member:
        member = self._seat(session, joined)
        if not session.is_over:
            session.hosted = self
        return member

    @property
    def is_needed(self) -> bool:
        """Whether somebody sits here, or is about to."""
        return bool(self.sessions or self._asking)

    def follow(self, owner: str) -> None:
        """Its rules run there from now on."""
        if owner != self.owner:
            self.owner = owner
            for number in self.left():
                self.tell(Leave(self.room.id, number))

    def left(self) -> list[int]:
        """The numbers of players who have left of late."""
        now = self._node.now()
        return [number for number, when in self._left.items() if now - when < REMEMBERED_SECONDS]

    def _seat(self, session: Session, joined: Joined) -> Member:
        member = self.members.get(session.id)
        if member is None or member.number != joined.player:
            if member is not None:
                self._unseat(session)
            member = self.mirrored.seat(joined.id, joined.name, joined.player)
        member.input = joined.input
        former = self.sessions.get(session.id)
        if former is not None and former is not session:
            former.replaced()
        self.sessions[session.id] = self._numbers[member.number] = session
        self.lonely_since = None
        return member

    def _unseat(self, session: Session) -> None:
        member = self.members.get(session.id)
        if member is None or self.sessions.get(session.id) is not session:
            return
        del self.sessions[session.id]
        self._numbers.pop(member.number, None)
        self.mirrored.unseat(member)
        if not self.sessions:
            self.lonely_since = self._node.now()

    def release(self, session: Session) -> None:
        """Its session goes on at another instance, which claims the seat."""
        self._unseat(session)

    def drop(self, session: Session) -> None:
        self._about(session, Drop)

    def resume(self, session: Session) -> None:
        self._about(session, Back)

    def introduce_all(self, session: Session) -> None:
        self._about(session, Introduce)

    def leave(self, session: Session) -> None:
        self._about(session, Leave)
        member = self.members.get(session.id)
        if member is not None and self.sessions.get(session.id) is session:
            self._left = {number: self._left[number] for number in self.left()}
            self._left[member.number] = self._node.now()
        self._unseat(session)

    def _about(self, session: Session, make: type[Drop | Back | Introduce | Leave]) -> None:
        member = self.members.get(session.id)
        if member is not None and self.sessions.get(session.id) is session:
            self.tell(make(self.room.id, member.number))

    def chat(self, session: Session, text: str) -> None:
        player, sent = self._number(session), not self.is_lost
        self.sayings.note(self._node.now(), session, sent=sent, text=text)
        if sent:
            self.tell(Chat(self.room.id, player, text))

    def act(self, session: Session, action: dict[str, Any], number: int, seen_tick: int) -> None:
        player, sent = self._number(session), not self.is_lost
        what: Any = {"action": action, "number": number, "seen_tick": seen_tick}
        self.sayings.note(self._node.now(), session, sent=sent, **what)
        if sent:
            self.tell(Act(self.room.id, player, action, number, seen_tick))

    def _number(self, session: Session) -> int:
        member = self.members.get(session.id)
        if member is None:
            raise Refusal(code="GAME-003")
        return member.number

    def disturbed(self) -> None:
        """The owner shows what has happened."""

    def forward_inputs(self) -> None:
        """What the players of this instance steer goes to the owner."""
        queue = self.mirrored.inputs
        if queue is not None and len(queue):
            self._node.courier.state(self.owner, Inputs(self.room.id, queue.take_packed()))


def said(mark: Mark) -> tuple[int, int, int]:
    """As it travels: epoch, tick (-1 for nowhere) and serial."""
    position = mark.position
    return (0, -1, mark.serial) if position is None else (*position, mark.serial)


def _newer(one: Mark, other: Mark) -> bool:
    if one.position is None or other.position is None:
        return one.position is not None
    return one.position > other.position or (one.position == other.position and one.serial > other.serial)
