"""What part of a room its players see: `area` for what is around them, `everything` for all of it.

A declaration, made once with the game's class. Knows numbers and names; where a player looks from, and what is then
sent, is the room's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from monkeytown._core.area import HYSTERESIS
from monkeytown.errors import SchemaError

if TYPE_CHECKING:
    from monkeytown._core.fields import Field

__all__ = ["AreaView", "Everything", "Grid", "area", "everything"]

MAX_CELLS = 65536
LONGEST_DELAY = 600.0


class Everything(NamedTuple):
    """All of the room, as it was `delay` seconds ago."""

    delay: float = 0.0


def everything(*, delay: float = 0.0) -> Everything:
    """All of the room: what a game without a `view` shows, and what spectators of one with an area may be given.

    `delay` is in seconds, for spectators who must not help those who play.
    """
    if not 0 <= delay <= LONGEST_DELAY:
        raise SchemaError(f"everything(delay={delay!r}): use 0 to {LONGEST_DELAY:.0f} seconds")
    return Everything(float(delay))


class Grid(NamedTuple):
    """Cells on the plane: `columns` × `rows` squares of side `size` from (`x`, `y`) on, in units of the game."""

    columns: int
    rows: int
    x: float
    y: float
    size: float


class AreaView(NamedTuple):
    """What is around a player. Made by `area`, which documents the parameters."""

    radius: float
    tables: tuple[Any, ...]
    far: float
    far_every: int
    cell: float

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tables; those that a class declares have none before the class is made."""
        return tuple(table if isinstance(table, str) else table.name for table in self.tables)

    def grid(self, places: Iterable[tuple[Field[Any], Field[Any]]]) -> Grid:
        """The cells that cover wherever the given (x, y) fields can be."""
        across, along = zip(*places, strict=True)
        x, width = _span(across)
        y, height = _span(along)
        grid = Grid(max(1, ceil(width / self.cell)), max(1, ceil(height / self.cell)), x, y, self.cell)
        if grid.columns * grid.rows > MAX_CELLS:
            raise SchemaError(
                f"an area of cells of {self.cell:g} in a world of {width:g} × {height:g} has {grid.columns * grid.rows}"
                f" cells; at most {MAX_CELLS} are possible: enlarge the radius (or cell), or narrow the range of x and y"
            )
        return grid


def area(radius: float, *tables: Any, far: float = 0.0, far_every: int = 3, cell: float = 0.0) -> AreaView:
    """A player sees the rows of `tables` (tables of the game, or their names) that are within `radius` of its
    focus, and all rows of the other tables.

    The focus is the player's entity unless `player.focus` says otherwise. Rows have numbers `x` and `y`. The
    world is divided into square cells, and what is in a cell is sent alike to all who see it: everything within
    `radius`, for certain, and whatever else is in the same cells. With the default `cell` nothing comes from
    further away than 2.75 × `radius` in x or in y; with another, than `radius` + 2.4 × `cell`.

    `far` is a larger radius within which rows are sent as well, but only every `far_every` ticks. `cell` is the
    side of a cell; the default, 1.25 × `radius`, makes a view of 3 × 3 cells, which suits crowds of some dozens
    in sight. Smaller cells cut the view closer and cost more, since each has sections of its own.
    """
    if not tables or not all(isinstance(getattr(table, "name", table), str) for table in tables):
        raise SchemaError("area(radius, table, …) takes at least one table of the game")
    if not (isfinite(radius) and radius > 0):
        raise SchemaError(f"area({radius!r}, …): the radius is above 0")
    if far and not (isfinite(far) and far > radius):
        raise SchemaError(f"area(…, far={far!r}): the far ring is larger than the radius")
    if type(far_every) is not int or not 2 <= far_every <= 60:
        raise SchemaError(f"area(…, far_every={far_every!r}): use 2 to 60 ticks")
    if cell and not (isfinite(cell) and cell >= radius / 8):
        raise SchemaError(
            f"area(…, cell={cell!r}): cells of less than an eighth of the radius cost more than they save"
        )
    return AreaView(float(radius), tables, float(far), far_every, float(cell) or radius / (1 - 2 * HYSTERESIS))


def place_fields(name: str, fields: Mapping[str, Field[Any]]) -> tuple[Field[Any], Field[Any]]:
    """The fields that say where the rows of a table are."""
    found = []
    for axis in ("x", "y"):
        field = fields.get(axis)
        if field is None or field.type not in ("fixed", "uint", "sint") or field.count or field.owner_only:
            raise SchemaError(
                f"table {name} is seen by area: its rows need a number {axis} (fixed, uint or sint) that all may see"
            )
        found.append(field)
    return found[0], found[1]


def _span(fields: Iterable[Field[Any]]) -> tuple[float, float]:
    """The least value that any of the fields can have, and from there to the largest."""
    ranges = [_range(field) for field in fields]
    least = min(low for low, _ in ranges)
    return least, max(high for _, high in ranges) - least


def _range(field: Field[Any]) -> tuple[float, float]:
    if field.type == "fixed":
        return field.lo, field.hi
    if field.type == "sint":
        return -float(1 << (field.bits - 1)), float((1 << (field.bits - 1)) - 1)
    return 0.0, float((1 << field.bits) - 1)
