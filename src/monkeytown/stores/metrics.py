"""What the spool and the shipper count. Plain numbers that only grow; nothing here knows who reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["SpoolMetrics"]


@dataclass(slots=True)
class SpoolMetrics:
    """The counters of all spools of one process. Each of them is changed by one thread only."""

    appended: int = 0
    """Records that were taken in."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Records that were not, by kind: there was no room for them, or they are too large."""
    durable: int = 0
    """Records that are on disk."""
    fsyncs: int = 0
    fsync_seconds: float = 0.0
    """What the disk took to say that they are, from the write on."""
    write_errors: int = 0
    """Times that the disk did not take them."""
    torn: int = 0
    """Ends of segments that were cut off at a start, because they were only half written."""
    damaged_bytes: int = 0
    """Bytes that were found unreadable, and set aside."""
    stored: int = 0
    """Records that the database has taken."""
    repeated: int = 0
    """Those of them that it had already."""
    refused: int = 0
    """Records that the database will never take."""
    outages: int = 0
    """Times that the database could not be reached."""
