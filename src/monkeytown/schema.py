"""What a game declares: entities, inputs, tables, and the schema that they add up to.

Floor 2, pure. Knows the compiled core's `Field`, `Row`, `Record` and `Table`; nothing of rooms or players.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from monkeytown._core.area import Area
from monkeytown._core.fields import Field
from monkeytown._core.inputs import Record
from monkeytown._core.state import Row, Table
from monkeytown.errors import SchemaError
from monkeytown.fields import boolean
from monkeytown.views import AreaView, place_fields

if TYPE_CHECKING:
    from monkeytown.game import Game

__all__ = ["Entity", "Input", "Schema", "singleton", "table"]

E = TypeVar("E", bound="Entity")


class _Fields:
    """What entities and inputs share: collecting the fields of a class, in order, those it inherits first."""

    _fields: ClassVar[tuple[Field[Any], ...]] = ()
    _reserved: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def _collect(cls) -> None:
        fields = list(cls._fields)
        for name, value in list(vars(cls).items()):
            if value is bool:
                setattr(cls, name, boolean())
        for name, value in list(vars(cls).items()):
            if not isinstance(value, Field):
                continue
            if name in cls._reserved or name.startswith("_"):
                raise SchemaError(f"{cls.__name__}.{name}: the name is taken; choose another")
            if any(field.name == name for field in fields):
                raise SchemaError(f"{cls.__name__}.{name} is defined in a base class already")
            if value.index >= 0:
                raise SchemaError(f"{cls.__name__}.{name} shares its field with {value.owner}.{value.name}")
            value.bind(cls.__name__, name, len(fields))
            fields.append(value)
        cls._fields = tuple(fields)

    @classmethod
    def fields(cls) -> tuple[Field[Any], ...]:
        """The fields of the class in the order of their columns."""
        return cls._fields


class Entity(Row, _Fields):
    """A kind of thing in a room: subclass it and give it fields. Its rows live in a table.

    Methods are welcome, and so are attributes that are no fields: they stay on the server.
    """

    _reserved = frozenset(name for name in dir(Row) if not name.startswith("_")) | {"fields"}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._collect()


class Input(Record, _Fields):
    """What a player may send: subclass it and give it fields. Values are clamped before the rules see them."""

    _reserved = frozenset({"fields"})

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._collect()
        for field in cls._fields:
            if field.type in ("text", "blob", "ref") or field.count:
                kind = "array" if field.count else field.type
                raise SchemaError(f"{cls.__name__}.{field.name}: an input has no {kind}")


class _Spec(Generic[E]):
    """A table that a game class declares. On a game in a room, the attribute is the table itself."""

    def __init__(self, entity: type[E], capacity: int) -> None:
        if not (isinstance(entity, type) and issubclass(entity, Entity) and entity is not Entity):
            raise SchemaError(f"a table takes a subclass of Entity, not {entity!r}")
        self.entity = entity
        self.capacity = capacity
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name


class TableSpec(_Spec[E]):
    single = False

    @overload
    def __get__(self, game: None, owner: type) -> TableSpec[E]: ...
    @overload
    def __get__(self, game: object, owner: type) -> Table[E]: ...
    def __get__(self, game: object | None, owner: type) -> TableSpec[E] | Table[E]:
        if game is None:
            return self
        raise _outside(game, self.name)


class SingletonSpec(_Spec[E]):
    single = True

    @overload
    def __get__(self, game: None, owner: type) -> SingletonSpec[E]: ...
    @overload
    def __get__(self, game: object, owner: type) -> E: ...
    def __get__(self, game: object | None, owner: type) -> SingletonSpec[E] | E:
        if game is None:
            return self
        raise _outside(game, self.name)


def _outside(game: object, name: str) -> SchemaError:
    """A room puts the table itself into the game, so nobody gets here but outside of one."""
    return SchemaError(f"{type(game).__name__}.{name}: a game has tables only inside a room")


def table(entity: type[E], *, capacity: int = 1024) -> TableSpec[E]:
    """A table of `entity` rows, at most `capacity` of them (up to 2**20). Memory is taken as it fills."""
    return TableSpec(entity, capacity)


def singleton(entity: type[E]) -> SingletonSpec[E]:
    """One row for what belongs to the room as a whole. The attribute is that row: `self.board.turn = 1`."""
    return SingletonSpec(entity, 1)


class Schema:
    """What the tables and the input of a game class look like: the same for all of its rooms.

    `describe()` is the map of docs/reference/wire.md, section 3, without what belongs to one room.
    """

    _of: ClassVar[dict[type, Schema]] = {}

    def __init__(self, game_class: type[Game]) -> None:
        self.name = game_class.__name__
        self.specs = tuple(_declared(game_class))
        self.input: type[Input] | None = game_class.input
        if not self.specs:
            raise SchemaError(f"{self.name} has no table: a game shows its players at least one")
        if len(self.specs) > 200:
            raise SchemaError(f"{self.name} has more than 200 tables")
        if self.input is not None and not (isinstance(self.input, type) and issubclass(self.input, Input)):
            raise SchemaError(f"{self.name}.input is a subclass of Input, not {self.input!r}")
        self.tables: list[dict[str, Any]] = [self._describe_table(spec) for spec in self.specs]
        self.input_description = None if self.input is None else describe_input(self.input)
        self.view = game_class.view if isinstance(game_class.view, AreaView) else None
        self.area = None if self.view is None else self._describe_area(self.view)

    @classmethod
    def of(cls, game_class: type[Game]) -> Schema:
        """The schema of a game class, made once. SchemaError says what is wrong with the class."""
        if game_class not in cls._of:
            cls._of[game_class] = cls(game_class)
        return cls._of[game_class]

    def build(self) -> dict[str, Table[Any]]:
        """Empty tables for one room, by name; singletons have their row."""
        tables = {spec.name: Table(spec.name, spec.entity, spec.capacity, spec.single) for spec in self.specs}
        for spec in self.specs:
            for field in spec.entity.fields():
                if field.type == "ref":
                    tables[spec.name].bind_ref(field.name, tables[self.specs[self._target(spec, field)].name])
            if spec.single:
                tables[spec.name].spawn()
        return tables

    def describe(self, *, everything: bool = False) -> dict[str, Any]:
        """For a player who sees `everything`, or only as much as the game's view shows."""
        description: dict[str, Any] = {"input": self.input_description, "tables": self.tables}
        if self.area is not None and not everything:
            description["area"] = self.area
        return {"hash": checksum(description), **description}

    def divide(self, tables: dict[str, Table[Any]]) -> Area | None:
        """The area of one room's tables; None if everybody sees everything."""
        if self.view is None or self.area is None:
            return None
        inside = [(number, tables[self.specs[number].name], "x", "y") for number in self.area["tables"]]
        outside = [
            (n, tables[spec.name]) for n, spec in enumerate(self.specs) if spec.name not in self.view.names
        ]
        grid = {name: self.area[name] for name in ("columns", "rows", "x", "y", "size")}
        view = self.view
        return Area(
            inside,
            outside,
            **grid,
            radius=view.radius,
            far=view.far,
            far_every=view.far_every if view.far else 1,
        )

    def _describe_area(self, view: AreaView) -> dict[str, Any]:
        """The `area` of docs/reference/wire.md, section 3."""
        specs = {spec.name: (number, spec) for number, spec in enumerate(self.specs)}
        places = []
        if len(set(view.names)) < len(view.names):
            raise SchemaError(f"{self.name}.view takes each table once")
        for name in view.names:
            if name not in specs or isinstance(specs[name][1], SingletonSpec):
                raise SchemaError(f"{self.name}.view: {name} is no table of the game")
            places.append(place_fields(name, {field.name: field for field in specs[name][1].entity.fields()}))
        return {"tables": sorted(specs[name][0] for name in view.names), **view.grid(places)._asdict()}

    def _describe_table(self, spec: _Spec[Any]) -> dict[str, Any]:
        fields = []
        for field in spec.entity.fields():
            description = describe_field(field)
            if field.type == "ref":
                description["table"] = self._target(spec, field)
            fields.append(description)
        return {
            "name": spec.name,
            "entity": spec.entity.__name__,
            "capacity": spec.capacity,
            "single": isinstance(spec, SingletonSpec),
            "fields": fields,
        }

    def _target(self, spec: _Spec[Any], field: Field[Any]) -> int:
        """The number of the one table that a ref's ids are looked up in."""
        places = [
            place
            for place, other in enumerate(self.specs)
            if other.entity is field.target or other.entity.__name__ == field.target
        ]
        if len(places) != 1:
            raise SchemaError(
                f"{spec.entity.__name__}.{field.name}: {len(places) or 'no'} tables of {self.name} hold "
                f"{field.target!r}; a ref needs exactly one"
            )
        return places[0]


