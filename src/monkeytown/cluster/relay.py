"""The mirrors of one room that runs here, and its players who are connected there.

One reader per mirror, like any other: it keeps its mirror's position, and puts the bytes onto the bus. Mirrors that stand
at one position share them. Knows the room's feed and who mirrors it; not how messages travel.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from monkeytown.cluster.messages import Act, Back, Chat, Drop, Introduce, Mail, SentAway, Stands, State
from monkeytown.identity import Identity
from monkeytown.protocol.close import CloseCode
from monkeytown.room.feed import Feed, Mark, Update
from monkeytown.room.mail import News
from monkeytown.room.member import Member
from monkeytown.runtime.metrics import Traffic

if TYPE_CHECKING:
    from monkeytown.cluster.node import Node
    from monkeytown.runtime.hosted import HostedRoom

__all__ = ["AwayHolder", "Relay", "room_channel"]

MOST_KEPT = 1024
"""News that wait for a player of whom nobody knows where they are."""

STANDS_SECONDS = 0.5
"""A mirror that has lost the newest state, of a room where nothing happens since, finds out after so long."""


def room_channel(room_id: str) -> str:
    """Where the states of a room go that several instances mirror."""
    return f"r:{room_id}"


class AwayHolder:
    """Holds a seat for a session of another instance, or for one of which nobody knows where it is."""

    def __init__(
        self, relay: Relay, key: str, id: str, name: str | None, identity: Identity | None, instance: str
    ) -> None:
        self.key = key
        self.id = id
        self.name = name
        self.identity = identity
        self.instance = instance
        """Where the session is; empty: unknown."""
        self.number = 0
        self.kept: deque[News] = deque(maxlen=MOST_KEPT)
        """News for when it is known."""
        self.dropped_at: float | None = None
        """When its player counts as without a connection, if the session has not turned up by then."""
        self.until: float | None = None
        """When the seat is given up, if the session has not turned up by then."""
        self._relay = relay

    def take_mail(self, member: Member) -> None:
        news = member.take_mail()
        if self.instance:
            self._relay.mail(self.instance, self.number, news)
        else:
            self.kept.extend(news)

    def describe_anew(self, place: Any, member: Member) -> None:
        """Its mirror finds out by itself."""

    def flush(self) -> None:
        self._relay.send_mail()

    def dismiss(self, code: int, reason: str) -> None:
        self._relay.send_mail()
        if self.instance:
            away = SentAway(self._relay.room_id, self.number, code, reason)
            self._relay.node.courier.send(self.instance, away)
        self._relay.departed(self)

    def replaced(self) -> None:
        self.dismiss(CloseCode.REPLACED, CloseCode.REPLACED.reason)


class _Reader:
    """One mirror."""

    __slots__ = ("mark", "numbers", "stood")

    def __init__(self, mark: Mark, now: float) -> None:
        self.mark = mark
        self.numbers: set[int] = set()
        """Of the players whose sessions are there."""
        self.stood = now
        """When it was last told where it stands."""


class Relay:
    """An audience of one room: its mirrors."""

    def __init__(self, node: Node, hosted: HostedRoom) -> None:
        self.node = node
        self.hosted = hosted
        self.room_id = hosted.room.id
        self.readers: dict[str, _Reader] = {}
        """By instance."""
        self.holders: dict[int, AwayHolder] = {}
        """Of players who are elsewhere, by their number."""
        self.late: list[Drop | Back | Introduce | Chat | Act] = []
        """What was said by players elsewhere while the room is on its way to another instance."""
        self._feed = Feed(hosted.room)
        self._ready: list[tuple[Update, list[str]]] = []
        self._mail: dict[str, list[tuple[News, list[int]]]] = {}
        self._said = Traffic()

    # An audience

    def prepare(self, room: Any) -> None:
        self._ready.clear()
        if not self.readers:
            return
        ways: dict[Mark, list[str]] = {}
        for instance, reader in self.readers.items():
            ways.setdefault(reader.mark, []).append(instance)
        for mark, instances in ways.items():
            update = self._feed.read(mark)
            if update is not None:
                self._ready.append((update, instances))

    def send(self) -> None:
        self.send_mail()
        courier, now = self.node.courier, self.node.now()
        for update, instances in self._ready:
            if len(instances) > 1 and update.base >= 0:
                courier.cast(room_channel(self.room_id), State(self.room_id, update))
            else:
                for instance in instances:
                    courier.state(instance, State(self.room_id, update))
            for instance in instances:
                reader = self.readers[instance]
                reader.mark, reader.stood = update.mark, now
        self._ready.clear()
        for instance, reader in self.readers.items():
            position, serial = reader.mark
            if position is not None and now - reader.stood > STANDS_SECONDS:
                reader.stood = now
                courier.state(instance, Stands(self.room_id, *position, serial))

    def traffic(self) -> Traffic:
        return self._said

    # Mirrors

    def attach(self, instance: str, mark: Mark) -> None:
        """An instance mirrors the room from now on."""
        reader = self.readers.get(instance)
        if reader is None:
            self.readers[instance] = _Reader(mark, self.node.now())
        else:
            reader.mark = mark

    def bring(self, instance: str) -> None:
        """What brings a new mirror to now goes there at once, and cannot be lost."""
        reader = self.readers[instance]
        update = None if self.hosted.room.is_disturbed else self._feed.read(reader.mark)
        if update is not None:
            reader.mark = update.mark
            self.node.courier.send(instance, State(self.room_id, update))

    def behind(self, instance: str, mark: Mark) -> None:
        """A mirror stands somewhere else than was thought."""
        reader = self.readers.get(instance)
        if reader is not None:
            reader.mark = mark

    def detach(self, instance: str) -> list[AwayHolder]:
        """It does not mirror the room any more. Returns whose sessions were there: nobody knows now where they are."""
        reader = self.readers.pop(instance, None)
        self._mail.pop(instance, None)
        if reader is None:
            return []
        lost = [self.holders[number] for number in reader.numbers if number in self.holders]
        for holder in lost:
            holder.instance = ""
        return lost

    # Players

    def seat(self, holder: AwayHolder, member: Member) -> None:
        """A player who is elsewhere has a seat."""
        holder.number = member.number
        self.holders[member.number] = holder
        reader = self.readers.get(holder.instance)
        if reader is not None:
            reader.numbers.add(member.number)
        self._feed.follow(member)

    def departed(self, holder: AwayHolder) -> None:
        """It has none any more."""
        if self.holders.get(holder.number) is holder:
            del self.holders[holder.number]
            self._feed.forget(holder.number)
        reader = self.readers.get(holder.instance)
        if reader is not None and holder.number not in self.holders:
            reader.numbers.discard(holder.number)

    def holder(self, instance: str, number: int) -> AwayHolder | None:
        """Who has this number, if its session is at that instance, or may be."""
        holder = self.holders.get(number)
        return holder if holder is not None and holder.instance in ("", instance) else None

    # News

    def mail(self, instance: str, number: int, news: list[News]) -> None:
        """News for one player, which travels once for all at an instance who get it.

        Each player's stay in order: what stands before the last of theirs is not joined any more.
        """
        queue = self._mail.setdefault(instance, [])
        at = 0
        for one in news:
            for place in range(at, len(queue)):
                if queue[place][0] is one:
                    queue[place][1].append(number)
                    at = place + 1
                    break
            else:
                queue.append((one, [number]))
                at = len(queue)

    def send_mail(self) -> None:
        for instance, news in self._mail.items():
            if news:
                self.node.courier.send(instance, Mail(self.room_id, news))
        self._mail.clear()
