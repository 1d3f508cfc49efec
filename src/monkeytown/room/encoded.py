"""What was encoded in this tick: every frame is made once and shared by all who stand at the same position
with the same view.

Knows keys and readings, not how a frame is made. Counts how often sharing worked, since the cost of a tick
hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import msgspec

from monkeytown.position import Position, Reason
from monkeytown.room.view import View

__all__ = ["Encoded", "Encoding", "Key", "Reading"]


class Encoding(StrEnum):
    """The forms in which a state is read: docs/reference/wire.md, docs/reference/json.md."""

    BINARY = "binary"
    JSON = "json"

    __hash__ = str.__hash__  # keys are looked up for every read, and an enum's own is written in Python

    is_text: bool

    def __init__(self, value: str) -> None:
        self.is_text = value == "json"


class Reading(msgspec.Struct, frozen=True):
    """What a read gives.

    `frame` is None when there is nothing to say; the reader's `position` is then as it was.
    """

    reason: Reason
    position: Position | None
    frame: bytes | None

    @property
    def is_snapshot(self) -> bool:
        return self.frame is not None and not self.reason.is_delta


Key: TypeAlias = tuple[Position | None, View, Encoding]


class Encoded:
    """The readings of one tick by (position, view, encoding)."""

    __slots__ = ("_readings", "made", "shared")

    def __init__(self) -> None:
        self._readings: dict[Key, Reading] = {}
        self.made = 0
        """How many readings were encoded, in all ticks."""
        self.shared = 0
        """How many reads found their reading ready, in all ticks."""

    def __contains__(self, key: Key) -> bool:
        return key in self._readings

    def get(self, key: Key, make: Callable[[Key], Reading]) -> Reading:
        """The reading of a key; `make` is called if nobody has asked for it in this tick."""
        reading = self._readings.get(key)
        if reading is not None:
            self.shared += 1
            return reading
        reading = self._readings[key] = make(key)
        self.made += 1
        return reading

    def clear(self) -> None:
        """A new tick: nothing that was encoded is of use any more."""
        self._readings.clear()
