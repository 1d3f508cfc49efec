"""State as values: what the JSON encoding shows, and what only the owner of a row may see."""

from typing import Any

from monkeytown._core.sight import Sight
from monkeytown._core.state import Table

def changes(tables: tuple[Table[Any], ...], base: int | None) -> dict[str, dict[str, Any]]:
    """The `tables` of a JSON `game_state`: what differs from tick `base`, or everything for None.

    {table: {"set": {id: {field: value}}, "gone": [id]}}; what is empty is left out.
    """

def look(tables: tuple[Table[Any], ...], sight: Sight, base: int | None) -> dict[str, dict[str, Any]]:
    """`changes` for one reader of an area, who is taken to have them."""

def changed_owners(tables: tuple[Table[Any], ...], base: int) -> set[int]:
    """Numbers of the players whose owner_only values, or whose rows, changed since tick `base`."""

def private(
    tables: tuple[Table[Any], ...], owner: int, base: int | None, sight: Sight | None = None
) -> tuple[bool, bytes]:
    """The values of a `private` message (docs/reference/wire.md, section 5) for one owner: (reset, bytes).

    What changed since tick `base`; everything, with `reset` true, for None or if rows changed hands since. With a
    sight, of the rows that it shows.
    """

def private_values(
    tables: tuple[Table[Any], ...], owner: int, base: int | None, sight: Sight | None = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """The same for the JSON encoding: {table: {id: {field: value}}}."""
