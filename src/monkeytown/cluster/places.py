"""Where a room is, and how this instance gets to it: here, mirrored from its owner, or taken up from its checkpoint.

Knows the directory, leases and mirrors. One room is looked for once at a time, however many want to go there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from monkeytown.cluster.directory import DirectoryDown, Lease
from monkeytown.cluster.mirrors import Mirror, Mirrors
from monkeytown.errors import Refusal, SchemaError, WireError
from monkeytown.room.checkpoint import unpacked
from monkeytown.runtime.hosted import HostedRoom

if TYPE_CHECKING:
    from monkeytown.cluster.leases import Leases
    from monkeytown.cluster.node import Node
    from monkeytown.cluster.owners import Owners
    from monkeytown.runtime.session import Session

__all__ = ["Places"]

log = structlog.get_logger()

LOOK_SECONDS = 8.0
"""For which somebody looks for a room whose owner is gone, while nobody else may have it yet."""

PAUSE_SECONDS = 0.1

PASSING = ("GAME-001", "SYS-002")
"""Refusals of who does not have the room at the moment."""


class Places:
    """The rooms of all instances, as this one gets to them."""

    def __init__(self, node: Node, leases: Leases, owners: Owners, mirrors: Mirrors) -> None:
        self._node = node
        self._leases = leases
        self._owners = owners
        self._mirrors = mirrors
        self._looking: dict[str, asyncio.Future[HostedRoom | Mirror]] = {}
        self._taking: dict[str, asyncio.Future[HostedRoom | None]] = {}

    async def reach(self, room_id: str) -> HostedRoom | Mirror:
        """The room of an id. Raises `Refusal`: there is none, or nobody can say."""
        here = self._node.host.rooms.get(room_id)
        if here is not None and here.room.closed is None:
            return here
        mirror = self._mirrors.get(room_id)
        if mirror is not None and mirror.ready.done() and not mirror.is_lost:
            if mirror.lonely_since is not None:
                mirror.lonely_since = self._node.now()  # whoever looks for it is about to need it
            return mirror
        looking = self._looking.get(room_id)
        if looking is None:
            looking = self._node.run(self._look(room_id))
            self._looking[room_id] = looking
            looking.add_done_callback(lambda _: self._looking.pop(room_id, None))
        return await asyncio.shield(looking)

    async def _look(self, room_id: str) -> HostedRoom | Mirror:
        until = self._node.now() + LOOK_SECONDS
        while self._node.now() < until:
            try:
                lease = await self._node.directory.owner(room_id)
                if lease is None:
                    found = await self.take_up(room_id, 0)
                    if found is not None:
                        return found
                    if await self._node.directory.owner(room_id) is None:
                        raise Refusal(code="GAME-001")
                elif lease.owner == self._node.id:
                    here = self._node.host.rooms.get(room_id)
                    if here is not None:
                        return here
                elif await self._lives(lease.owner):
                    return await self._mirrors.attach(room_id, lease.owner)
            except (DirectoryDown, TimeoutError):
                pass
            except Refusal as refusal:
                if refusal.code != "GAME-001" or lease is None:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
        raise Refusal(code="SYS-002")

    async def _lives(self, instance: str) -> bool:
        return any(record.id == instance for record in await self._node.directory.instances())

    async def take_up(self, room_id: str, floor: int) -> HostedRoom | None:
        """Takes a room whose owner is gone, in a new epoch; None if another instance was first, or nothing is left of it.

        Several may want to at once, who then get the same room. Raises `DirectoryDown`.
        """
        taking = self._taking.get(room_id)
        if taking is None:
            taking = self._node.run(self._take_up(room_id, floor))
            self._taking[room_id] = taking
            taking.add_done_callback(lambda _: self._taking.pop(room_id, None))
        return await asyncio.shield(taking)

    async def _take_up(self, room_id: str, floor: int) -> HostedRoom | None:
        directory = self._node.directory
        if await directory.kept(room_id) is None:
            return None
        lease = await directory.claim(room_id, self._node.id, floor=floor)
        if lease.owner != self._node.id:
            return None
        if room_id in self._node.host.rooms:
            return self._node.host.rooms[room_id]
        kept = await directory.kept(room_id)
        hosted = None if kept is None else self.restore(kept, lease)
        if hosted is None:
            await directory.forget_room(lease)
            return None
        self._node.counters["taken_over"] += 1
        log.warning("a room goes on here", room=room_id, epoch=lease.epoch, tick=hosted.room.tick)
        return hosted

    def restore(self, kept: bytes, lease: Lease, *, in_doubt: bool = False) -> HostedRoom | None:
        """A room from its checkpoint, whose seats all wait for their sessions; None if it cannot be brought back."""
        host = self._node.host
        self._leases.add(lease, is_arriving=in_doubt)
        try:
            saved = msgspec.structs.replace(unpacked(kept), epoch=lease.epoch, final=False)
            if saved.room != lease.room:
                raise WireError(f"this is a checkpoint of room {saved.room}")
            if not host.keeps(saved.game):
                raise SchemaError(f"{saved.game} is not served here")
            hosted = host.bring_back(saved, self._node.times.seat)
        except (WireError, SchemaError, Refusal) as error:
            log.error("a room cannot go on here", room=lease.room, error=str(error))
            self._leases.give_up(lease.room)
            return None
        hosted.in_doubt = in_doubt
        for member in hosted.room.members.values():
            self._owners.hold(hosted, member, "")
        return hosted

    # Sessions

    def sit_here(self, hosted: HostedRoom, session: Session) -> bool:
        """A session that was in the room goes on in it here. Whether it has a seat."""
        if session.is_over:
            return True
        former = hosted.sessions.get(session.id)
        member = hosted.claim(session)
        if member is None:
            try:
                member = hosted.join(session)
            except Refusal:
                return False
        self._owners.take_mail(hosted, session, member, former)
        session.rehouse(hosted, member)
        if session.is_open:
            hosted.resume(session)
        else:
            hosted.drop(session)
        return True

    def move_in(self, mirror: Mirror, hosted: HostedRoom) -> None:
        """The room of a mirror runs here by now."""
        self._owners.left(hosted, mirror.left())
        sessions = list(mirror.sessions.values())
        mirror.sessions.clear()
        for session in sessions:
            if not self.sit_here(hosted, session):
                session.homeless()
        self._mirrors.remove(mirror)
        mirror.sayings.say_again(hosted)
        hosted.disturbed()

    async def sit_there(self, mirror: Mirror, session: Session) -> bool:
        """The same where its rules run elsewhere; by then they may run here, or the session may be over and need no seat."""
        until = self._node.now() + LOOK_SECONDS
        place: HostedRoom | Mirror = mirror
        while isinstance(place, Mirror) and not session.is_over:
            try:
                await self._sit_there(place, session)
                return True
            except TimeoutError:
                pass
            except Refusal as refusal:
                if refusal.code not in PASSING:
                    return False
            if self._node.now() >= until:
                return False
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                place = await self.reach(mirror.room.id)
            except Refusal:
                return False
        return session.is_over or (isinstance(place, HostedRoom) and self.sit_here(place, session))

    async def _sit_there(self, mirror: Mirror, session: Session) -> None:
        """Raises `Refusal` and `TimeoutError`."""
        before = mirror.members.get(session.id)
        try:
            member = await mirror.claim(session)
        except Refusal as refusal:
            if refusal.code != "GAME-003":
                raise
            member = await mirror.join(session)
        if session.is_over:
            (mirror.release if session.has_moved else mirror.leave)(session)
            return
        if member is not before or session.hosted is not mirror:
            session.rehouse(mirror, member)
            session.take_mail(member)
        if session.is_open:
            mirror.resume(session)
        else:
            mirror.drop(session)
