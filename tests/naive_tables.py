"""Tables, naively: sections 3 and 4 of docs/reference/wire.md, as far as they speak of columns, rows and parts of a section.

Knows: that page, rule by rule; every broken rule raises NaiveWireError.
Must not know: anything of the package (it never imports it), nor what a message is.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.naive_wire import Cursor, require, signed, unzigzag

Wire = int | str | bytes
TYPES = ("fixed", "angle", "uint", "sint", "bool", "enum", "text", "blob", "ref")


class Column(NamedTuple):
    """One column of section 3: a field, or one place of an array."""

    field: Mapping[str, Any]
    linear: bool
    shared: bool

    @property
    def numeric(self) -> bool:
        return self.field["type"] not in ("text", "blob")

    @property
    def empty(self) -> Wire:
        empty: dict[str, Wire] = {"text": "", "blob": b""}
        return empty.get(self.field["type"], 0)

    def added(self, value: int, change: int) -> int:
        """The sum modulo 2^32, signed for a `sint`; modulo 2^bits for an angle."""
        if self.field["type"] == "angle":
            return (value + change) % (1 << self.step_bits)
        return signed(value + change, 32) if self.field["type"] == "sint" else (value + change) % (1 << 32)

    def added_step(self, step: int, change: int) -> int:
        return signed(step + change, self.step_bits)

    @property
    def step_bits(self) -> int:
        return int(self.field["bits"]) if self.field["type"] == "angle" else 32

    def change(self, number: int) -> int:
        require(number < 1 << self.step_bits, "a step or residual that its column cannot hold")
        return unzigzag(number)

    def value(self, number: int) -> int:
        return unzigzag(number) if self.field["type"] == "sint" else number

    def check(self, value: Wire) -> None:
        kind, bits = self.field["type"], self.field["bits"]
        if isinstance(value, int):
            low, high = {
                "sint": (-(1 << bits) // 2, (1 << bits) // 2 - 1),
                "bool": (0, 1),
                "enum": (0, len(self.field.get("values", ())) - 1),
                "fixed": (0, largest_fixed(self.field) if kind == "fixed" else 0),
            }.get(kind, (0, (1 << bits) - 1))
            require(low <= value <= high, f"{self.field['name']}: {value} is not a wire value of its type")
        else:
            require(len(value) <= self.field["max"], f"{self.field['name']} is longer than its max")

    def read_bytes(self, cursor: Cursor) -> Wire:
        value = cursor.text() if self.field["type"] == "text" else cursor.blob()
        self.check(value)
        return value


def largest_fixed(a_field: Mapping[str, Any]) -> int:
    steps: float = (a_field["hi"] - a_field["lo"]) / a_field["step"]
    return round(steps)


@dataclass
class Row:
    id: int
    values: list[Any]
    steps: list[int]


@dataclass
class Table:
    """A table of section 3: its columns, and the rows a reader has by slot."""

    spec: Mapping[str, Any]
    columns: list[Column] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    received: set[int] = field(default_factory=set)  # ids of the rows whose values were in the newest message

    def __post_init__(self) -> None:
        require(1 <= self.spec["capacity"] <= 1 << 20, "a capacity out of bounds")
        for spec in self.spec["fields"]:
            require(spec["type"] in TYPES, "an unknown type of field")
            predicted = spec["type"] in ("fixed", "angle", "uint", "sint") and not spec["ownerOnly"]
            require(spec["predict"] in ("hold", "linear")[: 1 + predicted], "an impossible prediction")
            bounds = (0, 0) if spec["type"] in ("text", "blob") else (1, 32)
            require(bounds[1] > 0 or not spec["count"], "an array of text or blobs")
            require(bounds[0] <= spec["bits"] <= bounds[1], "a field of impossible bits")
            column = Column(spec, spec["predict"] == "linear", not spec["ownerOnly"])
            self.columns += [column] * (spec["count"] or 1)

    @property
    def shared(self) -> list[int]:
        return [place for place, column in enumerate(self.columns) if column.shared]

    def part(self, slots: Iterable[int]) -> "Table":
        """Some of its rows, to apply a section to; the rows themselves are the same."""
        part = copy(self)
        part.rows = {slot: self.rows[slot] for slot in slots}
        return part

    def in_order(self) -> list[Row]:
        return [self.rows[slot] for slot in sorted(self.rows)]

    def named(self, row: Row, wanted: Callable[[Column], bool], cells: list[Any]) -> dict[str, Any]:
        found, place = {}, 0
        for spec in self.spec["fields"]:
            width = spec["count"] or 1
            if wanted(self.columns[place]):
                found[spec["name"]] = cells[place : place + width] if spec["count"] else cells[place]
            place += width
        return found


def gone(cursor: Cursor, table: Table) -> None:
    count = cursor.varint()
    require(1 <= count <= len(table.rows), "an impossible count of gone rows")
    for slot in cursor.gaps(count, table.spec["capacity"]):
        require(slot in table.rows, "a row is gone that was not there")
        del table.rows[slot]


def extrapolate(table: Table, gap: int) -> None:
    for row in table.rows.values():
        for place, column in enumerate(table.columns):
            if column.linear and column.shared:
                row.values[place] = column.added(row.values[place], row.steps[place] * gap)


def read_absolute(cursor: Cursor, column: Column, rows: list[Row], place: int) -> None:
    if column.numeric:
        for row, number in zip(rows, cursor.packed(len(rows)), strict=True):
            row.values[place] = column.value(number)
            column.check(row.values[place])
        if column.linear:
            for row, number in zip(rows, cursor.packed(len(rows)), strict=True):
                row.steps[place] = column.change(number)
    else:
        for row in rows:
            row.values[place] = column.read_bytes(cursor)


def entered(cursor: Cursor, table: Table) -> set[int]:
    count = cursor.varint()
    require(1 <= count <= table.spec["capacity"], "an impossible count of entered rows")
    slots = cursor.gaps(count, table.spec["capacity"])
    generations = [number + 1 for number in cursor.packed(count)]
    require(all(generation <= 4095 for generation in generations), "a generation above 4095")
    for slot, generation in zip(slots, generations, strict=True):
        empty = [column.empty for column in table.columns]
        table.rows[slot] = Row(generation << 20 | slot, empty, [0] * len(empty))
        table.received.add(table.rows[slot].id)
    for place in table.shared:
        read_absolute(cursor, table.columns[place], [table.rows[slot] for slot in slots], place)
    return set(slots)


def residuals(cursor: Cursor, table: Table, new: set[int]) -> None:
    everyone = table.in_order()
    rows = [everyone[number] for number in cursor.row_set(len(everyone))]
    table.received.update(row.id for row in rows)
    for number in cursor.mask(len(table.shared)):
        place = table.shared[number]
        column = table.columns[place]
        if not column.numeric:
            for chosen in cursor.row_set(len(rows)):
                require(rows[chosen].id % (1 << 20) not in new, "a change to a row that has just entered")
                rows[chosen].values[place] = column.read_bytes(cursor)
            continue
        head = cursor.u8()
        width = head & 0x3F
        numbers = cursor.values(len(rows), width)
        if head & 0x80:
            require(width <= 28, "a width beside quotients is above 28")
            above = cursor.quotients(len(rows))
            numbers = [number | high << width for number, high in zip(numbers, above, strict=True)]
        if head & 0x40:
            count = cursor.varint()
            require(1 <= count <= len(rows), "an impossible count of outliers")
            places = cursor.gaps(count, len(rows))
            require(
                not any(numbers[outlier] for outlier in places), "an outlier is not zero among the others"
            )
            for outlier, far in zip(places, cursor.packed(count), strict=True):
                numbers[outlier] = far
        for row, residual in zip(rows, map(column.change, numbers), strict=True):
            require(not residual or row.id % (1 << 20) not in new, "a change to a row that has just entered")
            row.values[place] = column.added(row.values[place], residual)
            if residual:
                column.check(row.values[place])
            if column.linear:
                row.steps[place] = column.added_step(row.steps[place], residual)


def corrected(cursor: Cursor, table: Table, _new: set[int]) -> None:
    everyone = table.in_order()
    for number in cursor.mask(len(table.shared)):
        place = table.shared[number]
        rows = [everyone[chosen] for chosen in cursor.row_set(len(everyone))]
        table.received.update(row.id for row in rows)
        read_absolute(cursor, table.columns[place], rows, place)
