"""All rooms of other instances that sessions of this one know, and what their owners say of them.

Knows mirrors by their rooms, and when nobody needs one any more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from monkeytown.cluster.messages import (
    Attach,
    Attached,
    Detach,
    Mail,
    SentAway,
    Stands,
    State,
)
from monkeytown.cluster.mirror import Mirror
from monkeytown.cluster.mirror import said as position_of
from monkeytown.cluster.relay import room_channel
from monkeytown.errors import Refusal
from monkeytown.position import Position
from monkeytown.room.feed import NOWHERE, Mark
from monkeytown.room.mirrored import MirroredRoom
from monkeytown.room.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monkeytown.cluster.node import Node

__all__ = ["Mirror", "Mirrors"]

log = structlog.get_logger()

FIRST_STATE_SECONDS = 2.0

LINGER_SECONDS = 5.0
"""A mirror that nobody of this instance needs any more is kept as long: players come back."""


class Mirrors:
    """All mirrors of this instance."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._mirrors: dict[str, Mirror] = {}
        self._to_show: dict[Mirror, None] = {}
        node.take(State, self._state)
        node.take(Stands, self._stands)
        node.take(Mail, self._mail)
        node.take(SentAway, self._sent_away)

    def __iter__(self) -> Iterator[Mirror]:
        return iter(tuple(self._mirrors.values()))

    def __len__(self) -> int:
        return len(self._mirrors)

    def get(self, room_id: str) -> Mirror | None:
        return self._mirrors.get(room_id)

    def add(self, mirror: Mirror) -> None:
        self._mirrors[mirror.room.id] = mirror
        self._node.host.mirrors[mirror.room.id] = mirror
        self._node.courier.listen(room_channel(mirror.room.id))

    def remove(self, mirror: Mirror) -> None:
        if self._mirrors.pop(mirror.room.id, None) is None:
            return
        del self._node.host.mirrors[mirror.room.id]
        self._node.courier.unlisten(room_channel(mirror.room.id))
        self._to_show.pop(mirror, None)
        for audience in tuple(mirror.audiences):
            mirror.retire(audience)

    async def attach(self, room_id: str, owner: str) -> Mirror:
        """A mirror of a room, once there is something to show. Raises `Refusal` and `TimeoutError`."""
        known = self._mirrors.get(room_id)
        stands = position_of(NOWHERE if known is None else known.mirrored.mark)
        mirror = await self._node.ask(
            owner,
            lambda ask: Attach(ask, room_id, *stands),
            Attached,
            lambda attached: self._attached(room_id, owner, attached),
        )
        async with asyncio.timeout(FIRST_STATE_SECONDS):
            await asyncio.shield(mirror.ready)
        return mirror

    def _attached(self, room_id: str, owner: str, attached: Attached) -> Mirror:
        known = self._mirrors.get(room_id)
        if known is not None:
            known.follow(owner)
            return known
        game = self._node.host.games.get(attached.game)
        if game is None:
            self._node.courier.send(owner, Detach(room_id))
            raise Refusal(code="GAME-001")
        room = MirroredRoom(game, room_id=room_id, epoch=attached.epoch, setup=_setup(attached))
        mirror = Mirror(self._node, room, owner)
        self.add(mirror)
        return mirror

    def forward_inputs(self) -> None:
        for mirror in self._mirrors.values():
            mirror.forward_inputs()

    def sweep(self) -> None:
        """Mirrors that nobody needs any more are given up."""
        now = self._node.now()
        for mirror in self:
            if (
                not mirror.is_needed
                and mirror.lonely_since is not None
                and now - mirror.lonely_since > LINGER_SECONDS
            ):
                mirror.tell(Detach(mirror.room.id))
                self.remove(mirror)

    # What owners say

    def _from(self, owner: str, room_id: str) -> Mirror | None:
        mirror = self._mirrors.get(room_id)
        if mirror is None or mirror.owner != owner:
            self._node.counters["stale"] += 1
            return None
        return mirror

    def _state(self, owner: str, said: State) -> None:
        mirror = self._from(owner, said.room)
        if mirror is not None and mirror.apply(said.update):
            self._show(mirror)

    def _stands(self, owner: str, said: Stands) -> None:
        mirror = self._from(owner, said.room)
        if mirror is not None:
            mirror.stands(Mark(Position(said.epoch, said.tick), said.serial))

    def _mail(self, owner: str, said: Mail) -> None:
        mirror = self._from(owner, said.room)
        if mirror is not None:
            mirror.deliver(said)
            self._show(mirror)

    def _sent_away(self, owner: str, said: SentAway) -> None:
        mirror = self._from(owner, said.room)
        if mirror is not None:
            mirror.send_away(said.player, said.code, said.reason)

    def _show(self, mirror: Mirror) -> None:
        """Once, after all that came with it."""
        if not self._to_show:
            asyncio.get_running_loop().call_soon(self._show_all)
        self._to_show[mirror] = None

    def _show_all(self) -> None:
        mirrors, self._to_show = self._to_show, {}
        for mirror in mirrors:
            mirror.show()


def _setup(attached: Attached) -> Setup:
    return Setup(attached.max_players, attached.mode, attached.private, msgspec.json.decode(attached.options))
