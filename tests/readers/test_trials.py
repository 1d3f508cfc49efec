"""A thousand lost connections, for a second or for five minutes, with swaps between the kinds of connection: nothing is lost,
nothing comes twice, and whoever was away for too long is told so.

The clock is the test's. The polling connections are the server's own; in place of a WebSocket there is a line that delivers
whole messages and loses what was under way when it is cut.
"""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any, ClassVar

import msgspec
import pytest

from monkeytown import Entity, Game, Player, fixed, table
from monkeytown.client import messages
from monkeytown.client.mirror import Mirror
from monkeytown.position import Position
from monkeytown.protocol.codec import BINARY
from monkeytown.readers.handshake import Addresses, Refused
from monkeytown.readers.longpoll import Polls
from monkeytown.readers.polling import blobs
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.place import Audience
from monkeytown.runtime.session import Session
from monkeytown.runtime.sessions import Sessions
from tests.readers.clients import PollClient, as_map
from tests.runtime.stage import Clock, make_host

PLAYERS, ROUNDS = 25, 40
CUTS = (1, 5, 30, 120, 299, 301)
LIMITS = Limits(chat_per_second=1e6, chat_burst=10**6)


class Leaf(Entity):
    x = fixed(0, 1000, step=1, predict="linear")


class Stream(Game):
    """Leaves drift, come and go; every now and then somebody counts aloud."""

    name = "stream"
    tick_rate = 4
    leaves = table(Leaf, capacity=64)
    said: ClassVar[dict[str, list[str]]] = {}

    def on_create(self) -> None:
        self.count = 0
        self.falling = self.leaves.spawn()
        self.every(2.0, self.call)

    def call(self) -> None:
        self.broadcast("count", self.count)
        self.count += 1

    def on_tick(self, dt: float) -> None:
        self.falling.x = self.tick % 2 * 500  # whoever reads has news in every tick
        if self.random.random() < 0.2 and len(self.leaves) < 20:
            self.leaves.spawn(x=self.random.randrange(1000))
        for leaf in self.leaves:
            leaf.x += self.random.choice([0, 1, 1, 1, -3])
            if leaf.id != self.falling.id and self.random.random() < 0.01:
                self.leaves.despawn(leaf)

    def on_chat(self, player: Player, text: str) -> None:
        self.said.setdefault(player.id, []).append(text)


class Line(Audience):
    """The link of a session in place of a WebSocket; each is an audience of its own."""

    codec = BINARY

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self.clock = clock
        self.address = "here"
        self.last_received = clock.seconds()
        self.acked_number = 0
        self.under_way: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.session: Session = sessions.begin(self)
        self._seat: tuple[HostedRoom, Member] | None = None
        self._position: Position | None = None
        self._private_base: int | None = None

    def receive(self, message: bytes) -> None:
        self.last_received = self.clock.seconds()
        self.session.receive(message)

    def prepare(self, room: Room) -> None:
        assert self._seat is not None
        member = self._seat[1]
        reading = room.read(self._position, member.view)
        if reading.frame is not None:
            self.under_way.append(reading.frame)
            self._private_base = None if reading.is_snapshot else self._private_base
        self._position = reading.position
        private = room.private(member, self._private_base)
        if private is not None:
            self.under_way.append(private.message())
        self._private_base = room.tick

    def send(self, message: bytes | None = None) -> None:
        if message is not None:
            self.under_way.append(message)

    def send_numbered(self, message: bytes, number: int) -> None:
        self.under_way.append(message)

    def count_from(self, number: int) -> None:
        self.acked_number = number

    def flush(self) -> None:
        pass

    def enter(self, hosted: HostedRoom, member: Member, position: Position | None = None) -> None:
        self._seat, self._position, self._private_base = (hosted, member), position, None
        hosted.audiences.append(self)

    def leave(self) -> None:
        if self._seat is not None:
            self._seat[0].audiences.remove(self)
            self._seat = None

    def acknowledge(self, epoch: int | None, tick: int, number: int) -> bool:
        self.acked_number = max(self.acked_number, number)
        return True

    def seen(self, number: int) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason


def finish(answer: Coroutine[Any, Any, bytes | Refused]) -> bytes | Refused:
    """The answer of a request that does not wait."""
    try:
        answer.send(None)
    except StopIteration as done:
        result: bytes | Refused = done.value
        return result
    raise AssertionError("it waits")


