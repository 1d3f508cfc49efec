"""A server that does as a test tells it: enough of the protocol to welcome a client, and no rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.messages import Ack, Heartbeat, Hello, JoinGame, Numbered
from tests.client.arena import Arena

__all__ = ["TIMEOUT", "Fake", "fake_server", "until"]

TIMEOUT = 10


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
        self.cuts: dict[
            str, dict[str, Any]
        ] = {}  # gameId -> `returns` once joining it was the connection's end
        self.silent = False
        self.number = 0
        self.returns: dict[str, Any] | None = None  # the welcome of who shows a session; None: none is known
        self.deaf = False  # what is numbered does not arrive
        self.taken: list[tuple[int, Any]] = []  # what is numbered, by its number
        self.closes: list[int | None] = []

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
                    message = BINARY.decode(data)
                    if isinstance(message, Numbered):
                        self.take(message)
                    else:
                        await self.answer(socket, message)
        self.closes.append(socket.close_code)

    def take(self, message: Numbered) -> None:
        """Each is taken once, and a gap is a mistake of the client's."""
        if not self.deaf and message.number > len(self.taken):
            assert message.number == len(self.taken) + 1
            self.taken.append((message.number, message.message))

    async def answer(self, socket: ServerConnection, message: Any) -> None:
        self.said.append(message)
        if self.silent:
            return
        if isinstance(message, Hello):
            await self.welcome(socket, message)
        elif isinstance(message, Heartbeat):
            reply = {"timestamp": message.timestamp, "serverTime": 1e12}
            await self.tell(socket, "heartbeat", {**reply, "received": len(self.taken)})
        elif isinstance(message, JoinGame):
            self.joins.append(message.game_id)
            await self.join(socket, message.game_id)

    async def welcome(self, socket: ServerConnection, hello: Hello) -> None:
        count = len(self.sockets)
        name = hello.name or "Monkey 1"
        answer = {"playerId": f"p{count}", "name": name, "server": "fake", "session": f"s{count}"}
        if hello.resume is None:
            await self.tell(socket, "welcome", answer)
        elif self.returns is None:
            self.taken.clear()
            await self.tell(socket, "welcome", {**answer, "recovered": False, "received": 0, "number": 0})
            await self.event(socket, "error", {"code": "AUTH-003", "message": "who?"})
        else:
            known = {"playerId": "p1", "received": len(self.taken), "number": hello.resume.number}
            self.number = self.returns.get("number", hello.resume.number)
            await self.tell(socket, "welcome", {**answer, **known, **self.returns})
            if self.returns.get("resumed") == "snapshot":
                await self.join(socket, "")

    async def join(self, socket: ServerConnection, game_id: str) -> None:
        if game_id in self.cuts:
            self.returns = self.cuts.pop(game_id)
            socket.transport.abort()
            return
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


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - conditions of others, who set no events
            await asyncio.sleep(0.005)


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
