"""A room whose rules run here, as far as others ask it for what the rules say: of themselves, and beyond the room.

Knows the rules and their stage, which the room makes; does not move the room.
"""

from __future__ import annotations

from collections.abc import Callable

from monkeytown.errors import Refusal
from monkeytown.room.member import Member
from monkeytown.room.publications import Publications
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.rules import Rules
from monkeytown.room.stage import RoomStage

__all__ = ["RuledRoom"]


class RuledRoom(ReadableRoom):
    """The side of a room that answers for its rules."""

    _rules: Rules
    _stage: RoomStage
    _settle: Callable[[], None]

    @property
    def is_readable(self) -> bool:
        return self._rules.failed is None

    @property
    def altered(self) -> set[Member]:
        """Of whom something is different that is known of members elsewhere: for whoever mirrors the room, who clears it."""
        return self._stage.altered

    @property
    def seat_seconds(self) -> float | None:
        return self._rules.game.seat_seconds

    @property
    def max_players(self) -> int:
        return self._rules.game.max_players

    def refuse(self, player_id: str, refusal: Refusal) -> None:
        """A player is told that what it asked for is not granted."""
        if (member := self.members.get(player_id)) is not None:
            self._stage.refuse(member, refusal)

    @property
    def publications(self) -> Publications:
        """What the rules say beyond the room, and what it listens to."""
        return self._stage.publications

    def hear(self, topic: str, event: str, data: object) -> None:
        """Another room has published something."""
        if self.closed is None:
            self._rules.call("on_published", topic, event, data)
            self._settle()
