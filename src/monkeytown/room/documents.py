"""A player's document: what the rules keep in `player.data`, and whether that is another one than was kept last.

Knows JSON. Documents are compared as they are written, so that rules may change them as deep as they like.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monkeytown.player import Player
from monkeytown.room.ledger import as_json

__all__ = ["Document", "written"]


class Document:
    """Of one player, from what was kept when they came: a JSON object."""

    __slots__ = ("_player", "kept")

    def __init__(self, player: Player, kept: bytes) -> None:
        self._player = player
        data: Any = msgspec.json.decode(kept)
        player.data = data if isinstance(data, dict) else {}
        self.kept = written(player.data)
        """What was kept last, as in the ledger."""

    @classmethod
    def again(cls, player: Player, kept: bytes) -> Document:
        """One that is put away and brought back: `player.data` may have changed since it was kept."""
        document = cls.__new__(cls)
        document._player, document.kept = player, kept
        return document

    def changed(self) -> bytes | None:
        """The content of an entry, if there is something to keep. Raises TypeError or ValueError for what cannot be."""
        now = written(self._player.data)
        if now == self.kept:
            return None
        self.kept = now
        return now


def written(data: object) -> bytes:
    """The content of an entry. Raises TypeError or ValueError for a `player.data` that cannot be kept."""
    if not isinstance(data, dict):
        raise TypeError(f"player.data is a dict, not {data!r}")
    return as_json({"data": data})
