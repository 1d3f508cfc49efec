"""What a room's host asks of its readers of one kind, and what they were all told together.

Knows that they are made ready and sent to; not how.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from monkeytown.room.room import Room
from monkeytown.runtime.metrics import Traffic

__all__ = ["Audience", "traffic_of"]


class Audience(Protocol):
    """The readers of one kind in one room."""

    def prepare(self, room: Room) -> None:
        """The room has moved: makes ready what brings its readers to now."""

    def send(self) -> None:
        """Sends what was made ready, unless the room has ended meanwhile."""

    def traffic(self) -> Traffic:
        """What was sent to them so far."""
        return Traffic()


def traffic_of(room: Room, audiences: Iterable[Audience]) -> Traffic:
    """What the room said to its readers so far."""
    traffic = Traffic(room.encoded.made, room.encoded.shared)
    if room.area is not None:
        traffic.frames_encoded += room.area.encoded
        traffic.frames_shared += room.area.shared
    for table in room.tables:
        rest = table.bytes_encoded
        for field, column in zip(table.entity.fields(), table.columns, strict=True):
            traffic.column_bytes[table.name, field.name] = column.bytes_encoded
            rest -= column.bytes_encoded
        traffic.column_bytes[table.name, ""] = rest
    for audience in audiences:
        traffic.add(audience.traffic())
    return traffic
