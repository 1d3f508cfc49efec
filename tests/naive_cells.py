"""Cells, naively: what a reader keeps of a room with an `area`, and the view part and the sections of cells.

Knows: *Cells* and *Cells in a state* of docs/reference/wire.md, rule by rule; every broken rule raises NaiveWireError.
Must not know: anything of the package (it never imports it), nor the rest of a message.
"""

from collections.abc import Mapping
from typing import Any

from tests.naive_tables import Table, corrected, entered, extrapolate, residuals
from tests.naive_wire import Cursor, require

MOST_CELLS = 65536


class Cells:
    """The view of one reader, and which slots of which area table each of its cells counts."""

    def __init__(self, area: Mapping[str, Any], tables: list[Table]) -> None:
        numbers = area["tables"]
        require(numbers == sorted({*numbers}) and len(numbers) >= 1, "area tables that do not ascend")
        require(all(0 <= number < len(tables) for number in numbers), "an area table that is not there")
        require(not any(tables[number].spec["single"] for number in numbers), "a single table in cells")
        require(area["columns"] >= 1 and area["rows"] >= 1, "an area without cells")
        self.count = area["columns"] * area["rows"]
        require(self.count <= MOST_CELLS, "too many cells")
        self.tables: dict[int, Table] = {number: tables[number] for number in numbers}
        self.view: dict[int, str] = {}
        self.far_tick: int | None = None
        self.renewed: set[int] = set()
        self.where: dict[int, dict[int, int]] = {number: {} for number in numbers}
        self.slots: dict[int, dict[int, set[int]]] = {number: {} for number in numbers}

    def begin(self, tick: int, gap: int, far_gap: int | None, snapshot: bool) -> None:
        """A message of `tick` begins; `far_gap`: None without *far*."""
        self.renewed = set()
        self.snapshot, self.gap, self.far = snapshot, gap, far_gap is not None
        if snapshot:
            self.view = {}
            self.where = {number: {} for number in self.tables}
            self.slots = {number: {} for number in self.tables}
        # By how much each cell extrapolates; None: nothing in it moves, and there is no section of it.
        self.gaps = {cell: gap if ring == "near" else far_gap for cell, ring in self.view.items()}
        if snapshot or self.far:
            self.far_tick = tick

    def read_view(self, cursor: Cursor) -> None:
        lost, near, distant = (self._list(cursor) for _ in range(3))
        require(not self.snapshot or not lost, "a cell is lost in a snapshot")
        require(not {*near} & {*distant}, "a cell that is near and far")
        self.renewed = {*lost} & {*near, *distant}
        for cell in lost:
            require(cell in self.view, "a cell is lost that was not in the view")
            del self.view[cell]
            self._empty(cell)
        for ring, cells in (("near", near), ("far", distant)):
            for cell in cells:
                if cell in self.view:
                    require(self.far or self.view[cell] == ring, "a ring changes without the far ring")
                else:
                    require(
                        ring == "near" or self.snapshot or self.far, "a far cell comes without the far ring"
                    )
                    self.gaps[cell] = self.gap
                    for slots in self.slots.values():
                        slots[cell] = set()
                self.view[cell] = ring

    def _list(self, cursor: Cursor) -> list[int]:
        count = cursor.varint()
        return cursor.gaps(count, self.count) if count else []

    def _empty(self, cell: int) -> None:
        for number, table in self.tables.items():
            for slot in self.slots[number].pop(cell):
                if self.where[number].get(slot) == cell:
                    del self.where[number][slot], table.rows[slot]

    def read_sections(self, cursor: Cursor) -> None:
        previous = (-1, -1)
        done = set()
        while cursor.left:
            number, parts, cell = cursor.u8(), cursor.u8(), cursor.varint()
            require(number in self.tables, "a section of a cell for a table without cells")
            require(previous < (cell, number), "a cell out of order")
            require(1 <= parts <= 15 and parts & 12 != 12, "a section of impossible parts")
            require(not self.snapshot or parts == 2, "a snapshot has entered rows only")
            require(cell in self.view, "a section of a cell that is not in the view")
            gap = self.gaps[cell]
            require(gap is not None, "a section of a far cell without the far ring")
            self._section(cursor, number, parts, cell, gap or 0)
            previous = (cell, number)
            done.add(previous)
        for cell in self.view:
            gap = self.gaps[cell]
            for number in self.tables:
                if (cell, number) not in done and gap is not None:
                    extrapolate(self._part(number, cell), gap)

    def _part(self, number: int, cell: int) -> Table:
        """The rows of a table that are in the cell."""
        where = self.where[number]
        return self.tables[number].part(slot for slot in self.slots[number][cell] if where.get(slot) == cell)

    def _section(self, cursor: Cursor, number: int, parts: int, cell: int, gap: int) -> None:
        if parts & 1:
            self._gone(cursor, number, cell)
        part = self._part(number, cell)
        extrapolate(part, gap)
        new = entered(cursor, part) if parts & 2 else set()
        for slot in new:
            self.tables[number].rows[slot] = part.rows[slot]
            self.where[number][slot] = cell
            self.slots[number][cell].add(slot)
        if parts & 4:
            residuals(cursor, part, new)
        elif parts & 8:
            corrected(cursor, part, new)

    def _gone(self, cursor: Cursor, number: int, cell: int) -> None:
        slots, where = self.slots[number][cell], self.where[number]
        count = cursor.varint()
        require(1 <= count <= len(slots), "an impossible count of gone rows")
        for slot in cursor.gaps(count, self.tables[number].spec["capacity"]):
            require(slot in slots, "a row is gone that was not there")
            slots.remove(slot)
            if where.get(slot) == cell:
                del where[slot], self.tables[number].rows[slot]
