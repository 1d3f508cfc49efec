"""Somebody who looks at the instances from outside, and tells one what to do: an operator's command line.

Knows the directory and one question; hosts no rooms and has no sessions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monkeytown.cluster.bus import Bus
from monkeytown.cluster.courier import Courier
from monkeytown.cluster.directory import Directory, InstanceRecord
from monkeytown.cluster.envelope import Envelopes
from monkeytown.cluster.messages import Done, Message, Move, Refused
from monkeytown.errors import StartError

__all__ = ["Visitor", "visiting"]

ANSWER_SECONDS = 30.0


class Visitor:
    """One who asks."""

    def __init__(self, directory: Directory, bus: Bus, secret: str) -> None:
        self.directory = directory
        self._bus = bus
        self._answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        id = secrets.token_urlsafe(9)
        self._courier: Courier[Message] = Courier(
            id, bus, Envelopes(secret, id), Message, receive=self._receive, broken=lambda peer: None
        )

    async def start(self) -> None:
        """Raises `StartError`."""
        await self.directory.start()
        await self._bus.start()
        await self._courier.start()

    async def close(self) -> None:
        await self._courier.close()
        await self._bus.close()
        await self.directory.close()

    async def instance(self, name: str) -> InstanceRecord:
        """The instance of a name or an id. Raises `StartError` if there is none, or more than one."""
        records = [one for one in await self.directory.instances() if name in (one.id, one.name)]
        if len(records) != 1:
            raise StartError(
                f"there is no instance {name}" if not records else f"several instances are called {name}"
            )
        return records[0]

    async def move(self, room: str, to: str) -> None:
        """Has a room handed over. Raises `StartError`."""
        lease = await self.directory.owner(room)
        if lease is None:
            raise StartError(f"there is no room {room}")
        await self._ask(lease.owner, Move(1, room, to))

    async def drain(self, instance: str) -> None:
        """Has an instance hand over all it has, and stop. Raises `StartError`."""
        await self._ask(instance, Move(1, "", ""))

    async def _ask(self, instance: str, message: Message) -> None:
        self._courier.send(instance, message)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                said = await self._answer
        except TimeoutError as error:
            raise StartError(f"{instance} does not answer: has it the same MONKEYTOWN_SECRET?") from error
        if isinstance(said, Refused):
            raise StartError(said.message)

    def _receive(self, sender: str, message: Message) -> None:
        if isinstance(message, Done | Refused) and not self._answer.done():
            self._answer.set_result(message)


@asynccontextmanager
async def visiting(directory: Directory, bus: Bus, secret: str) -> AsyncIterator[Visitor]:
    """A visitor for as long as the block lasts. Raises `StartError`."""
    visitor = Visitor(directory, bus, secret)
    await visitor.start()
    try:
        yield visitor
    finally:
        await visitor.close()
