"""Two hundred players of Jungle who poll, on one core."""

from __future__ import annotations

from typing import Any

import pytest
import uvloop

from benchmarks import report
from benchmarks.chaos.crowd import on_the_loads_core
from benchmarks.load_run import cpu_seconds, monkeytown
from benchmarks.pollers import Poller, play

PLAYERS, ROOM, WANTED = 200, 50, 15
STEER: dict[str, object] = {"turn": 0.3, "run": True}


def polling(seconds: float) -> tuple[list[Poller], list[int], float]:
    limits = {"MONKEYTOWN_CONNECTIONS_PER_ADDRESS": "0"}
    with monkeytown("jungle", "--max-players", ROOM, **limits) as (port, pid), on_the_loads_core():
        before = cpu_seconds(pid)
        pollers, states = uvloop.run(play(port, "jungle", PLAYERS, seconds, STEER))
        return pollers, states, (cpu_seconds(pid) - before) / seconds


@pytest.mark.benchmark(group="load")
def test_two_hundred_who_poll(benchmark: Any, quick: bool) -> None:
    seconds = 5.0 if quick else 20.0
    pollers, states, _ = benchmark.pedantic(lambda: polling(seconds), rounds=1)
    for one in pollers:
        if one.mirror is not None and one._decodes:
            assert len(one.mirror.tables["monkeys"]) == ROOM, "a player sees too few of its room"
    least = min(states) / seconds
    report.record(
        "Jungle, 200 players who poll and steer: states a second of whoever gets fewest",
        f"{least:.1f}",
        yardstick=f"on average {sum(states) / seconds / PLAYERS:.1f}",
        wanted=f"≥ {WANTED}",
        held=least >= WANTED,
    )
    trips = sorted(trip for one in pollers for trip in one.round_trips)
    p95 = 1000 * trips[len(trips) * 95 // 100]
    report.record(
        "… p95 from an input to the state that has seen it",
        f"{p95:.0f} ms",
        wanted="≤ 100 ms",
        held=p95 <= 100,
    )
