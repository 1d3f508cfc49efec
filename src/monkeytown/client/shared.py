"""One mirror for all the players of a process who are in the same room: a state is decoded once, however many watch it.

Every frame says where it starts and where it ends, so what one connection has brought already, the others pass over. In a
room with an area everyone sees another part, so there everyone has a mirror alone. Knows frames' heads and nothing of what
is in them.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from monkeytown._core.mirror import apply
from monkeytown._core.wire import Reader
from monkeytown.client.mirror import Applied, Mirror, is_snapshot
from monkeytown.errors import WireError
from monkeytown.position import Position

__all__ = ["SharedMirror", "SharedMirrors"]


class SharedMirror(Mirror):
    """A mirror with many readers, each at a position of its own. Owner-only values are not kept: whose would they be?

    While one reader is away the others bring the tables on, and a delta from where it stood fits no longer. So a reader that
    comes back begins with a snapshot, which costs the tables nothing if they are ahead of it.
    """

    keeps_values = False
    resumable = False

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__(schema)
        self.position: Position | None = None

    def apply(self, frame: bytes, reader_at: Position | None) -> Applied:
        """Bring one reader on; the tables follow whoever is first.

        A frame that starts before the tables and ends after them cannot be used. That takes a reader who fell behind and
        then overtook the rest; WireError has it begin anew, with a snapshot that all can use.
        """
        snapshot, position, base = _head(frame)
        if base is not None and base != reader_at:
            raise WireError(f"a delta from {base} came to a reader at {reader_at}")
        if self.position is None or position > self.position:
            if base is not None and base != self.position:
                raise WireError(f"a delta from {base} cannot bring on tables at {self.position}")
            before, self.position = self.position, None
            self.position = apply(frame, self._list, None if snapshot else before)
        return Applied(position, snapshot)


class SharedMirrors:
    """The mirrors of one process, by room. One is forgotten when its last reader is gone."""

    def __init__(self) -> None:
        self._mirrors: WeakValueDictionary[tuple[str, int], SharedMirror] = WeakValueDictionary()

    def __call__(self, schema: dict[str, Any]) -> Mirror:
        if schema.get("area") is not None:
            return Mirror(schema)
        key = (schema["gameId"], schema["hash"])
        mirror = self._mirrors.get(key)
        if mirror is None:
            mirror = self._mirrors[key] = SharedMirror(schema)
        return mirror


def _head(frame: bytes) -> tuple[bool, Position, Position | None]:
    """Whether a frame is a snapshot, where it leads, and where it starts."""
    reader = Reader(frame[:32])  # longer than any head
    reader.u8()
    reader.u8()
    snapshot = is_snapshot(frame)
    position = Position(reader.varint(), reader.varint64())
    return snapshot, position, None if snapshot else Position(position.epoch, position.tick - reader.varint())
