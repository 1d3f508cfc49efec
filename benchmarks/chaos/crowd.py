"""Many clients in one process that lose their connections and come back, as light as such clients can be.

They speak just enough of the wire: who they are, what they have read, and where they stand. What is in a state they do not
look at, so the state that follows a loss is known by its flags alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from benchmarks.load_run import LOAD_CORE
from monkeytown._core.wire import Reader
from monkeytown.client import messages
from monkeytown.client.backoff import delays

__all__ = ["Runner", "on_the_loads_core", "reset"]

ACK_SECONDS = 0.2
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST


class Runner:
    """One client. `back` has for each loss: seconds until it played again, how it went on, bytes of the first state."""

    def __init__(self, port: int, game: str, random: Random) -> None:
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.game = game
        self.random = random
        self.token = self.id = self.room = ""
        self.number = 0
        self.position: tuple[int, int] | None = None
        self.states = self.snapshots = 0
        self.snapshot_bytes = 0
        self.back: list[dict[str, Any]] = []
        self.broken: list[str] = []
        self.socket: ClientConnection | None = None
        self.lost_at = 0.0
        """When its connection was lost; 0 while it plays."""
        self._opened_at = 0.0
        self._welcome: messages.Message | None = None

    async def run(self) -> None:
        """Plays, and comes back after each loss, until cancelled."""
        while True:
            waits = delays(self.random)
            while True:
                try:
                    async with connect(
                        self.url,
                        subprotocols=[Subprotocol("monkeytown.1")],
                        compression=None,
                        ping_interval=None,
                        proxy=None,
                        open_timeout=10,
                        close_timeout=0.1,
                    ) as self.socket:
                        self._opened_at = time.monotonic()
                        await self._play(self.socket)
                except (OSError, WebSocketException, TimeoutError):
                    pass
                self.socket = None
                self.lost_at = self.lost_at or time.monotonic()
                await asyncio.sleep(next(waits))

    async def _play(self, connection: ClientConnection) -> None:
        has: dict[str, Any] = {"session": self.token, "number": self.number}
        if self.position is not None:
            has |= {"gameId": self.room, "epoch": self.position[0], "tick": self.position[1]}
        await connection.send(b"\x01" + msgspec.msgpack.encode({"resume": has} if self.token else {}))
        acknowledged = time.monotonic()
        try:
            async for data in connection:
                assert isinstance(data, bytes)
                self._take(connection, data)
                now = time.monotonic()
                if now - acknowledged > ACK_SECONDS and self.position is not None:
                    acknowledged = now
                    await connection.send(messages.encode_ack(*self.position, self.number))
        except ConnectionClosed:
            pass
        self.lost_at = time.monotonic()

    def _take(self, connection: ClientConnection, data: bytes) -> None:
        message = messages.decode(data)
        if message.number:
            if message.number != self.number + 1:
                self.broken.append(f"message {message.number} after {self.number}")
            self.number = message.number
        if message.type == "welcome":
            self._welcomed(connection, message.payload)
        elif message.type == "schema":
            self.room, self.position = message.payload.game_id, None
        elif message.type == "game_state":
            self._state(data)

    def _welcomed(self, connection: ClientConnection, welcome: Any) -> None:
        self.token = welcome.session
        if self.id and welcome.player_id != self.id:
            self.broken.append("a session was lost")
        self._welcome = welcome
        self.number = welcome.number
        if not self.id or welcome.player_id != self.id:
            broadcast({connection}, b"\x02" + msgspec.msgpack.encode({"gameId": self.room or self.game}))
        self.id = welcome.player_id

    def _state(self, data: bytes) -> None:
        reader = Reader(data[1:])
        flags = reader.u8()
        epoch, tick = reader.varint(), reader.varint64()
        if flags & 1:
            self.snapshots += 1
            self.snapshot_bytes = len(data)
        elif self.position != (epoch, tick - reader.varint()):
            self.broken.append(f"a delta that does not continue {self.position}")
        self.position = epoch, tick
        self.states += 1
        if self.lost_at and self._welcome is not None:
            now = time.monotonic()
            self.back.append(
                {
                    "seconds": now - self.lost_at,
                    "since_open": now - self._opened_at,
                    "resumed": "snapshot" if flags & 1 else "delta",
                    "said": self._welcome.resumed,  # type: ignore[attr-defined]
                    "recovered": self._welcome.recovered,  # type: ignore[attr-defined]
                    "bytes": len(data),
                }
            )
            self.lost_at = 0.0


def reset(runner: Runner) -> None:
    """The connection ends by RST, as when a router forgets it."""
    if runner.socket is None:
        return
    transport = runner.socket.transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


@contextmanager
def on_the_loads_core() -> Iterator[None]:
    """This process leaves the server's core to the server."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
