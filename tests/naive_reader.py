"""A second opinion on the wire: reads server messages from docs/reference/wire.md and nothing else.

Knows: that page, rule by rule, in the page's own order and words; every broken rule raises NaiveWireError.
Must not know: anything of the package (it never imports it), nor speed: integers, dicts and lists throughout.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.naive_wire import Cursor, NaiveWireError, crc, input_hash, require, signed, unzigzag

Wire = int | str | bytes
NUMBERED = {0x45: "player_joined", 0x46: "player_left", 0x47: "game_event", 0x48: "error"}
SERVER_KEYS: dict[int, dict[str, Any]] = {  # the keys a reader relies on; others are ignored
    0x41: {"playerId": str, "name": str, "server": str},
    0x45: {"id": str, "name": str},
    0x46: {"playerId": str},
    0x47: {"event": str, "data": object},
    0x48: {"code": str, "message": str},
    0x49: {"timestamp": (int, float), "serverTime": float},
}
TYPES = ("fixed", "angle", "uint", "sint", "bool", "enum", "text", "blob", "ref")
NO_TABLE = 255


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


class NaiveReader:
    """Applies server messages one after another. After a NaiveWireError only a snapshot helps it on."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.welcome: dict[str, Any] | None = None
        self.heartbeats: list[dict[str, Any]] = []
        self._use(schema)

    def _use(self, schema: Mapping[str, Any]) -> None:
        try:
            self._start(schema)
        except (KeyError, TypeError) as error:
            raise NaiveWireError("a schema with keys missing or of another type") from error

    def _start(self, schema: Mapping[str, Any]) -> None:
        require(schema["hash"] == crc({"input": schema["input"], "tables": schema["tables"]}), "schema hash")
        require(len(schema["tables"]) <= 200, "too many tables to number")
        if schema["input"] is not None:
            require(schema["input"]["hash"] == input_hash(schema["input"]), "input hash")
        self.schema = schema
        self._tables = [Table(spec) for spec in schema["tables"]]
        self.position: tuple[int, int] | None = None
        self.own_entity: tuple[str, int] | None = None
        self.acknowledged_input = 0

    def _view(self, cells: str, wanted: Callable[[Column], bool]) -> dict[str, dict[int, dict[str, Any]]]:
        return {
            table.spec["name"]: {
                row.id: table.named(row, wanted, getattr(row, cells)) for row in table.in_order()
            }
            for table in self._tables
        }

    @property
    def tables(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Shared wire values by table, id and field."""
        return self._view("values", lambda column: column.shared)

    @property
    def steps(self) -> dict[str, dict[int, dict[str, Any]]]:
        return self._view("steps", lambda column: column.shared and column.linear)

    @property
    def private(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Owner-only wire values; zero or empty where the server has sent none."""
        return self._view("values", lambda column: not column.shared)

    def apply(self, message: bytes) -> None:
        before, self.position = self.position, None
        cursor = Cursor(message)
        kind = cursor.u8()
        if kind not in (0x42, 0x43, 0x44, *SERVER_KEYS):
            self.position = before
            return
        if kind == 0x43:
            before = self._game_state(cursor, before)
        elif kind == 0x44:
            self._private(cursor)
        elif kind == 0x42:
            self._use(cursor.map())
            before = None
        else:
            number = cursor.varint() if kind in NUMBERED else 0
            self._map(kind, number, cursor.map())
        cursor.finish()
        self.position = before

    def _map(self, kind: int, number: int, body: dict[str, Any]) -> None:
        for key, expected in SERVER_KEYS[kind].items():
            require(key in body and isinstance(body[key], expected), f"{key} is missing or of another type")
        if kind in NUMBERED:
            require(number == len(self.events) + 1, "a numbered message out of order")
            self.events.append((number, NUMBERED[kind], body))
        elif kind == 0x41:
            self.welcome = body
        else:
            self.heartbeats.append(body)

    def _game_state(self, cursor: Cursor, old: tuple[int, int] | None) -> tuple[int, int]:
        flags, epoch, tick = cursor.u8(), cursor.varint(), cursor.varint64()
        require(flags <= 2, "flags that do not go together")
        snapshot, corrections = flags == 1, flags == 2
        gap = 0
        if snapshot:
            for table in self._tables:
                table.rows = {}
        else:
            gap = cursor.varint()
            require(gap >= 1, "a delta to its own base")
            require(old == (epoch, tick - gap), "not the reader's position")
        sections = list(self._sections(cursor, snapshot, gap, corrections))
        for number, table in enumerate(self._tables):
            if number not in sections:
                extrapolate(table, gap)
            if table.spec["single"]:
                require(list(table.rows) == [0], "a single table without its one row")
            for row in table.rows.values():
                for place in table.shared:
                    table.columns[place].check(row.values[place])
        return epoch, tick

    def _sections(self, cursor: Cursor, snapshot: bool, gap: int, corrections: bool) -> Iterator[int]:
        previous = -1
        while cursor.left:
            number, parts = cursor.u8(), cursor.u8()
            require(previous < number < len(self._tables), "a table out of order or out of bounds")
            require(1 <= parts <= 7, "a section of impossible parts")
            require(not snapshot or parts == 2, "a snapshot has entered rows only")
            table = self._tables[number]
            if parts & 1:
                gone(cursor, table)
            extrapolate(table, gap)
            new = entered(cursor, table) if parts & 2 else set()
            if parts & 4:
                (corrected if corrections else residuals)(cursor, table, new)
            previous = number
            yield number

    def _private(self, cursor: Cursor) -> None:
        flags = cursor.u8()
        require(flags <= 15, "an unused flag is set")
        if flags & 1:
            self.acknowledged_input = cursor.varint()
        if flags & 2:
            number, entity = cursor.u8(), cursor.varint()
            require((number == NO_TABLE) == (entity == 0), "no table goes with no entity")
            require(number == NO_TABLE or number < len(self._tables), "a table out of bounds")
            own = None if number == NO_TABLE else (self._tables[number].spec["name"], entity)
            self.own_entity = own
        if flags & 8:
            for table in self._tables:
                for row in table.rows.values():
                    row.values = [
                        v if c.shared else c.empty for v, c in zip(row.values, table.columns, strict=True)
                    ]
        previous = -1
        while flags & 4 and cursor.left:
            number, count, slot = cursor.u8(), cursor.varint(), -1
            require(previous < number < len(self._tables), "a table out of order or out of bounds")
            for _ in range(count):
                slot = self._private_row(cursor, self._tables[number], slot)
            previous = number

    def _private_row(self, cursor: Cursor, table: Table, previous: int) -> int:
        slot = cursor.varint()
        require(previous < slot and slot in table.rows, "private values of a row out of order or not there")
        for place, column in enumerate(table.columns):
            if not column.shared:
                value = column.value(cursor.varint()) if column.numeric else column.read_bytes(cursor)
                column.check(value)
                table.rows[slot].values[place] = value
        return slot


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
    for place in table.shared:
        read_absolute(cursor, table.columns[place], [table.rows[slot] for slot in slots], place)
    return set(slots)


def residuals(cursor: Cursor, table: Table, new: set[int]) -> None:
    everyone = table.in_order()
    rows = [everyone[number] for number in cursor.row_set(len(everyone))]
    for number in cursor.mask(len(table.shared)):
        place = table.shared[number]
        column = table.columns[place]
        if not column.numeric:
            for chosen in cursor.row_set(len(rows)):
                require(rows[chosen].id % (1 << 20) not in new, "a change to a row that has just entered")
                rows[chosen].values[place] = column.read_bytes(cursor)
            continue
        head = cursor.u8()
        require(head < 0x80, "bit 7 of a column's head is set")
        numbers = cursor.values(len(rows), head & 0x3F)
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
            if column.linear:
                row.steps[place] = column.added_step(row.steps[place], residual)


def corrected(cursor: Cursor, table: Table, _new: set[int]) -> None:
    everyone = table.in_order()
    for number in cursor.mask(len(table.shared)):
        place = table.shared[number]
        rows = [everyone[chosen] for chosen in cursor.row_set(len(everyone))]
        read_absolute(cursor, table.columns[place], rows, place)
