"""uvicorn's HTTP protocol with a deadline and a bound on what comes before a request's body, and a way to the game.

Knows connections that are not games yet. uvicorn itself waits for ever for the end of a request's headers, keeps as many as
are sent, and forgets what comes behind a request for an upgrade. Such a request for the game's path goes to the front; any
other to uvicorn's own ASGI WebSocket, so that ordinary routes work beside the game.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from monkeytown.readers.events import BOUND, TRANSPORT
from monkeytown.readers.websocket import Front
from monkeytown.runtime.limits import Limits

__all__ = ["GuardedHttp", "guarded", "guarded_websocket"]

INVALID = "Invalid HTTP request received."


class GuardedHttp(HttpToolsProtocol):
    """Each request's line and headers must arrive in time and in bounds."""

    limits: Limits
    front: Front

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._deadline is None:
                self._await_head()
            if self._head_bytes > self.limits.header_bytes:
                self._refuse(431)
                return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
            elif self.url.partition(b"?")[0] == self.front.path.encode():
                self._to_the_game(data[upgrade.args[0] :])
            else:
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            self.logger.warning(INVALID)
            self.send_400_response(INVALID)

    def _to_the_game(self, early: bytes) -> None:
        headers = Headers()
        for name, value in self.headers:
            headers[name.decode("ascii")] = value.decode("ascii", "surrogateescape")
        request = Request(
            self.url.decode("ascii", "surrogateescape"),
            headers,
            self.scope["method"],
            f"HTTP/{self.scope['http_version']}",
        )
        self.connections.discard(self)
        self.front.upgrade(self.transport, request, early)
        # It knows us and we know it, so that nothing of this would go before the collector looks.
        self.parser = None  # type: ignore[assignment]

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_response_complete()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.limits.handshake_seconds, self._refuse, 408)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        lines = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            lines += [name, b": ", value, b"\r\n"]
        lines.append(b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.write(b"".join(lines))
        self.transport.close()


def guarded(limits: Limits, front: Front) -> type[GuardedHttp]:
    """The protocol class with these limits and this front: uvicorn takes a class and gives it nothing of ours."""
    return type("GuardedHttp", (GuardedHttp,), {"limits": limits, "front": front})


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket for all but the game: what may wait for a client is bounded, and who reads nothing is cut off."""

    limits: Limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.limits.send_buffer_bytes)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self.limits.unsent_bytes)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[TRANSPORT] = self.transport
            extensions[BOUND] = self._bound

    def _bound(self, message_bytes: int) -> None:
        """No message of this client is longer; those of other routes are as long as uvicorn lets them be."""
        self.conn.max_message_size = message_bytes

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except InvalidState:  # the client is closing it already
            self.transport.close()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()  # closing would wait until all is read


def guarded_websocket(limits: Limits) -> type[GuardedWebSocket]:
    return type("GuardedWebSocket", (GuardedWebSocket,), {"limits": limits})