class Traveller(PollClient):
    """A client that has a connection of either kind, or none, and believes nothing."""

    def __init__(self, sessions: Sessions, polls: Polls, clock: Clock, random: Random) -> None:
        self.sessions, self.polls_, self.clock, self.random = sessions, polls, clock, random
        self.waiting = []
        self.token, self.id, self.game_id = "", "", ""
        self.number = 0
        self.line: Line | None = None
        self.polling = False
        self.mirror: Mirror | None = None
        self.position: Position | None = None
        self.counted: list[int] = []
        self.people: set[str] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        self.said = self.received = 0
        self.position = None
        self.unsure: list[str] = []
        """What was said and may not have arrived."""

    @property
    def connected(self) -> bool:
        return self.line is not None or self.polling

    # Connections

    def connect(self, *, polling: bool) -> dict[str, Any]:
        has: dict[str, Any] = {"session": self.token, "number": self.number}
        if self.position is not None:
            has |= {"gameId": self.game_id, "epoch": self.position.epoch, "tick": self.position.tick}
        self.asked = self.number
        hello = b"\x01" + msgspec.msgpack.encode({"resume": has} if self.token else {})
        self.polling = polling
        if polling:
            self.polls = self.heard = 0
            content = finish(self.polls_.answer(blobs([hello]), "here"))
            assert isinstance(content, bytes)
            self.take(content)
        else:
            self.line = Line(self.sessions, self.clock)
            self.line.receive(hello)
            self.read_line(everything=True)
        welcome = self.waiting.pop(0)
        assert welcome.type == "welcome"
        payload = as_map(welcome.payload)
        self.token = payload["session"]
        return payload

    def cut(self) -> None:
        """Some of what is under way still arrives, in order."""
        if self.line is not None:
            self.read_line(everything=False)
            self.line.session.lost(self.line)  # type: ignore[arg-type]
            self.line = None
        self.polling = False  # the server will notice in its own time

    def swap(self) -> bool:
        """Connects in the other way while the old connection is still there; returns whether nothing was lost."""
        old, was_polling = self.line, self.polling
        if old is not None:
            self.read_line(everything=False)
        welcome = self.connect(polling=not was_polling)
        if old is not None:
            assert old.closed is not None
            if self.polling:
                self.line = None
        return self.go_on(welcome)

    def go_on(self, welcome: dict[str, Any]) -> bool:
        """Acts on a welcome as docs/reference/wire.md says. Returns whether the session goes on."""
        if self.id and welcome["playerId"] == self.id:
            assert welcome["recovered"] is True
            assert welcome["number"] == self.asked
            del self.unsure[: welcome["received"] - self.received]
            self.received = welcome["received"]
            if welcome["resumed"] == "snapshot":
                self.position = None
            again = self.unsure
            first = self.received + 1
            self.send(*(self.chat(first + n, text) for n, text in enumerate(again)))
            return True
        self.id = welcome["playerId"]
        self.begin_anew()
        self.received = 1  # the join, which is numbered as well
        self.send(b"\x08\x01\x02" + msgspec.msgpack.encode({"gameId": "stream"}))
        return False

    # Messages

    def chat(self, number: int, text: str) -> bytes:
        head = bytes((0x08, number & 0x7F | 0x80, number >> 7)) if number > 0x7F else bytes((0x08, number))
        return head + b"\x05" + msgspec.msgpack.encode({"text": text})

    def say(self) -> None:
        self.said += 1
        text = f"{self.said}"
        self.unsure.append(text)
        if self.random.random() < 0.8 or self.polling:
            self.send(self.chat(self.said + 1, text))
        else:
            self.cut()  # while it was under way

    def send(self, *said: bytes) -> None:
        if self.line is not None:
            for message in said:
                self.line.receive(message)
        elif self.polling:
            for _ in range(self.random.randrange(1, 3)):  # the answer is lost; the same is asked again
                self.polls += 1
                about = {"session": self.token, "number": self.polls, "heard": self.heard, "wait": 0}
                body = blobs([b"\x09" + msgspec.msgpack.encode(about), *said])
                content = finish(self.polls_.answer(body, "here"))
                if isinstance(content, Refused):
                    self.polling = False
                    return
            self.take(content)
            self.heard = self.polls

    def read_line(self, *, everything: bool) -> None:
        assert self.line is not None
        arrived = self.line.under_way
        if not everything:
            arrived = arrived[: self.random.randrange(len(arrived) + 1)]
        self.take(blobs(arrived))
        self.line.under_way.clear()

    def read(self) -> None:
        """Takes in all that has come."""
        if self.line is not None:
            self.read_line(everything=True)
        elif self.polling:
            self.send()
        for message in self.waiting:
            self.take_in(message)
        self.waiting.clear()

    def take_in(self, message: messages.Message) -> None:
        payload = message.payload
        if message.type == "schema":
            self.mirror, self.position = Mirror(msgspec.to_builtins(payload)), None
            self.game_id = payload.game_id
        elif message.type == "game_state":
            assert self.mirror is not None
            self.position = self.mirror.apply(payload, self.position).position
        elif message.type == "private":
            assert self.mirror is not None
            self.mirror.read_private(payload)
        elif message.type == "game_event":
            self.counted.append(payload.data)
        elif message.type == "player_joined":
            self.people.add(payload.id)
        elif message.type == "player_left":
            self.people.discard(payload.player_id)


