"""A copy of a room's tables, kept level by the frames that the server sends.

Pure: knows the schema map, `game_state` and `private` messages (docs/reference/wire.md, sections 3 to 5), and nothing
of connections.
"""

from __future__ import annotations

from math import tau
from typing import Any, NamedTuple

from monkeytown._core.fields import Field
from monkeytown._core.glimpse import Glimpse
from monkeytown._core.inputs import Layout
from monkeytown._core.mirror import apply
from monkeytown._core.state import Row, Table
from monkeytown._core.wire import Reader
from monkeytown.errors import WireError
from monkeytown.position import Position
from monkeytown.schema import Entity, Input

__all__ = ["Applied", "Mirror", "Private", "input_layout", "is_snapshot"]

FLAG_SNAPSHOT = 1
FLAG_INPUT, FLAG_ENTITY, FLAG_VALUES, FLAG_RESET = 1, 2, 4, 8
NO_TABLE = 255


class Applied(NamedTuple):
    """Where a frame has brought its reader, and whether it was everything anew."""

    position: Position
    snapshot: bool


class Private(NamedTuple):
    """What a `private` message says; None where it says nothing."""

    input_seen: int | None
    entity: Row | None
    names_entity: bool


class Mirror:
    """The tables of one room, built from its schema."""

    keeps_values = True
    """Whether owner-only values of `private` messages are kept in the tables."""

    resumable = True
    """Whether the tables still are where a reader left them when it comes back, so that a delta can go on from there."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._specs: list[dict[str, Any]] = schema["tables"]
        self._list = tuple(
            Table(spec["name"], _entity_class(spec), spec["capacity"], spec["single"]) for spec in self._specs
        )
        for spec, table in zip(self._specs, self._list, strict=True):
            for field in spec["fields"]:
                if field["type"] == "ref":
                    table.bind_ref(field["name"], self._list[field["table"]])
        self.tables = {table.name: table for table in self._list}
        area = schema.get("area")
        self._glimpse = None if area is None else Glimpse(area, self._list)

    @property
    def view(self) -> list[tuple[int, bool]]:
        """The cells that are seen of a room with an area, in order: (cell, whether it is in the far ring)."""
        return [] if self._glimpse is None else self._glimpse.view

    def cell_of(self, row: Row) -> int | None:
        """The cell that a row is in; None if its table is not divided into cells, or it is gone."""
        return None if self._glimpse is None else self._glimpse.cell_of(row)

    def apply(self, frame: bytes, reader_at: Position | None) -> Applied:
        """Bring a reader who stands at `reader_at` to where `frame` leads; raises WireError if it does not start there."""
        snapshot = is_snapshot(frame)
        position = apply(frame, self._list, None if snapshot else reader_at, self._glimpse)
        return Applied(position, snapshot)

    def read_private(self, message: bytes) -> Private:
        """Take in what concerns one player only."""
        reader = Reader(message)
        reader.u8()
        flags = reader.u8()
        input_seen = reader.varint() if flags & FLAG_INPUT else None
        entity = None
        if flags & FLAG_ENTITY:
            place, id_ = reader.u8(), reader.varint()
            entity = None if place == NO_TABLE else self._table(place).get(id_)
        if flags & FLAG_VALUES and self.keeps_values:
            if flags & FLAG_RESET:
                self._forget_private()
            while reader.remaining:
                self._read_values(reader)
        return Private(input_seen, entity, bool(flags & FLAG_ENTITY))

    def _table(self, place: int) -> Table[Any]:
        if place >= len(self._list):
            raise WireError(f"there is no table {place}")
        return self._list[place]

    def _read_values(self, reader: Reader) -> None:
        place = reader.u8()
        table = self._table(place)
        fields = [field for field in self._specs[place]["fields"] if field["ownerOnly"]]
        for _ in range(reader.varint()):
            try:
                row = table.row(reader.varint())
            except KeyError as error:
                raise WireError(f"{table.name} has no row in slot {error}") from None
            for field in fields:
                values = [self._value(field, reader) for _ in range(field["count"] or 1)]
                setattr(row, field["name"], values if field["count"] else values[0])

    def _forget_private(self) -> None:
        # What zero means depends on the field (the lowest value of a `fixed`), so it is read like any other value.
        for spec, table in zip(self._specs, self._list, strict=True):
            for field in spec["fields"]:
                if field["ownerOnly"]:
                    values = [self._value(field, Reader(b"\0")) for _ in range(field["count"] or 1)]
                    for row in table:
                        setattr(row, field["name"], values if field["count"] else values[0])

    def _value(self, field: dict[str, Any], reader: Reader) -> Any:
        number, kind = reader.varint(), field["type"]
        if kind == "text":
            return reader.raw(number).decode()
        if kind == "blob":
            return reader.raw(number)
        if kind == "fixed":
            return field["lo"] + number * field["step"]
        if kind == "angle":
            return number * tau / (1 << field["bits"])
        if kind == "sint":
            return number >> 1 ^ -(number & 1)
        if kind == "enum":
            return field["values"][min(number, len(field["values"]) - 1)]
        if kind == "ref":
            return self._table(field["table"]).get(number)
        return number


def is_snapshot(frame: bytes) -> bool:
    """Whether a `game_state` message is everything anew."""
    return len(frame) > 1 and bool(frame[1] & FLAG_SNAPSHOT)


def input_layout(schema: dict[str, Any]) -> Layout | None:
    """How the game's inputs are packed, or None if its actions are maps."""
    spec = schema["input"]
    return None if spec is None else Layout(type(spec["name"], (Input,), _fields(spec)), spec["hash"])


def _entity_class(spec: dict[str, Any]) -> type[Entity]:
    return type(spec["entity"], (Entity,), _fields(spec))


def _fields(spec: dict[str, Any]) -> dict[str, Any]:
    return {field["name"]: _field(field) for field in spec["fields"]}


def _field(spec: dict[str, Any]) -> Field[Any]:
    shape = {
        key: spec[key]
        for key in ("lo", "hi", "step", "bits", "max", "count", "values", "predict")
        if key in spec
    }
    if spec["type"] == "fixed":
        del shape["bits"]
    return Field(spec["type"], owner_only=spec.get("ownerOnly", False), **shape)