def _declared(game_class: type) -> Iterator[TableSpec[Any] | SingletonSpec[Any]]:
    """Table declarations of a class, those it inherits first."""
    seen: dict[str, TableSpec[Any] | SingletonSpec[Any]] = {}
    for base in reversed(game_class.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, TableSpec | SingletonSpec):
                seen[name] = value
    yield from seen.values()


def describe_field(field: Field[Any]) -> dict[str, Any]:
    """One field as a map of docs/reference/wire.md, section 3 (the `table` of a ref is not known here)."""
    description: dict[str, Any] = {
        "name": field.name,
        "type": field.type,
        "count": field.count,
        "predict": "linear" if field.linear else "hold",
        "ownerOnly": field.owner_only,
        "bits": field.bits,
    }
    if field.type == "fixed":
        description |= {"lo": field.lo, "hi": field.hi, "step": field.step}
    elif field.type == "enum":
        description["values"] = list(field.values)
    elif field.type in ("text", "blob"):
        description["max"] = field.max
    return description


def describe_input(input_class: type[Input]) -> dict[str, Any]:
    """The layout of an input class as a map of docs/reference/wire.md, section 3."""
    description: dict[str, Any] = {
        "name": input_class.__name__,
        "fields": [describe_field(field) for field in input_class.fields()],
    }
    description["hash"] = checksum(description) & 0xFFFF
    return description


def checksum(description: dict[str, Any]) -> int:
    """CRC-32 of compact JSON with sorted keys."""
    return zlib.crc32(json.dumps(description, sort_keys=True, separators=(",", ":")).encode())
