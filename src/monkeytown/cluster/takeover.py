"""What becomes of a room whose owner is gone, or is another one now.

Knows when an owner counts as gone, who may take its room, and how sessions stay in it. A room is taken by an instance that
has players in it, once its lease has lapsed; the others follow. One of ours that another instance has taken is let go of at
once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from monkeytown.cluster.directory import DirectoryDown, Lease
from monkeytown.cluster.messages import Ended, Moved
from monkeytown.cluster.mirrors import Mirror, Mirrors
from monkeytown.errors import Refusal
from monkeytown.runtime.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monkeytown.cluster.leases import Leases
    from monkeytown.cluster.node import Node
    from monkeytown.cluster.owners import Owners
    from monkeytown.cluster.places import Places
    from monkeytown.runtime.hosted import HostedRoom

__all__ = ["Takeover"]

log = structlog.get_logger()

SILENCE = 0.9
"""Seconds without a word from an owner, which says something twice a second; then the directory is asked about its rooms."""

LOOK_SECONDS = 0.1

TROUBLE = 3.0
"""Seconds after the directory itself was in trouble in which an owner that lives may not have renewed its leases yet."""

PATIENCE = 0.8
"""Seconds for which a lease must be missing then: longer than from one renewal to the next."""


class Takeover:
    """The rooms of others that this instance mirrors, watched."""

    def __init__(self, node: Node, leases: Leases, owners: Owners, mirrors: Mirrors, places: Places) -> None:
        self._node = node
        self._leases = leases
        self._owners = owners
        self._mirrors = mirrors
        self._places = places
        node.broken.append(self._broken)
        node.take(Ended, self._ended)
        node.take(Moved, self._moved)

    def watch(self) -> None:
        """To be called several times a second."""
        for mirror in self._mirrors:
            if not mirror.is_lost and self._is_silent(mirror):
                self._settle(mirror)

    def _is_silent(self, mirror: Mirror) -> bool:
        heard = self._node.courier.heard(mirror.owner)
        return heard is None or self._node.now() - heard > SILENCE

    def _settle(self, mirror: Mirror, *, missed: bool = False) -> None:
        if not mirror.is_lost:
            mirror.is_lost = True
            self._node.run(self._find_owner(mirror, missed))

    async def _find_owner(self, mirror: Mirror, missed: bool) -> None:
        """Finds out who has the room of a mirror now, or takes it."""
        missing_since: float | None = None
        while self._mirrors.get(mirror.room.id) is mirror:
            if not mirror.is_needed:
                self._mirrors.remove(mirror)  # none of this instance's players needs it
                return
            try:
                lease = await self._node.directory.owner(mirror.room.id)
                if lease is not None:
                    missing_since = None
                    here = self._node.host.rooms.get(mirror.room.id)
                    if lease.owner == self._node.id and here is not None and here.room.closed is None:
                        self._places.move_in(mirror, here)  # somebody came for it, and took it up
                        return
                    if lease.owner == mirror.owner and self._is_silent(mirror):
                        pass  # its lease has not lapsed: it may only be slow
                    elif await self._follow(mirror, lease, missed and lease.owner == mirror.owner):
                        return
                elif self._has_lapsed(missing_since):
                    if await self._take(mirror):
                        return
                else:
                    missing_since = missing_since or self._node.now()
            except DirectoryDown:
                missing_since = None
            await asyncio.sleep(LOOK_SECONDS)

    def _has_lapsed(self, missing_since: float | None) -> bool:
        """Whether an owner that lives would have its lease by now."""
        now = self._node.now()
        if now - self._leases.troubled_at > TROUBLE:
            return True
        return missing_since is not None and now - missing_since > PATIENCE

    async def _take(self, mirror: Mirror) -> bool:
        """Whether it is settled what becomes of the room."""
        room_id = mirror.room.id
        hosted = await self._places.take_up(room_id, mirror.room.epoch)
        if hosted is None:
            if await self._node.directory.owner(room_id) is not None:
                return False  # another instance was first
            self._dissolve(mirror)
            return True
        self._places.move_in(mirror, hosted)
        return True

    async def _follow(self, mirror: Mirror, lease: Lease, missed: bool) -> bool:
        """Mirrors the room from who owns it now. Whether that worked."""
        if lease.owner == self._node.id:
            return False
        try:
            await self._mirrors.attach(mirror.room.id, lease.owner)
        except (TimeoutError, Refusal):
            return False
        mirror.is_lost = False
        await asyncio.gather(*(self._stay(mirror, one, missed) for one in tuple(mirror.sessions.values())))
        mirror.sayings.say_again(mirror)
        return True

    async def _stay(self, mirror: Mirror, session: Session, missed: bool) -> None:
        if missed:
            session.lose_track()
        if not await self._places.sit_there(mirror, session) and session.hosted is mirror:
            session.homeless()

    def _dissolve(self, mirror: Mirror) -> None:
        """Nothing is left of the room."""
        if mirror.sessions:
            log.error("a room is lost: its owner is gone and its game has no save", room=mirror.room.id)
        for session in tuple(mirror.sessions.values()):
            session.homeless()
        self._mirrors.remove(mirror)

    # What owners say

    def _ended(self, owner: str, said: Ended) -> None:
        mirror = self._mirrors.get(said.room)
        if mirror is not None and mirror.owner == owner:
            self._settle(mirror)

    def _moved(self, owner: str, said: Moved) -> None:
        mirror = self._mirrors.get(said.room)
        if mirror is not None and mirror.owner == owner:
            self._settle(mirror)

    def _broken(self, instance: str) -> None:
        for mirror in self._mirrors:
            if mirror.owner == instance:
                self._settle(mirror, missed=True)

    # Rooms of ours that others have taken

    def lost(self, hosted: HostedRoom) -> None:
        """Another instance has the room: it stops here, and those who play here go on there."""
        sessions = [one for one in hosted.sessions.values() if isinstance(one, Session)]
        for session in sessions:
            session.hold()
        self._owners.forget(hosted, None)
        hosted.let_go()
        self._node.run(self._gone_along(hosted.room.id, sessions))

    async def _gone_along(self, room_id: str, sessions: Iterable[Session]) -> None:
        try:
            await self._go_along(room_id, sessions)
        finally:
            for session in sessions:
                session.release()

    async def _go_along(self, room_id: str, sessions: Iterable[Session]) -> None:
        try:
            place = await self._places.reach(room_id)
        except Refusal:
            for session in sessions:
                session.homeless()
            return
        for session in sessions:
            if isinstance(place, Mirror):
                seated = await self._places.sit_there(place, session)
            else:
                seated = self._places.sit_here(place, session)
            if not seated:
                session.homeless()
