"""Where a player finds a seat, on whatever instance: by a room's id, or in the room of a game that has waited longest.

Knows what other instances say of their rooms and of their load; not how rooms are reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from monkeytown.cluster.directory import DirectoryDown, InstanceRecord
from monkeytown.cluster.messages import Open, Opened
from monkeytown.cluster.mirrors import Mirror
from monkeytown.errors import Refusal
from monkeytown.runtime.elsewhere import Seat
from monkeytown.runtime.hosted import HostedRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from monkeytown.cluster.node import Node
    from monkeytown.cluster.places import Places
    from monkeytown.cluster.presence import Presence
    from monkeytown.runtime.place import Place
    from monkeytown.runtime.session import Session

__all__ = ["Matching", "waiting_since"]

TRIES = 4
"""Rooms that have filled up, or ended, by the time that somebody gets there."""

BUSY = 0.7
"""Load from which on new rooms are opened elsewhere, where there is less to do by at least `LESS`."""
LESS = 0.2

NO_SEAT = ("GAME-001", "GAME-002", "GAME-006")


class Matching:
    """Of one instance. `announce` has the others know what is new here."""

    def __init__(
        self,
        node: Node,
        places: Places,
        presence: Presence,
        announce: Callable[[], Awaitable[None]],
        load: Callable[[], float],
    ) -> None:
        self.others: list[InstanceRecord] = []
        """The other instances, as they were heard of last."""
        self.draining = False
        self._node = node
        self._places = places
        self._presence = presence
        self._announce = announce
        self._load = load

    async def seat(self, session: Session, game_id: str) -> Seat:
        """A seat for a session's player. Raises `Refusal`."""
        if game_id not in self._node.host.games:
            return await self.sit(await self._room(session, game_id), session, game_id)
        full: set[str] = set()
        for _ in range(TRIES):
            place = await self._place(session, game_id, full)
            try:
                return await self.sit(place, session, game_id)
            except Refusal as refusal:
                if refusal.code not in NO_SEAT:
                    raise
                full.add(place.room.id)
        return await self.sit(self._node.host.open_room(game_id), session, game_id)

    async def sit(self, place: Place, session: Session, game_id: str) -> Seat:
        """Has a player sit down in a room, wherever that is. Raises `Refusal`."""
        for _ in range(2):
            if not isinstance(place, Mirror):
                return Seat(place, self._node.host.seat(place, session, game_id))
            try:
                return Seat(place, await place.join(session))
            except TimeoutError:
                place = await self._places.reach(place.room.id)  # its owner is gone
        raise Refusal(code="SYS-002")

    async def _room(self, session: Session, room_id: str) -> HostedRoom | Mirror:
        here = self._node.host.rooms.get(room_id)
        if here is not None and not here.has_seats_for((session.id,)):
            raise Refusal(code="GAME-001")
        return here or await self._places.reach(room_id)

    async def _place(self, session: Session, game: str, full: set[str]) -> HostedRoom | Mirror:
        """A room of the game: where the player is already, where there is a seat, or a new one."""
        for find in (self._own, self._waiting):
            found = await find(session, game, full)
            if isinstance(found, HostedRoom) and found.room.id not in full:
                return found
            if not isinstance(found, str) or found in full:
                continue
            try:
                return await self._places.reach(found)
            except Refusal:
                full.add(found)  # it has ended meanwhile
        return await self._open(session, game)

    async def _own(self, session: Session, game: str, full: set[str]) -> str | None:
        """The room where the same player sits already, at another instance."""
        if session.identity is None:
            return None
        try:
            where = await self._presence.where(session.id)
        except DirectoryDown:
            return None
        known = where is not None and where.instance != self._node.id and where.game == game
        return where.room if where is not None and known else None

    async def _waiting(self, session: Session, game: str, full: set[str]) -> HostedRoom | str | None:
        """The public room that has waited longest for players, or its id if it is elsewhere."""
        found = self._longest(session, game, full)
        if found is None:
            with suppress(DirectoryDown):
                await self.hear_of_others()
            found = self._longest(session, game, full)
        return found

    def _longest(self, session: Session, game: str, full: set[str]) -> HostedRoom | str | None:
        best: tuple[float, HostedRoom | str] | None = None
        for hosted in self._node.host.waiting.of(game, ""):
            if hosted.room.id not in full and hosted.has_seats_for((session.id,)):
                best = waiting_since(self._node, hosted), hosted
                break
        for record in self.others:
            for room in record.waiting:
                suits = room.game == game and not room.mode and room.seats and not record.draining
                if suits and room.room not in full and (best is None or room.since < best[0]):
                    best = room.since, room.room
        return None if best is None else best[1]

    async def _open(self, session: Session, game: str) -> HostedRoom | Mirror:
        """A new room: here, unless there is much less to do elsewhere."""
        able = [one for one in self.others if not one.draining and game in one.games]
        idle = min(able, key=lambda one: one.load, default=None)
        if idle is not None and (self.draining or self._load() > max(BUSY, idle.load + LESS)):
            try:
                room = await self._node.ask(
                    idle.id, lambda ask: Open(ask, game, session.id), Opened, lambda said: said.room
                )
                return await self._places.reach(room)
            except (Refusal, TimeoutError):
                pass
        opened = self._node.host.find_seat(game, session.id)
        with suppress(DirectoryDown):  # whoever comes next elsewhere is to find it
            await self._announce()
        return opened

    async def hear_of_others(self) -> None:
        """Raises `DirectoryDown`."""
        records = await self._node.directory.instances()
        self.others = [record for record in records if record.id != self._node.id]


def waiting_since(node: Node, hosted: HostedRoom) -> float:
    """Since when a room looks for players, in seconds since 1970."""
    return time.time() - (node.now() - hosted.listing.waiting_since)
