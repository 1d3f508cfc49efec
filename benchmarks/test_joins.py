"""Two thousand players join running rooms within two seconds: what those who play notice, and how long it takes to be in."""

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

VETERANS = 100
STORM = 2000
ARRIVE = 2.0
STAY = 1.0  # seconds, for the server to say how it was before they leave
ROOM = 50
RATE = 60
INTERVAL = 1000 / RATE


@dataclass(frozen=True)
class Weather:
    """One storm: those who played, those who came, and what the server says: before, and about the storm."""

    veterans: Measured
    arrivals: Measured
    calm: dict[str, Any]
    storm: dict[str, Any]


def arrive(program: Path, server: Asked, game: str) -> Measured:
    options = ("--rate", STORM / ARRIVE, "--in-flight", STORM, "--settle", 0.2)
    return monkeytown_load(program, game, STORM, STAY, *options).against(server.port, server.pid)


def weather(program: Path, game: str) -> Weather:
    played: list[Measured] = []
    with inside(game, max_players=ROOM) as server:
        load = monkeytown_load(program, game, VETERANS, 1 + ARRIVE + STAY + 3)
        playing = threading.Thread(target=lambda: played.append(load.against(server.port, server.pid)))
        playing.start()
        server.await_players(VETERANS)
        time.sleep(2.5)  # until the load measures
        server.ask()
        time.sleep(1)
        calm = server.ask()
        arrived: list[Measured] = []
        arriving = threading.Thread(target=lambda: arrived.append(arrive(program, server, game)))
        arriving.start()
        stormy = server.await_joins(calm["joins"] + STORM)
        arriving.join()
        playing.join()
    return Weather(played[0], arrived[0], calm, stormy)


@pytest.mark.benchmark(group="joins")
@pytest.mark.parametrize("game", ["moving", "jungle"])
def test_a_storm_of_joins(benchmark: Any, load_program: Path, game: str) -> None:
    seen = benchmark.pedantic(lambda: weather(load_program, game), rounds=1)
    assert seen.storm["joins"] - seen.calm["joins"] == STORM
    assert seen.arrivals.closed == 0, "somebody was refused"
    assert seen.veterans.closed == 0
    what = f"{STORM:,} join {game} within {ARRIVE:g} s"
    late = seen.storm["late_ms"]
    report.record(
        f"{what}: a tick is late by at most",
        f"{late:.1f} ms",
        yardstick=f"before {seen.calm['late_ms']:.1f} ms",
        wanted=f"≤ {INTERVAL:.1f} ms",
        held=late <= INTERVAL,
    )
    report.record(
        f"{what}: gap of those who play, p99 and at worst",
        f"{seen.veterans.gap('p99'):.1f} and {seen.veterans.gap('max'):.1f} ms",
    )
    joined = seen.arrivals.seen["join_ms"]
    report.record(f"{what}: time to be in, p50 and p99", f"{joined['p50']:.0f} and {joined['p99']:.0f} ms")
