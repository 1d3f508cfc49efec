"""This instance as one of many: the parts of the cluster, joined, and what sessions ask of it.

Knows every part by name. What goes on in rooms it leaves to the host, and what travels to the courier.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from itertools import count, islice
from typing import TYPE_CHECKING

import structlog

from monkeytown.cluster.directory import DirectoryDown, InstanceRecord, Lease, WaitingRoom
from monkeytown.cluster.handover import Handover
from monkeytown.cluster.leases import Leases
from monkeytown.cluster.matching import Matching, waiting_since
from monkeytown.cluster.messages import Done, Ended, Move, SendAway
from monkeytown.cluster.mirrors import Mirrors
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

EMPTY_SECONDS = 10.0
"""Rooms are handed over within so long, and left behind then: a process that does not stop in time is killed."""

TURN_SECONDS = 0.05
FORWARD_SECONDS = 0.004
"""Inputs of players whose room is elsewhere wait no longer than this."""

LISTED = 200
"""Waiting rooms of an instance that others hear of."""

GONE_SECONDS = 3.0
"""An instance that is in no list and was not heard for so long is gone."""


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
        self.stop: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGTERM)
        """Ends this instance as whoever started it would."""
        self.owners = Owners(node)
        self.mirrors = Mirrors(node)
        self.leases = Leases(node, keep)
        self.places = Places(node, self.leases, self.owners, self.mirrors)
        self.takeover = Takeover(node, self.leases, self.owners, self.mirrors, self.places)
        self.roaming = Roaming(node, self.owners, self.places)
        self.presence = Presence(node)
        self.leases.lost, self.leases.over = self.takeover.lost, self._over
        self.handover = Handover(node, self.leases, self.owners, self.mirrors, self.places, self.roaming)
        self.matching = Matching(node, self.places, self.presence, self._announce, load)
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
        self.matching.draining = True
        try:
            await self._announce()
        except DirectoryDown:
            log.error("nothing can be handed over: the directory says nothing")
            return
        try:
            async with asyncio.timeout(EMPTY_SECONDS):
                await self.handover.empty([one for one in self.others if not one.draining])
        except TimeoutError:  # whoever takes a room that is still here has its checkpoint
            log.error("not everything could be handed over in time", rooms=len(self.leases))
        stop_listening()
        await self.handover.send_off()

    @property
    def draining(self) -> bool:
        """Whether what is here goes to other instances."""
        return self.matching.draining

    @property
    def others(self) -> list[InstanceRecord]:
        """The other instances, as they were heard of last."""
        return self.matching.others

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
        here = self.node.sessions.seat_of(session, game_id)
        if here is not None:
            return await self.matching.sit(here, session, game_id)
        return await self.matching.seat(session, game_id)

    async def find(self, token: str, identity: Identity | None) -> Session | None:
        return await self.roaming.find(token, identity)

    def changed(self, session: Session, urgent: bool) -> None:
        self.roaming.changed(session, urgent)
        self.presence.changed(session)

    def forgotten(self, session: Session) -> None:
        self.roaming.forgotten(session)
        self.presence.forgotten(session)

    def sent_away(self, player_id: str, code: int) -> None:
        self.roaming.sent_away(player_id)
        for other in self.others:
            self.node.courier.send(other.id, SendAway(player_id, code))

    def _sent_away(self, sender: str, said: SendAway) -> None:
        self.roaming.sent_away(said.player)
        for code in CloseCode:
            if code == said.code:
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

    # Rooms that begin and end here

    def _opened(self, hosted: HostedRoom) -> None:
        if hosted.room.id not in self.leases:
            self.leases.begin(hosted)
            self.node.run(self._claim(hosted))
        self._changed_listing = True

    async def _claim(self, hosted: HostedRoom) -> None:
        """Nobody else knows the room yet, so nobody else can have it.

        Not a claim: that is of the next epoch, if a checkpoint of this one got there before.
        """
        with suppress(DirectoryDown):  # it is renewed before long
            await self.node.directory.renew(self.node.id, [(hosted.room.id, hosted.room.epoch)])

    def _forgotten(self, hosted: HostedRoom) -> None:
        self._taken.pop(hosted.room.id, None)
        self._changed_listing = True
        if hosted.room.closed in (None, HANDED_OVER, PUT_AWAY):
            return
        self.owners.forget(hosted, Ended(hosted.room.id))
        lease = self.leases.end(hosted.room)
        if lease is not None:
            self._over(lease)

    def _over(self, lease: Lease) -> None:
        self.node.run(self._forget(lease))

    async def _forget(self, lease: Lease) -> None:
        with suppress(DirectoryDown):  # it lapses
            await self.node.directory.forget_room(lease)

    # Time

    def _forward(self) -> None:
        """What players steer in rooms of other instances goes there without waiting for a tick of ours."""
        pause = FORWARD_SECONDS if self.mirrors else TURN_SECONDS
        self._forwarding = asyncio.get_running_loop().call_later(pause, self._forward)
        self.leases.attentive()
        if self.mirrors:
            self._look()
            self.mirrors.forward_inputs()

    async def _turns(self) -> None:
        """What is looked at many times a second."""
        for turn in count(1):
            await asyncio.sleep(TURN_SECONDS)
            try:
                await self._turn(each_second=turn % 20 == 0, each_half=turn % 10 == 0)
            except DirectoryDown:
                self.leases.troubled_at = self.node.now()
            except Exception:
                log.exception("the cluster failed at something")

    async def _turn(self, *, each_second: bool, each_half: bool) -> None:
        self.takeover.watch()
        if each_second:
            self.mirrors.sweep()
            self.owners.sweep()
        await self.roaming.write(all=each_second)
        await self._checkpoint_some()
        if self._changed_listing or each_half:
            await self._announce()
        if each_second:
            await self.presence.write()
            self._miss_who_is_gone()

    def _miss_who_is_gone(self) -> None:
        """Whoever is not listed any more, and says nothing, does not come back under that id."""
        listed = {one.id for one in self.others}
        for peer in self.node.courier.peers:
            heard = self.node.courier.heard(peer)
            if peer not in listed and heard is not None and self.node.now() - heard > GONE_SECONDS:
                self.node.courier.drop(peer)

    async def _beats(self) -> None:
        """Leases are renewed, whatever else there is to do."""
        while True:
            try:
                await self.leases.renew()
            except Exception:
                log.exception("the cluster failed at renewing its leases")
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
        await self.matching.hear_of_others()

    def _record(self) -> InstanceRecord:
        host, node = self.node.host, self.node
        waiting = [
            WaitingRoom(
                hosted.room.id, game, hosted.listing.setup.mode, _seats(hosted), waiting_since(node, hosted)
            )
            for game in host.games
            for hosted in islice(host.waiting.of(game, ""), LISTED // len(host.games) + 1)
        ]
        return InstanceRecord(
            id=node.id,
            name=node.name,
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
