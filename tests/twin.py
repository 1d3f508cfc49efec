"""The compiled core and the oracle side by side: every order goes to both, so that they can be compared.

Knows: the public way to declare a game, and tests/model.py. Must not know: how either does its work.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy

from monkeytown import fields, schema
from monkeytown._core import delta, state
from tests.model import FieldSpec, Model, State, TableSpec

EPOCH = 7


def declared_field(spec: FieldSpec) -> Any:
    """A field as a game declares it."""
    predict: Any = "linear" if spec.linear else "hold"
    overflow: Any = "raise" if spec.raises else "clamp"
    mine = spec.owner_only
    makers: dict[str, Callable[[], Any]] = {
        "fixed": lambda: fields.fixed(
            spec.lo, spec.hi, step=spec.step, predict=predict, overflow=overflow, owner_only=mine
        ),
        "angle": lambda: fields.angle(spec.bits, predict=predict, owner_only=mine),
        "uint": lambda: fields.uint(spec.bits, predict=predict, overflow=overflow, owner_only=mine),
        "sint": lambda: fields.sint(spec.bits, predict=predict, overflow=overflow, owner_only=mine),
        "bool": lambda: fields.boolean(owner_only=mine),
        "enum": lambda: fields.enum(*spec.values, owner_only=mine),
        "text": lambda: fields.text(spec.max, overflow=overflow, owner_only=mine),
        "blob": lambda: fields.blob(spec.max, overflow=overflow, owner_only=mine),
        "ref": lambda: fields.ref(spec.target.capitalize(), owner_only=mine),
    }
    made = makers[spec.type]()
    return fields.array(made, spec.count) if spec.count else made


def declared_game(
    specs: tuple[TableSpec, ...], name: str = "Game", input: Any = None, view: Any = None
) -> Any:
    """A class with the tables of `specs`; entities are named like their tables with a capital letter."""
    body: dict[str, Any] = {"input": input, "view": view, "tick_rate": 60}
    for spec in specs:
        declared = {field.name: declared_field(field) for field in spec.fields}
        entity = type(spec.name.capitalize(), (schema.Entity,), declared)
        body[spec.name] = (
            schema.singleton(entity) if spec.single else schema.table(entity, capacity=spec.capacity)
        )
    made = type(name, (SimpleNamespace,), body)
    for attribute, value in body.items():
        if hasattr(value, "__set_name__"):
            value.__set_name__(made, attribute)
    return made


def schema_message(made: schema.Schema, game: str = "game") -> dict[str, Any]:
    """The map of docs/reference/wire.md, section 3."""
    return {"gameId": "room", "game": game, "tickRate": 60, **made.describe()}


def specs_of(tables: list[dict[str, Any]]) -> tuple[TableSpec, ...]:
    """The way back: specs from the `tables` of a schema message."""

    def field_of(told: dict[str, Any]) -> FieldSpec:
        more: dict[str, Any] = {key: told[key] for key in ("lo", "hi", "step", "max") if key in told}
        if "table" in told:
            more["target"] = tables[told["table"]]["name"]
        return FieldSpec(
            told["name"],
            told["type"],
            bits=told["bits"],
            values=tuple(told.get("values", ())),
            count=told["count"],
            linear=told["predict"] == "linear",
            owner_only=told["ownerOnly"],
            **more,
        )

    return tuple(
        TableSpec(told["name"], tuple(map(field_of, told["fields"])), told["capacity"], told["single"])
        for told in tables
    )


class Twin:
    """A room's tables twice. Rows are named by id; values are what a game would assign."""

    def __init__(
        self, specs: tuple[TableSpec, ...], first_tick: int = 1, input: Any = None, view: Any = None
    ) -> None:
        self.specs = specs
        self.schema = schema.Schema(declared_game(specs, input=input, view=view))
        self.by_name = self.schema.build()
        self.tables = tuple(self.by_name.values())
        self.model = Model(specs)
        self.tick = first_tick - 1
        self.map = schema_message(self.schema)

    def ids(self, table: str) -> list[int]:
        return [row.id for _, row in sorted(self.model.tables[table].rows.items())]

    def _model_row(self, table: str, id: int) -> int:
        slot = id % (1 << 20)
        assert self.model.tables[table].rows[slot].id == id
        return slot

    def spawn(self, table: str, owner: int = 0, **values: Any) -> int:
        row = self.model.tables[table].spawn(values, owner)
        made = self.by_name[table].spawn(owner=owner, **values)
        assert made.id == row.id
        return row.id

    def despawn(self, table: str, id: int) -> None:
        self.model.tables[table].despawn(self._model_row(table, id))
        self.by_name[table].despawn(id)

    def clear(self, table: str) -> None:
        self.model.tables[table].clear()
        self.by_name[table].clear()

    def own(self, table: str, id: int, owner: int) -> None:
        self.model.tables[table].rows[self._model_row(table, id)].owner = owner
        self.by_name[table][id].owner = owner

    def assign(self, table: str, id: int, field: str, value: Any) -> None:
        self.model.tables[table].assign(self._model_row(table, id), field, value)
        setattr(self.by_name[table][id], field, value)

    def write(self, table: str, id: int, field: str, value: Any) -> None:
        """An assignment through NumPy, straight into the column's memory."""
        slot = self._model_row(table, id)
        self.model.tables[table].assign(slot, field, value)
        numpy.asarray(getattr(self.by_name[table], field))[slot] = value

    def held(self, table: str, id: int, field: str) -> Any:
        """What the game reads back."""
        return self.model.tables[table].rows[self._model_row(table, id)].values[field]

    def commit(self, tick: int | None = None) -> None:
        self.tick = self.tick + 1 if tick is None else tick
        self.model.commit(self.tick)
        state.commit(self.tables, self.tick)

    def snapshot(self) -> bytes:
        return delta.snapshot(self.tables, EPOCH, self.tick)

    def delta(self, base: int) -> bytes:
        return delta.encode(self.tables, EPOCH, base, self.tick)

    def can_continue(self, base: int) -> bool:
        return delta.can_continue(self.tables, base)

    @property
    def shared(self) -> State:
        return self.model.shared(self.tick)

    @property
    def steps(self) -> State:
        """Steps of the shared linear columns; the rest has none."""
        return self.model.steps[self.tick]
