"""The players of one room who are read for one by one, in Python, as those who poll and those who speak Socket.IO are.

Knows the room's reading side, as it is or as it was; does not know what its links carry.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from monkeytown.position import Position
from monkeytown.room.delayed import Delayed
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.member import Member
from monkeytown.room.private import Private
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.view import EVERYTHING
from monkeytown.runtime.metrics import Traffic
from monkeytown.runtime.place import Audience

__all__ = ["IndividualAudience"]

L = TypeVar("L")


class IndividualAudience(Audience, Generic[L]):
    """They see the room as it was `delay` seconds ago."""

    encoding = Encoding.BINARY

    def __init__(
        self, room: ReadableRoom, *, delay: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.room = room
        self.delay = delay
        self.links: set[L] = set()
        self.said = Traffic()
        self._past = Delayed(room, delay) if delay else None
        self._now = now

    def prepare(self, room: ReadableRoom) -> None:
        if self._past is not None:
            self._past.follow()

    def traffic(self) -> Traffic:
        return self.said

    @property
    def can_be_read(self) -> bool:
        """Whether nothing has happened since the room's last step that the next one will show."""
        return not self.room.is_disturbed and (self._past is None or self._past.position is not None)

    def read(self, position: Position | None, member: Member) -> Reading:
        if self._past is not None:
            return self._past.read(position, EVERYTHING, self.encoding)
        return self.room.read(position, member.view, self.encoding)

    def private(self, member: Member, base: int | None) -> Private | None:
        """Nothing is private to those who see what was, since nothing that they see is theirs."""
        return None if self._past is not None else self.room.private(member, base, self.encoding)
