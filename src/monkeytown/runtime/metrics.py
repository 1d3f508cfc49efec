"""What is counted. Plain numbers that only grow; nothing here knows who reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Metrics"]


@dataclass(slots=True)
class Metrics:
    """The counters of one instance."""

    ticks: int = 0
    """Steps of rooms."""
    ticks_caught_up: int = 0
    """Steps that came late, right behind another one."""
    nanoseconds_dropped: int = 0
    """Time that rooms were so late that it was given up."""
    wakeups: int = 0
    """How often the ticker woke up."""
    rooms_opened: int = 0
    rooms_ended: int = 0
    rooms_failed: int = 0
    joins: int = 0
    connections: int = 0
    """Game connections that were upgraded."""
    refused: Counter[str] = field(default_factory=Counter)
    """Connections refused before they were one, by error code."""
    closed: Counter[int] = field(default_factory=Counter)
    """Connections that the server closed, by close code."""
    errors: Counter[str] = field(default_factory=Counter)
    """Errors that players were told, by error code."""
    reads: Counter[str] = field(default_factory=Counter)
    """Frames by the reason of the read: `continued` are deltas, all others snapshots."""
