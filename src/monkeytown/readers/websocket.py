"""The WebSocket front: requests in, game connections out.

Knows uvicorn's interface for WebSocket protocols, and the connections that are open. A request for the game's path is judged
and upgraded here, with the handshake of `websockets`' ServerProtocol; then the transport is given to the compiled connection.
A request for any other path goes to uvicorn's own ASGI WebSocket, so that ordinary routes work beside the game.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from monkeytown._core import intake
from monkeytown._core.frames import ReadBuffer
from monkeytown._core.intake import Intake
from monkeytown._core.senders import Senders
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import CODECS
from monkeytown.readers.audience import WebSocketAudience
from monkeytown.readers.connection import GameConnection
from monkeytown.readers.handshake import Addresses, Origins, Refused, examine
from monkeytown.room.room import Room
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits

__all__ = ["Front", "Upgrade"]

# ServerProtocol would log every connection; we log what matters, with names.
_quiet = logging.getLogger("monkeytown.websockets")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
_quiet.setLevel(logging.CRITICAL)


class Front:
    """What all game connections of a server share."""

    def __init__(
        self,
        host: Host,
        limits: Limits,
        *,
        origins: Origins,
        addresses: Addresses,
        path: str = "/ws",
        headers: Iterable[tuple[str, str]] = (),
        window: float = 0.0,
        send_threads: int = 0,
    ) -> None:
        self.host = host
        self.limits = limits
        self.path = path
        self.origins = origins
        self.addresses = addresses
        self.headers = tuple(headers)
        self.buffer = ReadBuffer(limits.message_bytes)
        self.connections: set[GameConnection] = set()
        self.window = window
        """Seconds of states that a client may leave unacknowledged; 0: any."""
        self.senders = Senders(send_threads)
        self.shutting_down = False
        self._intake: Intake | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    def opened(self, connection: GameConnection) -> None:
        self.connections.add(connection)
        self.addresses.enter(connection.address)
        self.host.metrics.connections += 1

    def lost(self, connection: GameConnection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.addresses.leave(connection.address)
        if self.shutting_down and not self.connections:
            self._close_intake()

    def start(self) -> None:
        """Begins to look after silent and stalled connections and empty rooms."""
        limits = self.limits
        shortest = min(limits.first_message_seconds, limits.silence_seconds, limits.stalled_seconds)
        interval = min(1.0, shortest / 4)

        def sweep() -> None:
            self._sweeper = asyncio.get_running_loop().call_later(interval, sweep)
            self.sweep(time.monotonic())

        sweep()
        if intake.AVAILABLE:
            self._intake = Intake(self.buffer)
            asyncio.get_running_loop().add_reader(self._intake.fileno(), self._intake.run)

    def read(self, connection: GameConnection) -> None:
        """Reads a connection that has its transport for itself now."""
        if self._intake is not None:
            connection.read_from(self._intake)

    def stop_reading(self, slot: int) -> None:
        if self._intake is not None:
            self._intake.remove(slot)

    def sweep(self, now: float) -> None:
        """Ends connections that have been silent or stalled for too long, and rooms that nobody is in."""
        limits = self.limits
        for connection in list(self.connections):
            session = connection.session
            if not session.said_something and now - connection.opened > limits.first_message_seconds:
                session.error("WS-009")
                session.end(CloseCode.NO_FIRST_MESSAGE)
            elif now - connection.last_received > limits.silence_seconds:
                session.end(CloseCode.SILENT)
        for hosted in list(self.host.rooms.values()):
            for audience in hosted.audiences:
                if isinstance(audience, WebSocketAudience):
                    for slow in audience.group.held_longer(limits.stalled_seconds, now):
                        cast(GameConnection, slow).session.end(CloseCode.TOO_SLOW)
        self.host.sweep()

    def close(self) -> None:
        """No more upgrades; everybody is told to come back later."""
        self.shutting_down = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.connections):
            connection.shutdown()
        # What rooms still send as they end, the event loop's thread sends alone.
        self.senders.close()
        if not self.connections:
            self._close_intake()

    def _close_intake(self) -> None:
        if self._intake is not None:
            asyncio.get_running_loop().remove_reader(self._intake.fileno())
            self._intake = None

    def audience(self, room: Room, delay: float = 0.0) -> WebSocketAudience:
        """Readers of a room, who see what it was `delay` seconds ago."""
        metrics, senders = self.host.metrics, self.senders
        return WebSocketAudience(room, window=self.window, delay=delay, metrics=metrics, senders=senders)


class _Handshake(ServerProtocol):
    """ServerProtocol whose refusals carry the headers that every response carries."""

    def __init__(self, front: Front) -> None:
        super().__init__(
            subprotocols=[Subprotocol(name) for name in CODECS],
            max_size=front.limits.message_bytes,
            logger=_quiet,
        )
        self._headers = front.headers

    def reject(self, status: int, text: str) -> Response:
        response = super().reject(status, text)
        for name, value in self._headers:
            response.headers[name] = value
        return response


class Upgrade(asyncio.Protocol):
    """One request for an upgrade, as uvicorn hands it over: the whole request at once, then the transport."""

    def __init__(
        self, front: Front, *, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._front = front
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._transport: asyncio.Transport | None = None
        self._next: GameConnection | WebSocketsSansIOProtocol | None = None
        self._early: list[bytes] = []
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._done:
            # What a hasty client sent before the transport was given away.
            self._early.append(data)
            return
        self._done = True
        parts = data.split(b" ", 2)
        target = parts[1] if len(parts) == 3 else b""
        if target.partition(b"?")[0] == self._front.path.encode():
            self._upgrade(data)
        else:
            self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next is not None:
            self._next.connection_lost(exc)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._next is not None:
            self._next.pause_writing()

    def resume_writing(self) -> None:
        if self._next is not None:
            self._next.resume_writing()

    def _pass_on(self, data: bytes) -> None:
        """Another path: the application's own WebSocket."""
        assert self._transport is not None
        other = WebSocketsSansIOProtocol(
            config=self._config, server_state=self._server_state, app_state=self._app_state
        )
        other.connection_made(self._transport)
        other.data_received(data)
        self._give_to(other)

    def _upgrade(self, data: bytes) -> None:
        protocol = _Handshake(self._front)
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._answer(protocol, event)
        if self._next is None:
            self._finish(protocol)

    def _answer(self, protocol: ServerProtocol, request: Request) -> None:
        assert self._transport is not None
        front, transport = self._front, self._transport
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        verdict: Refused | str = examine(
            request, front.origins, secure=transport.get_extra_info("ssl_object") is not None
        )
        if front.shutting_down:
            verdict = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "SYS-002")
        elif not isinstance(verdict, Refused) and front.addresses.full(address):
            verdict = Refused(HTTPStatus.TOO_MANY_REQUESTS, "WS-008")
        if isinstance(verdict, Refused):
            front.host.metrics.refused[verdict.code] += 1
            protocol.send_response(verdict.response(front.headers))
            return
        response = protocol.accept(request)
        protocol.send_response(response)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            front.host.metrics.refused["WS-001"] += 1
            return
        transport.write(b"".join(protocol.data_to_send()))
        connection = GameConnection(front, protocol, CODECS[verdict], address)
        self._next = connection
        connection.connection_made(transport)
        self._give_to(connection)

    def _finish(self, protocol: ServerProtocol) -> None:
        """There is no upgrade: the answer, and the end."""
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(b"".join(protocol.data_to_send()))
            self._transport.close()

    def _give_to(self, protocol: GameConnection | WebSocketsSansIOProtocol) -> None:
        """Gives the transport away, once uvicorn has given it to us."""
        self._next = protocol
        asyncio.get_running_loop().call_soon(self._switch, protocol)

    def _switch(self, protocol: GameConnection | WebSocketsSansIOProtocol) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        self._transport.set_protocol(protocol)
        for data in self._early:
            if isinstance(protocol, GameConnection):
                protocol.feed(data)
            else:
                protocol.data_received(data)
        if isinstance(protocol, GameConnection) and not self._transport.is_closing():
            self._front.read(protocol)
