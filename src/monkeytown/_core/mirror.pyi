"""State frames in: applies `game_state` messages to tables."""

from typing import Any

from monkeytown._core.glimpse import Glimpse
from monkeytown._core.state import Table
from monkeytown.position import Position

def apply(
    frame: bytes, tables: tuple[Table[Any], ...], position: Position | None, glimpse: Glimpse | None = None
) -> Position:
    """Brings tables from `position` (None before the first snapshot) to the frame's position, which it returns.

    `glimpse` is what else the reader of a room with an `area` keeps: always the same one with the same tables. After a
    WireError the tables may hold half a message, and only a snapshot may be applied next.
    """
