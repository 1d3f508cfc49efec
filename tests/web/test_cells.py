"""The JavaScript client and the compiled encoder, on rooms seen by area: what each reader then has is what the oracle says.

Knows: the readers of tests/watchers.py, the form of tests/vectors, which a node test applies. Must not know: how either
side finds out what it needs.
"""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.model import FieldSpec, TableSpec
from tests.twin import EPOCH, Twin
from tests.vectors.make import plain, text_of
from tests.watchers import Ground, Watcher

from monkeytown import views

APPLY = Path(__file__).parent / "vectors.test.mjs"
TIMEOUT = 120
TICKS = 240
WIDTH, HEIGHT = 1000.0, 800.0

DOTS = TableSpec(
    "dots",
    (
        FieldSpec("x", "fixed", hi=WIDTH, step=0.25, linear=True),
        FieldSpec("y", "fixed", hi=HEIGHT, step=0.25, linear=True),
        FieldSpec("heading", "angle", bits=8, linear=True),
        FieldSpec("name", "text", max=8),
        FieldSpec("marks", "sint", bits=8, count=2),
    ),
    64,
)
STONES = TableSpec("stones", (FieldSpec("x", "uint", bits=10), FieldSpec("y", "uint", bits=9)), 40)
LOG = TableSpec("log", (FieldSpec("n", "uint", bits=16, linear=True),), 4)
BOARD = TableSpec("board", (FieldSpec("turn", "uint", bits=16),), 1, single=True)
SPECS = (LOG, DOTS, BOARD, STONES)
AREA = ("dots", "stones")


class World(Twin):
    """Dots that drift, turn, jump, come and go; stones that are pushed at times."""

    def __init__(self, seed: int, view: views.AreaView) -> None:
        super().__init__(SPECS, view=view)
        self.random = Random(seed)
        self.speeds: dict[int, tuple[float, float]] = {}
        self.spawn("log")
        for _ in range(30):
            self.come()

    def come(self) -> None:
        name = self.random.choice(AREA)
        if len(self.ids(name)) == self.by_name[name].capacity:
            return
        id = self.spawn(name, x=self.random.randrange(int(WIDTH)), y=self.random.randrange(500))
        if name == "dots":
            self.speeds[id] = (self.random.uniform(-9, 9), self.random.uniform(-9, 9))

    def live(self) -> None:
        random = self.random
        if random.random() < 0.3:
            self.come()
        for name in AREA:
            for id in self.ids(name):
                if random.random() < 0.01:
                    self.despawn(name, id)
                elif name == "dots":
                    self.drift(id)
                elif random.random() < 0.03:
                    self.assign(name, id, "x", random.randrange(1000))
        if random.random() < 0.1:
            self.assign("log", self.ids("log")[0], "n", random.randrange(1000))
        self.commit()

    def drift(self, id: int) -> None:
        random = self.random
        dx, dy = self.speeds[id]
        for axis, speed, most in (("x", dx, WIDTH), ("y", dy, HEIGHT)):
            self.assign("dots", id, axis, min(max(self.held("dots", id, axis) + speed, 0.0), most))
        chance = random.random()
        if chance < 0.05:
            self.speeds[id] = random.choice([(0.0, 0.0), (random.uniform(-9, 9), random.uniform(-9, 9))])
        elif chance < 0.1:
            self.assign("dots", id, "heading", random.uniform(0, math.tau))
        elif chance < 0.12:
            self.assign("dots", id, "name", str(random.randrange(99)))
        elif chance < 0.13:
            self.assign("dots", id, "x", random.uniform(0, WIDTH))
        elif chance < 0.15:
            self.assign("dots", id, "marks", [random.randrange(-128, 128), 0])


def told_to(watcher: Watcher) -> list[dict[str, Any]]:
    """What a watcher is sent, if there is anything, and what it must then have, in the form of tests/vectors."""
    message = watcher.read(anew=watcher.random.random() < 0.01)
    if message is None:
        return []
    state, steps, cells = watcher.expected()
    rest = {"view": watcher.reader.view, "cells": cells, "farTick": watcher.reader.far_tick}
    position = [EPOCH, watcher.twin.tick]
    return [{"hex": message.hex(), "position": position, **plain({"state": state, "steps": steps, **rest})}]


VIEWS = {
    "with a far ring": views.area(60, "dots", "stones", far=260, far_every=3),
    "with a far ring that seldom comes": views.area(100, "dots", "stones", far=400, far_every=7),
    "of small cells": views.area(120, "dots", "stones", cell=30),
    "of one table": views.area(200, "dots"),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_readers_of_an_area_have_what_is_in_sight(
    view: views.AreaView, node_path: str, tmp_path: Path
) -> None:
    world = World(len(view.tables) + int(view.radius), view)
    ground = Ground(world, view)
    watchers = {Watcher(ground, seed, 1): list[dict[str, Any]]() for seed in range(8)}
    for _ in range(TICKS):
        world.live()
        ground.follow()
        for watcher, frames in watchers.items():
            if watcher.random.random() < 0.1:
                watcher.wander()
            if watcher.random.random() < (0.95 if watcher.random.random() < 0.5 else 0.4):
                frames.extend(told_to(watcher))
    for number, frames in enumerate(watchers.values()):
        document = {"name": f"watcher {number}", "schema": world.map, "frames": frames}
        (tmp_path / f"{number}.json").write_text(text_of(document))
    seen = sum(len(frame["state"]["dots"]) for frames in watchers.values() for frame in frames)
    assert seen > TICKS
    done = subprocess.run(
        [node_path, "--test", "--test-reporter=tap", str(APPLY)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env={"MONKEYTOWN_VECTORS": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n# pass {len(watchers) + 1}\n" in done.stdout
