"""A host under a clock that tests move, and clients that keep what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from monkeytown import Entity, Game, Input, Player, Refusal, fixed, table, uint
from monkeytown.position import Position
from monkeytown.protocol.codec import BINARY, JSON, Codec
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.runtime.host import Host
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.metrics import Traffic
from monkeytown.runtime.place import Audience
from monkeytown.runtime.sessions import Sessions
from monkeytown.runtime.ticker import SECOND, Ticker


class Dot(Entity):
    x = fixed(0, 1000, step=1)


class Push(Input):
    by = uint(8)


class Dots(Game):
    """Ticks; players push a dot along."""

    tick_rate = 50
    input = Push
    dots = table(Dot)

    def on_join(self, player: Player) -> None:
        player.entity = self.dots.spawn()

    def on_input(self, player: Player, push: Push) -> None:
        player.entity.x += push.by


class Turns(Game):
    """Has no ticks: every message counts one up; `boom` fails, `later` sets a timer, `no` is refused, `kick` kicks."""

    tick_rate = 0
    dots = table(Dot)

    def on_create(self) -> None:
        self.dot = self.dots.spawn()

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        match action.get("do"):
            case "boom":
                raise RuntimeError("from the rules")
            case "later":
                self.after(2.0, self.ring)
            case "no":
                raise Refusal("Not now.")
            case "kick":
                player.kick("enough")
            case "close":
                self.close("that was all")
            case _:
                self.dot.x += 1

    def ring(self) -> None:
        self.broadcast("ring")


class Grumpy(Dots):
    """Fails in its third tick."""

    def on_tick(self, dt: float) -> None:
        if self.tick == 4:
            raise ZeroDivisionError("in the third tick")


class Timer:
    """A call that waits for the clock."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.waiting = True

    def cancel(self) -> None:
        self.waiting = False


class Clock:
    """Time, moved by the test; calls what is due on its way."""

    def __init__(self) -> None:
        self.ns = 5 * SECOND
        self.timers: list[Timer] = []
        self.ticker = Ticker(now=lambda: self.ns)

    def seconds(self) -> float:
        return self.ns / SECOND

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        timer = Timer(self.seconds() + seconds, call)
        self.timers.append(timer)
        return timer  # type: ignore[return-value]

    def run(self, seconds: float) -> None:
        """Time passes, in order, and nothing is ever late."""
        end = self.ns + round(seconds * SECOND)
        while True:
            waiting = [timer for timer in self.timers if timer.waiting]
            timer = min(waiting, key=lambda timer: timer.at, default=None)
            deadline = self.ticker.next_deadline
            if (
                timer is not None
                and timer.at * SECOND <= end
                and (deadline is None or timer.at * SECOND <= deadline)
            ):
                self.ns = max(self.ns, round(timer.at * SECOND))
                timer.waiting = False
                timer.call()
            elif deadline is not None and deadline <= end:
                self.ns = max(self.ns, deadline)
                self.ticker.run()
            else:
                self.ns = end
                return

    def sleep(self, seconds: float) -> None:
        """Time passes and nothing happens: the process was held up."""
        self.ns += round(seconds * SECOND)


class RecordingAudience(Audience):
    """Counts what it sends, each thing once it is prepared."""

    def __init__(self, room: Room) -> None:
        self.ticks: list[int] = []
        self.said = Traffic()
        self._prepared: list[int] = []

    def prepare(self, room: Room) -> None:
        self._prepared.append(room.tick)

    def send(self) -> None:
        self.ticks.append(self._prepared.pop())
        assert not self._prepared

    def traffic(self) -> Traffic:
        return self.said


class Client:
    """A session's link that keeps what it is sent, decoded."""

    def __init__(
        self,
        host: Host,
        clock: Clock,
        *,
        codec: Codec = JSON,
        limits: Limits | None = None,
        sessions: Sessions | None = None,
        address: str = "here",
    ) -> None:
        self.codec = codec
        self.clock = clock
        self.address = address
        if sessions is None:
            sessions = Sessions(host, limits or Limits(), now=clock.seconds)
        self.sessions = sessions
        self.last_received = clock.seconds()
        self.acked_number = 0
        self.position: Position | None = None
        """Where it entered the room."""
        self.sent: list[tuple[str, Any]] = []
        self.numbers: list[int] = []
        self.closed: tuple[int, str] | None = None
        self.entered: HostedRoom | None = None
        self.acknowledged: list[tuple[int | None, int, int]] = []
        self.inputs_seen: list[int] = []
        self.flushes = 0
        self.session = self.sessions.begin(self)

    # The link

    def send(self, message: bytes) -> None:
        if self.codec is BINARY:
            self.sent.append((f"0x{message[0]:02x}", message[1:]))
            return
        envelope = msgspec.json.decode(message)
        self.sent.append((envelope["type"], envelope["payload"]))
        if "seq" in envelope:
            self.numbers.append(envelope["seq"])

    def send_numbered(self, message: bytes, number: int) -> None:
        self.send(message)

    def count_from(self, number: int) -> None:
        self.acked_number = number

    def flush(self) -> None:
        self.flushes += 1

    def enter(self, hosted: HostedRoom, member: Member, position: Position | None = None) -> None:
        self.entered = hosted
        self.position = position

    def leave(self) -> None:
        self.entered = None

    def acknowledge(self, epoch: int | None, tick: int, number: int) -> bool:
        self.acknowledged.append((epoch, tick, number))
        if number > max(self.numbers, default=0):
            return False
        self.acked_number = max(number, self.acked_number)
        return True

    def seen(self, number: int) -> None:
        self.inputs_seen.append(number)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    # The test's side

    def say(self, kind: str, seq: int | None = None, **payload: Any) -> None:
        self.last_received = self.clock.seconds()
        about = {} if seq is None else {"seq": seq}
        self.session.receive(msgspec.json.encode({"type": kind, "payload": payload, **about}))

    @property
    def welcome(self) -> dict[str, Any]:
        """The newest."""
        newest: dict[str, Any] = self.got("welcome")[-1]
        return newest

    def lose(self) -> None:
        """The connection is lost."""
        self.session.lost(self)

    def join(self, game_id: str) -> HostedRoom:
        self.say("join_game", gameId=game_id)
        assert self.session.hosted is not None, self.sent
        return self.session.hosted

    def got(self, kind: str) -> list[Any]:
        return [payload for name, payload in self.sent if name == kind]

    @property
    def errors(self) -> list[str]:
        return [payload["code"] for payload in self.got("error")]


def make_host(clock: Clock, *games: type[Game], **options: Any) -> Host:
    return Host(
        games or (Dots, Turns, Grumpy),
        clock.ticker,
        make_audiences=lambda room: [RecordingAudience(room)],
        now=clock.seconds,
        call_later=clock.call_later,
        **options,
    )
