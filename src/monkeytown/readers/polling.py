"""One player who polls: what waits for it between its requests, and the players of one room who do.

Knows messages, and how far a client is by its own word; does not know HTTP. A response may be lost, so all that is in one is
kept until the client says, with its next request, that it has it. Pure Python, a few calls per player and answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from monkeytown._core.wire import Reader, Writer
from monkeytown.errors import WireError
from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import BINARY, Codec
from monkeytown.readers.individuals import IndividualAudience
from monkeytown.room.member import Member
from monkeytown.room.private import INPUT, KIND, Private
from monkeytown.room.readable import ReadableRoom
from monkeytown.runtime.limits import TokenBucket
from monkeytown.runtime.place import Place

if TYPE_CHECKING:
    from monkeytown.readers.longpoll import Polls

__all__ = ["STATE_INTERVAL", "PollAudience", "PollLink", "blobs"]

STATE_INTERVAL = 0.05
"""Seconds from one state to the next in a room with ticks, at least: a request costs as much as a hundred sends."""

PLAYER_INPUT = b"\x04"


class _Answer(NamedTuple):
    """How far the client is once it has an answer."""

    poll: int
    messages: int
    number: int
    position: Position | None
    private_base: int | None
    input: int


class PollAudience(IndividualAudience["PollLink"]):
    """The polling players of one room."""

    def send(self) -> None:
        if self.links:
            now = self._now()
            for link in tuple(self.links):
                link.look(now)


class PollLink:
    """The link of a session whose client polls."""

    codec: Codec = BINARY

    def __init__(self, polls: Polls, address: str) -> None:
        limits, now = polls.limits, polls.now()
        self.address = address
        self.last_received = now
        self.acked_number = 0
        self.idle_since: float | None = now
        """Since when no request waits; None while one does."""
        self.closed: tuple[int, str] | None = None
        self.token = b""
        """What its requests show, for who keeps them."""
        self.session = polls.sessions.begin(self)
        self._polls = polls
        self._poll = 0
        self._waiting: asyncio.Future[bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._messages: list[bytes] = []
        self._numbered: deque[tuple[int, bytes]] = deque()
        self._numbered_bytes = 0
        self._sent_number = 0
        self._seat: tuple[Place, PollAudience, Member] | None = None
        self._position: Position | None = None
        self._highest_tick = 0
        self._private_base: int | None = None
        self._received_input = self._told_input = 0
        self._answer: _Answer | None = None
        """The newest that the client may not have."""
        self._state_due = 0.0
        self._rate = TokenBucket(limits.messages_per_second, 2 * limits.messages_per_second, now)
        self._inputs: TokenBucket | None = None

    # Requests

    async def begin(self, messages: Iterable[bytes]) -> bytes:
        """The request that opens the connection. It is answered once it is clear who says hello."""
        self._take_all(messages)
        content = self._gather(self._polls.now())
        return content or await self._wait(self._polls.limits.first_message_seconds)

    async def poll(self, number: int, heard: int, wait: float, messages: Iterable[bytes]) -> bytes:
        """A further request, `number`, of a client that has the answers up to `heard`. Waits for something to say."""
        if number <= self._poll:
            self._take_all(messages)
            return b""
        self._respond(b"")  # only the newest request is answered with anything
        self._poll = number
        self._settle(heard)
        self._take_all(messages)
        if self._poll != number:
            return b""
        content = self._gather(self._polls.now())
        if content or not wait or self.closed is not None:
            self.idle_since = self._polls.now()
            return content
        return await self._wait(wait)

    async def _wait(self, seconds: float) -> bytes:
        """The answer, when there is something to say, or an empty one."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._timer = loop.call_later(seconds, self._respond, b"")
        self.idle_since = None
        return await self._waiting

    def look(self, now: float) -> None:
        """The room has moved, or something else may have come up."""
        if self._waiting is not None:
            content = self._gather(now)
            if content:
                self._respond(content)

    def _respond(self, content: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self.idle_since = self._polls.now()
        if not waiting.done():
            waiting.set_result(content)

    def _settle(self, heard: int) -> None:
        """The client has the answer to its poll `heard`, and so all that was in it."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if heard < answer.poll:
            self._state_due = 0.0  # it was lost, and so is the time since
            return
        del self._messages[: answer.messages]
        self._read_up_to(answer.number)
        self._position, self._private_base = answer.position, answer.private_base
        self._told_input = answer.input

    def _read_up_to(self, number: int) -> None:
        self.acked_number = max(self.acked_number, number)
        while self._numbered and self._numbered[0][0] <= number:
            self._numbered_bytes -= len(self._numbered.popleft()[1])

    def _gather(self, now: float) -> bytes:
        """What the client is to be told now, all that it may not have included; empty if that is nothing."""
        out = list(self._messages)
        position, base, told = self._position, self._private_base, self._told_input
        seat = self._seat
        if seat is not None and now >= self._state_due and seat[1].can_be_read:
            hosted, audience, member = seat
            reading = audience.read(position, member)
            if reading.frame is not None:
                out.append(reading.frame)
                position = reading.position
                base = None if reading.is_snapshot else base
                self._polls.metrics.reads[reading.reason] += 1
                self._state_due = now + STATE_INTERVAL if hosted.room.tick_rate else 0.0
            private = audience.private(member, base)
            if private is not None or member.input != told:
                out.append(_private(private, member.input if member.input != told else 0))
                base, told = hosted.room.tick, member.input
        out += [message for _, message in self._numbered]
        if not out:
            return b""
        if position is not None:
            self._highest_tick = max(self._highest_tick, position.tick)
        self._answer = _Answer(self._poll, len(self._messages), self._sent_number, position, base, told)
        content = blobs(out)
        if seat is not None:
            seat[1].said.sends_staged += 1
            seat[1].said.bytes_sent += len(content)
        return content

    # Messages

    def _take_all(self, messages: Iterable[bytes]) -> None:
        self.last_received = self._polls.now()
        self._rate.take(self.last_received)
        for message in messages:
            if self.closed is not None:
                return
            room = None if self._seat is None else self._seat[0].room
            if message[:1] == PLAYER_INPUT and room is not None and room.inputs is not None:
                self._take_input(room, message)
            elif self._rate.take(self.last_received):
                self.session.receive(message)
        if self._rate.flooded:
            self.session.end(CloseCode.FLOODING)

    def _take_input(self, room: ReadableRoom, message: bytes) -> None:
        assert self._inputs is not None
        assert self._seat is not None
        assert room.inputs is not None
        if not self._inputs.take(self.last_received):
            if self._inputs.flooded:
                self.session.end(CloseCode.FLOODING)
            else:
                self.session.complain("INPUT-003")
            return
        try:
            reader = Reader(message[1:])
            if int.from_bytes(reader.raw(2), "little") != room.inputs.layout.hash:
                self.session.complain("INPUT-002")
                return
            number = reader.varint()
            if number <= self._received_input:
                return  # sent again, since its answer was lost
            if len(message) > self._polls.limits.input_bytes:
                raise WireError("too long")
            room.inputs.push_message(self._seat[2].number, message)
        except WireError:
            self.session.complain("INPUT-001")
            return
        self._received_input = number

    # The session's link

    def send(self, message: bytes) -> None:
        self._messages.append(message)

    def send_numbered(self, message: bytes, number: int) -> None:
        self._numbered.append((number, message))
        self._numbered_bytes += len(message)
        self._sent_number = number
        if self._numbered_bytes > self._polls.limits.pending_bytes:
            asyncio.get_running_loop().call_soon(self._too_slow)

    def _too_slow(self) -> None:
        if self.closed is None and self._numbered_bytes > self._polls.limits.pending_bytes:
            self.session.end(CloseCode.TOO_SLOW)

    def count_from(self, number: int) -> None:
        self.acked_number = self._sent_number = number

    def flush(self) -> None:
        if self._poll:
            self.look(self._polls.now())
        elif self._waiting is not None:
            # What becomes of who says hello is said in one answer: who is sent away does not ask for another.
            asyncio.get_running_loop().call_soon(lambda: self.look(self._polls.now()))

    def enter(self, hosted: Place, member: Member, position: Position | None = None) -> None:
        for audience in hosted.audiences:
            if isinstance(audience, PollAudience) and audience.delay == member.delay:
                break
        else:
            audience = PollAudience(hosted.room, delay=member.delay, now=self._polls.now)
            hosted.audiences.append(audience)
        audience.links.add(self)
        self._seat = hosted, audience, member
        self._begin_at(position)
        if position is not None:
            self._highest_tick = max(self._highest_tick, position.tick)
        self._received_input = member.input
        limits, room = self._polls.limits, hosted.room
        rate = room.tick_rate * limits.inputs_per_tick or limits.actions_per_second
        self._inputs = TokenBucket(rate, max(rate, 1.0), self._polls.now())

    def leave(self) -> None:
        if self._seat is None:
            return
        hosted, audience, _ = self._seat
        self._seat = self._inputs = None
        self._begin_at(None)
        audience.links.discard(self)
        if not audience.links and audience in hosted.audiences:
            hosted.retire(audience)

    def _begin_at(self, position: Position | None) -> None:
        """Where the client is in a room that it enters, whatever it had of the one before."""
        self._position, self._private_base, self._told_input = position, None, 0
        self._state_due = 0.0
        if self._answer is not None:
            self._answer = self._answer._replace(position=position, private_base=None, input=0)

    def acknowledge(self, epoch: int | None, tick: int, number: int) -> bool:
        if number > self._sent_number or tick > self._highest_tick:
            return False
        self._read_up_to(number)
        return True

    def seen(self, number: int) -> None:
        """What the rules have seen is looked up when there is an answer."""

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = code, reason
            self._polls.metrics.closed[code] += 1
            self.send(BINARY.encode("close", {"code": int(code), "reason": reason}))
            self.flush()

    def lost(self) -> None:
        """The client does not come any more."""
        self._respond(b"")
        self.closed = self.closed or (0, "")
        self.session.lost(self)


def blobs(messages: Iterable[bytes]) -> bytes:
    """Messages one after the other, each with its length before it."""
    writer = Writer()
    for message in messages:
        writer.varint(len(message))
        writer.raw(message)
    return writer.getvalue()


def _private(private: Private | None, input: int) -> bytes:
    """A `private` message: docs/reference/wire.md, section 5."""
    writer = Writer()
    writer.u8(KIND)
    writer.u8((0 if private is None else private.flags) | (INPUT if input else 0))
    if input:
        writer.varint(input)
    if private is not None:
        writer.raw(private.body)
    return writer.getvalue()
