"""One Socket.IO player: the link of its session, and the players of one room who read the state as events.

Knows the JSON form of messages and how far a client is by what its transport has taken; does not know packets but for the
text of an event, nor HTTP. Pure Python, several calls per player and state, which is why states come at a lower rate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode, may_return
from monkeytown.protocol.codec import JSON, Codec
from monkeytown.readers.individuals import IndividualAudience
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.member import Member
from monkeytown.room.private import Private
from monkeytown.room.readable import ReadableRoom
from monkeytown.runtime.limits import TokenBucket
from monkeytown.runtime.place import Place

if TYPE_CHECKING:
    from monkeytown.readers.socketio import Connection, EventFront

__all__ = ["BOUND", "TRANSPORT", "EventAudience", "EventLink", "Events", "split"]

BOUND = "monkeytown.bound"
"""The extension of a WebSocket's scope that bounds the bytes of a message of its client, when it is called with them."""

TRANSPORT = "monkeytown.transport"
"""The extension of a WebSocket's scope by which the server beneath lets its transport be measured and cut."""

EVENT = b"42"
"""What an event's text begins with: a message of Engine.IO, an event of Socket.IO, in the default namespace."""

ENVELOPE = b'{"type":"game_state","payload":'
WHOLE_STATE_INTERVAL = 1.0
"""Seconds from one whole state that a client asked for to the next, at least."""

_ARGUMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class _Sequence(msgspec.Struct):
    seq: int | None = None


_SEQUENCE = msgspec.json.Decoder(_Sequence)


def split(data: bytes) -> tuple[str, bytes]:
    """An event's name, and the message that it is in the JSON form.

    Raises `ValueError` or `RecursionError` if it is no name with at most one argument.
    """
    parts = _ARGUMENTS.decode(data)
    if not 1 <= len(parts) <= 2:
        raise ValueError("an event has a name and at most one argument")
    name, payload = parts[0], bytes(parts[1]) if len(parts) == 2 else b"{}"
    if payload == b"null":
        payload = b"{}"
    try:
        number = _SEQUENCE.decode(payload).seq
    except msgspec.MsgspecError:
        number = None  # whatever is wrong is found when the message is read
    seq = b"" if number is None else b'"seq":%d,' % number
    return msgspec.json.decode(name, type=str), b'{"type":%b,%b"payload":%b}' % (bytes(name), seq, payload)


class Events(Codec):
    """The JSON form as events. One for each client: what it was refused last answers whoever asked for it."""

    name = "json"
    subprotocol = ""
    is_text = True

    def __init__(self) -> None:
        self.refused: dict[str, Any] | None = None

    def decode(self, data: bytes) -> Any:
        return JSON.decode(data)

    def encode(self, kind: str, payload: object, number: int | None = None) -> bytes:
        if isinstance(payload, msgspec.Raw):
            payload = msgspec.msgpack.decode(payload)
        if number is not None:
            assert isinstance(payload, dict)
            payload = payload | {"seq": number}
        if kind == "error":
            assert isinstance(payload, dict)
            self.refused = payload
        return EVENT + msgspec.json.encode([kind, payload])


