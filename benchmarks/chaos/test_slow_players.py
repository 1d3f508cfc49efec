"""Players who read nothing, and players on a line of eight kilobits a second: what they cost, and what the others notice."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.asking import Asked, inside
from benchmarks.load_run import Measured, monkeytown_load

GOOD, STALLED, SLOW, ROOM = 100, 200, 20, 50
ALL = GOOD + STALLED + SLOW
LINE = 1000  # bytes a second
TOO_SLOW = "4001"
APART = ("--stalled", STALLED / ALL, "--slow", SLOW / ALL, "--slow-rate", LINE)


def among_the_slow(
    server: Asked, load_program: Path, seconds: float
) -> tuple[Measured, Measured, list[dict[str, Any]]]:
    """The good players alone, then all together; and what the server says of itself meanwhile."""
    alone = monkeytown_load(load_program, "heavy", GOOD, seconds).against(server.port, server.pid)
    server.await_players(0)
    said = [server.ask("collect")]
    together: list[Measured] = []
    load = monkeytown_load(load_program, "heavy", ALL, seconds, *APART)
    running = threading.Thread(target=lambda: together.append(load.against(server.port, server.pid)))
    running.start()
    said.append(server.await_players(ALL))
    while running.is_alive():
        running.join(0.5)
        said.append(server.ask("collect"))
    return alone, together[0], said


@pytest.mark.benchmark(group="chaos")
def test_who_does_not_read_is_not_felt(benchmark: Any, load_program: Path, quick: bool) -> None:
    def run() -> tuple[Measured, Measured, list[dict[str, Any]]]:
        with inside("heavy", ack_window=1, max_players=ROOM, seat_seconds=0) as server:
            return among_the_slow(server, load_program, 20.0 if quick else 60.0)

    alone, together, said = benchmark.pedantic(run, rounds=1)
    apart = together.seen["apart"]
    assert apart["clients"] == STALLED + SLOW
    assert apart["closed_stalled"] == STALLED, "somebody who reads nothing is still there"
    assert together.closed == 0
    most = (max(each.get("rss", 0) for each in said) - said[0]["rss"]) / (STALLED + SLOW)
    done = [each["at"] for each in said if each["closed"].get(TOO_SLOW, 0) >= STALLED]
    assert done
    closed_after = done[0] - said[1]["at"]
    report.record(
        "200 players who never read, 20 on 8 kbit/s, 2 KB of state 20 times a second: memory of the server for each",
        f"{most / 1024:.0f} KiB",
        wanted="≤ 256 KiB",
        held=most <= 256 * 1024,
    )
    report.record(
        "… who reads nothing is closed after",
        f"{closed_after:.1f} s",
        wanted="≤ 10 s from when they could be sent nothing any more",
        held=closed_after <= 12,
    )
    report.record(
        "… players on a slow line who were closed",
        f"{apart['closed_slow']} of {SLOW}",
        wanted="0",
        held=apart["closed_slow"] == 0,
    )
    ratio = together.gap("p99") / alone.gap("p99")
    report.record(
        "… p99 gap between states of the others",
        f"{together.gap('p99'):.1f} ms",
        yardstick=f"without them {alone.gap('p99'):.1f} ms",
        ratio=ratio,
        wanted="≤ 1.2×",
        held=ratio <= 1.2,
    )
