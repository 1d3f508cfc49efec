"""Who sits in a room: its members by number, the players that the rules know, and who may send inputs.

Knows who is there, not what becomes of it: joining and leaving are the room's.
"""

from __future__ import annotations

from collections.abc import Iterable

from monkeytown._core.area import Area
from monkeytown._core.batch import Seats
from monkeytown._core.sight import Sight
from monkeytown.player import Player
from monkeytown.room.member import Member
from monkeytown.room.names import player_name
from monkeytown.room.stage import RoomStage

__all__ = ["Seating"]


class Seating:
    """The seats of one room. Members by id are the stage's."""

    def __init__(self, stage: RoomStage, area: Area | None) -> None:
        self.by_number: dict[int, Member] = {}
        self.players: dict[str, Player] = {}
        """By id, for the rules."""
        self.seats = Seats()
        """The same members for compiled code, which takes their inputs."""
        self._stage = stage
        self._area = area
        self.last_number = 0
        """Of who came last."""

    def seat(self, player_id: str, name: str | None) -> Member:
        """A seat for a new player, whose number nobody has had."""
        self.last_number += 1
        number = self.last_number
        return self.sit(Player(self._stage, player_id, player_name(name, number), number))

    def sit(self, player: Player) -> Member:
        """The seat of a player's number."""
        member = Member(player, None if self._area is None else Sight(self._area))
        self._stage.members[player.id] = member
        self.by_number[player.number] = member
        self.seats.add(member)
        self.players[player.id] = player
        return member

    def unseat(self, member: Member) -> None:
        """The seat is nobody's any more; the stage still knows the member."""
        del self.by_number[member.number]
        self.seats.remove(member)
        del self.players[member.id]

    def numbered(self, numbers: Iterable[int]) -> set[Member]:
        """The members of these numbers who are here."""
        return {self.by_number[number] for number in numbers if number in self.by_number}
