"""One WebSocket player: the compiled connection, `websockets`' ServerProtocol beside it, and the session they carry.

Knows frames that are not whole binary messages, the limits on them, and how a connection ends. Every such frame goes to
ServerProtocol, which stays the authority on the protocol; whole binary messages never pass through here unless they need
Python anyway.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import TYPE_CHECKING, cast

import structlog
from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode as RfcCode
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SEND_EOF
from websockets.server import ServerProtocol

from monkeytown._core.connection import INPUT_MALFORMED, INPUT_OTHER_SCHEMA, Connection
from monkeytown._core.intake import Intake
from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import Codec
from monkeytown.readers.audience import WebSocketAudience
from monkeytown.room.member import Member
from monkeytown.runtime.limits import TokenBucket
from monkeytown.runtime.place import Place

if TYPE_CHECKING:
    from monkeytown.readers.websocket import Front

__all__ = ["GameConnection", "quiet"]

log = structlog.get_logger()

# ServerProtocol would log every connection; we log what matters, with names.
quiet = logging.getLogger("monkeytown.websockets")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
quiet.setLevel(logging.CRITICAL)

# RFC 6455, 5.5: what fits into a control frame beside the code.
REASON_BYTES = 123

# Frames on a connection that is being closed, before nobody listens any more: enough for what was on its way.
LATE_FRAMES = 1000


class GameConnection(Connection, asyncio.BufferedProtocol):
    """What the transport talks to after the upgrade; the link of one session."""

    def __init__(self, front: Front, codec: Codec, address: str) -> None:
        limits = front.limits
        super().__init__(
            front.buffer,
            text=codec.is_text,
            pending_limit=limits.pending_bytes,
            input_limit=limits.input_bytes,
            message_rate=limits.messages_per_second,
            message_burst=2 * limits.messages_per_second,
        )
        self.codec = codec
        self.address = address
        self.opened = time.monotonic()
        self.handle = -1
        self.private_base: int | None = None
        """The tick up to which it knows what is private to it; for its audience."""
        self.private_staged = False
        self.session = front.sessions.begin(self)
        self._front = front
        self._protocol: ServerProtocol | None = None
        """Made for the first frame that it has to judge: most players never send one."""
        self._transport: asyncio.Transport | None = None
        self._seat: tuple[Place, WebSocketAudience, Member] | None = None
        self._parts: list[bytes] = []
        self._parts_text = False
        self._controls = TokenBucket(limits.pings_per_second, limits.pings_per_second, self.opened)
        self._closing = False
        self._too_slow = False
        self._late = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._intake: Intake | None = None
        self._slot = -1

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        # Any byte left in the transport's buffer must block raw sends.
        transport.set_write_buffer_limits(high=0)
        limits = self._front.limits
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer_bytes)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.unsent_bytes)
        secure = transport.get_extra_info("ssl_object") is not None
        self.attach(transport, -1 if secure else sock.fileno())
        self._front.opened(self)

    def read_from(self, intake: Intake) -> None:
        """From now on the socket is read there and not by the transport, which must do it where it decrypts."""
        transport = self._transport
        if transport is not None and transport.get_extra_info("ssl_object") is None:
            transport.pause_reading()
            self._stop_reading()
            self._slot = intake.add(self, transport.get_extra_info("socket").fileno())
            self._intake = intake

    def reading_ended(self) -> None:
        self.eof_received()
        self.session.lost(self)
        if self._transport is not None:
            self._transport.close()

    def reading_failed(self, error: Exception) -> None:
        if not isinstance(error, OSError):
            log.error("a connection failed", exc_info=error)
        # Here, where time is watched: of a thousand that fail at once the event loop would have all in one go.
        self.detach()
        self.session.lost(self)
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_reading()
        self.detach()
        self.stop()
        if self._deadline is not None:
            self._deadline.cancel()
        self.session.lost(self)
        self._front.lost(self)

    def eof_received(self) -> bool:
        self.detach()
        self._judge.receive_eof()
        return False

    def shutdown(self) -> None:
        """The server is going away."""
        self.session.end(CloseCode.GOING_AWAY)

    # Frames that ServerProtocol judges, and messages

    def binary_received(self, payload: bytes) -> None:
        if self._closing:
            self._count_late()
        elif self.codec.is_text:
            self._wrong_form()
        else:
            self.session.receive(payload)

    def frame_received(self, head: int, raw: bytes) -> None:
        if self._closing:
            self._count_late()
        elif not self._within_limits(head):
            return
        protocol = self._judge
        protocol.receive_data(raw)
        for event in protocol.events_received():
            if isinstance(event, Frame) and not self._closing:
                self._take(event)
        self._follow()
        if protocol.state is OPEN and not self._parts and not self.codec.is_text:
            # Nothing is under way that it would have to remember.
            self._protocol = None

    @property
    def _judge(self) -> ServerProtocol:
        if self._protocol is None:
            self._protocol = ServerProtocol(
                state=OPEN, max_size=self._front.limits.message_bytes, logger=quiet
            )
        return self._protocol

    def input_refused(self, reason: int) -> None:
        if reason == INPUT_MALFORMED:
            self.session.complain("INPUT-001")
        elif reason == INPUT_OTHER_SCHEMA:
            self.session.complain("INPUT-002")
        else:
            self.session.complain("INPUT-003")

    def flooding(self) -> None:
        if self._closing:
            self._count_late()
        self.session.end(CloseCode.FLOODING)

    def _within_limits(self, head: int) -> bool:
        """Counts control frames and fragments, before ServerProtocol keeps or answers them."""
        opcode = head & 0x0F
        if opcode >= Opcode.CLOSE:
            if opcode != Opcode.CLOSE and not self._controls.take(self.last_received):
                self.session.error("WS-007")
                self.session.end(CloseCode.FLOODING)
                return False
        elif (opcode == Opcode.CONT or not head & 0x80) and len(self._parts) >= self._front.limits.fragments:
            self.session.error("WS-006")
            self.fail(RfcCode.MESSAGE_TOO_BIG, "too many fragments")
            return False
        return True

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._parts = [bytes(frame.data)]
            self._parts_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            message = b"".join(self._parts)
            self._parts = []
            self._message(message)

    def _message(self, message: bytes) -> None:
        if self._parts_text != self.codec.is_text:
            self._wrong_form()
        elif not self._parts_text:
            self.take_message(message)
        elif self.within_rate():
            try:
                message.decode()
            except UnicodeDecodeError:
                self.fail(RfcCode.INVALID_DATA, "not UTF-8")
            else:
                self.session.receive(message)

    def _wrong_form(self) -> None:
        self.session.error("WS-002")
        self.session.end(CloseCode.WRONG_FORM)

    # The session's link

    def send(self, message: bytes) -> None:
        self.send_numbered(message, 0)

    def send_numbered(self, message: bytes, number: int) -> None:
        if not self.append(message, number=number) and not self._too_slow:
            # Not at once: rooms send while they go through their players.
            self._too_slow = True
            asyncio.get_running_loop().call_soon(self._end_session, CloseCode.TOO_SLOW)

    def enter(self, hosted: Place, member: Member, position: Position | None = None) -> None:
        room = hosted.room
        for audience in hosted.audiences:
            if isinstance(audience, WebSocketAudience) and audience.delay == member.delay:
                break
        else:
            audience = self._front.audience(room, member.delay)
            hosted.audiences.append(audience)
        audience.enter(self, member, position)
        self._seat = (hosted, audience, member)
        if self._intake is not None:
            self._front.read(self)
        if room.inputs is not None and not self.codec.is_text:
            rate = (
                room.tick_rate * self._front.limits.inputs_per_tick or self._front.limits.actions_per_second
            )
            self.set_inputs(room.inputs, member.number, rate, max(rate, 1.0), seen=member.input)
        elif member.input:
            self.seen(member.input)
        if hosted.is_mirror:
            self.relay(member)

    def leave(self) -> None:
        self.set_inputs(None, 0, 0, 0)
        if self._seat is not None:
            hosted, audience, member = self._seat
            audience.leave(self, member)
            self._seat = None
            if audience.delay and not len(audience.group):
                hosted.retire(audience)
        self.private_base = None

    def close(self, code: int, reason: str) -> None:
        if self._closing:
            return
        self._front.host.metrics.closed[code] += 1
        self._begin_closing()
        if self._judge.state is OPEN:
            self._judge.send_close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))
        self._follow()

    def fail(self, code: int, reason: str) -> None:
        """The protocol itself was broken: RFC 6455, 7.1.7."""
        if not self._closing:
            self._judge.fail(code, reason)
            self._follow()

    def _follow(self) -> None:
        """Does as ServerProtocol says: writes what it has to write, and ends when it has."""
        protocol = self._judge
        if not self._closing and protocol.state is not OPEN:
            if isinstance(protocol.parser_exc, PayloadTooBig):
                self.session.error("WS-004")
            if protocol.close_sent is not None and protocol.close_rcvd is None:
                self._front.host.metrics.closed[protocol.close_sent.code] += 1
            self._begin_closing()
            # RFC 6455, 7.4.1: 1000 is what a client says that has done what it came for.
            said = protocol.close_rcvd
            self.session.lost(self, for_good=said is not None and said.code == RfcCode.NORMAL_CLOSURE)
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in protocol.data_to_send():
            if data != SEND_EOF:
                transport.write(data)
            elif protocol.close_rcvd is not None or not transport.can_write_eof():
                # Both sides have said that they close; or TLS, which cannot be closed by halves.
                transport.close()
            else:
                transport.write_eof()

    def _end_session(self, code: CloseCode) -> None:
        if not self._closing:
            self.session.end(code)

    def _begin_closing(self) -> None:
        """What was sent goes out; nothing else is, by us. The client has a moment to close its side."""
        self._closing = True
        self.flush()
        self.detach()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._front.limits.close_seconds, self._cut)

    def _count_late(self) -> None:
        self._late += 1
        if self._late == LATE_FRAMES:
            # Cutting it off would take the close code with it. Not listening costs nothing, and the deadline stands.
            self.stop()
            if self._intake is not None:
                self._stop_reading()
            elif self._transport is not None:
                self._transport.pause_reading()

    def _stop_reading(self) -> None:
        if self._intake is not None:
            self._intake.remove(self._slot)
            self._intake, self._slot = None, -1

    def _cut(self) -> None:
        self.stop()
        if self._transport is not None:
            self._transport.abort()
