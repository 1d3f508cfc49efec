"""A player as the room keeps it: beside the rules' `Player`, the events it must not miss and what is private
to it.
"""

from __future__ import annotations

from monkeytown.game import Player
from monkeytown.room.outbox import Outbox

__all__ = ["Member"]


class Member:
    """One seat in a room. Compared by identity; `number` is that of its player."""

    __slots__ = ("entity_tick", "input", "outbox", "player")

    def __init__(self, player: Player) -> None:
        self.player = player
        self.outbox = Outbox()
        self.input = 0
        """The number of the newest input that the rules have seen; 0 before the first."""
        self.entity_tick = 0
        """The tick since which `player.entity` is what it is."""

    @property
    def id(self) -> str:
        return self.player.id

    @property
    def number(self) -> int:
        return self.player.number

    def __repr__(self) -> str:
        return f"<Member {self.number} {self.player.name!r}>"
