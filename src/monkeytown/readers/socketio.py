"""The Socket.IO front: python-socketio's server, told what a connection here may do.

Knows connections and the limits on them; what is in an event is `monkeytown.readers.events`' matter, and which pages may come
that of whoever passes requests on. It and `packets` need the extra `socketio`.

Of python-socketio and python-engineio these two use what the documentation names, and beside it `sio.eio`, `eio.handlers`,
`manager.eio_sid_from_sid` and packets that come encoded: tests/readers/test_socketio.py fails where one of them changes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import socketio
import structlog
from engineio.exceptions import EngineIOError
from engineio.payload import Payload

from monkeytown.protocol.close import CloseCode
from monkeytown.readers.events import EventAudience, EventLink
from monkeytown.readers.handshake import Addresses
from monkeytown.readers.packets import PIPE, Incoming, Outgoing, Pipe, Receive, Scope, Send
from monkeytown.room.readable import ReadableRoom
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.metrics import Metrics
from monkeytown.runtime.sessions import Sessions

__all__ = ["Connection", "EventFront"]

log = structlog.get_logger()

# Both libraries would log what every client can cause; we count it.
quiet = logging.getLogger("monkeytown.socketio")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
quiet.setLevel(logging.CRITICAL)

# python-engineio drops whole requests of more than 16 packets, and a few inputs on a slow line are more. How many may come is
# bounded by the bytes of a request, and by what a client may say in a second.
Payload.max_decode_packets = 4096

# Shares of the time that a silent client is given: its pings, and how long one may take.
PING_INTERVAL, PING_TIMEOUT = 5 / 12, 1 / 3


class Connection:
    """One connection of Engine.IO, over whichever transport it is, and the link that it carries."""

    def __init__(self, front: EventFront, eio_sid: str, address: str) -> None:
        self.eio_sid = eio_sid
        self.sid = ""
        """Its name in Socket.IO's default namespace."""
        self.address = address
        self.opened = front.now()
        self.link: EventLink | None = None
        self.pipe: Pipe | None = None
        self.gone = False
        """Whether the transport has ended, and not the client with a word."""
        self.requests: set[asyncio.Task[Any]] = set()
        """That wait for something to say."""
        self._front = front
        self._ending: asyncio.Task[None] | None = None

    def unsent(self) -> int:
        """Bytes that the kernel has no room for."""
        return 0 if self.pipe is None else self.pipe.unsent()

    def post(self, text: str, size: int) -> None:
        assert self.link is not None
        self._front.post(self, Outgoing(text, self.link.taken, size))

    def end(self, *, for_good: bool) -> None:
        """Ends it, once what was posted has gone out. `for_good`: clients do not come back by themselves."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(for_good))

    async def _end(self, for_good: bool) -> None:
        front = self._front
        with suppress(TimeoutError):
            async with asyncio.timeout(front.limits.close_seconds):
                await front.posted()
                if for_good and self.sid:
                    # Whoever is told so by Socket.IO stays away; whoever loses the transport comes back.
                    await front.sio.disconnect(self.sid)
                await front.eio.disconnect(self.eio_sid)
        if self.pipe is not None:
            self.pipe.cut()
            asyncio.get_running_loop().call_later(front.limits.close_seconds, self.pipe.abort)
        self.cancel_requests()
        front.forget(self)

    def cancel_requests(self) -> None:
        """Engine.IO would let them wait for its pings."""
        for request in self.requests:
            request.cancel()

    @property
    def is_over_for_good(self) -> bool:
        """Whether the client has said that it does not come back."""
        return not self.gone or (self.pipe is not None and self.pipe.said_goodbye)

    @property
    def is_ending(self) -> bool:
        """Whether the server has ended it."""
        return self._ending is not None

    async def ended(self) -> None:
        if self._ending is not None:
            await asyncio.wait((self._ending,))


class EventFront:
    """All Socket.IO connections of a server. `rate`: states a second for each player, at most."""

    def __init__(
        self,
        sessions: Sessions,
        limits: Limits,
        *,
        addresses: Addresses,
        rate: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sessions = sessions
        self.limits = limits
        self.rate = rate
        self.now = now
        self.shutting_down = False
        self.connections: dict[str, Connection] = {}
        """By what Engine.IO calls them."""
        self._addresses = addresses
        self._outgoing: deque[tuple[str, Outgoing]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self.sio = socketio.AsyncServer(
            async_mode="asgi",
            serializer=Incoming,
            async_handlers=False,  # in the order in which they came
            always_connect=True,  # a client hears that it is connected before it hears anything else
            cors_allowed_origins=[],  # whoever passes requests on has looked at their origins
            max_http_buffer_size=limits.poll_bytes,
            http_compression=False,
            ping_interval=limits.silence_seconds * PING_INTERVAL,
            ping_timeout=limits.silence_seconds * PING_TIMEOUT,
            logger=quiet,
            engineio_logger=quiet,
        )
        self.eio = self.sio.eio
        self._listen()

    def __len__(self) -> int:
        return len(self.connections)

    @property
    def metrics(self) -> Metrics:
        return self.sessions.host.metrics

    def audience(self, room: ReadableRoom, delay: float) -> EventAudience:
        return EventAudience(room, rate=self.rate, delay=delay, now=self.now)

    def _listen(self) -> None:
        connected, disconnected = self.eio.handlers["connect"], self.eio.handlers["disconnect"]

        async def opened(eio_sid: str, environ: dict[str, Any]) -> object:
            self._open(eio_sid, environ["asgi.scope"])
            return await connected(eio_sid, environ)

        async def closed(eio_sid: str, reason: str) -> None:
            connection = self.connections.get(eio_sid)
            if connection is not None:
                connection.gone = True
            await disconnected(eio_sid, reason)
            if connection is not None and not connection.is_ending:
                connection.cancel_requests()
                self.forget(connection)

        self.eio.on("connect", opened)
        self.eio.on("disconnect", closed)
        self.sio.on("connect", self._connected)
        self.sio.on("disconnect", self._disconnected)
        self.sio.on("said", self._said)

    # Requests

    def full(self, address: str) -> bool:
        """Whether there can be no more connections from an address."""
        return self._addresses.full(address)

    async def handle(self, scope: Scope, receive: Receive, send: Send, eio_sid: str | None) -> None:
        """A request that may come, of the connection of that name; None: of a new one."""
        connection = None if eio_sid is None else self.connections.get(eio_sid)
        if scope["type"] != "websocket":
            await self._request(connection, scope, receive, send)
            return
        pipe = Pipe(scope, receive, self.limits, self.now)
        scope["extensions"] = scope.get("extensions", {}) | {PIPE: pipe}
        if connection is not None and connection.pipe is None:
            connection.pipe = pipe
        try:
            await self._serve(scope, pipe.receive, send)
        finally:
            connection = self.connections.get(pipe.opened, connection)
            if connection is not None and connection.pipe is pipe:
                connection.pipe = None
                if pipe.opened or self._is_upgraded(connection):
                    connection.gone = True
                    connection.end(for_good=False)

    async def _request(
        self, connection: Connection | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        task = asyncio.current_task()
        if connection is not None and task is not None and scope["method"] == "GET":
            connection.requests.add(task)
            task.add_done_callback(connection.requests.discard)
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.sio.handle_request(scope, receive, send)
        except Exception as error:
            # A packet that the libraries stumble over is the client's fault.
            log.debug("a Socket.IO request failed", error=repr(error))

    def _is_upgraded(self, connection: Connection) -> bool:
        try:
            return bool(self.eio.transport(connection.eio_sid) == "websocket")
        except KeyError:
            return True

    def _open(self, eio_sid: str, scope: Scope) -> None:
        client = scope.get("client")
        connection = Connection(self, eio_sid, client[0] if client else "")
        self.connections[eio_sid] = connection
        self._addresses.enter(connection.address)
        self.metrics.connections += 1
        pipe = scope.get("extensions", {}).get(PIPE)
        if pipe is not None:
            connection.pipe, pipe.opened = pipe, eio_sid

    def forget(self, connection: Connection) -> None:
        if self.connections.pop(connection.eio_sid, None) is not None:
            self._addresses.leave(connection.address)

    # Events

    async def _connected(self, sid: str, environ: dict[str, Any], auth: object = None) -> bool | None:
        connection = self.connections.get(self.sio.manager.eio_sid_from_sid(sid, "/"))
        if connection is None or connection.link is not None:
            return False
        connection.sid = sid
        connection.link = EventLink(self, connection)
        if isinstance(auth, dict):
            connection.link.take(_hello(auth), asked=False)
        return None

    async def _said(self, sid: str, data: bytes, asked: bool) -> dict[str, Any] | None:
        connection = self._of(sid)
        if connection is None or connection.link is None:
            return None
        try:
            return connection.link.take(data, asked=asked)
        except Exception:  # ours, which the libraries would not tell
            log.exception("a Socket.IO event failed")
            return {"ok": False, "code": "SYS-001"}

    async def _disconnected(self, sid: str, reason: str) -> None:
        connection = self._of(sid)
        if connection is None or connection.link is None:
            return
        link = connection.link
        link.closed = True
        link.session.lost(link, for_good=connection.is_over_for_good)

    def _of(self, sid: str) -> Connection | None:
        connection = self.connections.get(self.sio.manager.eio_sid_from_sid(sid, "/"))
        return connection if connection is not None and connection.sid == sid else None

    # What goes out

    def post(self, connection: Connection, packet: Outgoing) -> None:
        """Sends it behind all that was posted before. Rooms do so in the middle of a tick, in which nothing waits."""
        self._outgoing.append((connection.eio_sid, packet))
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        outgoing, send = self._outgoing, self.eio.send_packet
        try:
            while outgoing:
                eio_sid, packet = outgoing.popleft()
                try:
                    await send(eio_sid, packet)
                except EngineIOError:
                    continue  # it is closed
                except Exception:
                    log.exception("a Socket.IO packet could not be sent")
        finally:
            self._sending = None

    async def posted(self) -> None:
        """Until all that was posted is on its way."""
        if self._sending is not None:
            await asyncio.wait((self._sending,))

    # Time

    def sweep(self, now: float) -> None:
        """Ends connections that do not get anywhere. Whether clients are there at all Engine.IO finds out by its pings."""
        limits = self.limits
        for connection in list(self.connections.values()):
            link = connection.link
            if link is None:
                if now - connection.opened > limits.first_message_seconds:
                    connection.end(for_good=False)
            elif link.held_since is not None:
                link.look_again()
                if link.held_since is not None and now - link.held_since > limits.stalled_seconds:
                    link.session.end(CloseCode.TOO_SLOW)

    async def close(self) -> None:
        """No more connections; everybody is told to come back later, and has a moment to hear of it."""
        self.shutting_down = True
        connections = list(self.connections.values())
        for connection in connections:
            if connection.link is not None:
                connection.link.session.end(CloseCode.GOING_AWAY)
            connection.end(for_good=False)
        for connection in connections:
            await connection.ended()
        await self.sio.shutdown()


def _hello(auth: dict[str, Any]) -> bytes:
    """What a client says as it connects, as the event that it could have sent."""
    return msgspec.json.encode(["hello", auth])
