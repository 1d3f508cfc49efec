"""The WebSocket front: requests in, game connections out.

Knows the requests for the game's path once their heads are read, and the connections that are open. A request is judged and
upgraded here when it is its turn, with the handshake of `websockets`' ServerProtocol; then the transport is given to the
compiled connection. Who has not joined a room yet is read at the entrance, between ticks; who has, with all other players.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import cast

import structlog
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from monkeytown._core import intake
from monkeytown._core.frames import ReadBuffer
from monkeytown._core.intake import Intake
from monkeytown._core.senders import Senders
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import CODECS
from monkeytown.readers.admission import Admission
from monkeytown.readers.audience import WebSocketAudience
from monkeytown.readers.connection import GameConnection, quiet
from monkeytown.readers.handshake import Addresses, Origins, Refused, examine
from monkeytown.readers.pace import Pace
from monkeytown.room.readable import ReadableRoom
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.sessions import Sessions

__all__ = ["Front", "Upgrade"]

log = structlog.get_logger()

AT_ONCE = 128
"""Players who are read before looking at the time; fewer if they leave."""


class Front:
    """What all game connections of a server share."""

    def __init__(
        self,
        host: Host,
        sessions: Sessions,
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
        self.sessions = sessions
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
        self.admission = Admission(lambda: host.ticker.is_due, spent=host.ticker.excuse)
        self.shutting_down = False
        self._intake: Intake | None = None
        self._pace: Pace | None = None
        """Reads those who are in a room; None where transports read by themselves."""
        self._entrance: Intake | None = None
        """Reads the others."""
        self._behind_since: float | None = None
        """Since when there is more to read at the entrance than there was time for."""

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
        """Begins to read connections."""
        if intake.AVAILABLE:
            self._intake, self._entrance = Intake(self.buffer), Intake(self.buffer)
            loop = asyncio.get_running_loop()
            self._pace = Pace(loop, self._intake.fileno(), self._read_players)
            self.host.ticker.before = self.look
            loop.add_reader(self._entrance.fileno(), self._read_entrance)

    def upgrade(self, transport: asyncio.Transport, request: Request, early: bytes) -> None:
        """Takes a request for the game's path, with what came behind it, and answers it in its turn."""
        upgrade = Upgrade(self, transport, request, early)
        transport.set_protocol(upgrade)
        self.admission.put(upgrade.answer)

    def read(self, connection: GameConnection) -> None:
        """Reads a connection that has its transport for itself now."""
        reads = self._entrance if connection.session.hosted is None else self._intake
        if reads is not None:
            connection.read_from(reads)

    def look(self) -> None:
        """Reads what players have sent by now, if nothing else would at once."""
        if self._pace is not None:
            self._pace.look()

    def _read_players(self) -> bool:
        """Whether there was anything."""
        players = self._intake
        if players is None:
            return False
        ready = players.run(AT_ONCE)
        if ready == AT_ONCE:
            # When many leave at once, which costs as much as joining, that must not hold up a tick either.
            self.admission.spend(lambda: players.run(AT_ONCE) == AT_ONCE)
        return ready > 0

    def _read_entrance(self) -> None:
        entrance = self._entrance
        assert entrance is not None
        if self.admission.turn(lambda: bool(entrance.run(1))):
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()

    def sweep(self, now: float) -> None:
        """Ends connections that have been silent or stalled for too long."""
        limits = self.limits
        # Who has been heard by then, if there was anything to hear.
        heard = now if self._behind_since is None else self._behind_since
        for connection in list(self.connections):
            session = connection.session
            if not session.said_something and heard - connection.opened > limits.first_message_seconds:
                session.error("WS-009")
                session.end(CloseCode.NO_FIRST_MESSAGE)
            elif now - connection.last_received > limits.silence_seconds:
                session.end(CloseCode.SILENT)
        for place in self.host.places:
            for audience in place.audiences:
                if isinstance(audience, WebSocketAudience):
                    for slow in audience.group.held_longer(limits.stalled_seconds, now):
                        cast(GameConnection, slow).session.end(CloseCode.TOO_SLOW)

    def close(self) -> None:
        """No more upgrades; everybody is told to come back later."""
        self.shutting_down = True
        self.admission.finish()
        for connection in list(self.connections):
            connection.shutdown()
        # What rooms still send as they end, the event loop's thread sends alone.
        self.senders.close()
        if not self.connections:
            self._close_intake()

    def _close_intake(self) -> None:
        if self._pace is not None:
            self._pace.close()
        if self._entrance is not None:
            asyncio.get_running_loop().remove_reader(self._entrance.fileno())
        self._intake = self._entrance = self._pace = None

    def audience(self, room: ReadableRoom, delay: float = 0.0) -> WebSocketAudience:
        """Readers of a room, who see what it was `delay` seconds ago."""
        metrics, senders = self.host.metrics, self.senders
        return WebSocketAudience(room, window=self.window, delay=delay, metrics=metrics, senders=senders)


class _Handshake(ServerProtocol):
    """ServerProtocol whose refusals carry the headers that every response carries."""

    def __init__(self, front: Front) -> None:
        super().__init__(subprotocols=[Subprotocol(name) for name in CODECS], logger=quiet)
        self._headers = front.headers

    def reject(self, status: int, text: str) -> Response:
        response = super().reject(status, text)
        for name, value in self._headers:
            response.headers[name] = value
        return response


class Upgrade(asyncio.Protocol):
    """One request for an upgrade, from the end of its head until it is answered, for which it may have to wait."""

    __slots__ = ("_early", "_front", "_request", "_transport")

    def __init__(self, front: Front, transport: asyncio.Transport, request: Request, early: bytes) -> None:
        self._front = front
        self._transport = transport
        self._request = request
        self._early = bytearray(early)
        """What a hasty client sent behind its request."""

    def data_received(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > self._front.limits.message_bytes:
            self._transport.pause_reading()

    def answer(self) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        try:
            self._answer()
        except Exception:
            log.exception("an upgrade failed")
            transport.abort()

    def _answer(self) -> None:
        front, transport = self._front, self._transport
        protocol = _Handshake(front)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        verdict = self._verdict(address)
        if isinstance(verdict, Refused):
            front.host.metrics.refused[verdict.code] += 1
            protocol.send_response(verdict.response(front.headers))
        else:
            response = protocol.accept(self._request)
            protocol.send_response(response)
            if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                transport.write(b"".join(protocol.data_to_send()))
                self._give_to(GameConnection(front, CODECS[verdict], address))
                return
            front.host.metrics.refused["WS-001"] += 1
        transport.write(b"".join(protocol.data_to_send()))
        transport.close()

    def _verdict(self, address: str) -> Refused | str:
        front = self._front
        if front.shutting_down:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "SYS-002")
        secure = self._transport.get_extra_info("ssl_object") is not None
        verdict = examine(self._request, front.origins, secure=secure)
        if not isinstance(verdict, Refused) and front.addresses.full(address):
            return Refused(HTTPStatus.TOO_MANY_REQUESTS, "WS-008")
        return verdict

    def _give_to(self, connection: GameConnection) -> None:
        transport = self._transport
        connection.connection_made(transport)
        transport.set_protocol(connection)
        if self._early:
            connection.feed(self._early)
        if not transport.is_closing():
            transport.resume_reading()
            self._front.read(connection)
        # uvloop's transport remembers what it called before: this goes with the connection, and must not keep a request.
        del self._request, self._early
