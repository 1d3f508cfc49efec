"""One socket to a server, from its opening handshake to its close.

Knows WebSockets and silence. It must not know players, rooms or coming back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Self
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State
from websockets.typing import Subprotocol

from monkeytown.client import messages
from monkeytown.client.events import ConnectionLost
from monkeytown.errors import WireError
from monkeytown.protocol.messages import Heartbeat

__all__ = ["BAD_DATA", "GOING_AWAY", "NORMAL_CLOSE", "Closed", "Link", "socket_url"]

SUBPROTOCOL = Subprotocol("monkeytown.1")
LARGEST_MESSAGE = 16 * 2**20  # a snapshot of very large tables; the server's other messages are far smaller
HEARTBEAT_INTERVAL = 2.0
SILENCE = 10.0  # heartbeats are answered, so a server that says nothing for so long is not there
OPEN_TIMEOUT = 10.0
CLOSE_TIMEOUT = 1.0
NORMAL_CLOSE = 1000  # what a server takes as leaving for good
GOING_AWAY = 1001
NO_CLOSE_FRAME = 1006  # RFC 6455, 7.1.5: the connection ended without a close frame
BAD_DATA = 1002


class Closed(NamedTuple):
    """How a connection ended. 4500 to 4999: the server said not to come back."""

    code: int
    reason: str

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".strip()


def socket_url(url: str) -> str:
    """The address of the game socket of a server: `http:` becomes `ws:`, and no path becomes `/ws`."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path not in ("", "/") else "/ws"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


class Link:
    """A socket that is open, until `read` returns."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._heard_at = time.monotonic()
        self._answered = asyncio.Event()

    @classmethod
    async def dial(cls, url: str) -> Self:
        """Open a socket; raises ConnectionLost with what stood in the way."""
        try:
            socket = await open_socket(
                url,
                subprotocols=[SUBPROTOCOL],
                compression=None,
                ping_interval=None,
                proxy=None,
                max_size=LARGEST_MESSAGE,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
            )
        except (OSError, WebSocketException) as error:
            raise ConnectionLost(f"cannot connect to {url}: {_explain(error)}") from error
        return cls(socket)

    def send(self, data: bytes) -> bool:
        """Hand bytes over without waiting; False if the socket is not open."""
        if self._socket.state is not State.OPEN:
            return False
        broadcast({self._socket}, data)
        return True

    async def read(self, receive: Callable[[messages.Message], None]) -> Closed:
        """Hand on every message until the connection ends; says how it ended."""
        heartbeat = asyncio.create_task(self._beat())
        try:
            async for data in self._socket:
                self._heard_at = time.monotonic()
                if isinstance(data, str):
                    raise WireError("text came where binary is due")
                receive(messages.decode(data))
                self._answered.set()
        except ConnectionClosed:
            pass
        except WireError as error:
            # Coming back mends it: a reader whose tables are in doubt asks for a snapshot.
            await self.close(BAD_DATA)
            return Closed(BAD_DATA, str(error))
        finally:
            heartbeat.cancel()
        return Closed(self._socket.close_code or NO_CLOSE_FRAME, self._socket.close_reason or "")

    async def close(self, code: int) -> None:
        """Close the socket; more than once is allowed."""
        await self._socket.close(code)

    async def _beat(self) -> None:
        # Whatever follows the hello tells the server that its answer was read.
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                await self._answered.wait()
        while time.monotonic() - self._heard_at < SILENCE:
            self.send(messages.encode(Heartbeat(time.time() * 1000)))
            await asyncio.sleep(HEARTBEAT_INTERVAL)
        self._socket.transport.abort()


def _explain(error: BaseException) -> str:
    if isinstance(error, InvalidStatus):
        body = (error.response.body or b"")[:200].decode(errors="replace")
        return f"HTTP {error.response.status_code} {body}".strip()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error)
