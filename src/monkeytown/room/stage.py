"""What the rules ask of their room, kept until the room acts on it.

Events go into the members' mail at once (or, while a player is joining, once it is clear that they stay); kicks and
the end of the room wait until the hook that asked for them has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from monkeytown._core.state import Row
from monkeytown.errors import Refusal, SchemaError
from monkeytown.player import Player, Timer
from monkeytown.room.ledger import Kind, Ledger
from monkeytown.room.mail import MAX_EVENT, News, packed
from monkeytown.room.member import Member
from monkeytown.room.publications import Publications
from monkeytown.room.timers import Timers

__all__ = ["MOST_POINTS", "RoomStage"]

MAX_REMINDER = MAX_EVENT - 256  # an event's name and the lengths of its parts

MOST_POINTS = 2**53
"""Of a score: up to there every whole number is a number of every language's."""


class _Held(NamedTuple):
    to: Member | None
    news: News


class RoomStage:
    """The room's side of `monkeytown.player.Stage`."""

    def __init__(self, *, has_ticks: bool = True, leaderboard: str = "best") -> None:
        self._has_ticks = has_ticks
        self._leaderboard = leaderboard
        self.ledger = Ledger()
        """What is to be kept of the room."""
        self.members: dict[str, Member] = {}
        self.notified: set[Member] = set()
        """Who got mail since the host last cleared this."""
        self.listeners: list[Callable[[News], object]] = []
        """Are told what everybody is told, as it is told; they must neither raise nor wait."""
        self.timers = Timers()
        self.kicks: dict[Member, str] = {}
        self.closing: str | None = None
        self.reowned: set[Member] = set()
        """Whose entity changed since the last commit."""
        self.altered: set[Member] = set()
        """Whose entity, focus or view is another, or who has come, since whoever mirrors the room last cleared this."""
        self.reviewed: set[Member] = set()
        """Who sees the room in another way from now on, since the host last cleared this."""
        self.publications = Publications()
        """What is said beyond the room, and what it listens to."""
        self._held: list[_Held] | None = None

    # What the rules may do: monkeytown.player.Stage

    def broadcast(self, event: str, data: object) -> None:
        self._event(None, event, data)

    def emit(self, event: str, data: object) -> None:
        self._event(None, event, data)
        self.ledger.note(Kind.EVENT, event=event, data=data)

    def score(self, player: Player, points: float) -> None:
        if isinstance(points, bool) or not isinstance(points, int | float) or not abs(points) <= MOST_POINTS:
            raise ValueError(f"a score is a number of at most 2**53, not {points!r}")
        about = {"name": player.name, "guest": player.guest, "order": self._leaderboard}
        self.ledger.note(Kind.SCORE, player.id, score=points, **about)

    def finish(self, result: object) -> None:
        self.ledger.note(Kind.RESULT, result=result)

    def send(self, player: Player, event: str, data: object) -> None:
        member = self._member(player)
        if member is not None:
            self._event(member, event, data)

    def publish(self, topic: str, event: str, data: object) -> None:
        self.publications.publish(topic, event, data)

    def tell(self, player_id: str, event: str, data: object) -> None:
        self.publications.tell(player_id, event, data)

    def subscribe(self, topic: str) -> None:
        self.publications.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        self.publications.unsubscribe(topic)

    def kick(self, player: Player, reason: str) -> None:
        member = self._member(player)
        if member is not None:
            self.kicks.setdefault(member, reason)

    def close(self, reason: str) -> None:
        if self.closing is None:
            self.closing = reason

    def after(self, seconds: float, call: Callable[[], object]) -> Timer:
        return self.timers.after(seconds, call)

    def every(self, seconds: float, call: Callable[[], object]) -> Timer:
        return self.timers.every(seconds, call)

    def own(self, player: Player, before: Any, entity: Any) -> None:
        member = self._member(player)
        if member is None:
            return
        if entity is not None:
            if not isinstance(entity, Row):
                raise TypeError(f"player.entity is a row of a table or None, not {entity!r}")
            entity.owner = player.number
        member.entity = entity
        self.altered.add(member)
        if before is not None and before is not entity and before.owner == player.number:
            before.owner = 0
        self.reowned.add(member)

    def seen_tick(self, player: Player) -> int:
        member = self._member(player)
        return 0 if member is None else member.seen_tick

    def look(self, player: Player) -> None:
        member = self._member(player)
        if member is not None:
            member.look()
            self.altered.add(member)

    def show(self, player: Player) -> None:
        if player.view is not None and player.view.delay and not self._has_ticks:
            raise SchemaError(
                "a game without ticks has nothing to show later: everything(delay=…) needs a tick_rate"
            )
        member = self._member(player)
        if member is not None:
            self.reviewed.add(member)
            self.altered.add(member)

    # What the room does

    def post(self, type: str, payload: Mapping[str, object]) -> None:
        """A numbered message to everybody."""
        self._spread(News(type, packed(payload)))

    def announce(self, new: Member) -> None:
        """A new member hears of everybody, itself included; everybody else hears of the new one."""
        self._overhear(new.introduction)
        self._tell((member for member in self.members.values() if member is not new), new.introduction)
        self.introduce_all(new)

    def introduce_all(self, member: Member) -> None:
        """A member hears of everybody, itself included."""
        for other in self.members.values():
            self._tell((member,), other.introduction)

    def remind(self, member: Member, lines: Sequence[Mapping[str, str]]) -> None:
        """A member gets to read what was said last: as much of it as one event holds."""
        size, first = 0, len(lines)
        while first and size + len(packed(lines[first - 1])) <= MAX_REMINDER:
            first -= 1
            size += len(packed(lines[first]))
        if first < len(lines):
            self._tell(
                (member,), News("game_event", packed({"event": "chat_history", "data": lines[first:]}))
            )

    def refuse(self, member: Member, refusal: Refusal) -> None:
        """A numbered error to one member."""
        self._tell((member,), News("error", packed({"code": refusal.code, "message": refusal.message})))

    def hold(self) -> None:
        """From now on the rules' events wait."""
        self._held = []

    def release(self) -> None:
        """The events that waited go out, in order."""
        held, self._held = self._held or [], None
        for to, news in held:
            self._deliver(to, news)

    def take_reowned(self, tick: int) -> set[Member]:
        """Whose entity changed since the last commit, which made `tick`."""
        reowned, self.reowned = self.reowned, set()
        for member in reowned:
            member.entity_tick = tick
        return reowned

    def forget(self, member: Member) -> None:
        """A member is gone, and so is what was still to be done for them.

        Events that waited are never sent.
        """
        self._held = None
        self.members.pop(member.id)
        self.kicks.pop(member, None)
        self.reowned.discard(member)
        self.reviewed.discard(member)
        self.altered.discard(member)
        self.notified.discard(member)

    def _event(self, to: Member | None, event: str, data: object) -> None:
        if not isinstance(event, str):
            raise TypeError(f"an event has a name, not {event!r}")
        news = News("game_event", packed({"event": event, "data": data}))
        if self._held is not None:
            self._held.append(_Held(to, news))
        else:
            self._deliver(to, news)

    def _deliver(self, to: Member | None, news: News) -> None:
        if to is None:
            self._spread(news)
        else:
            self._tell((to,), news)

    def _spread(self, news: News) -> None:
        """To everybody."""
        self._overhear(news)
        self._tell(self.members.values(), news)

    def _overhear(self, news: News) -> None:
        for listen in self.listeners:
            listen(news)

    def _tell(self, to: Iterable[Member], news: News) -> None:
        notify = self.notified.add
        for member in to:
            member.tell(news)
            notify(member)

    def _member(self, player: Player) -> Member | None:
        """The seat of a player; None for one who has left, to whom nothing can be done any more."""
        member = self.members.get(player.id)
        return member if member is not None and member.player is player else None
