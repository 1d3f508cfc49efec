"""The rooms that run here, as other instances use them: mirrored there, and played by players who are connected there.

Knows relays and what mirrors ask for; nothing of leases.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from monkeytown.cluster.messages import (
    Act,
    Attach,
    Attached,
    Back,
    Behind,
    Chat,
    Claim,
    Detach,
    Done,
    Drop,
    Ended,
    Inputs,
    Introduce,
    Join,
    Joined,
    Leave,
    Moved,
    Open,
    Opened,
    Release,
    SentAway,
)
from monkeytown.cluster.relay import AwayHolder, Relay
from monkeytown.errors import Refusal, WireError
from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode
from monkeytown.room.closing import HANDED_OVER
from monkeytown.room.feed import NOWHERE, Mark
from monkeytown.room.member import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monkeytown.cluster.node import Node
    from monkeytown.runtime.hosted import HostedRoom
    from monkeytown.runtime.place import Holder

__all__ = ["Owners"]

log = structlog.get_logger()

MISSED_SECONDS = 3.0
"""The rules are told that a player has no connection once nobody has turned up with its session for so long."""


class Owners:
    """All rooms of this instance that others mirror."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._relays: dict[str, Relay] = {}
        """By room."""
        self._waiting: dict[AwayHolder, Relay] = {}
        """Seats of which nobody knows where their sessions are; who is given up first comes first."""
        node.broken.append(self._broken)
        self._takers: dict[type, Callable[[str, Any], None]] = {
            Attach: self._attach,
            Detach: self._detach,
            Behind: self._behind,
            Join: self._join,
            Claim: self._claim,
            Leave: self._leave,
            Drop: self._drop,
            Back: self._back,
            Introduce: self._introduce,
            Chat: self._chat,
            Act: self._act,
            Inputs: self._inputs,
            Open: self._open,
            Release: self._release,
        }
        for kind, taker in self._takers.items():
            node.take(kind, taker)

    def relay(self, room_id: str) -> Relay | None:
        """That of a room, if some instance mirrors it."""
        return self._relays.get(room_id)

    def relay_of(self, hosted: HostedRoom) -> Relay:
        """The same; one is made if there is none."""
        relay = self._relays.get(hosted.room.id)
        if relay is None:
            relay = self._relays[hosted.room.id] = Relay(self._node, hosted)
            hosted.audiences.append(relay)
        return relay

    def forget(self, hosted: HostedRoom, tell: Ended | Moved | None) -> None:
        """The room does not go on here."""
        relay = self._relays.pop(hosted.room.id, None)
        if relay is None:
            return
        relay.send_mail()
        if isinstance(tell, Moved):
            for said in relay.late:
                self._node.courier.send(tell.owner, said)
        if tell is not None:
            for instance in relay.readers:
                self._node.courier.send(instance, tell)
        for holder in [waiting for waiting, of in self._waiting.items() if of is relay]:
            del self._waiting[holder]

    def hold(self, hosted: HostedRoom, member: Member, key: str) -> None:
        """A seat waits for its session, of which nobody knows yet where it goes on."""
        relay = self.relay_of(hosted)
        former = hosted.sessions.get(member.id)
        identity = None if former is None else former.identity
        holder = AwayHolder(relay, key, member.id, member.player.name, identity, "")
        relay.seat(holder, member)
        hosted.sessions[member.id] = holder
        hosted.empty_since = None
        self.await_session(hosted, holder)

    def await_session(self, hosted: HostedRoom, holder: AwayHolder) -> None:
        """Nobody knows where the session of a seat is: it has as long to turn up as any that has lost its connection."""
        seconds = hosted.room.seat_seconds
        now = self._node.now()
        holder.until = now + (self._node.times.seat if seconds is None else seconds)
        holder.dropped_at = now + MISSED_SECONDS
        self._waiting[holder] = self.relay_of(hosted)

    def sweep(self) -> None:
        """Gives up seats whose sessions have not turned up."""
        now = self._node.now()
        for holder, relay in tuple(self._waiting.items()):
            if holder.dropped_at is not None and now >= holder.dropped_at:
                holder.dropped_at = None
                relay.hosted.drop(holder)
            if holder.until is not None and now >= holder.until:
                del self._waiting[holder]
                relay.departed(holder)
                relay.hosted.leave(holder)

    def left(self, hosted: HostedRoom, numbers: Iterable[int]) -> None:
        """Players who had left before the room came here, from a moment when they were in it."""
        relay = self.relay_of(hosted)
        for number in numbers:
            holder = relay.holders.get(number)
            if holder is not None and not holder.instance:
                relay.departed(holder)
                self._waiting.pop(holder, None)
                hosted.leave(holder)

    def take_mail(self, hosted: HostedRoom, holder: Holder, member: Member, former: Holder | None) -> None:
        """A session has a seat again: it gets what came for it meanwhile."""
        if isinstance(former, AwayHolder):
            for news in former.kept:
                member.tell(news)
            former.kept.clear()
            self._waiting.pop(former, None)
            relay = self._relays.get(hosted.room.id)
            if relay is not None and former is not holder:
                relay.departed(former)
        holder.take_mail(member)

    # What mirrors say

    def _attach(self, instance: str, said: Attach) -> None:
        hosted = self._node.host.rooms.get(said.room)
        if hosted is None or hosted.room.closed is not None or hosted.in_doubt:
            self._node.refuse(instance, said.ask, Refusal(code="GAME-001"))
            return
        room, relay = hosted.room, self.relay_of(hosted)
        setup = room.setup
        options = msgspec.json.encode(dict(setup.options))
        about = (room.name, room.epoch, setup.max_players, setup.mode, setup.private, options)
        self._node.courier.send(instance, Attached(said.ask, *about))
        relay.attach(instance, _mark(said))
        relay.bring(instance)

    def _detach(self, instance: str, said: Detach) -> None:
        relay = self._relays.get(said.room)
        if relay is not None:
            self._lost(relay, relay.detach(instance))

    def _behind(self, instance: str, said: Behind) -> None:
        relay = self._relays.get(said.room)
        if relay is None or instance not in relay.readers:
            self._node.courier.send(instance, Ended(said.room))
            return
        self._node.counters["behind"] += 1
        relay.behind(instance, _mark(said))
        if not relay.hosted.room.tick_rate and not relay.hosted.in_doubt:
            relay.bring(instance)

    def _join(self, instance: str, said: Join) -> None:
        hosted = self._node.host.rooms.get(said.room)
        if hosted is None or hosted.in_doubt or not hosted.has_seats_for((said.id,)):
            self._node.refuse(instance, said.ask, Refusal(code="GAME-001"))
            return
        relay = self.relay_of(hosted)
        holder = AwayHolder(relay, said.key, said.id, said.name, said.identity, instance)
        former = hosted.sessions.get(said.id)
        try:
            member = hosted.join(holder)
        except Refusal as refusal:
            self._node.refuse(instance, said.ask, refusal)
            return
        self._seated(hosted, holder, member, former, said.ask)
        hosted.disturbed()

    def _claim(self, instance: str, said: Claim) -> None:
        hosted = self._node.host.rooms.get(said.room)
        if hosted is None or hosted.in_doubt:
            self._node.refuse(instance, said.ask, Refusal(code="GAME-001"))
            return
        relay = self.relay_of(hosted)
        former = hosted.sessions.get(said.id)
        holder = AwayHolder(relay, said.key, said.id, said.name, said.identity, instance)
        member = hosted.claim(holder)
        if member is None:
            self._node.refuse(instance, said.ask, Refusal(code="GAME-003"))
            return
        self._seated(hosted, holder, member, former, said.ask)

    def _seated(
        self, hosted: HostedRoom, holder: AwayHolder, member: Member, former: Holder | None, ask: int
    ) -> None:
        relay = self.relay_of(hosted)
        if isinstance(former, AwayHolder):
            relay.departed(former)
        relay.seat(holder, member)
        joined = Joined(ask, member.number, member.player.name, member.id, member.input)
        self._node.courier.send(holder.instance, joined)
        self.take_mail(hosted, holder, member, former)
        relay.send_mail()

    def _player(
        self, instance: str, said: Drop | Back | Introduce | Chat | Act | Release
    ) -> tuple[HostedRoom, AwayHolder] | None:
        """The room and the seat that are spoken of, if they are here; whoever thinks so is told if they are not."""
        hosted, relay = self._node.host.rooms.get(said.room), self._relays.get(said.room)
        on_its_way = hosted is not None and hosted.room.closed is HANDED_OVER
        if on_its_way and relay is not None and not isinstance(said, Release):
            relay.late.append(said)
            return None
        if hosted is None or hosted.room.closed is not None:
            self._node.courier.send(instance, Ended(said.room))
            return None
        holder = None if relay is None else relay.holder(instance, said.player)
        if holder is None:
            gone = SentAway(said.room, said.player, CloseCode.REPLACED, CloseCode.REPLACED.reason)
            self._node.courier.send(instance, gone)
            return None
        return hosted, holder

    def catch_up(self, hosted: HostedRoom) -> None:
        """The room stays here after all: what was said to it meanwhile is heard."""
        relay = self._relays.get(hosted.room.id)
        if relay is None:
            return
        late, relay.late = relay.late, []
        for said in late:
            holder = relay.holders.get(said.player)
            if holder is not None:
                self._takers[type(said)](holder.instance, said)

    def _leave(self, instance: str, said: Leave) -> None:
        relay = self._relays.get(said.room)
        holder = None if relay is None else relay.holder(instance, said.player)
        if relay is not None and holder is not None:
            relay.departed(holder)
            relay.hosted.leave(holder)

    def _drop(self, instance: str, said: Drop) -> None:
        if (found := self._player(instance, said)) is not None:
            found[0].drop(found[1])

    def _back(self, instance: str, said: Back) -> None:
        if (found := self._player(instance, said)) is not None:
            found[0].resume(found[1])

    def _release(self, instance: str, said: Release) -> None:
        found = self._player(instance, said)
        if found is None:
            self._node.refuse(instance, said.ask, Refusal(code="GAME-003"))
            return
        hosted, holder = found
        relay = self.relay_of(hosted)
        relay.send_mail()
        relay.departed(holder)
        holder.instance = ""
        relay.holders[holder.number] = holder
        self.await_session(hosted, holder)
        self._node.courier.send(instance, Done(said.ask))

    def _introduce(self, instance: str, said: Introduce) -> None:
        if (found := self._player(instance, said)) is not None:
            found[0].introduce_all(found[1])

    def _chat(self, instance: str, said: Chat) -> None:
        if (found := self._player(instance, said)) is not None:
            with suppress(Refusal):  # the room has just ended: its players are told so
                found[0].chat(found[1], said.text)

    def _act(self, instance: str, said: Act) -> None:
        if (found := self._player(instance, said)) is None:
            return
        hosted, holder = found
        try:
            hosted.act(holder, said.action, said.number, said.seen_tick)
        except Refusal as refusal:
            hosted.room.refuse(holder.id, refusal)
            hosted.disturbed()

    def _inputs(self, instance: str, said: Inputs) -> None:
        relay = self._relays.get(said.room)
        reader = None if relay is None else relay.readers.get(instance)
        if relay is None or reader is None:
            return
        queue = relay.hosted.room.inputs
        if queue is None:
            return
        try:
            queue.put_packed(said.data, reader.numbers)
        except WireError:
            self._node.counters["malformed_inputs"] += 1

    def _open(self, instance: str, said: Open) -> None:
        try:
            hosted = self._node.host.find_seat(said.game, said.player)
        except Refusal as refusal:
            self._node.refuse(instance, said.ask, refusal)
            return
        self._node.courier.send(instance, Opened(said.ask, hosted.room.id))

    # Instances that are gone

    def _broken(self, instance: str) -> None:
        for relay in tuple(self._relays.values()):
            self._lost(relay, relay.detach(instance))

    def _lost(self, relay: Relay, holders: Iterable[AwayHolder]) -> None:
        for holder in holders:
            if relay.hosted.sessions.get(holder.id) is holder:
                self.await_session(relay.hosted, holder)


def _mark(said: Attach | Behind) -> Mark:
    return NOWHERE if said.tick < 0 else Mark(Position(said.epoch, said.tick), said.serial)
