"""A room with an area under random motion, and readers of it who see what is around a place.

Knows: the core's tables, areas and sights. Must not know: what is checked of the outcome.
"""

from random import Random
from typing import Any

from monkeytown import fields, schema
from monkeytown._core.area import Area
from monkeytown._core.sight import Sight
from monkeytown._core.state import commit
from tests.naive_wire import crc

EPOCH = 7
SIDE = 100.0


class Board(schema.Entity):
    round: int = fields.uint(8)


class Ape(schema.Entity):
    x: float = fields.fixed(-50.0, SIDE + 50.0, step=1 / 8, predict="linear")
    y: float = fields.fixed(-50.0, SIDE + 50.0, step=1 / 8, predict="linear")
    name: str = fields.text(8)
    mood: int = fields.uint(4)


class Nut(schema.Entity):
    x: int = fields.uint(7)
    y: int = fields.uint(7)
    ripe: bool = fields.boolean()


class Fog(schema.Entity):
    depth: float = fields.fixed(0.0, 400.0, step=1.0, predict="linear")


GAME: Any = type("Forest", (), {"input": None, "view": None})
for _name, _value in {
    "board": schema.singleton(Board),
    "apes": schema.table(Ape, capacity=60),
    "nuts": schema.table(Nut, capacity=60),
    "fog": schema.table(Fog, capacity=4),
}.items():
    setattr(GAME, _name, _value)
    _value.__set_name__(GAME, _name)


class Forest:
    """The room. `step` moves it on by a tick; each order is drawn from `random`."""

    def __init__(self, random: Random, cells: int = 5, far: float = 45.0, far_every: int = 3) -> None:
        made = schema.Schema(GAME)
        self.random = random
        self.by_name = made.build()
        self.tables = tuple(self.by_name.values())
        self.apes, self.nuts, self.fog = (self.by_name[name] for name in ("apes", "nuts", "fog"))
        size = SIDE / cells
        self.map = {"gameId": "g", "game": "forest", "tickRate": 60, **made.describe()}
        self.map["area"] = {"tables": [1, 2], "columns": cells, "rows": cells, "x": 0.0, "y": 0.0, "size": size}
        self.map["hash"] = crc({key: self.map[key] for key in ("input", "tables", "area")})
        self.area = Area(
            [(1, self.apes, "x", "y"), (2, self.nuts, "x", "y")],
            [(0, self.tables[0]), (3, self.fog)],
            columns=cells, rows=cells, x=0.0, y=0.0, size=size, radius=12.0, far=far, far_every=far_every,
        )
        self.tick = 0
        for _ in range(20):
            self.spawn()
        self.commit()

    def spawn(self) -> None:
        random = self.random
        if random.random() < 0.7:
            if len(self.apes) < 60:
                self.apes.spawn(x=random.uniform(-9, SIDE + 9), y=random.uniform(-9, SIDE + 9), name=random.choice(["", "Ada"]))
        elif len(self.nuts) < 60:
            self.nuts.spawn(x=random.randrange(101), y=random.randrange(101))

    def commit(self) -> None:
        self.tick += 1
        commit(self.tables, self.tick)
        self.area.follow(self.tick)

    def step(self) -> None:
        random = self.random
        still = random.random() < 0.2
        for ape in self.apes:
            draw = random.random()
            if still and draw > 0.02:
                continue
            if draw < 0.04:
                ape.x, ape.y = random.uniform(-9, SIDE + 9), random.uniform(-9, SIDE + 9)
            elif draw < 0.4:
                ape.x += random.uniform(-6, 6)
                ape.y += 1
            elif draw < 0.45:
                ape.name, ape.mood = random.choice(["Bo", "Cleo"]), random.randrange(16)
            elif draw < 0.5:
                self.apes.despawn(ape)
        for nut in self.nuts:
            draw = random.random()
            if draw < 0.03:
                nut.ripe = not nut.ripe
            elif draw < 0.06:
                nut.x = random.randrange(101)
            elif draw < 0.08:
                self.nuts.despawn(nut)
        for _ in range(random.choice([0, 0, 0, 1, 2, 5])):
            self.spawn()
        if random.random() < 0.1:
            self.tables[0].row(0).round = random.randrange(256)
        if random.random() < 0.1 and len(self.fog) < 4:
            self.fog.spawn(depth=random.uniform(0, 100))
        elif random.random() < 0.1:
            for fog in self.fog:
                fog.depth = (fog.depth + 30) % 400
        self.commit()


class Watcher:
    """A place that a reader looks from, wandering; it is told something now and then."""

    def __init__(self, forest: Forest, stride: int) -> None:
        self.forest, self.stride = forest, stride
        self.sight = Sight(forest.area)
        self.x = self.y = SIDE / 2
        self.sight.look_at(self.x, self.y)
        self.base: int | None = None

    def read(self) -> bytes | None:
        """The next message; None if it is not due, or if there is nothing to say."""
        random = self.forest.random
        if random.random() < 0.5:
            self.x, self.y = self.x + random.uniform(-15, 15), self.y + random.uniform(-15, 15)
        if random.random() < 0.03:
            self.x, self.y = random.uniform(0, SIDE), random.uniform(0, SIDE)
        self.x, self.y = min(max(self.x, 0.0), SIDE), min(max(self.y, 0.0), SIDE)
        self.sight.look_at(self.x, self.y)
        if self.forest.tick % self.stride:
            return None
        if random.random() < 0.02 or (self.base is not None and not self.sight.can_continue(self.base)):
            self.base = None
        frame = self.sight.read(EPOCH, self.base)
        if frame is not None:
            self.base = self.forest.tick
        return frame
