"""What a state costs the browser: the JavaScript client beside @colyseus/schema's decoder, on frames of the core."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import report
from benchmarks.motion import STEP, Mover, steering
from benchmarks.test_encode import World
from monkeytown import Game, table
from monkeytown._core import delta
from monkeytown.schema import Schema

HERE = Path(__file__).parent
TICKS = 60


class Arena(Game):
    movers = table(Mover, capacity=1000)


def frames(path: Path) -> None:
    """The core's frames of a steering motion in the form of tests/vectors, with the wire values after each."""
    world = World(steering(1000, TICKS))
    described = Schema.of(Arena).describe() | {"gameId": "bench", "game": "arena", "tickRate": 60}
    ids = [str(row.id) for row in world.table]
    written = []

    def write(frame: bytes) -> None:
        x, y = (np.round(column / STEP).astype(int).tolist() for column in (world.x, world.y))
        state = {"movers": {id: {"x": x[i], "y": y[i]} for i, id in enumerate(ids)}}
        written.append({"hex": frame.hex(), "state": state})

    write(delta.snapshot(world.tables, 1, world.tick))
    for _ in range(TICKS):
        world.move()
        world.encode()
        write(world.frame)
    path.write_text(json.dumps({"name": "steering", "schema": described, "frames": written}))


@pytest.mark.benchmark(group="apply")
def test_the_browser_applies_a_thousand_changes(
    benchmark: Any, node: str, schema_peer: None, tmp_path: Path, quick: bool
) -> None:
    path = tmp_path / "steering.json"
    frames(path)
    command = [node, HERE / "web" / "apply.mjs", path, "--rounds", "20" if quick else "60"]
    done = benchmark.pedantic(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True), rounds=1
    )
    result = json.loads(done.stdout)
    ours, peer = result["nanoseconds_per_value"], result["peer"]
    report.record(
        "JavaScript apply, a changed value, 1,000 steering entities",
        f"{ours:.1f} ns",
        yardstick=f"@colyseus/schema {peer:.0f} ns",
        ratio=peer / ours,
        wanted="≤ 30 ns and ≥ 5×",
        held=ours <= 30 and peer >= 5 * ours,
    )
