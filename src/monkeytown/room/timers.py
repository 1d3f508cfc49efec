"""Calls that wait for game time.

Knows a number called now, not where it comes from: the room moves it, tick by tick or event by event, so the
same inputs fire the same timers in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, isfinite

from monkeytown.player import Timer

__all__ = ["Scheduled", "Timers"]

SHORTEST = 0.001
"""Seconds; shorter delays count as this.

So no timer fires in the tick that made it, and no chain of timers stops the clock.
"""

ROUNDING = 1e-6  # seconds: a delay of a whole number of ticks must not miss its tick by a rounding error
FIRST_SWEEP = 64  # waiting timers before the cancelled ones among them are looked for


class Scheduled(Timer):
    """A timer as the room keeps it.

    One that repeats counts its calls from its start, so that rounding errors do not add up.
    """

    __slots__ = ("calls", "due", "interval", "start", "what")

    def __init__(self, what: Callable[[], object], start: float, seconds: float, interval: float) -> None:
        super().__init__()
        self.what = what
        self.start = start
        self.interval = interval
        self.calls = 0
        self.due = start + seconds

    def call(self) -> None:
        self.calls += 1
        if self.interval:
            self.due = self.start + (self.calls + 1) * self.interval
        else:
            self.active = False
        self.what()


class Timers:
    """All timers of a room, in the order in which they are due; those due together fire in the order they
    were made.
    """

    __slots__ = ("_order", "_queue", "_sweep_at", "earliest", "now")

    def __init__(self) -> None:
        self.now = 0.0
        """The game time. Whoever moves it takes what is then due."""
        self.earliest = inf
        """Before this none is due: asked in every tick, for which a call would be too much."""
        self._queue: list[tuple[float, int, Scheduled]] = []
        self._order = count()
        self._sweep_at = FIRST_SWEEP

    def __len__(self) -> int:
        """How many are kept, cancelled ones included until they are swept."""
        return len(self._queue)

    @property
    def next_due(self) -> float | None:
        """The game time of the earliest call; None if nothing waits."""
        while self._queue and not self._queue[0][2].active:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def after(self, seconds: float, what: Callable[[], object]) -> Timer:
        """One call, `seconds` from now."""
        delay = max(_checked(seconds, what), SHORTEST)
        return self._add(Scheduled(what, self.now, delay, interval=0.0))

    def every(self, seconds: float, what: Callable[[], object]) -> Timer:
        """A call each `seconds`, the first one that long from now."""
        if not _checked(seconds, what):
            raise ValueError("every() needs an interval above 0")
        interval = max(seconds, SHORTEST)
        return self._add(Scheduled(what, self.now, interval, interval))

    def take_due(self) -> Scheduled | None:
        """The next timer whose time has come, out of the queue; None if there is none."""
        queue = self._queue
        while queue and queue[0][0] <= self.now + ROUNDING:
            timer = heappop(queue)[2]
            if timer.active:
                return timer
        self.earliest = queue[0][0] - ROUNDING if queue else inf
        return None

    def put_back(self, timer: Scheduled) -> None:
        """After its call: a timer that repeats waits again, in a line with those made now."""
        if timer.active:
            self._add(timer)

    def clear(self) -> None:
        """Nothing fires any more."""
        self._queue.clear()

    def _add(self, timer: Scheduled) -> Timer:
        if len(self._queue) >= self._sweep_at:
            self._queue = [entry for entry in self._queue if entry[2].active]
            heapify(self._queue)
            self._sweep_at = max(FIRST_SWEEP, 2 * len(self._queue))
        heappush(self._queue, (timer.due, next(self._order), timer))
        self.earliest = self._queue[0][0] - ROUNDING
        return timer


def _checked(seconds: float, what: Callable[[], object]) -> float:
    if not callable(what):
        raise TypeError(
            f"a timer calls a function, not {what!r}: write self.after(1, self.ring), without parentheses"
        )
    if not (isfinite(seconds) and seconds >= 0):
        raise ValueError(f"a timer waits 0 seconds or more, not {seconds!r}")
    return seconds
