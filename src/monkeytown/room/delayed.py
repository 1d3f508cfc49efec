"""A room as it was some time ago, for spectators who must not help those who play.

The room's own states are kept until they are old enough, and then applied to a second set of tables, which is read like the
room itself: whoever comes late, falls behind or comes back is served from there. Knows ticks, not clocks.
"""

from __future__ import annotations

from collections import deque
from math import ceil

from monkeytown._core import mirror
from monkeytown.position import Position
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.reading import Reader
from monkeytown.room.view import EVERYTHING, View

__all__ = ["Delayed"]


class Delayed:
    """Follows a room `seconds` behind. There is nothing to see before that much time has passed."""

    def __init__(self, room: ReadableRoom, seconds: float) -> None:
        self._room = room
        self._ticks = ceil(seconds * room.tick_rate)
        self._tables = tuple(room.schema.build().values())
        self._reader = Reader(room.id, self._tables, room.epoch)
        self._kept: deque[tuple[int, bytes]] = deque()
        self._read: Position | None = None
        """Where the kept states lead."""
        self._shown: Position | None = None

    @property
    def position(self) -> Position | None:
        """Where it stands; None as long as there is nothing to see."""
        return self._shown

    def follow(self) -> None:
        """The room has moved."""
        reading = self._room.read(self._read)
        self._read = reading.position
        if reading.frame is not None:
            self._kept.append((self._room.tick, reading.frame))
        while self._kept and self._kept[0][0] <= self._room.tick - self._ticks:
            _, frame = self._kept.popleft()
            self._shown = mirror.apply(frame, self._tables, self._shown)
            self._reader.arrive(self._shown)

    def read(
        self, position: Position | None, view: View = EVERYTHING, encoding: Encoding = Encoding.BINARY
    ) -> Reading:
        """What brings a reader from `position` to where it stands."""
        return self._reader.read((position, view, encoding))
