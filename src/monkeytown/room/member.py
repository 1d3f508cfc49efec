"""A player as the room keeps it: beside the rules' `Player`, the events it must not miss and what is private
to it.
"""

from __future__ import annotations

from monkeytown._core.batch import Seat
from monkeytown.game import Player
from monkeytown.room.outbox import Outbox

__all__ = ["Member"]


class Member(Seat):
    """One seat in a room. Compared by identity; `number` is that of its player.

    `input` is the number of the newest input that the rules have seen, 0 before the first.
    """

    __slots__ = ("entity_tick", "outbox", "player")

    def __init__(self, player: Player) -> None:
        super().__init__(player.number)
        self.player = player
        self.outbox = Outbox()
        self.entity_tick = 0
        """The tick since which `player.entity` is what it is."""

    @property
    def id(self) -> str:
        return self.player.id

    def __repr__(self) -> str:
        return f"<Member {self.number} {self.player.name!r}>"
