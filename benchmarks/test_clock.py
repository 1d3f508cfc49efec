"""How exact the ticks are, idle and under load, and what many small rooms cost: the server says what it saw of itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.asking import Asked, inside
from benchmarks.load_run import Measured, monkeytown_load

RATE = 60
ROOMS = 300
BUSY = 0.6  # of a core


@dataclass(frozen=True)
class Stretch:
    """What a server said of some seconds, and what the load saw meanwhile."""

    seconds: float
    before: dict[str, Any]
    after: dict[str, Any]
    load: Measured

    @property
    def rate(self) -> float:
        """Ticks a second of the oldest room."""
        return float(self.after["room_ticks"] - self.before["room_ticks"]) / self.seconds

    @property
    def ticks(self) -> int:
        """Of all rooms."""
        return int(self.after["ticks"] - self.before["ticks"])

    def part(self, name: str) -> float:
        """Seconds that a part of all ticks took."""
        return float(self.after["parts"][name] - self.before["parts"][name])


def stretch(program: Path, game: str, players: int, seconds: float, **settings: object) -> Stretch:
    with inside(game, **settings) as server:
        return of_server(server, program, game, players, seconds)


def of_server(server: Asked, program: Path, game: str, players: int, seconds: float) -> Stretch:
    seen: list[Measured] = []
    load = monkeytown_load(program, game, players, seconds)
    playing = threading.Thread(target=lambda: seen.append(load.against(server.port, server.pid)))
    playing.start()
    server.await_players(players)
    time.sleep(2.0)  # until the load measures
    before = server.ask()
    time.sleep(seconds - 1.5)
    after = server.ask()
    playing.join()
    assert seen, "the load failed"
    return Stretch(after["at"] - before["at"], before, after, seen[0])


@pytest.mark.benchmark(group="clock")
def test_ticks_are_on_time(benchmark: Any, load_program: Path, quick: bool) -> None:
    seconds = 6.0 if quick else 20.0

    def runs() -> tuple[Stretch, Stretch]:
        idle = stretch(load_program, "moving", 50, seconds, max_players=50)
        trial = stretch(load_program, "moving", 1000, 4.0, max_players=50)
        players = round(1000 * BUSY / trial.load.cpu / 50) * 50
        return idle, stretch(load_program, "moving", players, seconds, max_players=50)

    idle, busy = benchmark.pedantic(runs, rounds=1)
    for name, run, most in (("idle", idle, 0.3), ("busy", busy, 1.0)):
        assert run.load.closed == 0
        late = run.after["late_p99_ms"]
        report.record(
            f"start of ticks after their deadline, {name} ({run.load.cpu:.0%} of a core), p99",
            f"{late:.2f} ms",
            wanted=f"≤ {most:g} ms",
            held=late <= most,
        )
        report.record(
            f"ticks a second, {name}",
            f"{run.rate:.3f}",
            wanted="60.00 ± 0.01 and what the ends of the stretch make",
            # A stretch begins and ends somewhere between two ticks.
            held=abs(run.rate - RATE) <= 0.01 + 1 / run.seconds,
        )


@pytest.mark.benchmark(group="clock")
def test_three_hundred_small_rooms(benchmark: Any, load_program: Path, quick: bool) -> None:
    seconds = 6.0 if quick else 15.0
    run = benchmark.pedantic(lambda: stretch(load_program, "small", 4 * ROOMS, seconds), rounds=1)
    assert run.load.closed == 0
    assert run.after["rooms"] == ROOMS
    engine = (
        sum(run.part(name) for name in ("events", "on_input", "timers", "commit", "encode")) / run.ticks * 1e6
    )
    what = "300 rooms of 4 players at 60 Hz"
    report.record(
        f"{what}: states a second and player",
        f"{run.load.states:.2f}",
        yardstick=f"{run.load.cpu:.0%} of a core; p99 gap {run.load.gap('p99'):.1f} ms",
        wanted="60.0 ± 0.1",
        held=abs(run.load.states - RATE) <= 0.1,
    )
    report.record(
        f"{what}: a tick of a room beside its rules ({run.part('on_tick') / run.ticks * 1e6:.1f} µs)"
        f" and its sends ({run.part('send') / run.ticks * 1e6:.1f} µs)",
        f"{engine:.1f} µs",
        wanted="≤ 15 µs",
        held=engine <= 15,
    )
