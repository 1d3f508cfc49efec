"""State frames out: `game_state` messages (docs/reference/wire.md, section 4) from committed tables.

Between a commit and its frames no row may come or go: RuntimeError otherwise.
"""

from typing import Any

from monkeytown._core.state import Table

def is_settled(tables: tuple[Table[Any], ...]) -> bool:
    """Whether no row has come or gone since the newest commit, so that there is something to encode."""

def snapshot(tables: tuple[Table[Any], ...], epoch: int, tick: int) -> bytes:
    """The whole state at `tick`, the newest commit of all tables, as a `game_state` message."""

def encode(tables: tuple[Table[Any], ...], epoch: int, base: int, tick: int) -> bytes:
    """What brings a reader from tick `base` to `tick`, the newest commit of all tables, as a `game_state` message."""

def can_continue(tables: tuple[Table[Any], ...], base: int) -> bool:
    """Whether a reader at tick `base` can be given a delta: all that happened since is still known."""

def has_news(tables: tuple[Table[Any], ...], base: int) -> bool:
    """Whether a reader at tick `base` has anything to be told: something changed since, or is in motion."""
