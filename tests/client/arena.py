"""A game's tables without a game, and the messages a server would send of them."""

from __future__ import annotations

from typing import Any

from monkeytown._core import delta, state, values
from monkeytown._core.state import Table
from monkeytown.fields import angle, array, blob, boolean, enum, fixed, ref, sint, text, uint
from monkeytown.protocol.codec import BINARY
from monkeytown.schema import Entity, Input, Schema, table

__all__ = ["EPOCH", "Arena", "Monkey", "Steer"]

EPOCH = 3


class Banana(Entity):
    x = fixed(0, 100, step=1 / 16)


class Monkey(Entity):
    x = fixed(-100, 100, step=1 / 16, predict="linear")
    heading = angle(bits=8)
    bananas = uint(16)
    debt = sint(8)
    mood = enum("calm", "wild")
    awake = boolean()
    path = array(uint(4), 3)
    wants = ref(Banana)
    name = text(24)
    secret = fixed(-5, 5, step=1, owner_only=True)
    lead = angle(bits=4, owner_only=True)
    owed = sint(8, owner_only=True)
    plan = enum("rest", "run", owner_only=True)
    hidden = ref(Banana, owner_only=True)
    note = text(20, owner_only=True)
    key = blob(4, owner_only=True)
    dice = array(uint(3, owner_only=True), 2)


class Steer(Input):
    turn = fixed(-1, 1, step=1 / 127)
    run = bool


class Rules:
    """As much of a game class as a schema looks at."""

    input = Steer
    view = None
    tick_rate = 60
    monkeys = table(Monkey, capacity=8)
    bananas = table(Banana, capacity=8)


class Arena:
    """The server's side: tables and the frames of their ticks."""

    def __init__(self, rules: Any = Rules, game_id: str = "arena-1") -> None:
        self.schema = Schema(rules)
        self.tables: dict[str, Table[Any]] = self.schema.build()
        self.tick = 0
        self.game_id = game_id

    @property
    def description(self) -> dict[str, Any]:
        return {"gameId": self.game_id, "game": "arena", "tickRate": 60, **self.schema.describe()}

    def schema_message(self) -> bytes:
        return BINARY.encode("schema", self.description)

    def commit(self) -> int:
        self.tick += 1
        state.commit(tuple(self.tables.values()), self.tick)
        return self.tick

    def snapshot(self) -> bytes:
        return delta.snapshot(tuple(self.tables.values()), EPOCH, self.tick)

    def delta(self, base: int) -> bytes:
        return delta.encode(tuple(self.tables.values()), EPOCH, base, self.tick)

    def shown(self) -> dict[str, Any]:
        """What everyone may see, as values."""
        return values.changes(tuple(self.tables.values()), None)

    def private(self, owner: int, base: int | None, *, seen: int = 0, entity: int | None = None) -> bytes:
        """A `private` message with everything in it."""
        reset, sections = values.private(tuple(self.tables.values()), owner, base)
        flags = 1 | (2 if entity is not None else 0) | 4 | (8 if reset else 0)
        place = b"" if entity is None else b"\xff\0" if entity == 0 else b"\0" + _varint(entity)
        return bytes((0x44, flags)) + _varint(seen) + place + sections


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
