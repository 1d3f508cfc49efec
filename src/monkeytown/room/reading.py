"""How a reading is made: the decision, then the bytes.

Knows tables, positions and the two encodings of a state; not who reads, and not what was made before (that is
`encoded`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from monkeytown._core import delta, values
from monkeytown._core.state import Table
from monkeytown.position import Position
from monkeytown.room.encoded import Encoded, Encoding, Key, Reading
from monkeytown.room.history import decide

__all__ = ["Reader"]


class Reader:
    """Reads one room's tables. `now` is the position of their newest commit."""

    def __init__(self, room_id: str, tables: tuple[Table[Any], ...], epoch: int) -> None:
        self._room_id = room_id
        self._tables = tables
        self._remembers = partial(delta.can_continue, tables)
        self.encoded = Encoded()
        self.now = Position(epoch, 0)
        self.disturbed = True
        """Whether the rules may have written since the last commit: what was not encoded by then waits for
        the next one.
        """

    def move(self, tick: int) -> None:
        """A new tick is committed."""
        self.now = Position(self.now.epoch, tick)
        self.disturbed = False
        self.encoded.clear()

    def read(self, key: Key) -> Reading:
        if self.disturbed and key not in self.encoded:
            return Reading(decide(key[0], self.now, self._remembers), key[0], None)
        return self.encoded.get(key, self._make)

    def _make(self, key: Key) -> Reading:
        position, view, encoding = key
        reason = decide(position, self.now, self._remembers)
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
        if encoding is Encoding.JSON:
            payload = {
                "gameId": self._room_id,
                "epoch": epoch,
                "tick": tick,
                "base": base,
                "tables": values.changes(self._tables, base),
            }
            return msgspec.json.encode({"type": "game_state", "payload": payload})
        if base is None:
            return delta.snapshot(self._tables, epoch, tick)
        return delta.encode(self._tables, epoch, base, tick)
