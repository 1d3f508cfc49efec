"""What is counted. Plain numbers that only grow; nothing here knows who reads them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields

from monkeytown._core.timing import Timing

__all__ = ["GameMetrics", "Metrics", "Traffic"]


@dataclass(slots=True)
class Traffic:
    """What a room said to its readers. Traffics add up."""

    frames_encoded: int = 0
    frames_shared: int = 0
    """Reads that found their frame ready."""
    sends_shared: int = 0
    """Sends straight from a shared frame."""
    sends_staged: int = 0
    """Sends with something of the player's own."""
    sends_partial: int = 0
    """Sends of which the kernel took a part."""
    sends_full: int = 0
    """Sends that the kernel had no room for."""
    held: int = 0
    """Turns in which a player was passed over."""
    bytes_sent: int = 0
    column_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Bytes in the frames that were encoded, by table and field; the field "" is which rows they are of."""

    def add(self, other: Traffic) -> None:
        for part in fields(self):
            if part.name == "column_bytes":
                self.column_bytes.update(other.column_bytes)
            else:
                setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


@dataclass(slots=True)
class GameMetrics:
    """The counters of one game, in all of its rooms."""

    timing: Timing = field(default_factory=Timing)
    ticks: int = 0
    """Steps of rooms."""
    joins: int = 0
    rooms_opened: int = 0
    rooms_ended: int = 0
    rooms_failed: int = 0
    ended: Traffic = field(default_factory=Traffic)
    """Of the rooms that are no more."""


@dataclass(slots=True)
class Metrics:
    """The counters of one instance."""

    games: defaultdict[str, GameMetrics] = field(default_factory=lambda: defaultdict(GameMetrics))
    ticks_caught_up: int = 0
    """Steps that came late, right behind another one."""
    nanoseconds_dropped: int = 0
    """Time that rooms were so late that it was given up."""
    wakeups: int = 0
    """How often the ticker woke up."""
    nanoseconds_busy: int = 0
    """What the wake-ups took."""
    states_shed: int = 0
    """Turns in which a room did not send because the instance was too busy."""
    connections: int = 0
    """Game connections that were upgraded."""
    refused: Counter[str] = field(default_factory=Counter)
    """Connections refused before they were one, by error code."""
    closed: Counter[int] = field(default_factory=Counter)
    """Connections that the server closed, by close code."""
    errors: Counter[str] = field(default_factory=Counter)
    """Errors that players were told, by error code."""
    resumed: Counter[str] = field(default_factory=Counter)
    """Clients that came back: `delta` or `snapshot`, as their state went on; `nowhere` for who sits in no room; `refused`."""
    unrecovered: int = 0
    """Clients that came back and had missed more than was kept for them."""
    sessions_expired: int = 0
    """Sessions whose client did not come back in time."""
    sessions_pushed_out: int = 0
    """Those of them that ended earlier, because too many were kept."""
    reads: Counter[str] = field(default_factory=Counter)
    """Frames by the reason of the read: `continued` are deltas, all others snapshots."""