class EventAudience(IndividualAudience["EventLink"]):
    """The Socket.IO players of one room, who are told `rate` times a second at most.

    All of them are told at the same ticks, so that they stand at the same positions and share what is encoded.
    """

    encoding = Encoding.JSON

    def __init__(
        self,
        room: ReadableRoom,
        *,
        rate: float,
        delay: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(room, delay=delay, now=now)
        self._interval = 1 / rate if room.tick_rate else 0.0
        self._slack = 0.5 / room.tick_rate if room.tick_rate else 0.0
        self._due = 0.0
        self._texts: dict[bytes, str] = {}
        """Events by the frames that they were made of, while the room stands where it does."""

    def prepare(self, room: ReadableRoom) -> None:
        self._texts.clear()
        super().prepare(room)

    def send(self) -> None:
        if not self.links:
            return
        now = self._now()
        is_due = now >= self._due - self._slack
        if is_due:
            # Ticks come a little early or late; the rate is to hold over many of them.
            self._due = max(self._due + self._interval, now)
        for link in tuple(self.links):
            if is_due or link.has_nothing:
                link.look(now)

    def text(self, frame: bytes) -> str:
        """A state as an event: made once for all who get the same frame."""
        text = self._texts.get(frame)
        if text is None:
            assert frame.startswith(ENVELOPE)
            text = (b'%b["game_state",%b]' % (EVENT, frame[len(ENVELOPE) : -1])).decode()
            self._texts[frame] = text
        return text


class EventLink:
    """The link of a session whose client speaks Socket.IO."""

    def __init__(self, front: EventFront, connection: Connection) -> None:
        limits, now = front.limits, front.now()
        self._events = Events()
        self.codec: Codec = self._events
        self.connection = connection
        self.address = connection.address
        self.last_received = now
        self.acked_number = 0
        self.closed = False
        self.held_since: float | None = None
        """Since when there was no room for a state."""
        self.session = front.sessions.begin(self)
        self._front = front
        self._seat: tuple[Place, EventAudience, Member] | None = None
        self._position: Position | None = None
        self._private_base: int | None = None
        self._highest_tick = self._sent_number = self._told_input = 0
        self._states_waiting = self._bytes_waiting = 0
        """Of what the transport has not taken yet."""
        self._wants_all = False
        self._whole_since = float("-inf")
        """When the last whole state was sent."""
        self._rate = TokenBucket(limits.messages_per_second, 2 * limits.messages_per_second, now)

    # Events of the client

    def take(self, data: bytes, *, asked: bool) -> dict[str, Any] | None:
        """One event. The answer, if the client has asked for one."""
        now = self.last_received = self._front.now()
        if self.closed:
            return None
        if not self._rate.take(now):
            if self._rate.flooded:
                self.session.end(CloseCode.FLOODING)
            return None
        self._events.refused = None
        errors = self._front.metrics.errors
        before = errors.copy() if asked else errors
        self._take(data)
        if not asked:
            return None
        if self._events.refused is not None:
            return {"ok": False} | self._events.refused
        for code in errors - before:  # of what is told once in a while only
            return {"ok": False, "code": code}
        hosted = self.session.hosted
        return {"ok": True, "playerId": self.session.id, "gameId": None if hosted is None else hosted.room.id}

    def _take(self, data: bytes) -> None:
        if len(data) > self._front.limits.message_bytes:
            self.session.complain("WS-004")
            return
        try:
            name, message = split(data)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            name, message = "", data
        if name == "request_state":
            self._request_state()
        else:
            self.session.receive(message)

    def _request_state(self) -> None:
        if self._seat is None:
            self.session.complain("GAME-003")
            return
        if not self._wants_all:
            self._wants_all = True
            wait = max(0.0, self._whole_since + WHOLE_STATE_INTERVAL - self._front.now())
            # A room without ticks may not move for long.
            asyncio.get_running_loop().call_later(wait, self._whole_state_is_due)

    def _whole_state_is_due(self) -> None:
        self._whole_since = float("-inf")
        self.look_again()

    def look_again(self) -> None:
        """For when nothing happens in the room that would make it look."""
        self.look(self._front.now())

    # States

    @property
    def has_nothing(self) -> bool:
        """Whether it has no state of its room yet."""
        return self._position is None

    def look(self, now: float) -> None:
        """Sends what brings the client to now, if its transport has taken all states before."""
        seat = self._seat
        if seat is None or not seat[1].can_be_read:
            return
        hosted, audience, member = seat
        if self._states_waiting or self.connection.unsent():
            self.held_since = now if self.held_since is None else self.held_since
            audience.said.held += 1
            return
        self.held_since = None
        if self._wants_all and now >= self._whole_since + WHOLE_STATE_INTERVAL:
            self._position, self._wants_all = None, False
        reading = audience.read(self._position, member)
        if reading.frame is not None:
            self._send_state(audience, reading, now)
        private = audience.private(member, self._private_base)
        if private is not None or member.input != self._told_input:
            text = _private(private, member.input if member.input != self._told_input else 0)
            self._send_beside(audience, text)
            self._private_base, self._told_input = hosted.room.tick, member.input

    def _send_state(self, audience: EventAudience, reading: Reading, now: float) -> None:
        assert reading.frame is not None
        assert reading.position is not None
        if reading.is_snapshot:
            self._private_base, self._whole_since, self._wants_all = None, now, False
        self._position = reading.position
        self._highest_tick = max(self._highest_tick, reading.position.tick)
        self._front.metrics.reads[reading.reason] += 1
        self._send_beside(audience, audience.text(reading.frame))

    def _send_beside(self, audience: EventAudience, text: str) -> None:
        self._states_waiting += 1
        audience.said.sends_staged += 1
        audience.said.bytes_sent += len(text)
        self.connection.post(text, 0)

    def taken(self, size: int) -> None:
        """The transport has taken a state (0), or so many bytes of something else."""
        if size:
            self._bytes_waiting -= size
            return
        self._states_waiting -= 1
        if self.held_since is not None and not self._states_waiting:
            # Not at once: it takes others along with this one.
            asyncio.get_running_loop().call_soon(self.look_again)

    # The session's link

    def send(self, message: bytes) -> None:
        self._bytes_waiting += len(message)
        self.connection.post(message.decode(), len(message))
        if self._bytes_waiting > self._front.limits.pending_bytes:
            asyncio.get_running_loop().call_soon(self._too_slow)

    def _too_slow(self) -> None:
        if not self.closed and self._bytes_waiting > self._front.limits.pending_bytes:
            self.session.end(CloseCode.TOO_SLOW)

    def send_numbered(self, message: bytes, number: int) -> None:
        self._sent_number = number
        self.send(message)

    def count_from(self, number: int) -> None:
        self.acked_number = self._sent_number = number

    def flush(self) -> None:
        """What is sent waits for nothing."""

    def enter(self, hosted: Place, member: Member, position: Position | None = None) -> None:
        for audience in hosted.audiences:
            if isinstance(audience, EventAudience) and audience.delay == member.delay:
                break
        else:
            audience = self._front.audience(hosted.room, member.delay)
            hosted.audiences.append(audience)
        audience.links.add(self)
        self._seat = hosted, audience, member
        self._position, self._private_base = position, None
        if position is not None:
            self._highest_tick = max(self._highest_tick, position.tick)
        self._told_input, self._whole_since = 0, float("-inf")

    def leave(self) -> None:
        if self._seat is None:
            return
        hosted, audience, _ = self._seat
        self._seat = self._position = self._private_base = self.held_since = None
        audience.links.discard(self)
        if not audience.links and audience in hosted.audiences:
            hosted.retire(audience)

    def acknowledge(self, epoch: int | None, tick: int, number: int) -> bool:
        if number > self._sent_number or tick > self._highest_tick:
            return False
        self.acked_number = max(self.acked_number, number)
        return True

    def seen(self, number: int) -> None:
        """What the rules have seen is looked up when there is a state."""

    def close(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._front.metrics.closed[code] += 1
        self.send(self.codec.encode("close", {"code": int(code), "reason": reason}))
        self.connection.end(for_good=not may_return(code))


def _private(private: Private | None, input: int) -> str:
    """A `private` event: docs/reference/json.md."""
    parts = [b'"input":%d' % input] if input else []
    if private is not None and private.body:
        parts.append(private.body)
    return (b'%b["private",{%b}]' % (EVENT, b",".join(parts))).decode()
