"""What an idle player who has joined costs the server in memory: the slope over the number of players."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.asking import Asked, inside
from benchmarks.load_run import Load, monkeytown_load

CROWDS = (500, 2000, 2000)
WANTED = 16 * 1024


def crowd(server: Asked, load: Load) -> threading.Thread:
    """More players, who stay for as long as the load lasts."""
    players = threading.Thread(target=load.against, args=(server.port, server.pid))
    players.start()
    return players


def footprints(program: Path, room: int, crowds: tuple[int, ...]) -> list[dict[str, Any]]:
    """What the server says of itself after each crowd has come."""
    footprints = []
    with inside("still", max_players=room, silence_seconds=600) as server, ExitStack() as ending:
        total = 0
        for number, players in enumerate(crowds):
            total += players
            stay = 20.0 * (len(crowds) - number)
            waiting = crowd(server, monkeytown_load(program, "still", players, stay))
            ending.callback(waiting.join)
            server.await_players(total)
            time.sleep(2.5)  # for the load to begin, and the server to come to rest
            footprints.append(server.ask("collect"))
            assert footprints[-1]["players"] == total, "somebody was sent away"
    return footprints


def slope(footprints: list[dict[str, Any]], what: str) -> float:
    """Bytes a player, from the first crowd to the last."""
    first, last = footprints[0], footprints[-1]
    return float(last[what] - first[what]) / (last["players"] - first["players"])


@pytest.mark.benchmark(group="memory")
@pytest.mark.parametrize("room", [50, 0], ids=["rooms of 50", "one room"])
def test_memory_of_an_idle_player(benchmark: Any, load_program: Path, room: int) -> None:
    crowds = CROWDS if room else (200, 400, 400)
    seen = benchmark.pedantic(lambda: footprints(load_program, room, crowds), rounds=1)
    rss = slope(seen, "rss")
    where = f"rooms of {room}" if room else f"one room of {sum(crowds):,}"
    report.record(
        f"Memory of an idle player who has joined, {where}",
        f"{rss / 1024:.1f} KiB",
        yardstick=f"{slope(seen, 'pss') / 1024:.1f} KiB of PSS",
        wanted="≤ 16 KiB",
        held=rss <= WANTED,
    )
