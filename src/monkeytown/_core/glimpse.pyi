"""What a reader has of a room with an area: which cells it sees, how far they are, and which row is in which."""

from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.state import Row, Table

@disjoint_base
class Shown:
    """One area table: its rows by cell."""

    table: Table[Any]
    def __new__(cls, table: Table[Any]) -> Shown: ...

@disjoint_base
class Slots:
    """The slots that one cell counts: those of the rows in it, and of rows that went elsewhere before they were gone."""

@disjoint_base
class Glimpse:
    """What one reader sees of the `tables` of a room, whose schema has the map `area`. WireError if that breaks a rule."""

    cell_count: int
    far_tick: int
    """The tick that the far cells are at."""

    def __init__(self, area: dict[str, Any], tables: tuple[Table[Any], ...]) -> None: ...
    @property
    def view(self) -> dict[int, str]:
        """The ring, `near` or `far`, of each cell that is seen."""

    def cell_of(self, row: Row) -> int:
        """The cell that a row is in. KeyError if it is in none."""
