"""When newcomers have their turn: between ticks, and for a short stretch at a time.

Knows time and calls; does not know what newcomers are. An upgrade and a join each cost as much as a hundred inputs. When
many come at once they wait, in order, so that a storm of them stretches their joins and not the ticks of those who play.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["STRETCH", "Admission"]

STRETCH = 0.004
"""Seconds for which newcomers may keep the event loop from everything else, at a time."""

LEAST = 0.001
"""The same when something else is due: a server that is always late must let them in as well."""


class Admission:
    """Calls that wait for their turn. `is_due` says whether something is due that newcomers must not hold up.

    `spent` is told the seconds that were spent on them.
    """

    def __init__(
        self,
        is_due: Callable[[], bool],
        *,
        stretch: float = STRETCH,
        now: Callable[[], float] = time.monotonic,
        call_soon: Callable[[Callable[[], None]], object] | None = None,
        spent: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        self._is_due = is_due
        self._stretch = stretch
        self._now = now
        self._call_soon = call_soon
        self._spent = spent
        self._waiting: deque[Callable[[], None]] = deque()
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, call: Callable[[], None]) -> None:
        """Calls it once, in its turn, and never before this returns."""
        self._waiting.append(call)
        self._schedule()

    def spend(self, one: Callable[[], bool]) -> bool:
        """Calls `one` until it returns False, because nothing is left to do. False if there was no time for that.

        It is called at least once.
        """
        began = self._now()
        while one():
            spent = self._now() - began
            if spent >= self._stretch or (spent >= LEAST and self._is_due()):
                return False
        return True

    def turn(self, one: Callable[[], bool]) -> bool:
        """`spend`, on newcomers: what it takes is no reason to do less for those who are in."""
        began = self._now()
        try:
            return self.spend(one)
        finally:
            self._spent(self._now() - began)

    def finish(self) -> None:
        """Calls all that wait, at once: there will be no other turn."""
        while self._next():
            pass

    def _run(self) -> None:
        self._scheduled = False
        try:
            self.turn(self._next)
        finally:
            # One that fails is not the others' trouble.
            if self._waiting:
                self._schedule()

    def _next(self) -> bool:
        if self._waiting:
            self._waiting.popleft()()
        return bool(self._waiting)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            # The event loop looks at its sockets and alarms in between.
            (self._call_soon or asyncio.get_running_loop().call_soon)(self._run)
