"""The JavaScript client and the compiled encoder, on rooms seen by area: what each reader then has is what the oracle says.

Knows: the public way to divide a room, the oracle, the form of tests/vectors, which a node test applies. Must not know: how
either side finds out what it needs.
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

from monkeytown import views
from monkeytown._core.sight import Sight

APPLY = Path(__file__).parent / "vectors.test.mjs"
TIMEOUT = 120
BEYOND = 0.1  # of a cell's side: how far a row may be beyond the border before it changes cells
SLOTS = 1 << 20
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

Rows = dict[int, dict[str, Any]]


class World(Twin):
    """Dots that drift, turn, jump, come and go; stones that are pushed at times."""

    def __init__(self, seed: int, view: views.AreaView) -> None:
        super().__init__(SPECS, view=view)
        area = self.schema.divide(self.by_name)
        assert area is not None
        self.area = area
        self.random = Random(seed)
        self.speeds: dict[int, tuple[float, float]] = {}
        self.cells: dict[str, dict[int, int]] = {name: {} for name in AREA}
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
        self.area.follow(self.tick)
        self.cells = {
            name: {id: self.cell(row, self.cells[name].get(id)) for id, row in self.shared[name].items()}
            for name in AREA
        }

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

    def cell(self, row: dict[str, Any], before: int | None) -> int:
        """The cell of a row: the one before, until it is beyond the border by a tenth of the side."""
        told = self.map["area"]
        found = []
        for axis, many in (("x", told["columns"]), ("y", told["rows"])):
            wire = row[axis]
            at = (wire * 0.25 if "heading" in row else wire) - told[axis]
            inside = at / told["size"]
            old = (
                None
                if before is None
                else before % told["columns"]
                if axis == "x"
                else before // told["columns"]
            )
            if old is None or not old - BEYOND <= inside < old + 1 + BEYOND:
                old = min(max(math.floor(inside), 0), many - 1)
            found.append(old)
        return int(found[1] * told["columns"] + found[0])

    def rows_in(self, name: str, cells: set[int]) -> tuple[Rows, Rows]:
        """Values and steps of the rows that are there now."""
        there = [id for id, cell in self.cells[name].items() if cell in cells]
        values, steps = self.shared[name], self.steps[name]
        return {id: values[id] for id in there}, {id: steps[id] for id in there}


class Watcher:
    """One reader: where it looks, what it is sent, and what it must then have."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = Random(seed)
        self.sight = Sight(world.area)
        self.base: int | None = None
        self.far: dict[str, dict[int, tuple[Any, Any]]] = {name: {} for name in AREA}
        """By id, what the far cells had at the far tick and nothing has replaced: values, and steps."""
        self.far_cells: dict[str, dict[int, int]] = {}
        self.frames: list[dict[str, Any]] = []
        self.look()

    def look(self) -> None:
        dots = self.world.ids("dots")
        if self.random.random() < 0.5 and dots:
            self.sight.follow(self.world.by_name["dots"][self.random.choice(dots)])
        else:
            self.sight.look_at(self.random.uniform(0, WIDTH), self.random.uniform(0, HEIGHT))

    def read(self) -> None:
        if self.base is not None and not self.sight.can_continue(self.base):
            self.base = None
        if self.random.random() < 0.01:
            self.base = None
        message = self.sight.read(EPOCH, self.base)
        if message is None:
            return
        brings_far = self.base is None or bool(message[1] & 8)
        self.base = self.world.tick
        self.frames.append({"hex": message.hex(), "position": [EPOCH, self.base], **self.expect(brings_far)})

    def expect(self, brings_far: bool) -> dict[str, Any]:
        world = self.world
        near = {cell for cell, is_far in self.sight.cells if not is_far}
        far = {cell for cell, is_far in self.sight.cells if is_far}
        state = {name: rows for name, rows in world.shared.items() if name not in AREA}
        steps = {name: rows for name, rows in world.steps.items() if name not in AREA}
        for name in AREA:
            values, motion = world.rows_in(name, near)
            if brings_far:
                old, old_motion = world.rows_in(name, far)
                self.far[name] = {id: (old[id], old_motion[id]) for id in old}
                self.far_cells[name] = world.cells[name]
            taken = {id % SLOTS for id in values}
            self.far[name] = {
                id: row
                for id, row in self.far[name].items()
                if id % SLOTS not in taken and self.far_cells[name][id] in far
            }
            state[name] = {id: row for id, (row, _) in self.far[name].items()} | values
            steps[name] = {id: row for id, (_, row) in self.far[name].items()} | motion
        view = {cell: "far" if is_far else "near" for cell, is_far in self.sight.cells}
        cells = {
            name: {
                id: where if (where := world.cells[name].get(id)) in near else self.far_cells[name][id]
                for id in state[name]
            }
            for name in AREA
        }
        return plain({"state": state, "steps": steps, "view": view, "cells": cells})


VIEWS = {
    "with a far ring": views.area(60, "dots", "stones", far=260, far_every=3),
    "with a far ring that seldom comes": views.area(100, "dots", "stones", far=400, far_every=7),
    "of small cells": views.area(120, "dots", "stones", cell=30),
    "of one table": views.area(200, "dots", "stones"),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_readers_of_an_area_have_what_is_in_sight(
    view: views.AreaView, node_path: str, tmp_path: Path
) -> None:
    world = World(len(view.tables) + int(view.radius), view)
    world.live()
    watchers = [Watcher(world, seed) for seed in range(8)]
    for _ in range(TICKS):
        world.live()
        for watcher in watchers:
            if watcher.random.random() < 0.05:
                watcher.look()
            if watcher.random.random() < (0.95 if watcher.random.random() < 0.5 else 0.4):
                watcher.read()
    for number, watcher in enumerate(watchers):
        name = f"watcher {number}"
        document = {"name": name, "schema": world.map, "frames": watcher.frames}
        (tmp_path / f"{number}.json").write_text(text_of(document))
    seen = sum(len(frame["state"]["dots"]) for watcher in watchers for frame in watcher.frames)
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
