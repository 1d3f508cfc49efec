"""Which rooms are this instance's, for how long yet, and what may be done meanwhile.

Knows leases, the clock, and what waits until a lease is certain; not what becomes of a room that is lost. A room is played on
while nobody answers whether it is still ours: its players are here. But what must last of it waits, and after a pause of this
process, in which others may have taken the room, nothing happens and nobody is told anything until that is clear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from monkeytown.cluster.directory import DirectoryDown, Lease
from monkeytown.room.ledger import Entry
from monkeytown.room.room import Room

if TYPE_CHECKING:
    from monkeytown.cluster.node import Node
    from monkeytown.runtime.hosted import HostedRoom

__all__ = ["Leases"]

log = structlog.get_logger()

MARGIN = 0.2
"""Seconds before the end of a lease from which on it is not certain any more."""

PAUSE = 0.5
"""Seconds for which this process must have stood still to have missed something."""

MOST_HELD = 10_000
"""Entries of a room's ledger that wait for its lease; the room goes on without what comes beyond."""


class _Held:
    """One lease of ours."""

    __slots__ = ("certain_until", "ended", "entries", "epoch", "is_arriving", "is_leaving")

    def __init__(self, epoch: int, certain_until: float) -> None:
        self.epoch = epoch
        self.certain_until = certain_until
        self.entries: list[Entry] = []
        """Of the ledger: they wait."""
        self.is_leaving = False
        self.is_arriving = False
        self.ended: Room | None = None
        """The room, if it has ended while that could not be said to anybody."""


class Leases:
    """All leases of this instance."""

    def __init__(self, node: Node, keep: Callable[[Room, list[Entry]], None]) -> None:
        self._node = node
        self._keep = keep
        self.lost: Callable[[HostedRoom], None] = lambda hosted: None
        """Is told of a room that another instance has."""
        self.over: Callable[[Lease], None] = lambda lease: None
        """Is told of a lease that waited for its room's last entries."""
        self._held: dict[str, _Held] = {}
        self._seen = node.now()
        self._in_doubt = False
        self._renewing: asyncio.Task[None] | None = None
        self.troubled_at = node.now()
        """When the directory had no answer last."""

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._held

    def __len__(self) -> int:
        return len(self._held)

    def lease(self, room_id: str) -> Lease | None:
        held = self._held.get(room_id)
        return None if held is None else Lease(room_id, self._node.id, held.epoch)

    def begin(self, hosted: HostedRoom) -> None:
        """A room was opened here, of which nobody else knows: its lease is taken while it is played already."""
        self.add(Lease(hosted.room.id, self._node.id, hosted.room.epoch))

    def add(self, lease: Lease, *, is_arriving: bool = False) -> None:
        """A lease that is ours from now on, or, if it is arriving, once the directory says so."""
        held = _Held(lease.epoch, self._node.now() + self._node.times.lease - MARGIN)
        held.is_arriving = is_arriving
        self._held[lease.room] = held

    def arrived(self, room_id: str) -> None:
        """The directory says so."""
        held = self._held.get(room_id)
        if held is not None:
            held.is_arriving = False

    def leaving(self, room_id: str, is_leaving: bool) -> None:
        """While a room is handed over, its lease may be another instance's before that instance can say so."""
        held = self._held.get(room_id)
        if held is not None:
            held.is_leaving = is_leaving

    def give_up(self, room_id: str) -> Lease | None:
        """It is not ours any more, or need not be."""
        lease = self.lease(room_id)
        self._held.pop(room_id, None)
        return lease

    def end(self, room: Room) -> Lease | None:
        """A room has ended. The lease that nobody needs any more; None if it was none of ours, or waits until it is certain
        again, for what is to be kept of the room.
        """
        held = self._held.get(room.id)
        if held is not None and self._node.now() >= held.certain_until:
            held.ended = room
            return None
        return self.give_up(room.id)

    def handed_over(self, room: Room) -> None:
        """Another instance has the room, from us: it was ours until then, and so is what waits of it."""
        held = self._held.pop(room.id, None)
        if held is not None and held.entries:
            self._keep(room, held.entries)

    # What must last

    def keep(self, room: Room, entries: list[Entry]) -> None:
        """Entries of a room's ledger: kept if the room is certainly ours, and held back otherwise."""
        held = self._held.get(room.id)
        if held is None or self._node.now() < held.certain_until:
            self._keep(room, entries)
        elif len(held.entries) + len(entries) <= MOST_HELD:
            held.entries += entries
        else:
            self._node.counters["entries_not_kept"] += len(entries)

    # Doubt

    def attentive(self) -> bool:
        """Whether this process has missed nothing. To be asked before anything happens in a room, and often."""
        now = self._node.now()
        paused, self._seen = now - self._seen > PAUSE, now
        if paused and not self._in_doubt:
            self._doubt(now)
        return not self._in_doubt

    def _doubt(self, now: float) -> None:
        doubted = [room for room, held in self._held.items() if now >= held.certain_until]
        if not doubted:
            return
        self._in_doubt = True
        self._node.counters["doubts"] += 1
        log.warning(
            "this process stood still: whether its rooms are still its own is asked first", rooms=len(doubted)
        )
        for room in doubted:
            hosted = self._node.host.rooms.get(room)
            if hosted is not None:
                hosted.in_doubt = True
        if self._renewing is None or self._renewing.done():
            self._renewing = self._node.run(self._clear_up())

    async def _clear_up(self) -> None:
        while self._in_doubt:
            if await self.renew():
                return
            await asyncio.sleep(0.05)

    async def renew(self) -> bool:
        """Renews all leases. Whether there was an answer."""
        asked = self._node.now()
        leases = [(room, held.epoch) for room, held in self._held.items()]
        try:
            answers = await self._node.directory.renew(self._node.id, leases)
        except DirectoryDown:
            self.troubled_at = self._node.now()
            return False
        until = asked + self._node.times.lease - MARGIN
        for (room, epoch), ours in zip(leases, answers, strict=True):
            held = self._held.get(room)
            if held is not None and held.epoch == epoch:
                self._answered(room, held, ours, until)
        # Only what was asked after a pause says anything about it.
        if self._in_doubt and self._node.now() - asked < PAUSE:
            self._in_doubt = False
            for hosted in self._node.host.rooms.values():
                hosted.in_doubt = self._is_arriving(hosted.room.id)
        return True

    def _is_arriving(self, room_id: str) -> bool:
        held = self._held.get(room_id)
        return held is not None and held.is_arriving

    def _answered(self, room: str, held: _Held, ours: bool, until: float) -> None:
        if held.is_leaving or held.is_arriving:
            if ours:
                held.certain_until = until
            return  # whoever hands it over finds out
        hosted = self._node.host.rooms.get(room)
        if ours:
            held.certain_until = until
            kept = held.ended if hosted is None else hosted.room
            if held.entries and kept is not None:
                entries, held.entries = held.entries, []
                self._keep(kept, entries)
            if held.ended is not None and (lease := self.give_up(room)) is not None:
                self.over(lease)
            return
        del self._held[room]
        self._node.counters["fenced"] += 1
        self._node.counters["entries_fenced"] += len(held.entries)
        log.warning("a room is another instance's by now", room=room, epoch=held.epoch)
        if hosted is not None:
            hosted.in_doubt = True
            self.lost(hosted)
