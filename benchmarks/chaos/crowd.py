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
from benchmarks.pollers import Http
from monkeytown._core.wire import Reader, Writer
from monkeytown.client import messages
from monkeytown.client.backoff import delays

__all__ = ["Runner", "on_the_loads_core", "reset"]

ACK_SECONDS = 0.2
NUMBERED = 0x08
HEARTBEAT = b"\x06" + msgspec.msgpack.encode({"timestamp": 0})
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST


class Runner:
    """One client. `back` has for each loss: seconds until it played again, how it went on, bytes of the first state.

    `polls`: in how many of ten cases it comes back by long-poll, for a while. `talks`: it says something now and then.
    """

    def __init__(self, port: int, game: str, random: Random, *, polls: int = 0, talks: bool = False) -> None:
        self.port = port
        self.game = game
        self.random = random
        self.polls = polls
        self.token = self.id = self.room = ""
        self.number = 0
        self.position: tuple[int, int] | None = None
        self.states = self.snapshots = 0
        self.snapshot_bytes = 0
        self.back: list[dict[str, Any]] = []
        self.broken: list[str] = []
        self.counted: list[int] = []
        self.heard: list[str] = []
        self.said = 0
        self.talks = talks
        self.socket: ClientConnection | None = None
        self.lost_at = 0.0
        """When its connection was lost; 0 while it plays."""
        self._received = 0
        self._unsure: list[bytes] = []
        self._opened_at = 0.0
        self._welcome: Any = None

    async def run(self) -> None:
        """Plays, and comes back after each loss, until cancelled."""
        while True:
            waits = delays(self.random)
            connected = False
            while not connected:
                try:
                    if self.id and self.random.randrange(10) < self.polls:
                        connected = await self._poll()
                    else:
                        connected = await self._play()
                except (OSError, WebSocketException, TimeoutError, asyncio.IncompleteReadError):
                    pass
                self.socket = None
                self.lost_at = self.lost_at or time.monotonic()
                await asyncio.sleep(next(waits))

    # Connections

    def _hello(self) -> bytes:
        self._welcome = None
        has: dict[str, Any] = {"session": self.token, "number": self.number}
        if self.position is not None:
            has |= {"gameId": self.room, "epoch": self.position[0], "tick": self.position[1]}
        return b"\x01" + msgspec.msgpack.encode({"resume": has} if self.token else {})

    async def _play(self) -> bool:
        async with connect(
            f"ws://127.0.0.1:{self.port}/ws",
            subprotocols=[Subprotocol("monkeytown.1")],
            compression=None,
            ping_interval=None,
            proxy=None,
            open_timeout=10,
            close_timeout=0.1,
        ) as connection:
            self.socket, self._opened_at = connection, time.monotonic()
            await connection.send(self._hello())
            said = time.monotonic()
            try:
                async for data in connection:
                    assert isinstance(data, bytes)
                    for answer in self._take(data):
                        broadcast({connection}, answer)
                    if time.monotonic() - said > ACK_SECONDS and self._welcome is not None:
                        said = time.monotonic()
                        for message in self._say():
                            broadcast({connection}, message)
            except ConnectionClosed:
                pass
            self.lost_at = time.monotonic()
        return True

    async def _poll(self) -> bool:
        """For a while; then the client just stops."""
        http = await Http.open(self.port)
        try:
            self._opened_at = time.monotonic()
            said: list[bytes] = [self._hello()]
            polls, until = 0, time.monotonic() + self.random.uniform(0.2, 3)
            while (answer := await http.ask(said)) is not None:
                said = [reply for data in answer for reply in self._take(data)]
                if time.monotonic() > until:
                    self._unsure = [one for one in said if one[0] == NUMBERED] or self._unsure
                    break
                about = {"session": self.token, "number": polls + 1, "heard": polls, "wait": 0.2}
                said = [b"\x09" + msgspec.msgpack.encode(about), *said, *self._say()]
                polls += 1
        finally:
            http.close()
        self.lost_at = time.monotonic()
        return True

    # Messages

    def _say(self) -> list[bytes]:
        said = [HEARTBEAT]
        if self.position is not None:
            said.append(messages.encode_ack(*self.position, self.number))
        if self.talks and self.id and self.random.random() < 0.5:
            self.said += 1
            said.append(self._numbered(b"\x05" + msgspec.msgpack.encode({"text": str(self.said)})))
        return said

    def _numbered(self, message: bytes) -> bytes:
        """Kept until the server says that it was received."""
        writer = Writer()
        writer.u8(NUMBERED)
        writer.varint(self._received + len(self._unsure) + 1)
        writer.raw(message)
        self._unsure.append(writer.getvalue())
        return self._unsure[-1]

    def _take(self, data: bytes) -> list[bytes]:
        """Takes in a message; returns what is to be said at once."""
        message = messages.decode(data)
        payload: Any = message.payload
        if message.number:
            if message.number != self.number + 1:
                self.broken.append(f"message {message.number} after {self.number}")
            self.number = message.number
        if message.type == "welcome":
            return self._welcomed(payload)
        if message.type == "schema":
            self.room, self.position = payload.game_id, None
        elif message.type == "game_state":
            self._state(data)
        elif message.type == "heartbeat":
            self._settle(payload.received)
        elif message.type == "game_event" and payload.event == "count":
            self.counted.append(payload.data)
        elif message.type == "game_event" and payload.event == "heard":
            self.heard.append(payload.data)
        return []

    def _settle(self, received: int) -> None:
        del self._unsure[: received - self._received]
        self._received = received

    def _welcomed(self, welcome: Any) -> list[bytes]:
        self.token, self._welcome, self.number = welcome.session, welcome, welcome.number
        if self.id == welcome.player_id:
            self._settle(welcome.received)
            return list(self._unsure)
        if self.id:
            self.broken.append("a session was lost")
        self.id, self._received, self._unsure = welcome.player_id, 0, []
        return [self._numbered(b"\x02" + msgspec.msgpack.encode({"gameId": self.room or self.game}))]

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
                    "said": self._welcome.resumed,
                    "recovered": self._welcome.recovered,
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
