"""What readers ask of a room: where it stands, and what brings them there.

Knows the room's reader and its tables, and that there is nothing to read of rules that failed; does not move the room.
"""

from __future__ import annotations

from typing import Any

from monkeytown._core.fanout import Group
from monkeytown._core.sight import Sight
from monkeytown._core.state import Table
from monkeytown.position import Position, Reason
from monkeytown.room.encoded import Encoded, Encoding, Reading
from monkeytown.room.member import Member
from monkeytown.room.private import Private, private_part
from monkeytown.room.reading import Reader
from monkeytown.room.rules import Rules
from monkeytown.room.view import EVERYTHING, View

__all__ = ["ReadableRoom"]


class ReadableRoom:
    """The reading side of a room, which makes these parts."""

    tables: tuple[Table[Any], ...]
    _reader: Reader
    _rules: Rules

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
        if self._rules.failed is not None:
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
        if self._rules.failed is not None:
            return Reason.CONTINUED, 0
        return self._reader.plan(group, cohort, position)

    def private(
        self, member: Member, base: int | None, encoding: Encoding = Encoding.BINARY
    ) -> Private | None:
        """What only this member is told, from tick `base` to now; None if nothing.

        After a snapshot `base` is None.
        """
        return private_part(self.tables, member, base, encoding)
