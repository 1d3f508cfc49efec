"""This instance as one of many: the parts of the cluster, joined, and what sessions ask of it.

Knows every part by name. What goes on in rooms it leaves to the host, and what travels to the courier.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from monkeytown.cluster.directory import DirectoryDown, InstanceRecord, Lease, WaitingRoom
from monkeytown.cluster.handover import Handover
from monkeytown.cluster.leases import Leases
from monkeytown.cluster.messages import Done, Ended, Move, Open, Opened, SendAway
from monkeytown.cluster.mirrors import Mirror, Mirrors
from monkeytown.cluster.node import Node
from monkeytown.cluster.owners import Owners
from monkeytown.cluster.places import Places
from monkeytown.cluster.presence import Presence
from monkeytown.cluster.roaming import Roaming
from monkeytown.cluster.takeover import Takeover
from monkeytown.errors import Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.room.closing import HANDED_OVER, PUT_AWAY
from monkeytown.runtime.elsewhere import Seat

if TYPE_CHECKING:
    from monkeytown.identity import Identity
    from monkeytown.room.ledger import Entry
    from monkeytown.room.room import Room
    from monkeytown.runtime.hosted import HostedRoom
    from monkeytown.runtime.session import Session

__all__ = ["Cluster"]

log = structlog.get_logger()

TURN_SECONDS = 0.05
FORWARD_SECONDS = 0.004
"""Inputs of players whose room is elsewhere wait no longer than this."""

LISTED = 200
"""Waiting rooms of an instance that others hear of."""

BUSY = 0.7
"""Load from which on new rooms are opened elsewhere, where there is less to do by at least `LESS`."""
LESS = 0.2

EVERYBODY = "all"
"""The channel that every instance listens to."""


class Cluster:
    """One instance among others: `monkeytown.runtime.elsewhere.Elsewhere` for its sessions."""

    def __init__(
        self,
        node: Node,
        keep: Callable[[Room, list[Entry]], None],
        look: Callable[[], None],
        load: Callable[[], float],
    ) -> None:
        self.node = node
        self.draining = False
        self.stop: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGTERM)
        """Ends this instance as whoever started it would."""
        self.owners = Owners(node)
        self.mirrors = Mirrors(node)
        self.leases = Leases(node, keep)
        self.places = Places(node, self.leases, self.owners, self.mirrors)
        self.takeover = Takeover(node, self.leases, self.owners, self.mirrors, self.places)
        self.roaming = Roaming(node, self.owners, self.places)
        self.presence = Presence(node)
        self.leases.lost = self.takeover.lost
        self.handover = Handover(node, self.leases, self.owners, self.mirrors, self.places, self.roaming)
        self.others: list[InstanceRecord] = []
        """The other instances, as they were heard of last."""
        self._look = look
        self._load = load
        self._taken: dict[str, float] = {}
        """When which room was put into bytes last."""
        self._forwarding: asyncio.TimerHandle | None = None
        self._changed_listing = True
        host = node.host
        host.opened, host.forgotten = self._opened, self._forgotten
        host.attentive, host.keep = self.leases.attentive, self.leases.keep
        node.take(SendAway, self._sent_away)
        node.take(Move, self._move)

    async def start(self) -> None:
        """Raises `StartError`."""
        node = self.node
        await node.directory.start()
        await node.bus.start()
        await node.courier.start()
        node.courier.listen(EVERYBODY)
        node.sessions.elsewhere = self
        ticker = node.host.ticker
        before = ticker.before

        def awake() -> None:
            self.leases.attentive()
            before()

        ticker.before, ticker.after = awake, node.courier.flush
        await self._announce()
        node.run(self._turns())
        node.run(self._beats())
        self._forward()

    async def drain(self, stop_listening: Callable[[], None]) -> None:
        """Rooms and players go to other instances, as far as there are any. Who is asked to go must not come back here."""
        self.draining = True
        try:
            await self._announce()
        except DirectoryDown:
            log.error("nothing can be handed over: the directory says nothing")
            return
        await self.handover.empty([one for one in self.others if not one.draining])
        stop_listening()
        await self.handover.send_off()

    async def close(self) -> None:
        if self._forwarding is not None:
            self._forwarding.cancel()
        with suppress(DirectoryDown):  # others find out
            await self.node.directory.retire(self.node.id)
        self.node.sessions.elsewhere = None
        await self.node.close()
        self.node.courier.flush()
        await self.node.courier.close()
        await self.node.bus.close()
        await self.node.directory.close()

    # What sessions ask

    async def seat(self, session: Session, game_id: str) -> Seat:
        place = self.node.sessions.seat_of(session, game_id) or await self._place_for(session, game_id)
        if isinstance(place, Mirror):
            try:
                return Seat(place, await place.join(session))
            except TimeoutError:
                place = await self.places.reach(place.room.id)
                if isinstance(place, Mirror):
                    try:
                        return Seat(place, await place.join(session))
                    except TimeoutError:
                        raise Refusal(code="SYS-002") from None
        return Seat(place, self.node.host.seat(place, session, game_id))

    async def find(self, token: str, identity: Identity | None) -> Session | None:
        return await self.roaming.find(token, identity)

    def changed(self, session: Session, urgent: bool) -> None:
        self.roaming.changed(session, urgent)
        self.presence.changed(session)

    def forgotten(self, session: Session) -> None:
        self.roaming.forgotten(session)
        self.presence.forgotten(session)

    def sent_away(self, player_id: str, code: int) -> None:
        self.node.courier.cast(EVERYBODY, SendAway(player_id, code))

    def _sent_away(self, sender: str, said: SendAway) -> None:
        try:
            code = CloseCode(said.code)
        except ValueError:
            return
        self.node.sessions.send_away(said.player, code)

    def _move(self, sender: str, said: Move) -> None:
        self.node.run(self._moved(sender, said))

    async def _moved(self, sender: str, said: Move) -> None:
        """An operator has a room handed over, or all there is."""
        if not said.room:
            self.node.courier.send(sender, Done(said.ask))
            self.stop()
            return
        hosted = self.node.host.rooms.get(said.room)
        if hosted is None or not self.node.host.keeps(hosted.game_name):
            self.node.refuse(
                sender, said.ask, Refusal("only rooms of games with a save can go elsewhere", "GAME-001")
            )
        elif said.to == self.node.id or await self.handover.hand_over(hosted, said.to):
            self.node.courier.send(sender, Done(said.ask))
        else:
            self.node.refuse(
                sender, said.ask, Refusal("the other instance did not take the room", "GAME-001")
            )

    # Where there is a seat

    async def _place_for(self, session: Session, game_id: str) -> HostedRoom | Mirror:
        host = self.node.host
        if game_id not in host.games:
            here = host.rooms.get(game_id)
            if here is not None and not here.has_seats_for((session.id,)):
                raise Refusal(code="GAME-001")
            return here or await self.places.reach(game_id)
        found = self._waiting(session, game_id)
        if found is None:
            await self._hear_of_others()
            found = self._waiting(session, game_id)
        if isinstance(found, str):
            try:
                return await self.places.reach(found)
            except Refusal:
                found = None  # it has ended meanwhile
        return found or await self._open(session, game_id)

    def _waiting(self, session: Session, game: str) -> HostedRoom | str | None:
        """The public room of a game that has waited longest for players, or its id if it is elsewhere."""
        host = self.node.host
        best: tuple[float, HostedRoom | str] | None = None
        for hosted in host.waiting.of(game, ""):
            if hosted.has_seats_for((session.id,)):
                best = self._since(hosted), hosted
                break
        for record in self.others:
            for room in record.waiting:
                suits = room.game == game and not room.mode and room.seats and not record.draining
                if suits and (best is None or room.since < best[0]):
                    best = room.since, room.room
        return None if best is None else best[1]

    async def _open(self, session: Session, game: str) -> HostedRoom | Mirror:
        """A new room: here, unless there is much less to do elsewhere."""
        own = self._load()
        idle = min(
            (one for one in self.others if not one.draining and game in one.games), key=_load, default=None
        )
        if idle is not None and (self.draining or (own > BUSY and idle.load < own - LESS)):
            try:
                room = await self.node.ask(
                    idle.id, lambda ask: Open(ask, game, session.id), Opened, lambda said: said.room
                )
                return await self.places.reach(room)
            except (Refusal, TimeoutError):
                pass
        opened = self.node.host.find_seat(game, session.id)
        with suppress(DirectoryDown):  # whoever comes next elsewhere is to find it
            await self._announce()
        return opened

    def _since(self, hosted: HostedRoom) -> float:
        return time.time() - (self.node.now() - hosted.listing.waiting_since)

    # Rooms that begin and end here

    def _opened(self, hosted: HostedRoom) -> None:
        if hosted.room.id not in self.leases:
            self.leases.begin(hosted)
            self.node.run(self._claim(hosted))
        self._changed_listing = True

    async def _claim(self, hosted: HostedRoom) -> None:
        """Nobody else knows the room yet, so nobody else can have it."""
        try:
            await self.node.directory.claim(hosted.room.id, self.node.id, floor=hosted.room.epoch - 1)
        except DirectoryDown:
            return  # it is renewed as if it had been claimed

    def _forgotten(self, hosted: HostedRoom) -> None:
        self._taken.pop(hosted.room.id, None)
        self._changed_listing = True
        if hosted.room.closed in (None, HANDED_OVER, PUT_AWAY):
            return
        self.owners.forget(hosted, Ended(hosted.room.id))
        lease = self.leases.give_up(hosted.room.id)
        if lease is not None:
            self.node.run(self._forget(lease.room, lease.epoch))

    async def _forget(self, room: str, epoch: int) -> None:
        with suppress(DirectoryDown):  # it lapses
            await self.node.directory.forget_room(Lease(room, self.node.id, epoch))

    # Time

    def _forward(self) -> None:
        """What players steer in rooms of other instances goes there without waiting for a tick of ours."""
        pause = FORWARD_SECONDS if self.mirrors else TURN_SECONDS
        self._forwarding = asyncio.get_running_loop().call_later(pause, self._forward)
        if self.mirrors:
            self._look()
            self.mirrors.forward_inputs()

    async def _turns(self) -> None:
        """What is looked at many times a second."""
        turn = 0
        while True:
            await asyncio.sleep(TURN_SECONDS)
            turn += 1
            self.leases.attentive()
            self.takeover.watch()
            try:
                await self.roaming.write(all=turn % 20 == 0)
                await self._checkpoint_some()
                if self._changed_listing or turn % 10 == 0:
                    await self._announce()
            except DirectoryDown:
                self.leases.troubled_at = self.node.now()
            if turn % 20 == 0:
                with suppress(DirectoryDown):
                    await self.presence.write()
                self.mirrors.sweep()
                self.owners.sweep()

    async def _beats(self) -> None:
        """Leases are renewed, whatever else there is to do."""
        while True:
            await self.leases.renew()
            await asyncio.sleep(self.node.times.renewal)

    async def _checkpoint_some(self) -> None:
        """Rooms that are due, a share of all in each turn."""
        now, seconds = self.node.now(), self.node.times.checkpoint
        due = [
            hosted
            for hosted in self.node.host.rooms.values()
            if now - self._taken.get(hosted.room.id, 0.0) >= seconds and self._may_be_kept(hosted)
        ]
        for hosted in islice(due, 1 + len(self.node.host.rooms) // 10):
            self._taken[hosted.room.id] = now
            lease = self.leases.lease(hosted.room.id)
            saved = None if lease is None else hosted.checkpoint_with_members()
            if lease is not None and saved is not None:
                await self.node.directory.keep(lease, saved, self.node.times.kept)

    def _may_be_kept(self, hosted: HostedRoom) -> bool:
        return self.node.host.keeps(hosted.game_name) and hosted.room.closed is None and not hosted.in_doubt

    async def _announce(self) -> None:
        self._changed_listing = False
        await self.node.directory.announce(self._record(), self.node.times.lease)
        await self._hear_of_others()

    async def _hear_of_others(self) -> None:
        try:
            records = await self.node.directory.instances()
        except DirectoryDown:
            return
        self.others = [record for record in records if record.id != self.node.id]

    def _record(self) -> InstanceRecord:
        host, node = self.node.host, self.node
        waiting = [
            WaitingRoom(hosted.room.id, game, hosted.listing.setup.mode, _seats(hosted), self._since(hosted))
            for game in host.games
            for hosted in islice(host.waiting.of(game, ""), LISTED // len(host.games) + 1)
        ]
        return InstanceRecord(
            id=node.id,
            name=node.name,
            url=node.url,
            games=list(host.games),
            players=len(node.sessions),
            rooms=len(host.rooms),
            load=self._load(),
            draining=self.draining,
            waiting=waiting,
        )


def _seats(hosted: HostedRoom) -> int:
    """Free seats; -1: any number."""
    limit = hosted.room.max_players
    return max(limit - len(hosted.room.members), 0) if limit > 0 else -1


def _load(record: InstanceRecord) -> float:
    return record.load
