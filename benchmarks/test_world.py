"""A thousand players in one world who each see about fifty others, on one core; one more decodes all that it is shown."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from math import pi
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.load_run import LOAD_CORE, Measured, monkeytown, monkeytown_load
from benchmarks.world import SIGHT, SIZE
from monkeytown.client import connect

HERE = Path(__file__).parent
GAME = HERE / "world.py"
PLAYERS = 1000
RATE = 60
EXPECTED = PLAYERS * pi * SIGHT**2 / SIZE**2
"""Others within sight, if they are spread evenly; who is in the same cells is seen as well."""


async def watch(port: int, seconds: float) -> dict[str, Any]:
    """What one more player sees: how many others, and how far the furthest is."""
    seen: list[int] = []
    furthest = 0.0
    ticks: list[int] = []
    async with await connect(f"ws://127.0.0.1:{port}/ws", name="Witness") as client:
        room = await client.join("world")

        def look(_: object) -> None:
            nonlocal furthest
            own = room.entity
            if own is None:
                return
            ticks.append(room.tick)
            others = [max(abs(other.x - own.x), abs(other.y - own.y)) for other in room.tables["walkers"]]
            seen.append(len(others) - 1)
            furthest = max(furthest, *others)

        room.on("state", look)
        await asyncio.sleep(seconds)
    return {
        "seen": sum(seen) / len(seen),
        "furthest": furthest,
        "states": len(ticks),
        "span": ticks[-1] - ticks[0] + 1,
    }


def played(program: Path, seconds: float) -> tuple[Measured, dict[str, Any]]:
    """The thousand, and the witness, who is a process of its own on the load's core."""
    with monkeytown(GAME) as (port, pid):
        command = [sys.executable, "-m", "benchmarks.test_world", str(port), str(seconds + 2)]
        with subprocess.Popen(
            ["taskset", "-c", str(LOAD_CORE), *command],
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parent,
            env=os.environ,
        ) as witness:
            measured = monkeytown_load(program, "world", PLAYERS, seconds).against(port, pid)
            out, _ = witness.communicate(timeout=60)
        assert witness.returncode == 0, "the witness failed"
    return measured, json.loads(out)


@pytest.mark.benchmark(group="world")
def test_a_thousand_in_one_world(benchmark: Any, load_program: Path, quick: bool) -> None:
    measured, witness = benchmark.pedantic(lambda: played(load_program, 5.0 if quick else 15.0), rounds=1)
    assert measured.closed == 0
    assert witness["seen"] >= EXPECTED / 2, "the witness did not see who is around it"
    assert witness["furthest"] <= 2.75 * SIGHT, "the witness saw what it must not see"
    assert witness["states"] > 1, "the witness has seen nothing"
    what = f"one world of 1,000 players who see {witness['seen']:.0f} each, 60 Hz"
    report.record(
        f"{what}: states a second and player",
        f"{measured.states:.2f}",
        yardstick=f"{measured.cpu:.0%} of a core",
        wanted="60.0 ± 0.1",
        held=abs(measured.states - RATE) <= 0.1,
    )
    gap = measured.gap("p99")
    report.record(f"{what}: p99 gap between states", f"{gap:.1f} ms", wanted="≤ 20 ms", held=gap <= 20)
    share = witness["states"] / witness["span"]
    report.record(
        f"{what}: states that a Python client has decoded, of those made",
        f"{share:.0%}",
        wanted="≥ 90 %",
        held=share >= 0.9,
    )
    report.record(f"{what}: bytes of a state", f"{measured.payload}")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(watch(int(sys.argv[1]), float(sys.argv[2])))))
