"""Readers of an area side by side with the oracle: which cell each row is in, and what each reader must then have.

Knows: the public way to divide a room and to look at it, the naive reader, and what docs/reference/wire.md and `views.area`
promise. Must not know: how the core finds out what to send.
"""

import math
from collections.abc import Iterator
from random import Random
from typing import Any

from monkeytown._core.sight import Sight
from monkeytown.views import AreaView
from tests.model import FieldSpec, State
from tests.naive_reader import NaiveReader
from tests.twin import EPOCH, Twin

BEYOND = 0.1  # of a cell's side: how far a row may be beyond the border before it changes cells
Place = tuple[float, float]


def real(spec: FieldSpec, wire: int) -> float:
    return spec.lo + spec.step * wire if spec.type == "fixed" else float(wire)


class Ground:
    """The oracle's cells: of every row of an area table, at every tick."""

    def __init__(self, twin: Twin, view: AreaView) -> None:
        self.twin, self.view = twin, view
        self.told: dict[str, Any] = twin.map["area"]
        self.names = [twin.specs[number].name for number in self.told["tables"]]
        self.history: dict[int, dict[str, dict[int, int]]] = {}
        area = twin.schema.divide(twin.by_name)
        assert area is not None
        self.area = area
        self.places: dict[int, dict[str, dict[int, Place]]] = {}
        self._shared: dict[int, State] = {}
        self._newest: dict[str, dict[int, int]] = {name: {} for name in self.names}

    def follow(self) -> None:
        """After each commit."""
        self.area.follow(self.twin.tick)
        tick = self.twin.tick
        self.places[tick] = {name: self._places(name) for name in self.names}
        self._newest = {
            name: {id: self.cell(place, self._newest[name].get(id)) for id, place in places.items()}
            for name, places in self.places[tick].items()
        }
        self.history[tick] = self._newest

    def _places(self, name: str) -> dict[int, Place]:
        table = next(spec for spec in self.twin.specs if spec.name == name)
        x, y = (next(spec for spec in table.fields if spec.name == axis) for axis in ("x", "y"))
        rows = self.twin.model.history[self.twin.tick][name]
        return {id: (real(x, row["x"]), real(y, row["y"])) for id, row in rows.items()}

    def shared(self, tick: int) -> State:
        if tick not in self._shared:
            self._shared[tick] = self.twin.model.shared(tick)
        return self._shared[tick]

    def cell(self, place: Place, before: int | None) -> int:
        """Which cell: the one before, until the place is beyond its border by a tenth of the side."""
        columns = self.told["columns"]
        counts = (columns, self.told["rows"])
        old = (None, None) if before is None else (before % columns, before // columns)
        found = []
        for axis, at in enumerate(place):
            inside = (at - self.told["xy"[axis]]) / self.told["size"]
            number = old[axis]
            if number is None or not number - BEYOND <= inside < number + 1 + BEYOND:
                number = min(max(math.floor(inside), 0), counts[axis] - 1)
            found.append(number)
        return found[1] * columns + found[0]

    def inside(self, place: Place) -> Place:
        """The nearest place in the world: who looks from outside sees what can be seen from there."""
        told = self.told
        x, y = (
            min(max(at, told[axis]), told[axis] + told["size"] * told[many])
            for at, axis, many in zip(place, "xy", ("columns", "rows"), strict=True)
        )
        return x, y

    def slots_in(self, cells: set[int], tick: int) -> set[tuple[str, int]]:
        return {
            (name, id % (1 << 20))
            for name, where in self.history[tick].items()
            for id, cell in where.items()
            if cell in cells
        }


class Watcher:
    """One reader: its sight, where it looks from, and whether what it has is what it must have."""

    def __init__(self, ground: Ground, seed: int, stride: int) -> None:
        self.ground, self.twin = ground, ground.twin
        self.random = Random(seed)
        self.stride = stride
        self.sight = Sight(ground.area)
        self.reader = NaiveReader(ground.twin.map)
        self.focus: tuple[str, int] | None = None
        self.place: Place | None = None
        self.taken: set[tuple[str, int]] = set()
        """Slots that have come into near cells since the far tick: what the far cells had there is replaced."""
        self.frames: list[bytes | None] = []
        self.renewed = 0
        """How many cells began anew, since what came and went in them was not known any more."""

    def wander(self) -> None:
        """Perhaps looks from elsewhere."""
        chance = self.random.random()
        rows = [(name, id) for name in self.ground.names for id in self.twin.ids(name)]
        told = self.ground.told
        if chance < 0.15:
            self.look_at(
                told["x"] + told["size"] * told["columns"] * self.random.uniform(-0.2, 1.2),
                told["y"] + told["size"] * told["rows"] * self.random.uniform(-0.2, 1.2),
            )
        elif chance < 0.35 and rows:
            self.follow(*self.random.choice(rows))
        elif chance < 0.4:
            self.focus = None
            self.sight.follow(None)

    def look_at(self, x: float, y: float) -> None:
        self.sight.look_at(x, y)
        self.focus, self.place = None, (x, y)

    def follow(self, name: str, id: int) -> None:
        self.sight.follow(self.twin.by_name[name][id])
        self.focus = (name, id)

    def read(self, anew: bool = False) -> bytes | None:
        """One message, or none, and what must be true after it."""
        if self.focus is not None:
            self.place = self.ground.places[self.twin.tick][self.focus[0]].get(self.focus[1], self.place)
        base = None if anew or self.reader.position is None else self.reader.position[1]
        if base is not None and not self.sight.can_continue(base):
            base = None
        frame = self.sight.read(EPOCH, base)
        self.frames.append(frame)
        before = self.reader.far_tick
        if frame is not None:
            self.reader.apply(frame)
            self.renewed += len(self.reader.renewed)
            assert self.reader.position == (EPOCH, self.twin.tick)
            if self.reader.far_tick != before:
                self.taken.clear()
            self.taken |= self.ground.slots_in(self._cells("near"), self.twin.tick)
        assert [(cell, ring == "far") for cell, ring in sorted(self.reader.view.items())] == self.sight.cells
        self.check_tables()
        self.check_received(frame, far=self.reader.far_tick == self.twin.tick)
        self.check_range()
        return frame

    def _cells(self, ring: str) -> set[int]:
        return {cell for cell, its in self.reader.view.items() if its == ring}

    def _seen(self) -> Iterator[tuple[str, int, int, int]]:
        """(table, id, cell, tick) of every row of an area table that the reader must have."""
        tick, far_tick = self.twin.tick, self.reader.far_tick or 0
        near, far = self._cells("near"), self._cells("far")
        for name in self.ground.names:
            for id, cell in self.ground.history[tick][name].items():
                if cell in near:
                    yield name, id, cell, tick
            for id, cell in self.ground.history.get(far_tick, {}).get(name, {}).items():
                if cell in far and (name, id % (1 << 20)) not in self.taken:
                    yield name, id, cell, far_tick

    def expected(self) -> tuple[State, State, dict[str, dict[int, int]]]:
        """What the reader must have: values, steps, and the cells of rows."""
        values, steps = dict(self.ground.shared(self.twin.tick)), dict(self.twin.steps)
        cells: dict[str, dict[int, int]] = {name: {} for name in self.ground.names}
        for name in self.ground.names:
            values[name], steps[name] = {}, {}
        for name, id, cell, tick in self._seen():
            assert id not in values[name]
            values[name][id] = self.ground.shared(tick)[name][id]
            steps[name][id] = self.twin.model.steps[tick][name][id]
            cells[name][id] = cell
        return values, steps, cells

    def check_tables(self) -> None:
        assert (self.reader.tables, self.reader.steps, self.reader.cells) == self.expected()

    def check_received(self, frame: bytes | None, far: bool) -> None:
        """Nothing of an entity that the reader may not see was in the message."""
        if frame is None:
            return
        rings = {"near", "far"} if far else {"near"}
        allowed = {cell for cell, ring in self.reader.view.items() if ring in rings}
        here = self.ground.history[self.twin.tick]
        for name, id in self.reader.received:
            assert name not in here or here[name][id] in allowed

    def check_range(self) -> None:
        """All within the radius is seen, and nothing further out than is documented."""
        if self.place is None:
            assert not self.reader.view
            return
        view, size = self.ground.view, self.ground.told["size"]
        settled = not view.far or self.reader.far_tick == self.twin.tick
        for name in self.ground.names:
            where = self.ground.history[self.twin.tick][name]
            for id, place in self.ground.places[self.twin.tick][name].items():
                if math.dist(place, self.place) <= view.radius:
                    cell = where[id]
                    assert self.reader.view[cell] == "near" or not settled
        furthest = max(view.radius, view.far) + 2.4 * size
        across, along = self.ground.inside(self.place)
        for name, id, _, tick in self._seen():
            x, y = self.ground.places[tick][name][id]
            assert abs(x - across) <= furthest * (1 + 1e-9)
            assert abs(y - along) <= furthest * (1 + 1e-9)
