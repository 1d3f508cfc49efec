"""What it costs to measure: the same ticks of a Jungle of 50 with and without a stopwatch, and a scrape."""

from __future__ import annotations

import socket
from statistics import fmean, median
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families as parse
from tests._core.link import Player

from benchmarks import report
from benchmarks.test_jungle import PLAYERS, Arena
from monkeytown._core.fanout import Group
from monkeytown._core.frames import frame
from monkeytown._core.timing import ENCODE, PARTS, SEND, Course, Stopwatch, Timing
from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.room.room import Room
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.sessions import Sessions
from monkeytown.runtime.ticker import Ticker
from monkeytown.server.metrics import ServerCollector

WARM_UP = 300
ROOMS = 20
BLOCK = 12  # ticks in which each room is measured as often as not, first as often as second, and its rules do all they do


def over_tcp() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection, as a server has it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


class Measured(Arena):
    """The same room with players at its sockets: a tick of it with all that a host and a ticker measure, or without."""

    def __init__(self) -> None:
        self.timing = Timing()
        self.course = Course()
        self.watch = Stopwatch(self.timing, self.course)
        self.group = Group()
        self.players = [Player(pair=over_tcp) for _ in range(PLAYERS)]
        for player in self.players:
            self.group.add(player)
        super().__init__()

    def new_room(self) -> Room:
        room = Room(Jungle, room_id="bench", seed=1, stopwatch=self.watch)
        self.lap, room._lap = room._lap, None
        return room

    def send(self, measured: bool) -> bytes:
        """What the players' audience does."""
        ((base, _),) = self.group.due(self.room.tick, 1.0)
        state = self.room.read(base).frame
        framed = frame(state or b"")
        if measured:
            self.watch.lap(ENCODE)
        if state is not None:  # it is before anybody moves
            self.group.send(0, framed, self.room.epoch, self.room.tick)
        self.group.flush()
        return state or b""

    def step(self) -> bytes:
        self.room.step()
        return self.send(False)

    def measured_step(self) -> bytes:
        """As the ticker and `HostedRoom` do it."""
        self.course.start()
        self.room.step()
        state = self.send(True)
        self.watch.lap(SEND)
        self.watch.finish(0)
        return state

    def timed(self, measured: bool) -> tuple[int, bytes]:
        """Nanoseconds of a tick."""
        self.room._lap = self.lap if measured else None
        step = self.measured_step if measured else self.step
        began = perf_counter_ns()
        state = step()
        return perf_counter_ns() - began, state

    def check(self, state: bytes) -> None:
        super().check(state)
        for player in self.players:
            player.arrived()

    def close(self) -> None:
        for player in self.players:
            player.close()


def test_measuring(benchmark: Any, quick: bool) -> None:
    """Two rooms in step, one of which is measured in each tick: now this one, now that one, now first, now second."""
    arenas = (Measured(), Measured())
    ticks = 2_000 if quick else 10_000
    without: list[int] = []
    more: list[int] = []

    def run() -> None:
        for tick in range(WARM_UP + ticks):
            for arena in arenas:
                arena.steer()
            order = arenas if tick & 1 else arenas[::-1]
            (one, first), (two, second) = (
                arena.timed(bool(tick >> 1 & 1) is (place == 0)) for place, arena in enumerate(order)
            )
            assert first == second
            for arena in arenas:
                arena.check(first)
            if tick >= WARM_UP:
                plain, measured = (two, one) if tick >> 1 & 1 else (one, two)
                without.append(plain)
                more.append(measured - plain)

    benchmark.pedantic(run, rounds=1)
    turns = 0
    for arena in arenas:
        arena.assert_equal()
        arena.close()
        parts = {name: sum(part.counts) for name, part in zip(PARTS, arena.timing.parts, strict=True)}
        assert len({count for count in parts.values() if count}) == 1
        turns += parts["send"]
    assert turns == WARM_UP + ticks
    cost = median(fmean(more[start : start + BLOCK]) for start in range(0, len(more) - BLOCK + 1, BLOCK))
    each = median(without)
    report.record(
        f"measuring a whole tick of a Jungle of {PLAYERS}, sent to {PLAYERS} sockets",
        f"{cost / 1e3:.2f} µs",
        yardstick=f"{each / 1e3:.1f} µs unmeasured",
        ratio=1 + cost / each,
        wanted="< 1.01×",
        held=cost < 0.01 * each,
    )


def test_scrape(benchmark: Any) -> None:
    now = [0]
    ticker = Ticker(now=lambda: now[0])
    host = Host([Jungle, TicTacToe], ticker)
    for _ in range(ROOMS):
        host.open_room("jungle")
        host.open_room("tictactoe")
    for _ in range(100):
        now[0] = ticker.next_deadline or 0
        ticker.run()
    registry = CollectorRegistry()
    front: Any = SimpleNamespace(connections=())
    polls: Any = ()
    registry.register(ServerCollector(host, Sessions(host, Limits()), front, polls, None))
    text = benchmark.pedantic(lambda: generate_latest(registry), rounds=100, warmup_rounds=5).decode()
    (ticks,) = (family for family in parse(text) if family.name == "monkeytown_ticks")
    assert {sample.labels["game"]: sample.value for sample in ticks.samples} == {
        name: game.ticks for name, game in host.metrics.games.items()
    }
    each = benchmark.stats.stats.median * 1e3
    report.record(
        f"a scrape of two games in {2 * ROOMS} rooms, {len(text.splitlines())} lines",
        f"{each:.1f} ms",
        wanted="≤ 5 ms",
        held=each <= 5,
    )
