"""Where a reader stands in a room's history: the one small value every reader keeps.

Knows nothing else of the project. A tick alone is never enough: the epoch names the history that it counts in.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Position", "Reason"]


class Position(NamedTuple):
    """`epoch` names a history (1 or more), `tick` counts in it (0 or more, 64 bits, never wraps)."""

    epoch: int
    tick: int


class Reason(StrEnum):
    """Why a read answered with a delta or a snapshot. One function decides: `monkeytown.room.history.decide`."""

    CONTINUED = "continued"
    """The position is in this history and young enough: a delta."""
    FIRST_READ = "first_read"
    """The reader has no position yet: a snapshot."""
    OTHER_EPOCH = "other_epoch"
    """The position counts in another history: a snapshot."""
    TOO_OLD = "too_old"
    """Despawns since the position are no longer all remembered: a snapshot."""
    AHEAD = "ahead"
    """The position is newer than the room, so it cannot be ours: a snapshot."""

    __hash__ = str.__hash__  # reasons are counted for every read, and an enum's own is written in Python

    is_delta: bool

    def __init__(self, value: str) -> None:
        self.is_delta = value == "continued"
