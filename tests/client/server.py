"""A server that does as a test tells it: enough of the protocol to welcome a client, and no rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.messages import Ack, Heartbeat, Hello, JoinGame
from tests.client.arena import Arena

__all__ = ["Fake", "fake_server"]


class Fake:
    """Welcomes everyone into the room of `arena`, and keeps what they say."""

    def __init__(self) -> None:
        self.arena = Arena()
        self.arena.tables["monkeys"].spawn(name="Ada")
        self.arena.commit()
        self.url = ""
        self.sockets: list[ServerConnection] = []
        self.said: list[Any] = []
        self.joins: list[str] = []
        self.refuse: dict[str, str] = {}  # gameId -> error code
        self.silent = False
        self.number = 0

    @property
    def acks(self) -> list[Ack]:
        return [message for message in self.said if isinstance(message, Ack)]

    async def handle(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        self.number = 0
        with suppress(ConnectionClosed):
            async for data in socket:
                assert isinstance(data, bytes)
                if data[0] != 0x04:
                    await self.answer(socket, BINARY.decode(data))

    async def answer(self, socket: ServerConnection, message: Any) -> None:
        self.said.append(message)
        if self.silent:
            return
        if isinstance(message, Hello):
            name = message.name or "Monkey 1"
            await self.tell(
                socket, "welcome", {"playerId": f"p{len(self.sockets)}", "name": name, "server": "fake"}
            )
        elif isinstance(message, Heartbeat):
            await self.tell(socket, "heartbeat", {"timestamp": message.timestamp, "serverTime": 1e12})
        elif isinstance(message, JoinGame):
            self.joins.append(message.game_id)
            await self.join(socket, message.game_id)

    async def join(self, socket: ServerConnection, game_id: str) -> None:
        if game_id in self.refuse:
            await self.event(socket, "error", {"code": self.refuse[game_id], "message": "no"})
            return
        await socket.send(self.arena.schema_message())
        await socket.send(self.arena.snapshot())

    async def tell(
        self, socket: ServerConnection, kind: str, payload: Any, number: int | None = None
    ) -> None:
        await socket.send(BINARY.encode(kind, payload, number))

    async def event(self, socket: ServerConnection, kind: str, payload: Any) -> None:
        self.number += 1
        await self.tell(socket, kind, payload, self.number)

    async def tick(self) -> None:
        """Move everything and send the delta to whoever came last."""
        for monkey in self.arena.tables["monkeys"]:
            monkey.x += 1
        await self.sockets[-1].send(self.arena.delta(self.arena.commit() - 1))


@asynccontextmanager
async def fake_server() -> AsyncIterator[Fake]:
    fake = Fake()
    async with serve(
        fake.handle,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("monkeytown.1")],
        compression=None,
        ping_interval=None,
    ) as server:
        port = server.sockets[0].getsockname()[1]
        fake.url = f"ws://127.0.0.1:{port}/ws"
        yield fake
        await asyncio.sleep(0)
