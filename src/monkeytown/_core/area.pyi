"""Tables divided into cells, and what each cell has to tell, encoded once for all who see it."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.state import Table

HYSTERESIS: float
"""How far beyond its cell's border a row may be, as a share of the cell's side."""

@disjoint_base
class Area:
    """Tables by cell. `inside`: (number, table, name of the x field, name of the y field); `outside`: (number, table)
    of the others.

    The cells are `columns` × `rows` squares of side `size` from (`x`, `y`) on; what is further out is in the nearest.
    Whoever looks from a cell sees all that is within `radius` of any place in it, and, in the far ring, within `far`.
    """

    columns: int
    rows: int
    x: float
    y: float
    size: float
    far_every: int
    tick: int
    """Of the newest commit that was followed."""
    moved_owners: set[int]
    """Whose rows came into another cell in the newest tick, of tables with owner-only fields."""
    encoded: int
    """How many pieces were encoded, in all ticks."""
    shared: int
    """How many times a piece was found ready, in all ticks."""

    def __init__(
        self,
        inside: Sequence[tuple[int, Table[Any], str, str]],
        outside: Sequence[tuple[int, Table[Any]]],
        *,
        columns: int,
        rows: int,
        x: float,
        y: float,
        size: float,
        radius: float,
        far: float = 0,
        far_every: int = 1,
    ) -> None: ...
    def restart(self) -> None:
        """The tables begin another history, as those of a copy do with a snapshot: nothing of the one before is of use."""

    def follow(self, tick: int) -> None:
        """Takes in the commit of `tick`; what was encoded before it is gone."""

    def remembers(self, base: int) -> bool:
        """Whether a reader at `base` can be told all that happened since in tables that everybody sees."""
