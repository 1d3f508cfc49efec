"""Two thousand players join running rooms within two seconds: what those who play notice, and how long it takes to be in."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.asking import inside
from benchmarks.load_run import LOAD_CORE, Load, Measured, wire_frame

VETERANS = 100
STORM = 2000
ARRIVE = 2.0
STAY = 1.0  # seconds, for the server to say how it was before they leave
ROOM = 50
RATE = 60
INTERVAL = 1000 / RATE


@dataclass(frozen=True)
class Arrivals:
    """How many of the storm are in, and how long it took them, in ms."""

    inside: int
    lost: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Weather:
    """One storm: those who played, those who came, and what the server says: before, and about the storm."""

    veterans: Measured
    arrivals: Arrivals
    calm: dict[str, Any]
    storm: dict[str, Any]


def arrive(storm: Path, port: int, join: str) -> Arrivals:
    command = [storm, "127.0.0.1", port, "/ws", STORM, ARRIVE, STAY, "monkeytown.1", join]
    line = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), *map(str, command)], check=True, capture_output=True, text=True
    ).stdout
    numbers = dict(re.findall(r"(\S+) ([0-9.]+)(?= |$)", line.replace("ms ", "").strip()))
    return Arrivals(int(numbers["in"]), int(numbers["lost"]), float(numbers["p50"]), float(numbers["p99"]))


def weather(sink: Path, storm: Path, game: str) -> Weather:
    join = wire_frame(json.dumps({"type": "join_game", "payload": {"gameId": game}}), "jungle")
    played: list[Measured] = []
    with inside(game, max_players=ROOM) as server:
        load = Load(sink, VETERANS, 1 + ARRIVE + STAY + 3, join)
        playing = threading.Thread(target=lambda: played.append(load.against(server.port, server.pid)))
        playing.start()
        server.await_players(VETERANS)
        time.sleep(2.5)  # until the load measures
        server.ask()
        time.sleep(1)
        calm = server.ask()
        arrived: list[Arrivals] = []
        arriving = threading.Thread(target=lambda: arrived.append(arrive(storm, server.port, join)))
        arriving.start()
        stormy = server.await_players(VETERANS + STORM)
        arriving.join()
        playing.join()
    return Weather(played[0], arrived[0], calm, stormy)


@pytest.mark.benchmark(group="joins")
@pytest.mark.parametrize("game", ["moving", "jungle"])
def test_a_storm_of_joins(benchmark: Any, sink: Path, storm: Path, game: str) -> None:
    seen = benchmark.pedantic(lambda: weather(sink, storm, game), rounds=1)
    assert seen.storm["joins"] - seen.calm["joins"] == STORM
    assert (seen.arrivals.inside, seen.arrivals.lost) == (STORM, 0), "somebody was refused"
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
        f"{seen.veterans.gap_p99:.1f} and {seen.veterans.gap_max:.1f} ms",
    )
    report.record(
        f"{what}: time to be in, p50 and p99", f"{seen.arrivals.p50:.0f} and {seen.arrivals.p99:.0f} ms"
    )
