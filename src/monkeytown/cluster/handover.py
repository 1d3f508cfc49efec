"""Rooms that go to another instance while they are played, and players who are asked to go there as well.

Knows how a room is handed over between two ticks, in the same epoch, and how an instance empties itself before it stops.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import structlog

from monkeytown.cluster.directory import DirectoryDown, InstanceRecord, Lease
from monkeytown.cluster.messages import Done, HandOver, Leave, Moved
from monkeytown.cluster.mirrors import Mirror, Mirrors
from monkeytown.errors import Refusal, WireError
from monkeytown.protocol.close import CloseCode
from monkeytown.room.mirrored import MirroredRoom
from monkeytown.runtime.session import Session

if TYPE_CHECKING:
    from monkeytown.cluster.leases import Leases
    from monkeytown.cluster.node import Node
    from monkeytown.cluster.owners import Owners
    from monkeytown.cluster.places import Places
    from monkeytown.cluster.roaming import Roaming
    from monkeytown.runtime.hosted import HostedRoom
    from monkeytown.runtime.link import Link

__all__ = ["Handover"]

log = structlog.get_logger()

AT_ONCE = 4
"""Rooms on their way at a time."""

BATCHES = 10
BATCH_SECONDS = 0.1
"""Connections are asked to go in so many batches, each within so long, so that they do not all come at once elsewhere."""


class Handover:
    """Of one instance: what leaves it, and what it takes in."""

    def __init__(
        self,
        node: Node,
        leases: Leases,
        owners: Owners,
        mirrors: Mirrors,
        places: Places,
        roaming: Roaming,
    ) -> None:
        self._node = node
        self._leases = leases
        self._owners = owners
        self._mirrors = mirrors
        self._places = places
        self._roaming = roaming
        node.take(HandOver, self._taken)

    # Rooms that leave

    async def empty(self, others: list[InstanceRecord]) -> None:
        """Every room goes to the instance where most of its players are, or where there is least to do."""
        rooms = [one for one in self._node.host.rooms.values() if self._node.host.keeps(one.game_name)]
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(hosted: HostedRoom) -> None:
            async with turns:
                to = self._best(hosted, others)
                if not to or not await self.hand_over(hosted, to):
                    await self._leave_behind(hosted)

        await asyncio.gather(*(one(hosted) for hosted in rooms))

    def _best(self, hosted: HostedRoom, others: list[InstanceRecord]) -> str:
        relay = self._owners.relay(hosted.room.id)
        able = [one for one in others if hosted.game_name in one.games and not one.draining]
        if not able:
            return ""

        def rank(record: InstanceRecord) -> tuple[int, float]:
            reader = None if relay is None else relay.readers.get(record.id)
            return (0 if reader is None else -len(reader.numbers), record.load)

        return min(able, key=rank).id

    async def hand_over(self, hosted: HostedRoom, to: str) -> bool:
        """Hands a room over, with all who are in it. Whether the other instance has it now."""
        sessions = [one for one in hosted.sessions.values() if isinstance(one, Session)]
        for session in sessions:
            session.hold()
        try:
            return await self._handed_over(hosted, to, sessions)
        finally:
            for session in sessions:
                session.release()

    async def _handed_over(self, hosted: HostedRoom, to: str, sessions: list[Session]) -> bool:
        room_id = hosted.room.id
        lease = self._leases.lease(room_id)
        saved = None if lease is None else hosted.hand_over()
        if lease is None or saved is None:
            return False
        queue = hosted.room.inputs
        inputs = b"" if queue is None else queue.take_packed()
        holders = [(one.id, one.key) for one in hosted.sessions.values()]
        relay = self._owners.relay(room_id)
        if relay is not None:
            relay.send_mail()
        about = (room_id, lease.epoch, saved, inputs, holders)
        self._leases.leaving(room_id, True)
        try:
            await self._node.ask(to, lambda ask: HandOver(ask, *about), Done, lambda done: None)
        except (Refusal, TimeoutError, ValueError) as error:  # the last: it is too large
            log.warning("a room could not be handed over", room=room_id, to=to, error=str(error))
            return await self._keep(hosted, lease)
        self._node.counters["handed_over"] += 1
        self._leases.handed_over(hosted.room)
        self._owners.forget(hosted, Moved(room_id, to, lease.epoch))
        self._left(hosted, [one for one, _ in holders if one not in hosted.sessions], to)
        hosted.let_go()
        await self._follow(hosted, sessions, to)
        return True

    async def _keep(self, hosted: HostedRoom, lease: Lease) -> bool:
        """The other instance did not take it, unless it did and could not say so."""
        try:
            now = await self._node.directory.owner(hosted.room.id)
        except DirectoryDown:
            now = lease
        if now is None or now.owner == self._node.id:
            self._leases.leaving(hosted.room.id, False)
            hosted.go_on()
            self._owners.catch_up(hosted)
            for session in tuple(hosted.sessions.values()):
                if isinstance(session, Session):
                    (hosted.resume if session.is_open else hosted.drop)(session)
            return False
        self._leases.give_up(hosted.room.id)
        sessions = [one for one in hosted.sessions.values() if isinstance(one, Session)]
        self._owners.forget(hosted, Moved(hosted.room.id, now.owner, now.epoch))
        hosted.let_go()
        await self._follow(hosted, sessions, now.owner)
        return True

    def _left(self, hosted: HostedRoom, players: list[str], to: str) -> None:
        """These have left while the room was on its way, with them in it."""
        for player_id in players:
            leave = Leave(hosted.room.id, hosted.room.members[player_id].number)
            self._node.courier.send(to, leave)

    async def _follow(self, hosted: HostedRoom, sessions: list[Session], to: str) -> None:
        """Those who play here see the room from there from now on."""
        if not sessions:
            return
        mirror = Mirror(self._node, MirroredRoom.of(hosted.room), to)
        self._mirrors.add(mirror)
        try:
            await self._mirrors.attach(hosted.room.id, to)
        except (TimeoutError, Refusal):
            log.warning("a room that was handed over cannot be seen", room=hosted.room.id)
        for session in sessions:
            if session.hosted is not hosted:
                self._left(hosted, [session.id], to)
                continue
            if not await self._places.sit_there(mirror, session):
                session.homeless()

    async def _leave_behind(self, hosted: HostedRoom) -> None:
        """Nobody takes it now: whoever comes for it finds it as it is."""
        lease = self._leases.lease(hosted.room.id)
        saved = None if lease is None else hosted.hand_over()
        if lease is None or saved is None:
            return
        try:
            await self._node.directory.keep(lease, saved, self._node.times.kept)
            await self._node.directory.release(lease)
        except DirectoryDown:
            log.error("a room could not be kept", room=hosted.room.id)
        self._leases.give_up(hosted.room.id)

    async def send_off(self) -> None:
        """All sessions of this instance go, a few at a time."""
        sessions = self._node.sessions.all
        random.shuffle(sessions)
        size = len(sessions) // BATCHES + 1
        for start in range(0, len(sessions), size):
            began = self._node.now()
            batch = sessions[start : start + size]
            released = await asyncio.gather(*(self._released(session) for session in batch))
            gone = [one for one in released if one is not None]
            records = [(key, record) for key, record, _ in gone]
            try:
                await self._node.directory.put_sessions(records, self._node.times.seat)
            except DirectoryDown:
                log.error("sessions could not be kept", sessions=len(batch))
            for _, _, link in gone:
                if link is not None:
                    link.close(CloseCode.GOING_AWAY, CloseCode.GOING_AWAY.reason)
            rest = BATCH_SECONDS * random.uniform(0.5, 1) - (self._node.now() - began)
            if start + size < len(sessions) and rest > 0:
                await asyncio.sleep(rest)

    async def _released(self, session: Session) -> tuple[str, bytes, Link | None] | None:
        """Its key, its record and its link; None if it is over or elsewhere by now."""
        try:
            released = await self._roaming.release(session)
        except Exception:  # the others go nevertheless
            log.exception("a session could not be let go")
            return None
        return None if released is None else (session.key, *released)

    # Rooms that come

    def _taken(self, sender: str, said: HandOver) -> None:
        self._node.run(self._take(sender, said))

    async def _take(self, sender: str, said: HandOver) -> None:
        """Takes a room; nothing happens in it before the directory says that it is this instance's."""
        lease = Lease(said.room, self._node.id, said.epoch)
        mirror = self._mirrors.get(said.room)
        hosted = self._places.restore(said.saved, lease, in_doubt=True)
        if hosted is None:
            self._node.refuse(sender, said.ask, Refusal(code="GAME-001"))
            return
        try:
            before = Lease(said.room, sender, said.epoch)
            ours = await self._node.directory.hand_over(before, self._node.id)
        except DirectoryDown:
            ours = False
        if not ours:
            self._leases.give_up(said.room)
            self._leases.lost(hosted)  # whoever has sat down in it meanwhile goes where it is
            self._node.refuse(sender, said.ask, Refusal(code="GAME-001"))
            return
        self._leases.arrived(said.room)
        self._start(hosted, said, mirror)
        self._node.courier.send(sender, Done(said.ask))

    def _start(self, hosted: HostedRoom, said: HandOver, mirror: Mirror | None) -> None:
        keys = dict(said.holders)
        relay = self._owners.relay_of(hosted)
        for holder in relay.holders.values():
            holder.key = keys.get(holder.id, holder.key)
        queue = hosted.room.inputs
        if queue is not None and said.inputs:
            try:
                queue.put_packed(said.inputs, set(relay.holders))
            except WireError:
                self._node.counters["malformed_inputs"] += 1
        hosted.in_doubt = False
        if mirror is not None:
            self._places.move_in(mirror, hosted)
        else:
            hosted.disturbed()
