"""Where a reader stands in a room, and the one step forward it can take.

Knows how to read; not where the bytes go. The WebSocket reader keeps the same numbers in compiled code for
all its players at once; everyone else can use this.
"""

from __future__ import annotations

from typing import Protocol

from monkeytown._core.sight import Sight
from monkeytown.position import Position
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.view import EVERYTHING, View

__all__ = ["Cursor", "Readable"]


class Readable(Protocol):
    """What a cursor stands in: a room."""

    def read(
        self, position: Position | None, view: View | Sight = EVERYTHING, encoding: Encoding = Encoding.BINARY
    ) -> Reading: ...


class Cursor:
    """A reader's place: a position in the state."""

    __slots__ = ("encoding", "position", "view")

    def __init__(self, view: View | Sight = EVERYTHING, encoding: Encoding = Encoding.BINARY) -> None:
        self.view = view
        self.encoding = encoding
        self.position: Position | None = None

    @property
    def base(self) -> int | None:
        """The tick it has; None before the first read."""
        return self.position.tick if self.position is not None else None

    def read(self, room: Readable) -> Reading:
        """What brings it to now; from here on it stands there."""
        reading = room.read(self.position, self.view, self.encoding)
        self.position = reading.position
        return reading
