"""What a `schema` message may hold: docs/reference/wire.md, section 3, checked before tables are built from it.

Knows the shapes and the bounds of a description, which may come from anywhere, a file say; not what the tables do.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from monkeytown.errors import WireError

__all__ = ["MAX_VALUES", "check_description", "values_of"]

MAX_VALUES = 1 << 24
"""Values that all tables together have room for, at most: what they take in memory is some tens of bytes each."""

Small = Annotated[int, Meta(ge=0, le=4096)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]


class _Field(msgspec.Struct, rename="camel"):
    name: Name
    type: Literal["fixed", "angle", "uint", "sint", "bool", "enum", "text", "blob", "ref"]
    count: Small
    predict: Literal["hold", "linear"]
    bits: Annotated[int, Meta(ge=0, le=32)]
    owner_only: bool = False
    lo: float | None = None
    hi: float | None = None
    step: float | None = None
    values: Annotated[list[str], Meta(min_length=1, max_length=256)] | None = None
    max: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    table: Small | None = None


class _Table(msgspec.Struct):
    name: Name
    entity: Name
    capacity: Annotated[int, Meta(ge=1, le=1 << 20)]
    single: bool
    fields: Annotated[list[_Field], Meta(max_length=4096)]


class _Description(msgspec.Struct, rename="camel"):
    game_id: str
    game: str
    tick_rate: Annotated[float, Meta(ge=0, le=1000)]
    tables: Annotated[list[_Table], Meta(max_length=200)]


def check_description(schema: dict[str, Any]) -> None:
    """Raises WireError unless tables can be built from it, in bounds."""
    try:
        description = msgspec.convert(schema, _Description)
    except msgspec.ValidationError as error:
        raise WireError(f"the schema is malformed: {error}") from None
    for table in description.tables:
        for field in table.fields:
            if field.type == "ref" and (field.table is None or field.table >= len(description.tables)):
                raise WireError(f"the schema is malformed: {table.name}.{field.name} refers to no table")
    if values_of(schema) > MAX_VALUES:
        raise WireError(f"its tables have room for more than {MAX_VALUES} values")


def values_of(schema: dict[str, Any]) -> int:
    """How many values the tables of a description have room for."""
    return sum(
        table["capacity"] * (1 + sum(field["count"] or 1 for field in table["fields"]))
        for table in schema["tables"]
    )
