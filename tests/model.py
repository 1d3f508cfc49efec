"""The server's side of the wire as an oracle: tables of dicts, quantised cell by cell, every tick kept whole.

Knows: what a game may write, what becomes of it on the wire (docs/reference/wire.md, section 3) and how slots
and generations are given out. Must not know: stamps, residuals, bytes: nothing that makes the core fast.
"""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

GENERATIONS = 4095
SLOT_BITS = 20
LARGEST_ANGLE = 2.0**50  # in wire units; a game's angle beyond it is refused

State = dict[str, dict[int, dict[str, Any]]]


class NotAValue(ValueError):
    """A field cannot hold the value."""


@dataclass(frozen=True)
class FieldSpec:
    """One field, in the words of the schema."""

    name: str
    type: str
    bits: int = 0
    lo: float = 0.0
    hi: float = 0.0
    step: float = 1.0
    max: int = 0
    values: tuple[str, ...] = ()
    target: str = ""
    count: int = 0
    linear: bool = False
    owner_only: bool = False
    raises: bool = False

    def __repr__(self) -> str:
        told = {name: value for name, value in vars(self).items() if value != type(self).__dict__.get(name)}
        return f"FieldSpec({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def empty(self) -> Any:
        """What a new row begins with."""
        one: Any = {"text": "", "blob": b"", "ref": None, "bool": False}.get(self.type, 0)
        if self.type == "fixed":
            one = min(max(0.0, self.lo), self.hi)
        if self.type == "enum":
            one = self.values[0]
        return [one] * self.count if self.count else one

    @property
    def step_bits(self) -> int:
        return self.bits if self.type == "angle" else 32

    def accept(self, value: Any) -> Any:
        """What the game reads back after it assigned `value` (to one place of an array)."""
        if self.type == "fixed":
            return self._within(float(value), self.lo, self.hi)
        if self.type == "angle":
            if not abs(value * self._angle_scale) < LARGEST_ANGLE:
                raise NotAValue(f"{self.name} = {value}")
            return float(value)
        if self.type in ("uint", "sint"):
            low = -(1 << self.bits) // 2 if self.type == "sint" else 0
            return self._within(value, low, low + (1 << self.bits) - 1)
        if self.type in ("text", "blob"):
            if len(value) > self.max and self.raises:
                raise NotAValue(f"{self.name} is too long")
            return value[: self.max]
        if self.type == "enum" and value not in self.values:
            raise NotAValue(f"{self.name} = {value}")
        return value

    def _within(self, value: float, low: float, high: float) -> float:
        if math.isnan(value) or (self.raises and not low <= value <= high):
            raise NotAValue(f"{self.name} = {value}")
        return min(max(value, low), high)

    @property
    def _angle_scale(self) -> float:
        return (1 << self.bits) / (2 * math.pi)

    def wire(self, value: Any) -> Any:
        """The wire value of what the game holds: halves go to the even neighbour."""
        if self.type == "fixed":
            return round((value - self.lo) * (1.0 / self.step))
        if self.type == "angle":
            return round(value * self._angle_scale) % (1 << self.bits)
        if self.type == "enum":
            return self.values.index(value)
        return {"ref": value or 0, "bool": int(bool(value))}.get(self.type, value)

    def change(self, old: int, new: int) -> int:
        """By how much a wire value changed, as a signed number of the column's step bits."""
        half = 1 << (self.step_bits - 1)
        return (new - old + half) % (2 * half) - half


@dataclass(frozen=True)
class TableSpec:
    name: str
    fields: tuple[FieldSpec, ...]
    capacity: int = 64
    single: bool = False


@dataclass
class ModelRow:
    id: int
    owner: int
    values: dict[str, Any]