class Journey:
    """Players in one room, and what each must have read."""

    def __init__(self, seed: int) -> None:
        self.clock, self.random = Clock(), Random(seed)
        self.host = make_host(self.clock, Stream, empty_seconds=1e9)
        self.sessions = Sessions(self.host, LIMITS, now=self.clock.seconds)
        self.polls = Polls(
            self.sessions, LIMITS, addresses=Addresses(0, free_loopback=True), now=self.clock.seconds
        )
        self.went_on = self.began_anew = 0
        Stream.said.clear()
        self.travellers = [
            Traveller(self.sessions, self.polls, self.clock, self.random) for _ in range(PLAYERS)
        ]
        for one in self.travellers:
            one.go_on(one.connect(polling=self.chance()))
        self.run(1)
        (self.hosted,) = self.host.rooms.values()
        for one in self.travellers:
            one.read()
            one.counted.clear()
        self.since = dict.fromkeys(map(id, self.travellers), self.hosted.room.game.count)
        """The first that each must have read; -1: it was not there when that was called."""

    def chance(self, of: float = 0.5) -> bool:
        return self.random.random() < of

    def run(self, seconds: float) -> None:
        """Time passes; whoever has a connection reads and talks."""
        for _ in range(max(1, round(seconds * 2))):
            self.clock.run(min(0.5, seconds))
            self.polls.sweep(self.clock.seconds())
            self.sessions.sweep(self.clock.seconds())
            for one in self.travellers:
                if one.connected:
                    one.read()
                    if self.chance(0.3):
                        one.say()

    def lose_and_come_back(self, seconds: float) -> None:
        """All connections are cut for so long. Who polled is missed a little later, and its seat is kept from then on."""
        end = self.clock.seconds() + seconds
        polled = {one for one in self.travellers if one.polling}
        for one in self.travellers:
            one.read()
            one.cut()
        while self.clock.seconds() < end - 0.01:
            self.run(min(0.5, end - self.clock.seconds()))
        for one in self.travellers:
            before, gone = list(one.counted), one.id
            if one.go_on(one.connect(polling=self.chance())):
                self.went_on += 1
                assert seconds < 300 or one in polled
                assert one.counted == before
            else:
                self.began_anew += 1
                assert seconds > 300, "a session was lost within its time"
                assert gone not in self.hosted.room.members
                one.counted.clear()
                self.since[id(one)] = -1

    def swap(self) -> None:
        for one in self.travellers:
            if one.connected and self.chance():
                self.went_on += one.swap()
                one.read()

    def settle(self) -> None:
        """Whoever was cut while it said something comes back; all read what there is."""
        for one in self.travellers:
            if not one.connected:
                self.went_on += one.go_on(one.connect(polling=self.chance()))
        self.clock.run(0.5)
        for one in self.travellers:
            one.read()

    def check(self) -> None:
        """Each has read all that was counted, said all that it said, and sees what is there."""
        room = self.hosted.room
        for one in self.travellers:
            if self.since[id(one)] < 0 and one.counted:
                self.since[id(one)] = one.counted[0]
            first = self.since[id(one)]
            assert one.counted == list(range(first, first + len(one.counted)))
            assert not one.counted or one.counted[-1] == room.game.count - 1
            assert Stream.said.get(one.id, []) == [str(n + 1) for n in range(one.said)]
            assert one.people >= set(room.members)
            assert one.mirror is not None
            seen = {leaf.id: leaf.x for leaf in one.mirror.tables["leaves"]}
            assert seen == {leaf.id: leaf.x for leaf in room.game.leaves}
            assert one.position == room.position


@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_losses(seed: int) -> None:
    journey = Journey(seed)
    for _ in range(ROUNDS // 2):
        journey.lose_and_come_back(journey.random.choice(CUTS))
        journey.run(2)
        journey.swap()
        journey.run(1)
        journey.settle()
        journey.check()
    assert journey.went_on + journey.began_anew >= PLAYERS * ROUNDS // 2
    assert journey.began_anew > 0
    assert journey.host.metrics.unrecovered == 0
