"""The states that the golden frames of rooms with an `area` show: each function plays one small game for one client.

Knows: the recorder of tests/vectors/make.py, and tests/watchers.py for what the client must then know. Must not know: bytes.
"""

from random import Random
from typing import Any

from monkeytown.views import AreaView, area
from tests.model import FieldSpec, TableSpec
from tests.twin import Twin
from tests.vectors.make import Recorder, Scenario
from tests.watchers import Ground, Watcher

X = FieldSpec("x", "fixed", lo=0.0, hi=400.0, step=1 / 8, linear=True)
Y = FieldSpec("y", "fixed", lo=0.0, hi=300.0, step=1 / 8, linear=True)
TABLES = (
    TableSpec("board", (FieldSpec("round", "uint", bits=8),), 1, True),
    TableSpec(
        "walkers", (X, Y, FieldSpec("turned", "angle", bits=8), FieldSpec("label", "text", max=8)), 200
    ),
    TableSpec("stones", (FieldSpec("x", "sint", bits=8), FieldSpec("y", "uint", bits=7)), 50),
    TableSpec("clocks", (FieldSpec("time", "uint", bits=16, linear=True),), 4),
)


class AreaRecorder(Recorder):
    """One client of an area, which is delivered what its sight is given."""

    def __init__(self, view: AreaView, first_tick: int = 1) -> None:
        super().__init__(TABLES, first_tick)
        self.twin = Twin(TABLES, first_tick, view=view)
        self.ground = Ground(self.twin, view)
        self.watcher = Watcher(self.ground, 1, 1)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.twin.commit()
            self.ground.follow()

    def deliver(self, *, snapshot: bool = False) -> None:
        self.tick()
        frame = self.watcher.read(anew=snapshot)
        if frame is None:
            return
        self.base = self.twin.tick
        self.state, self.steps, cells = self.watcher.expected()
        view = {cell: "far" if far else "near" for cell, far in self.watcher.sight.cells}
        self.record(frame, view=view, cells=cells, farTick=self.watcher.reader.far_tick)

    def walker(self, x: float, y: float, **more: Any) -> int:
        return self.twin.spawn("walkers", x=x, y=y, **more)

    def put(self, id: int, **values: Any) -> None:
        for name, value in values.items():
            self.twin.assign("walkers", id, name, value)


def cells() -> Recorder:
    """Rows that come, go, change cells and teleport; a view that moves; a client that skips ticks and one that comes late."""
    room = AreaRecorder(area(40, "walkers", "stones"))
    own = room.walker(60, 60, label="own")
    others = [room.walker(20.0 * place, 50.0, label=f"n{place}") for place in range(10)]
    for place in range(12):
        room.twin.spawn("stones", x=10 * place, y=8 * place)
    room.twin.spawn("clocks", time=1)
    room.deliver()
    room.watcher.follow("walkers", own)
    room.deliver()
    for turn in range(1, 16):
        room.put(own, x=60 + 15.0 * turn, y=60 + 6.0 * turn)
        for place, id in enumerate(others):
            room.put(id, x=20.0 * place + 3 * turn, turned=turn / 9 if place % 3 == 0 else 0.0)
        if turn % 4 == 1:
            room.put(others[1], x=390.0 - turn, label=f"at {turn}")
        if turn == 6:
            room.twin.despawn("walkers", others[5])
            others[5] = room.walker(150, 90, label="anew")
        room.twin.assign("clocks", room.twin.ids("clocks")[0], "time", turn * 5)
        if turn in (9, 10, 11):
            room.twin.assign("board", room.twin.ids("board")[0], "round", turn)
        (room.tick if turn in (3, 10, 11) else room.deliver)()
    room.deliver()
    room.deliver()
    room.watcher.look_at(10, 290)
    room.deliver()
    room.twin.despawn("walkers", own)
    room.watcher.look_at(80, 60)
    room.deliver()
    room.deliver(snapshot=True)
    return room


def far_cells() -> Recorder:
    """A far ring at every third tick: rows on their way through both rings, and slots taken by others meanwhile."""
    room = AreaRecorder(area(30, "walkers", far=90, far_every=3), 2**32 - 5)
    own = room.walker(200, 150, label="own")
    walkers = [
        room.walker(20.0 * (place % 20), 100.0 + 50 * (place // 20), label=f"{place}") for place in range(60)
    ]
    room.watcher.follow("walkers", own)
    for turn in range(24):
        for place, id in enumerate(walkers):
            room.put(id, x=20.0 * (place % 20) + (5 - place % 11) * turn)
        if turn % 5 == 4:
            room.put(walkers[turn], x=200.0, y=150.0)
            room.put(walkers[turn + 20], x=290.0, y=150.0)
        if turn in (8, 13):
            room.twin.despawn("walkers", walkers[turn])
            walkers[turn] = room.walker(205, 155, label="taker")
        room.put(own, x=200.0 + 2 * turn)
        (room.tick if turn in (10, 17, 18) else room.deliver)()
    room.watcher.look_at(30, 30)
    room.deliver()
    return room


def forgotten_cells() -> Recorder:
    """A client so late that what came and went in its cells is not known any more: they begin anew."""
    random = Random(3)
    room = AreaRecorder(area(80, "walkers", far=160, far_every=2))
    ids = [room.walker(random.uniform(0, 400), random.uniform(0, 300)) for _ in range(120)]
    room.watcher.look_at(200, 150)
    room.deliver()
    room.deliver()
    for _ in range(15):
        for id in ids:
            room.put(id, x=random.uniform(0, 400), y=random.uniform(0, 300))
        room.tick()
    room.deliver()
    for _ in range(2):
        room.deliver()
    return room


SCENARIOS: dict[str, Scenario] = {"cells": cells, "far_cells": far_cells, "forgotten_cells": forgotten_cells}
