"""What is said in one room: the last lines of it, how often somebody may speak, and who may not.

Knows players' ids and game time, which the room tells it; does not know who hears it. Texts are kept as they were written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from monkeytown.errors import Refusal
from monkeytown.player import Player

__all__ = ["Chat", "SavedChat"]


class SavedChat(NamedTuple):
    """A chat that was put away."""

    slow_seconds: float
    lines: list[dict[str, str]]
    muted: dict[str, float]
    spoke: dict[str, float]


class Chat:
    """The chat of one room, as its rules see it."""

    def __init__(self, history: int, now: Callable[[], float]) -> None:
        self.slow_seconds = 0.0
        """Slow mode: seconds of game time from one message of a player to the next, at least; 0: it is off."""
        self._lines: deque[dict[str, str]] = deque(maxlen=history)
        self._muted: dict[str, float] = {}
        """Until when, by player id: it outlives their leaving."""
        self._spoke: dict[str, float] = {}
        self._now = now

    @property
    def lines(self) -> tuple[dict[str, str], ...]:
        """The last lines, oldest first: `playerId`, `name` and `text` of each."""
        return tuple(self._lines)

    def mute(self, player: Player | str, seconds: float = inf) -> None:
        """A player, or the player of an id, is not heard for so many seconds of game time, also after coming back."""
        self._muted[_id(player)] = self._now() + seconds

    def unmute(self, player: Player | str) -> None:
        """They are heard again. Nothing happens if they are not muted."""
        self._muted.pop(_id(player), None)

    def is_muted(self, player: Player | str) -> bool:
        return self._muted.get(_id(player), -inf) > self._now()

    # What the room does

    def admit(self, player_id: str) -> None:
        """Somebody wants to speak. Raises `Refusal` if they may not."""
        now = self._now()
        if self.is_muted(player_id):
            raise Refusal(code="INPUT-006")
        if now - self._spoke.get(player_id, -inf) < self.slow_seconds:
            raise Refusal(f"One message each {self.slow_seconds:g} seconds: slow mode is on.", "INPUT-007")
        if self.slow_seconds:
            self._spoke[player_id] = now

    def add(self, line: dict[str, str]) -> None:
        """Something was said to all."""
        self._lines.append(line)

    def leave(self, player_id: str) -> None:
        """Somebody is gone; what there is to hold against them stays until it is over."""
        if self._now() - self._spoke.get(player_id, -inf) >= self.slow_seconds:
            self._spoke.pop(player_id, None)

    def saved(self) -> SavedChat:
        """All that there is to it."""
        muted = {id: float(until) for id, until in self._muted.items()}
        return SavedChat(float(self.slow_seconds), list(self._lines), muted, dict(self._spoke))

    def restore(self, saved: SavedChat) -> None:
        """It goes on as it was, in the same game time."""
        self.slow_seconds = saved.slow_seconds
        self._lines.extend(saved.lines)
        self._muted.update(saved.muted)
        self._spoke.update(saved.spoke)


def _id(player: Player | str) -> str:
    return player if isinstance(player, str) else player.id
