"""When Python's garbage collector looks at every object there is: once nobody is coming in any more.

Knows the collector and how many players have come; does not know them. With thousands of players a full collection takes
longer than a tick, and Python would begin one whenever a quarter more objects have come to stay: in the middle of a storm
of joins. The younger generations, which are small, are left to Python.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

__all__ = ["MOST", "Collector"]

INTERVAL = 1.0  # seconds

MOST = 200
"""Collections of the middle generation after which everything is looked at, whoever is coming: games make garbage as well."""

NEVER = 2**31 - 1

# From then on Python looks at a part of what is old at a time.
INCREMENTAL = sys.version_info >= (3, 14)


class Collector:
    """`arrived` counts players who have ever come, `present` those who are here."""

    def __init__(
        self,
        arrived: Callable[[], int],
        present: Callable[[], int],
        *,
        collect: Callable[[], object] = gc.collect,
        waiting: Callable[[], int] = lambda: gc.get_count()[2],
    ) -> None:
        self._arrived = arrived
        self._present = present
        self._collect = collect
        self._waiting = waiting
        self._collected_at = self._last = arrived()
        self._before: tuple[int, int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Takes full collections over from Python, in the running event loop."""
        if not INCREMENTAL:
            self._before = gc.get_threshold()
            gc.set_threshold(*self._before[:2], NEVER)
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._before is not None:
            gc.set_threshold(*self._before)

    def look(self) -> None:
        """Collects if a quarter of those who are here are new and nobody has come since the last look; or if it must be."""
        arrived = self._arrived()
        new, calm = arrived - self._collected_at, arrived == self._last
        self._last = arrived
        if (calm and new and 4 * new >= self._present()) or self._waiting() >= MOST:
            self._collected_at = arrived
            self._collect()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._turn)

    def _turn(self) -> None:
        self._wait()
        self.look()
