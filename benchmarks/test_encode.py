"""What a tick costs the core: commit and encode, beside MessagePack and @colyseus/schema for the same change."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import msgpack
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.motion import STEP, Mover, steering
from monkeytown._core import delta, mirror
from monkeytown._core.state import Table, commit

HERE = Path(__file__).parent


class World:
    """A table that a motion is played into, and a reader that checks what was encoded."""

    def __init__(self, motion: NDArray[np.float64]) -> None:
        self.motion = motion
        self.table = Table("movers", Mover, motion.shape[1])
        for x, y in motion[0]:
            self.table.spawn(x=x, y=y)
        self.x, self.y = np.asarray(self.table.x), np.asarray(self.table.y)
        self.tables = (self.table,)
        self.tick = 1
        commit(self.tables, 1)
        self.reader = (Table("movers", Mover, motion.shape[1]),)
        self.position = mirror.apply(delta.snapshot(self.tables, 1, 1), self.reader, None)
        self.frame = b""
        self.bytes: list[int] = []

    def move(self) -> None:
        """The next tick of the motion, there and back again so that it never ends."""
        span = len(self.motion) - 1
        at = self.tick % (2 * span)
        np.copyto(self.x, self.motion[min(at, 2 * span - at), :, 0])
        np.copyto(self.y, self.motion[min(at, 2 * span - at), :, 1])

    def encode(self) -> None:
        """What is measured."""
        self.tick += 1
        commit(self.tables, self.tick)
        self.frame = delta.encode(self.tables, 1, self.tick - 1, self.tick)

    def check(self) -> None:
        self.bytes.append(len(self.frame))
        self.position = mirror.apply(self.frame, self.reader, self.position)

    def assert_equal(self) -> None:
        read = self.reader[0]
        np.testing.assert_allclose(np.asarray(read.x), np.round(self.x / STEP) * STEP)
        np.testing.assert_allclose(np.asarray(read.y), np.round(self.y / STEP) * STEP)


def measure(benchmark: Any, world: World, rounds: int) -> float:
    """Microseconds of the median tick; every frame is applied to a reader, who equals the world at the end."""

    def setup() -> None:
        if world.frame:
            world.check()
        world.move()

    benchmark.pedantic(world.encode, setup=setup, rounds=rounds, warmup_rounds=5)
    world.check()
    world.assert_equal()
    return float(benchmark.stats.stats.median) * 1e6


def timed(call: Callable[[], object], rounds: int) -> float:
    """Microseconds of the median call."""
    spent = []
    for _ in range(rounds):
        started = perf_counter_ns()
        call()
        spent.append(perf_counter_ns() - started)
    return median(spent) / 1e3


@pytest.fixture(scope="module")
def motion() -> NDArray[np.float64]:
    return steering(1000, 120)


@pytest.mark.benchmark(group="encode")
def test_a_thousand_that_all_move(
    benchmark: Any, motion: NDArray[np.float64], node: str, schema_peer: None, tmp_path: Path, quick: bool
) -> None:
    world = World(motion)
    ours = measure(benchmark, world, 300 if quick else 2000)

    state = {str(i): {"x": float(x), "y": float(y)} for i, (x, y) in enumerate(motion[-1])}
    packed = timed(lambda: msgpack.packb(state), 50)
    assert msgpack.unpackb(msgpack.packb(state)) == state

    path = tmp_path / "motion.json"
    path.write_text(json.dumps(motion[:60].tolist()))
    peer = json.loads(
        subprocess.run(
            [node, HERE / "peers" / "schema.mjs", path],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    name = f"@colyseus/schema {peer['version']}"
    sets, encodes = peer["int16"]["setMicroseconds"], peer["int16"]["encodeMicroseconds"]
    report.record(
        "commit + encode, 1,000 entities × 2 linear fields, all changed",
        f"{ours:.1f} µs",
        wanted="≤ 10 µs",
        held=ours <= 10,
    )
    report.record(
        "… against MessagePack of the same state",
        f"{ours:.1f} µs",
        yardstick=f"{packed:.0f} µs",
        ratio=packed / ours,
    )
    report.record(
        f"… against {name}, finding the changes and encoding",
        f"{ours:.1f} µs",
        yardstick=f"{sets + encodes:.0f} µs",
        ratio=(sets + encodes) / ours,
        wanted="≥ 30×",
        held=sets + encodes >= 30 * ours,
    )
    report.record(
        f"… against {name}, its encode() alone",
        f"{ours:.1f} µs",
        yardstick=f"{encodes:.0f} µs",
        ratio=encodes / ours,
    )
    own = sum(world.bytes) / len(world.bytes)
    for kind, share in (("int16", 6), ("float32", 10)):
        theirs = peer[kind]["bytes"]
        report.record(
            f"bytes a tick, 1,000 steering entities, against {name} {kind}",
            f"{own:.0f}",
            yardstick=f"{theirs:.0f}",
            ratio=own / theirs,
            wanted=f"≤ 1/{share}",
            held=own * share <= theirs,
        )


@pytest.mark.benchmark(group="encode")
@pytest.mark.parametrize(("entities", "most"), [(10_000, 60), (100_000, 600)])
def test_many_of_which_one_percent_change(benchmark: Any, entities: int, most: int, quick: bool) -> None:
    rng = np.random.default_rng(2)
    world = World(rng.uniform(100, 1900, (1, entities, 2)))
    some = entities // 100

    def move() -> None:
        chosen = rng.choice(entities, some, replace=False)
        world.x[chosen] = rng.uniform(100, 1900, some)
        world.y[chosen] = rng.uniform(100, 1900, some)

    world.move = move  # type: ignore[method-assign]
    ours = measure(benchmark, world, 300 if quick else 1000)
    report.record(
        f"commit + encode, {entities:,} entities × 2 fields, 1 % changed",
        f"{ours:.1f} µs",
        wanted=f"≤ {most} µs",
        held=ours <= most,
    )


@pytest.mark.benchmark(group="encode")
def test_a_room_of_fifty(benchmark: Any, quick: bool) -> None:
    world = World(steering(50, 120))
    ours = measure(benchmark, world, 300 if quick else 2000)
    report.record("commit + encode, a room of 50 × 2 fields, all changed", f"{ours:.2f} µs")
    report.record("bytes a tick, the same room", f"{sum(world.bytes) / len(world.bytes):.0f}")
