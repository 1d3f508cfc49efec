"""A game with every type of field, and its tables ready to be committed: what the tests of the core's pieces share."""

from enum import Enum
from typing import Any

from monkeytown import fields, schema
from monkeytown._core import delta, state
from monkeytown._core.state import Table
from tests.naive_reader import NaiveReader
from tests.twin import EPOCH, schema_message


class Mood(Enum):
    CALM = "calm"
    ANGRY = "angry"


class Monkey(schema.Entity):
    x = fields.fixed(-10.0, 10.0, step=0.5, predict="linear")
    strict = fields.fixed(0.0, 1.0, step=0.01, overflow="raise")
    heading = fields.angle(8)
    coins = fields.uint(8)
    depth = fields.sint(8)
    exact = fields.sint(4, overflow="raise")
    awake = bool
    mood = fields.enum(Mood)
    fruit = fields.enum("banana", "mango", default="mango")
    label = fields.text(5)
    motto = fields.text(3, overflow="raise")
    raw = fields.blob(4)
    friend = fields.ref("Monkey")
    path = fields.array(fields.fixed(0.0, 9.0, step=1.0), 3)
    flags = fields.array(bool, 2)
    moods = fields.array(fields.enum("calm", "angry"), 2)
    heavy = fields.uint(32, default=7)

    def greet(self) -> str:
        return f"I am {self.label}"


class Rock(schema.Entity):
    size = fields.uint(4)


class Sun(schema.Entity):
    height = fields.fixed(0.0, 1.0, step=0.1)


class Jungle:
    input = None
    view = None
    tick_rate = 60
    monkeys = schema.table(Monkey, capacity=40)
    rocks = schema.table(Rock, capacity=3)
    sun = schema.singleton(Sun)


JUNGLE = schema.Schema(Jungle)  # type: ignore[arg-type]


class Room:
    """Tables of a jungle, committed tick by tick."""

    def __init__(self) -> None:
        self.by_name = JUNGLE.build()
        self.tables = tuple(self.by_name.values())
        self.monkeys: Table[Any] = self.by_name["monkeys"]
        self.rocks: Table[Any] = self.by_name["rocks"]
        self.tick = 0

    def commit(self, tick: int | None = None) -> int:
        self.tick = self.tick + 1 if tick is None else tick
        state.commit(self.tables, self.tick)
        return self.tick

    def wire(self, row: Any) -> dict[str, Any]:
        """The row's wire values after a commit."""
        self.commit()
        reader = NaiveReader(schema_message(JUNGLE))
        reader.apply(delta.snapshot(self.tables, EPOCH, self.tick))
        return reader.tables[row.table.name][row.id]
