"""A player as the room keeps it: beside the rules' `Player`, the events it must not miss, what is private
to it, and what it sees.
"""

from __future__ import annotations

from monkeytown._core.sight import Sight
from monkeytown._core.state import Row
from monkeytown.game import Player
from monkeytown.room.outbox import Outbox
from monkeytown.room.view import EVERYTHING, View

__all__ = ["Member"]


class Member:
    """One seat in a room. Compared by identity; `number` is that of its player."""

    __slots__ = ("entity_tick", "input", "outbox", "player", "sight")

    def __init__(self, player: Player, sight: Sight | None = None) -> None:
        self.player = player
        self.outbox = Outbox()
        self.input = 0
        """The number of the newest input that the rules have seen; 0 before the first."""
        self.entity_tick = 0
        """The tick since which `player.entity` is what it is."""
        self.sight = sight
        """What is around it, in a room that is seen by area."""

    @property
    def id(self) -> str:
        return self.player.id

    @property
    def number(self) -> int:
        return self.player.number

    @property
    def view(self) -> View | Sight:
        """What it reads the room with."""
        return EVERYTHING if self.sight is None or self.player.view is not None else self.sight

    @property
    def delay(self) -> float:
        """Seconds that what it sees is old."""
        view = self.player.view
        return 0.0 if view is None else view.delay

    def look(self) -> None:
        """Its player's focus or entity may be another now."""
        focus = self.player.focus
        if focus is None:
            focus = self.player.entity
        elif not isinstance(focus, Row):
            x, y = focus
            if self.sight is not None:
                self.sight.look_at(x, y)
            return
        if self.sight is not None:
            self.sight.follow(focus if focus is not None and focus.alive else None)

    def __repr__(self) -> str:
        return f"<Member {self.number} {self.player.name!r}>"
