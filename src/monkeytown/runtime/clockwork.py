"""How time passes in one room: by the ticks of the instance, or, without any, from event to event and timer to timer.

Knows the room, the ticker and the clock; not what happens in a tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from monkeytown._core.timing import Stopwatch
from monkeytown.room.room import Room
from monkeytown.runtime.ticker import Beat

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host

__all__ = ["Clockwork"]


class Clockwork:
    """Of one room."""

    def __init__(self, host: Host, room: Room) -> None:
        self._host = host
        self._room = room
        self._beat: Beat | None = None
        self._advanced = host.now()
        self._timer: asyncio.TimerHandle | None = None

    def tick(
        self,
        step: Callable[[int], None],
        then: Sequence[Callable[[], None]],
        stopwatch: Stopwatch,
        too_long: Callable[[int], None],
    ) -> None:
        """From now on it ticks."""
        self._beat = self._host.ticker.add(self._room.tick_rate, step, then, stopwatch)
        self._beat.too_long = too_long

    def wind(self, fire: Callable[[], None]) -> None:
        """From now on, without ticks, `fire` is called when a timer of the room is due."""
        self._advanced = self._host.now()
        self.set_timer(fire)

    def advance(self) -> None:
        """A room without ticks moves to the time it is."""
        now = self._host.now()
        self._room.advance(now - self._advanced)
        self._advanced = now

    def set_timer(self, fire: Callable[[], None]) -> None:
        """What the room waits for next may be something else now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._room.next_timer
        if due is not None and self._room.closed is None:
            self._timer = self._host.call_later(due, fire)

    def stop(self) -> None:
        """Time stands still."""
        if self._beat is not None:
            self._host.ticker.remove(self._beat)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
