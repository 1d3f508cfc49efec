"""What readers ask of a room: where it stands, and what brings them there.

Knows the room's reader and its tables, and that there is nothing to read of rules that failed; does not move the room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from monkeytown._core.area import Area
from monkeytown._core.fanout import Group
from monkeytown._core.inputs import Queue
from monkeytown._core.sight import Sight
from monkeytown._core.state import Table
from monkeytown.position import Position, Reason
from monkeytown.room.closing import Closing
from monkeytown.room.encoded import Encoded, Encoding, Reading
from monkeytown.room.member import Member
from monkeytown.room.private import Private, private_part
from monkeytown.room.reading import Reader
from monkeytown.room.setup import Setup
from monkeytown.room.view import EVERYTHING, View
from monkeytown.schema import Schema

__all__ = ["ReadableRoom"]


class ReadableRoom(ABC):
    """The reading side of a room, which makes these parts."""

    id: str
    name: str
    """The game's."""
    tick_rate: int
    schema: Schema
    setup: Setup
    tables: tuple[Table[Any], ...]
    has_private: bool
    """Whether some rows have something that only their owners see."""
    area: Area | None
    """What its players see a part of; None if all see all."""
    inputs: Queue | None
    """Packed inputs, pushed by whoever receives them; None for a game without an `input` class."""
    touched: set[Member]
    """For whom `private` has something new since the last tick."""
    closed: Closing | None
    """Set when the room has ended: it is not stepped any more, and its players are to be sent away."""
    _reader: Reader

    @property
    def is_readable(self) -> bool:
        """Whether there is anything to read, now or later."""
        return True

    @property
    @abstractmethod
    def members(self) -> Mapping[str, Member]:
        """Those who read here by id, in the order in which they came. To be read only."""

    @property
    @abstractmethod
    def seat_seconds(self) -> float | None:
        """How long a seat is kept for who has lost the connection; None: as long as the server says."""

    @property
    @abstractmethod
    def max_players(self) -> int:
        """0: any number."""

    def describe(self, member: Member) -> dict[str, Any]:
        """The `schema` message for one player: docs/reference/wire.md, section 3."""
        about = {"gameId": self.id, "game": self.name, "tickRate": self.tick_rate}
        return about | self.schema.describe(everything=member.view is EVERYTHING)

    @property
    def position(self) -> Position:
        """Where the room stands."""
        return self._reader.now

    @property
    def epoch(self) -> int:
        return self._reader.now.epoch

    @property
    def tick(self) -> int:
        return self._reader.now.tick

    @property
    def encoded(self) -> Encoded:
        """What was encoded in this tick, and how often that was shared."""
        return self._reader.encoded

    def read(
        self, position: Position | None, view: View | Sight = EVERYTHING, encoding: Encoding = Encoding.BINARY
    ) -> Reading:
        """What brings a reader from `position` to now; to be asked right after `step`.

        Nothing for now, if something has happened that the next step will show; nothing for good if the rules failed.
        """
        if not self.is_readable:
            return Reading(Reason.CONTINUED, position, None)
        if isinstance(view, Sight):
            return self._reader.look(position, view, encoding)
        return self._reader.read((position, view, encoding))

    @property
    def is_disturbed(self) -> bool:
        """Whether something may have happened since the last step, so that there is nothing to read before the next one."""
        return self._reader.disturbed

    def decide(self, position: Position, member: Member) -> Reason:
        """How a member who has the state of `position` goes on. To one who sees the past it is of no use."""
        if member.delay:
            return Reason.OTHER_EPOCH
        view = member.view
        return self._reader.decide(position, view if isinstance(view, Sight) else None)

    def plan(self, group: Group, cohort: int, position: Position | None) -> tuple[Reason, int]:
        """The same for many at once who each see a part, all of them at `position`: see `Reader.plan`."""
        if not self.is_readable:
            return Reason.CONTINUED, 0
        return self._reader.plan(group, cohort, position)

    def private(
        self, member: Member, base: int | None, encoding: Encoding = Encoding.BINARY
    ) -> Private | None:
        """What only this member is told, from tick `base` to now; None if nothing.

        After a snapshot `base` is None.
        """
        return private_part(self.tables, member, base, encoding)
