"""How a reading is made: the decision, then the bytes.

Knows tables, positions and the two encodings of a state; not who reads, and not what was made before (that is
`encoded`).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from typing import Any

import msgspec

from monkeytown._core import delta, values
from monkeytown._core.area import Area
from monkeytown._core.fanout import Group
from monkeytown._core.sight import Sight
from monkeytown._core.state import Table
from monkeytown.position import Position, Reason
from monkeytown.room.encoded import Encoded, Encoding, Key, Reading
from monkeytown.room.history import decide

__all__ = ["Reader"]

# There is a new one in every tick, and a named tuple's own way to be made is written in Python.
_position = tuple.__new__


class Reader:
    """Reads one room's tables. `now` is the position of their newest commit."""

    def __init__(
        self, room_id: str, tables: tuple[Table[Any], ...], epoch: int, area: Area | None = None
    ) -> None:
        self._room_id = room_id
        self._tables = tables
        self._area = area
        self._remembers = partial(delta.can_continue, tables)
        self.stood: Container[int] | None = None
        """The ticks at which the tables stood, if those are not all: nobody is brought on from between them."""
        self.encoded = Encoded()
        self.now = Position(epoch, 0)
        self.disturbed = True
        """Whether the rules may have written since the last commit: what was not encoded by then waits for
        the next one.
        """

    def decide(self, position: Position, sight: Sight | None) -> Reason:
        """How a reader at this position goes on: one who sees a part of the room, or all of it."""
        return self._decide(position, self._remembers if sight is None else sight.can_continue)

    def _decide(self, position: Position | None, remembers: Callable[[int], bool]) -> Reason:
        reason = decide(position, self.now, remembers)
        if (
            self.stood is not None
            and position is not None
            and reason.is_delta
            and position.tick not in self.stood
        ):
            return Reason.TOO_OLD
        return reason

    def move(self, tick: int) -> None:
        """A new tick is committed."""
        self.now = _position(Position, (self.now[0], tick))
        self.disturbed = False
        self.encoded.clear()

    def arrive(self, position: Position) -> None:
        """The same where ticks may be skipped, and another history begun."""
        self.now = position
        self.move(position.tick)

    def read(self, key: Key) -> Reading:
        if self.disturbed and key not in self.encoded:
            return Reading(self._decide(key[0], self._remembers), key[0], None)
        return self.encoded.get(key, self._make)

    def look(self, position: Position | None, sight: Sight, encoding: Encoding) -> Reading:
        """The same for a reader who sees a part.

        A sight knows what its reader has, so it is read by that one alone, and in order.
        """
        reason = self._decide(position, sight.can_continue)
        if self.disturbed or position == self.now:
            return Reading(reason, position, None)
        base = position.tick if position is not None and reason.is_delta else None
        if encoding.is_text:
            tables = values.look(self._tables, sight, base)
            frame = self._json(base, tables) if tables or base is None else None
            if frame is not None:
                sight.arrive()
        else:
            frame = sight.read(self.now.epoch, base)
        return Reading(reason, position if frame is None else self.now, frame)

    def plan(self, group: Group, cohort: int, position: Position | None) -> tuple[Reason, int]:
        """Has each of a cohort's frames planned that brings it from `position` to now. Returns how many there are to send.

        The cohort's readers see a part each; what they were last sent is what they have.
        """
        assert self._area is not None
        reason = self._decide(position, self._area.remembers)
        if self.disturbed or position == self.now:
            return reason, 0
        base = position.tick if position is not None and reason.is_delta else None
        return reason, group.plan(cohort, self._area, self.now.epoch, base)

    def _make(self, key: Key) -> Reading:
        position, view, encoding = key
        reason = self._decide(position, self._remembers)
        if position is None:
            return Reading(reason, self.now, self._frame(None, encoding))
        if not reason.is_delta:
            # The same bytes for all who cannot continue, whatever the reason is.
            return Reading(reason, self.now, self.read((None, view, encoding)).frame)
        if not delta.has_news(self._tables, position.tick):
            return Reading(reason, position, None)
        return Reading(reason, self.now, self._frame(position.tick, encoding))

    def _frame(self, base: int | None, encoding: Encoding) -> bytes:
        epoch, tick = self.now
        if encoding.is_text:
            return self._json(base, values.changes(self._tables, base))
        if base is None:
            return delta.snapshot(self._tables, epoch, tick)
        return delta.encode(self._tables, epoch, base, tick)

    def _json(self, base: int | None, tables: dict[str, Any]) -> bytes:
        epoch, tick = self.now
        payload = {"gameId": self._room_id, "epoch": epoch, "tick": tick, "base": base, "tables": tables}
        return msgspec.json.encode({"type": "game_state", "payload": payload})
