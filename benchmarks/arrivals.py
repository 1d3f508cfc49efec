"""Players with tokens who all arrive at once: real WebSockets, with as little of a client behind each as will do.

Each says who it is and what it wants to play, and is in once it has its first state. After that it reads nothing more, so
that what is measured is the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

import msgspec

from monkeytown.client import messages
from monkeytown.protocol.messages import Welcome

__all__ = ["Arrival", "arrive"]

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: monkeytown.1\r\n\r\n"
)
PATIENCE = 30.0
BINARY, MASKED, LONG = 0x82, 0x80, 126
HELLO, JOIN_GAME, WELCOME, ERROR, GAME_STATE = 0x01, 0x02, 0x41, 0x48, 0x43


class Arrival(asyncio.Protocol):
    """One player. `id` is who the server says it is, `took` how many seconds it took to be in, once connected."""

    def __init__(self, token: str, game: str) -> None:
        self.id = ""
        self.took = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._said = _frame(HELLO, {"token": token}) + _frame(JOIN_GAME, {"gameId": game})
        self._buffer = b""
        self._upgraded = False
        self._began = time.monotonic()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(UPGRADE)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        if not self._upgraded and b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(head.decode())
            self._upgraded = True
            self._transport.write(self._said)
        while self._upgraded and not self.done.done() and (message := self._next()):
            self._take(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was lost: {error}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> bytes:
        """The next whole message; nothing if there is none yet."""
        buffer = self._buffer
        if len(buffer) < 2:
            return b""
        length, at = buffer[1], 2
        if length >= LONG:
            size = 2 if length == LONG else 8
            length, at = int.from_bytes(buffer[2 : 2 + size], "big"), 2 + size
        if len(buffer) < at + length:
            return b""
        self._buffer = buffer[at + length :]
        return buffer[at : at + length]

    def _take(self, message: bytes) -> None:
        if message[0] == WELCOME:
            welcome = messages.decode(message).payload
            assert isinstance(welcome, Welcome)
            self.id = welcome.player_id
        elif message[0] == GAME_STATE:
            assert self._transport is not None
            self.took = time.monotonic() - self._began
            self._transport.pause_reading()
            self.done.set_result(None)
        elif message[0] == ERROR:
            self._fail(str(messages.decode(message).payload))

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(AssertionError(why))


def _frame(kind: int, payload: dict[str, str]) -> bytes:
    """A message in a frame of its own, masked with zeros."""
    message = bytes([kind]) + msgspec.msgpack.encode(payload)
    length = bytes([MASKED | len(message)]) if len(message) < LONG else _long(len(message))
    return bytes([BINARY]) + length + bytes(4) + message


def _long(length: int) -> bytes:
    return bytes([MASKED | LONG]) + length.to_bytes(2, "big")


async def arrive(port: int, tokens: Sequence[str], game: str) -> tuple[list[Arrival], float]:
    """All of them at once; who they are then, in the order of their tokens, and the seconds until the last one was in."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    made = [loop.create_connection(partial(Arrival, token, game), "127.0.0.1", port) for token in tokens]
    arrivals = [arrival for _, arrival in await asyncio.gather(*made)]
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(one.done for one in arrivals))
        return arrivals, time.monotonic() - began
    finally:
        for one in arrivals:
            one.close()
        await asyncio.sleep(0)
