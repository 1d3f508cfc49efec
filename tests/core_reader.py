"""The core as a reader: the tables of a schema map, and the frames that are applied to them.

Knows the core's mirror and glimpse; not what must come of it.
"""

from typing import Any

from monkeytown import schema
from monkeytown._core import mirror
from monkeytown._core.glimpse import Glimpse
from monkeytown._core.state import Table
from monkeytown.position import Position
from tests.twin import declared_game, specs_of


class CoreReader:
    """One reader. After a frame that is refused only a snapshot helps it on."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.by_name = schema.Schema(declared_game(specs_of(told["tables"]))).build()
        self.tables: tuple[Table[Any], ...] = tuple(self.by_name.values())
        self.glimpse = Glimpse(told["area"], self.tables) if told.get("area") else None
        self.position: Position | None = None

    def apply(self, frame: bytes) -> Position:
        position, self.position = self.position, None
        self.position = mirror.apply(frame, self.tables, position, self.glimpse)
        return self.position

    @property
    def cells(self) -> dict[str, dict[int, int | None]]:
        """The cell of each row of the tables of the area, by table and id."""
        assert self.glimpse is not None
        inside = [self.tables[number] for number in self.told["area"]["tables"]]
        return {table.name: {row.id: self.glimpse.cell_of(row) for row in table} for table in inside}
