"""What the client of a session asks for, and what it may.

Knows messages and limits; what is granted the session does. Whatever a client asks in vain is answered by a numbered `error`
and disturbs nothing else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from monkeytown.errors import Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.messages import (
    Ack,
    ChatMessage,
    ClientMessage,
    Heartbeat,
    HeartbeatReply,
    Hello,
    JoinGame,
    LeaveGame,
    Numbered,
    PlayerInput,
    Poll,
)
from monkeytown.runtime.limits import TokenBucket
from monkeytown.runtime.link import Link

if TYPE_CHECKING:
    from monkeytown.runtime.session import Session
    from monkeytown.runtime.sessions import Sessions

__all__ = ["Requests"]

PACKED_INPUT = b"\x04"

# Errors that a client causes at will are told once in a while; in between they are only counted.
TOLD_PER_SECOND, TOLD_AT_ONCE = 2.0, 10.0
# Messages that make no sense, a second; a client that sends many more does not speak our protocol.
MALFORMED_PER_SECOND, MALFORMED_AT_ONCE = 0.5, 10.0
# Of what was not said while there was no connection: as many as our clients keep.
MADE_UP_FOR = 256.0


class Requests:
    """Of one session, over all of its connections. It is handed the session each time: two that knew each other would wait
    for the garbage collector."""

    __slots__ = ("_chat", "_inputs", "_limits", "_malformed", "_now", "_told", "received")

    def __init__(self, sessions: Sessions) -> None:
        now, limits = sessions.now, sessions.limits
        self.received = 0
        """The newest numbered message that was taken."""
        self._limits = limits
        self._now = now
        self._inputs: TokenBucket | None = None
        self._chat = TokenBucket(limits.chat_per_second, limits.chat_burst, now())
        self._told = TokenBucket(TOLD_PER_SECOND, TOLD_AT_ONCE, now())
        self._malformed = TokenBucket(MALFORMED_PER_SECOND, MALFORMED_AT_ONCE, now())

    def take(self, session: Session, link: Link, data: bytes) -> None:
        """One whole message in the link's encoding."""
        try:
            if session.hosted is None and not link.codec.is_text and data[:1] == PACKED_INPUT:
                raise Refusal(code="GAME-003")
            message = link.codec.decode(data)
        except Refusal as refusal:
            self._unreadable(session, refusal)
            return
        try:
            self._handle(session, link, message)
        except Refusal as refusal:
            session.refused(refusal)

    def was_away(self, seconds: float) -> None:
        """The client had no connection for so long, and now says what it would have said."""
        for bucket in (self._chat, self._inputs):
            if bucket is not None:
                bucket.make_up_for(seconds, MADE_UP_FOR)

    def may_complain(self) -> bool:
        """Whether the client is to be told of what it can cause many times a second."""
        return self._told.take(self._now())

    def joined(self, tick_rate: int) -> None:
        """The client is in a room, which takes so many inputs."""
        rate = tick_rate * self._limits.inputs_per_tick or self._limits.actions_per_second
        self._inputs = TokenBucket(rate, max(rate, 1.0), self._now())

    def _handle(
        self, session: Session, link: Link, message: ClientMessage, *, numbered: bool = False
    ) -> None:
        match message:
            case PlayerInput():
                self._act(session, link, message, numbered)
            case Ack():
                if not link.acknowledge(message.epoch, message.tick, message.number):
                    session.complain("WS-010")
            case Heartbeat():
                reply = HeartbeatReply(message.timestamp, time.time() * 1000, self.received)
                session.say("heartbeat", reply)
                link.flush()
            case Numbered():
                if not self._is_next(message.number):
                    return
                if isinstance(message.message, Refusal):
                    self._unreadable(session, message.message)
                else:
                    self._handle(session, link, message.message, numbered=True)
            case ChatMessage():
                self._chat_with_all(session, message.text, numbered)
            case Hello():
                session.hello(link, message)
                link.flush()
            case JoinGame():
                session.join(link, message.game_id)
            case LeaveGame():
                session.leave()
            case Poll():
                raise Refusal(code="WS-005")

    def _unreadable(self, session: Session, refusal: Refusal) -> None:
        self._malformed.take(self._now())
        if self._malformed.flooded:
            session.end(CloseCode.MALFORMED)
        else:
            session.error(refusal.code, refusal.message)

    def _is_next(self, number: int) -> bool:
        """Whether a numbered message is to be handled; it is not if it was, even if it asked in vain."""
        if number > self.received + 1:
            raise Refusal(code="WS-011")
        if number <= self.received:
            return False
        self.received = number
        return True

    def _too_many(self, session: Session, bucket: TokenBucket, code: str, numbered: bool) -> None:
        """Whoever sends again what was kept while it was away is refused, but not sent away for it."""
        if bucket.flooded and not numbered:
            session.end(CloseCode.FLOODING)
        else:
            session.complain(code)

    def _act(self, session: Session, link: Link, message: PlayerInput, numbered: bool) -> None:
        hosted = session.hosted
        if hosted is None or self._inputs is None:
            raise Refusal(code="GAME-003")
        if not self._inputs.take(self._now()):
            self._too_many(session, self._inputs, "INPUT-003", numbered)
            return
        if message.tick:
            link.acknowledge(None, message.tick, 0)
        hosted.act(session, message.action, message.number, message.tick)
        if message.number and not hosted.is_mirror:
            link.seen(message.number)

    def _chat_with_all(self, session: Session, text: str, numbered: bool) -> None:
        hosted = session.hosted
        if hosted is None:
            raise Refusal(code="GAME-003")
        if len(text) > self._limits.chat_characters:
            raise Refusal(
                f"A chat message has at most {self._limits.chat_characters} characters.", "INPUT-004"
            )
        if not self._chat.take(self._now()):
            self._too_many(session, self._chat, "INPUT-005", numbered)
            return
        hosted.chat(session, text)
