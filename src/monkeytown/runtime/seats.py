"""Seats of a room that are kept free for players who are about to come.

Knows one room's members, players' ids and time; not who may ask for seats.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sized
from typing import Protocol

__all__ = ["Seats"]


class Members(Container[str], Sized, Protocol):
    """Ids of those who sit."""


class Seats:
    """Who asks for seats has them in one group: all of them, or none. Whoever sits down needs no reserved seat any more."""

    __slots__ = ("_groups", "_members", "_reserved")

    def __init__(self, members: Members) -> None:
        self._members = members
        self._groups: dict[str, tuple[float, set[str]]] = {}
        """Until when and for whom, by who asked; what runs out first comes first."""
        self._reserved: dict[str, set[str]] = {}
        """Who asked, by player. Nobody in it is a member."""

    def has_for(self, players: Collection[str], limit: int, now: float) -> bool:
        """Whether all of these can sit down: on seats that are free, or theirs. A limit of 0 is none."""
        if limit <= 0:
            return True
        self._expire(now)
        more = sum(player not in self._members and player not in self._reserved for player in players)
        return len(self._members) + len(self._reserved) + more <= limit

    def taken(self, now: float) -> int:
        """Seats on which somebody sits, or is about to."""
        self._expire(now)
        return len(self._members) + len(self._reserved)

    def reserved(self, now: float) -> int:
        """Seats that wait for somebody."""
        self._expire(now)
        return len(self._reserved)

    def reserve(self, by: str, players: Collection[str], until: float) -> None:
        """Keeps a seat for each of these. What `by` had reserved here before is given up."""
        self.release(by)
        group = {player for player in players if player not in self._members}
        self._groups[by] = until, group
        if until < max(others for others, _ in self._groups.values()):
            self._groups = dict(sorted(self._groups.items(), key=lambda one: one[1][0]))
        for player in group:
            self._reserved.setdefault(player, set()).add(by)

    def waits_for(self, player: str, by: str) -> bool:
        """Whether this one has reserved a seat for the player."""
        return by in self._reserved.get(player, ())

    def release(self, by: str) -> None:
        """What somebody had reserved is free."""
        _, group = self._groups.pop(by, (0.0, set()))
        for player in group:
            asked = self._reserved[player]
            asked.remove(by)
            if not asked:
                del self._reserved[player]

    def sit(self, player: str) -> None:
        """A player has become a member."""
        for by in self._reserved.pop(player, ()):
            self._groups[by][1].remove(player)

    def _expire(self, now: float) -> None:
        while self._groups:
            by, (until, _) = next(iter(self._groups.items()))
            if now < until:
                break
            self.release(by)
