"""What a reader of cells keeps beside its tables: its view, the cell of each row, and the tick of its far cells."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.state import Row, Table

@disjoint_base
class Glimpse:
    """What one reader of an area sees. `area` is that of the schema, `tables` are all of the room's, in order.

    Raises WireError for an area that there cannot be.
    """

    @property
    def far_tick(self) -> int:
        """The tick that the far cells are at."""

    @property
    def view(self) -> list[tuple[int, bool]]:
        """The cells that the reader sees, in order: (cell, whether it is in the far ring)."""

    def __init__(self, area: Mapping[str, Any], tables: tuple[Table[Any], ...]) -> None: ...
    def cell_of(self, row: Row) -> int | None:
        """The cell that a row is in; None for one of a table that is not divided, or that is gone."""
