"""Looks after what nobody else would notice: silent connections, seats that nobody came back to, empty rooms.

Knows calls and an interval.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

__all__ = ["Sweeper"]


class Sweeper:
    """Makes these calls each `interval` seconds, in order, with the time."""

    def __init__(self, interval: float, calls: Sequence[Callable[[float], None]]) -> None:
        self._interval = interval
        self._calls = calls
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on, in this event loop."""
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._sweep)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        self.start()
        now = time.monotonic()
        for call in self._calls:
            call(now)
