"""A session: one client from its first message to its last, and what it may ask for.

Knows messages, limits and rooms; does not know sockets or frames. Where the bytes go is its link's business. Whatever a
client asks in vain is answered by a numbered `error` and disturbs nothing else.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol

from monkeytown.errors import ERROR_CODES, Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import Codec
from monkeytown.protocol.messages import (
    Ack,
    ChatMessage,
    ClientMessage,
    Error,
    Heartbeat,
    HeartbeatReply,
    Hello,
    JoinGame,
    LeaveGame,
    PlayerInput,
    Welcome,
)
from monkeytown.room.member import Member
from monkeytown.runtime.limits import Limits, TokenBucket

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host, HostedRoom

__all__ = ["SERVER", "Link", "Session"]

PACKED_INPUT = 0x04

# Errors that a client causes at will are told once in a while; in between they are only counted.
TOLD_PER_SECOND, TOLD_AT_ONCE = 2.0, 10.0
# Messages that make no sense, a second; a client that sends many more does not speak our protocol.
MALFORMED_PER_SECOND, MALFORMED_AT_ONCE = 0.5, 10.0


def _server() -> str:
    try:
        return f"monkeytown/{version('monkeytown')}"
    except PackageNotFoundError:
        return "monkeytown"


SERVER = _server()
"""What `welcome` calls this program."""


class Link(Protocol):
    """What a session asks of the reader that carries its bytes."""

    codec: Codec

    def send(self, message: bytes) -> None:
        """Reliably and in order; with the next state at the latest."""

    def flush(self) -> None:
        """Whatever was sent goes out now."""

    def enter(self, hosted: HostedRoom, member: Member) -> None:
        """From now on this client reads the room's states, and its packed inputs are the room's."""

    def leave(self) -> None:
        """It no longer does."""

    def acknowledge(self, epoch: int | None, tick: int, number: int) -> None:
        """What the client says that it has; an acknowledgement without an epoch came inside an input."""

    def seen(self, number: int) -> None:
        """The rules have seen the input of this number."""

    def close(self, code: int, reason: str) -> None:
        """The connection ends, once what was sent has gone out."""


class Session:
    """One client. `receive` takes its messages; the room's host hands it what the room says."""

    def __init__(
        self, host: Host, link: Link, limits: Limits, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        """The player's id: 128 bits that nobody can guess."""
        self.name: str | None = None
        self.hosted: HostedRoom | None = None
        """The room it is in."""
        self.said_something = False
        self._host = host
        self._link = link
        self._limits = limits
        self._now = now
        self._number = 0
        self._welcomed = False
        self._ended = False
        self._inputs: TokenBucket | None = None
        self._chat = TokenBucket(limits.chat_per_second, limits.chat_burst, now())
        self._told = TokenBucket(TOLD_PER_SECOND, TOLD_AT_ONCE, now())
        self._malformed = TokenBucket(MALFORMED_PER_SECOND, MALFORMED_AT_ONCE, now())

    # What the client says

    def receive(self, data: bytes) -> None:
        """One whole message in the link's encoding."""
        if self._ended:
            return
        self.said_something = True
        try:
            if self.hosted is None and not self._link.codec.is_text and data[:1] == bytes((PACKED_INPUT,)):
                raise Refusal(code="GAME-003")
            message = self._link.codec.decode(data)
        except Refusal as refusal:
            self._malformed.take(self._now())
            if self._malformed.flooded:
                self.end(CloseCode.MALFORMED)
            else:
                self.error(refusal.code, refusal.message)
            return
        try:
            self._handle(message)
        except Refusal as refusal:
            self.error(refusal.code, refusal.message)

    def lost(self) -> None:
        """The connection is gone, whoever ended it."""
        self._ended = True
        self._leave()

    def end(self, code: CloseCode) -> None:
        """Sends the client away."""
        self.send_away(code, code.reason)

    def send_away(self, code: int, reason: str) -> None:
        """The same, with a reason of the game."""
        if self._ended:
            return
        self._ended = True
        self._leave()
        self._link.close(code, reason)

    def _handle(self, message: ClientMessage) -> None:
        match message:
            case PlayerInput():
                self._act(message)
            case Ack():
                self._link.acknowledge(message.epoch, message.tick, message.number)
            case Heartbeat():
                self._say("heartbeat", HeartbeatReply(message.timestamp, time.time() * 1000))
                self._link.flush()
            case ChatMessage():
                self._say_to_room(message.text)
            case Hello():
                if message.name is not None:
                    self.name = message.name
                self._welcome(self.name or "")
                self._link.flush()
            case JoinGame():
                self._join(message.game_id)
            case LeaveGame():
                if self.hosted is None:
                    raise Refusal(code="GAME-003")
                self._leave()

    def _welcome(self, name: str) -> None:
        self._welcomed = True
        self._say("welcome", Welcome(self.id, name, SERVER))

    def _join(self, game_id: str) -> None:
        if self.hosted is not None:
            raise Refusal(code="GAME-004")
        hosted = self._host.find_seat(game_id)
        member = hosted.join(self)
        self.hosted = hosted
        if not self._welcomed:
            self._welcome(member.player.name)
        room = hosted.room
        rate = room.tick_rate * self._limits.inputs_per_tick or self._limits.actions_per_second
        self._inputs = TokenBucket(rate, max(rate, 1.0), self._now())
        self._describe(hosted, member)
        self.take_events(member)
        self._link.enter(hosted, member)
        self._link.flush()
        hosted.disturbed()

    def _describe(self, hosted: HostedRoom, member: Member) -> None:
        if not self._link.codec.is_text:
            self._link.send(hosted.schema(member))

    def describe_anew(self, hosted: HostedRoom, member: Member) -> None:
        """The player sees the room in another way: it is described, and then shown, as if they had joined again."""
        self._link.leave()
        self._describe(hosted, member)
        self._link.flush()  # what is queued goes out behind the next state, which is of the new kind already
        self._link.enter(hosted, member)

    def _leave(self) -> None:
        hosted, self.hosted = self.hosted, None
        if hosted is not None:
            self._link.leave()
            hosted.leave(self)

    def _act(self, message: PlayerInput) -> None:
        if self.hosted is None or self._inputs is None:
            raise Refusal(code="GAME-003")
        if not self._inputs.take(self._now()):
            if self._inputs.flooded:
                self.end(CloseCode.FLOODING)
            else:
                self.complain("INPUT-003")
            return
        hosted = self.hosted
        if message.tick:
            self._link.acknowledge(None, message.tick, 0)
        hosted.advance()
        hosted.room.act(self.id, message.action, message.number, message.tick)
        if message.number:
            self._link.seen(message.number)
        hosted.disturbed()

    def _say_to_room(self, text: str) -> None:
        if self.hosted is None:
            raise Refusal(code="GAME-003")
        if len(text) > self._limits.chat_characters:
            raise Refusal(
                f"A chat message has at most {self._limits.chat_characters} characters.", "INPUT-004"
            )
        if not self._chat.take(self._now()):
            if self._chat.flooded:
                self.end(CloseCode.FLOODING)
            else:
                self.complain("INPUT-005")
            return
        hosted = self.hosted
        hosted.advance()
        hosted.room.chat(self.id, text)
        hosted.disturbed()

    # What the client is told

    def error(self, code: str, message: str | None = None) -> None:
        """A numbered `error`."""
        self._host.metrics.errors[code] += 1
        self._say("error", Error(code, message or ERROR_CODES[code]), numbered=True)
        self._link.flush()

    def complain(self, code: str) -> None:
        """The same for what a client can cause many times a second: told once in a while."""
        if self._told.take(self._now()):
            self.error(code)
        else:
            self._host.metrics.errors[code] += 1

    def take_events(self, member: Member) -> None:
        """What the room has for this player goes on its way; the room need not keep it."""
        encode, send = self._link.codec.encode, self._link.send
        for event in member.outbox.take():
            self._number += 1
            send(encode(event.type, event.payload, self._number))

    def flush(self) -> None:
        self._link.flush()

    def _say(self, kind: str, payload: object, *, numbered: bool = False) -> None:
        if numbered:
            self._number += 1
        self._link.send(self._link.codec.encode(kind, payload, self._number if numbered else None))
