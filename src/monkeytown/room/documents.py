"""A player's document: what the rules keep in `player.data`, and whether that is another one than was kept last.

Knows JSON. Documents are compared as they are written, so that rules may change them as deep as they like.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monkeytown.player import Player
from monkeytown.room.ledger import as_json

__all__ = ["Document"]


class Document:
    """Of one player, from what was kept when they came: a JSON object."""

    __slots__ = ("_kept", "_player")

    def __init__(self, player: Player, kept: bytes) -> None:
        self._player = player
        data: Any = msgspec.json.decode(kept)
        player.data = data if isinstance(data, dict) else {}
        self._kept = self._written()

    def changed(self) -> bytes | None:
        """The content of an entry, if there is something to keep. Raises TypeError or ValueError for what cannot be."""
        written = self._written()
        if written == self._kept:
            return None
        self._kept = written
        return written

    def _written(self) -> bytes:
        data = self._player.data
        if not isinstance(data, dict):
            raise TypeError(f"player.data is a dict, not {data!r}")
        return as_json({"data": data})