@dataclass
class ModelTable:
    """A table as the game sees it: rows by slot, each a dict of what the game holds."""

    spec: TableSpec
    rows: dict[int, ModelRow] = field(default_factory=dict)
    generations: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.spec.single:
            self.spawn({}, 0)

    def spawn(self, values: Mapping[str, Any], owner: int) -> ModelRow:
        slot = next(slot for slot in range(self.spec.capacity + 1) if slot not in self.rows)
        if slot == self.spec.capacity:
            raise NotAValue(f"{self.spec.name} is full")
        held = {spec.name: deepcopy(spec.empty) for spec in self.spec.fields}
        held |= {name: self._accepted(name, value) for name, value in values.items()}
        generation = self.generations[slot] = self.generations.get(slot, 0) % GENERATIONS + 1
        self.rows[slot] = ModelRow(generation << SLOT_BITS | slot, owner, held)
        return self.rows[slot]

    def despawn(self, slot: int) -> None:
        del self.rows[slot]

    def clear(self) -> None:
        self.rows.clear()

    def assign(self, slot: int, name: str, value: Any) -> None:
        self.rows[slot].values[name] = self._accepted(name, value)

    def _accepted(self, name: str, value: Any) -> Any:
        spec = next(spec for spec in self.spec.fields if spec.name == name)
        return [spec.accept(one) for one in value] if spec.count else spec.accept(value)


class Model:
    """All tables of a room. `commit` keeps a full copy of what the wire has at that tick, for ever."""

    def __init__(self, specs: tuple[TableSpec, ...]) -> None:
        self.tables = {spec.name: ModelTable(spec) for spec in specs}
        self.history: dict[int, State] = {}
        self.steps: dict[int, State] = {}
        self.owners: dict[int, dict[str, dict[int, int]]] = {}
        self._last: State = {name: {} for name in self.tables}

    def commit(self, tick: int) -> None:
        now = {name: self._wire(table) for name, table in self.tables.items()}
        self.steps[tick] = {
            name: {
                id: self._moved(table.spec, self._last[name].get(id), row) for id, row in now[name].items()
            }
            for name, table in self.tables.items()
        }
        self.history[tick] = self._last = now
        self.owners[tick] = {
            name: {row.id: row.owner for row in table.rows.values()} for name, table in self.tables.items()
        }

    @staticmethod
    def _wire(table: ModelTable) -> dict[int, dict[str, Any]]:
        return {
            row.id: {
                spec.name: [spec.wire(one) for one in row.values[spec.name]]
                if spec.count
                else spec.wire(row.values[spec.name])
                for spec in table.spec.fields
            }
            for _, row in sorted(table.rows.items())
        }

    @staticmethod
    def _moved(table: TableSpec, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
        moved: dict[str, Any] = {}
        for spec in table.fields:
            if not spec.linear:
                continue
            now = new[spec.name]
            before = now if old is None else old[spec.name]
            if spec.count:
                moved[spec.name] = [spec.change(*pair) for pair in zip(before, now, strict=True)]
            else:
                moved[spec.name] = spec.change(before, now)
        return moved

    def _only(self, tick: int, owner_only: bool) -> State:
        names = {
            name: [spec.name for spec in table.spec.fields if spec.owner_only == owner_only]
            for name, table in self.tables.items()
        }
        return {
            name: {id: {field: row[field] for field in names[name]} for id, row in rows.items()}
            for name, rows in self.history[tick].items()
        }

    def shared(self, tick: int) -> State:
        """What every reader at `tick` has: wire values by table, id and field."""
        return self._only(tick, False)

    def private(self, tick: int, owner: int) -> State:
        """Owner-only wire values of the rows that `owner` owned at `tick`."""
        mine = self.owners[tick]
        return {
            name: {id: row for id, row in rows.items() if mine[name][id] == owner}
            for name, rows in self._only(tick, True).items()
        }

    def moving(self, tick: int) -> bool:
        return any(
            bool(any(step) if isinstance(step, list) else step)
            for rows in self.steps[tick].values()
            for row in rows.values()
            for step in row.values()
        )
