"""A second opinion on the wire: reads server messages from docs/reference/wire.md and nothing else.

Knows: that page, rule by rule, in the page's own order and words; every broken rule raises NaiveWireError.
Must not know: anything of the package (it never imports it), nor speed: integers, dicts and lists throughout.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.naive_cells import Cells
from tests.naive_tables import Column, Table, corrected, entered, extrapolate, gone, residuals
from tests.naive_wire import Cursor, NaiveWireError, crc, input_hash, require

NUMBERED = {0x45: "player_joined", 0x46: "player_left", 0x47: "game_event", 0x48: "error"}
SERVER_KEYS: dict[int, dict[str, Any]] = {  # the keys a reader relies on; others are ignored
    0x41: {"playerId": str, "name": str, "server": str, "session": str},
    0x45: {"id": str, "name": str},
    0x46: {"playerId": str},
    0x47: {"event": str, "data": object},
    0x48: {"code": str, "message": str},
    0x49: {"timestamp": (int, float), "serverTime": float, "received": int},
    0x4A: {"code": int, "reason": str},
}
RESUMED_KEYS: dict[str, Any] = {  # of the answer to a hello with `resume`
    "recovered": bool,
    "resumed": (str, type(None)),
    "received": int,
    "number": int,
    "gameId": (str, type(None)),
}
NO_TABLE = 255


class NaiveReader:
    """Applies server messages one after another. After a NaiveWireError only a snapshot helps it on."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.number = 0
        """The newest numbered message read."""
        self.welcome: dict[str, Any] | None = None
        self.closed: dict[str, Any] | None = None
        self.heartbeats: list[dict[str, Any]] = []
        self._use(schema)

    def _use(self, schema: Mapping[str, Any]) -> None:
        try:
            self._start(schema)
        except (KeyError, TypeError) as error:
            raise NaiveWireError("a schema with keys missing or of another type") from error

    def _start(self, schema: Mapping[str, Any]) -> None:
        area = schema.get("area")
        hashed = {key: schema[key] for key in ("input", "tables")} | ({} if area is None else {"area": area})
        require(schema["hash"] == crc(hashed), "schema hash")
        require(len(schema["tables"]) <= 200, "too many tables to number")
        if schema["input"] is not None:
            require(schema["input"]["hash"] == input_hash(schema["input"]), "input hash")
        self.schema = schema
        self._tables = [Table(spec) for spec in schema["tables"]]
        self._cells = None if area is None else Cells(area, self._tables)
        self.position: tuple[int, int] | None = None
        self.own_entity: tuple[str, int] | None = None
        self.acknowledged_input = 0

    def _by_id(self, cells: str, wanted: Callable[[Column], bool]) -> dict[str, dict[int, dict[str, Any]]]:
        return {
            table.spec["name"]: {
                row.id: table.named(row, wanted, getattr(row, cells)) for row in table.in_order()
            }
            for table in self._tables
        }

    @property
    def tables(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Shared wire values by table, id and field."""
        return self._by_id("values", lambda column: column.shared)

    @property
    def steps(self) -> dict[str, dict[int, dict[str, Any]]]:
        return self._by_id("steps", lambda column: column.shared and column.linear)

    @property
    def private(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Owner-only wire values; zero or empty where the server has sent none."""
        return self._by_id("values", lambda column: not column.shared)

    @property
    def view(self) -> dict[int, str]:
        """The cells it sees, each "near" or "far"."""
        return {} if self._cells is None else self._cells.view

    @property
    def cells(self) -> dict[str, dict[int, int]]:
        """The cell of each row of an area table, by table and id."""
        return {
            self._tables[number].spec["name"]: {
                self._tables[number].rows[slot].id: cell for slot, cell in where.items()
            }
            for number, where in ({} if self._cells is None else self._cells.where).items()
        }

    @property
    def far_tick(self) -> int | None:
        """The tick that the far cells are at; None without an area, or before the first snapshot."""
        return None if self._cells is None else self._cells.far_tick

    @property
    def renewed(self) -> set[int]:
        """The cells that were lost in the newest state and are in the view again."""
        return set() if self._cells is None else self._cells.renewed

    @property
    def received(self) -> set[tuple[str, int]]:
        """(table, id) of every row whose values were in the newest state: those that entered, were selected or corrected."""
        return {(table.spec["name"], id) for table in self._tables for id in table.received}

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
        keys = SERVER_KEYS[kind] | (RESUMED_KEYS if kind == 0x41 and "recovered" in body else {})
        for key, expected in keys.items():
            require(key in body and isinstance(body[key], expected), f"{key} is missing or of another type")
        if kind in NUMBERED:
            require(number == self.number + 1, "a numbered message out of order")
            self.number = number
            self.events.append((number, NUMBERED[kind], body))
        elif kind == 0x41:
            self.welcome = body
            self.number = body.get("number", self.number)
        elif kind == 0x4A:
            self.closed = body
        else:
            self.heartbeats.append(body)

    def _game_state(self, cursor: Cursor, old: tuple[int, int] | None) -> tuple[int, int]:
        flags, epoch, tick = cursor.u8(), cursor.varint(), cursor.varint64()
        snapshot, corrections, view, far = (bool(flags & bit) for bit in (1, 2, 4, 8))
        require(flags <= (3 if self._cells is None else 15), "an unused flag is set")
        require(not (snapshot and corrections), "corrections to a snapshot")
        gap = far_gap = 0
        for table in self._tables:
            table.received = set()
            table.rows = {} if snapshot else table.rows
        if not snapshot:
            gap = cursor.varint()
            require(gap >= 1, "a delta to its own base")
            require(old == (epoch, tick - gap), "not the reader's position")
        if far and not snapshot:
            far_gap = cursor.varint()
            require(far_gap >= 1, "a far ring to its own tick")
            require(self.far_tick == tick - far_gap, "not the far ring's tick")
        if self._cells is not None:
            self._cells.begin(tick, gap, far_gap if far else None, snapshot)
            if view:
                self._cells.read_view(cursor)
        self._sections(cursor, snapshot, gap, corrections)
        if self._cells is not None:
            self._cells.read_sections(cursor)
        for table in self._tables:
            if table.spec["single"]:
                require(list(table.rows) == [0], "a single table without its one row")
            for row in table.rows.values():
                for place in table.shared:
                    table.columns[place].check(row.values[place])
        return epoch, tick

    def _sections(self, cursor: Cursor, snapshot: bool, gap: int, corrections: bool) -> None:
        """Those of tables that everybody sees."""
        previous, rest = -1, {number for number in range(len(self._tables)) if not self._is_area(number)}
        while cursor.left and not self._is_area(cursor.data[cursor.at]):
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
            rest.remove(number)
        for number in rest:
            extrapolate(self._tables[number], gap)

    def _is_area(self, number: int) -> bool:
        return self._cells is not None and number in self._cells.tables

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
