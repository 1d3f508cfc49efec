"""When rooms are stepped: beats with absolute deadlines, and the alarm that wakes the event loop for them.

Knows time and calls; knows nothing of rooms. All deadlines of a rate count from one origin, so nothing drifts. Rooms of one
rate are spread over a few phases of its interval: enough that they do not all send at once, few enough that wake-ups cost
little.

A beat that is late is called once with the number of steps to make up: at most two more than the one that is due; the rest
waits for the next turn of the loop. One that is late by more than a quarter of a second gives that time up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from monkeytown._core import clock
from monkeytown.runtime.metrics import Metrics

__all__ = [
    "CATCH_UP",
    "GIVE_UP",
    "PHASES",
    "Beat",
    "LoopWaker",
    "Ticker",
    "TimerWaker",
    "Waker",
    "make_waker",
]

SECOND = 1_000_000_000

CATCH_UP = 2
"""Steps beside the one that is due."""

GIVE_UP = SECOND // 4
"""Nanoseconds: whoever is later does not try to catch up."""

PHASES = 2


class Waker(Protocol):
    """Calls `ring` once at a deadline; a new deadline replaces the old one."""

    ring: Callable[[], None]

    def set(self, deadline: int) -> None: ...

    def close(self) -> None: ...


class TimerWaker:
    """On a timerfd: as exact as the kernel is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ring: Callable[[], None] = lambda: None
        self._loop = loop
        self._alarm = clock.Alarm()
        loop.add_reader(self._alarm.fileno(), self._readable)

    def set(self, deadline: int) -> None:
        self._alarm.set(deadline)

    def close(self) -> None:
        if self._alarm.fileno() >= 0:
            self._loop.remove_reader(self._alarm.fileno())
            self._alarm.close()

    def _readable(self) -> None:
        if self._alarm.silence():
            self.ring()


class LoopWaker:
    """On the event loop's own timers, for systems without timerfd: each ring may be late by a millisecond, none drifts."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ring: Callable[[], None] = lambda: None
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def set(self, deadline: int) -> None:
        self.close()
        delay = max(0, deadline - clock.now()) / SECOND
        self._handle = self._loop.call_later(delay, self._ring, deadline)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self, deadline: int) -> None:
        if clock.now() < deadline:
            self.set(deadline)
        else:
            self._handle = None
            self.ring()


def make_waker(loop: asyncio.AbstractEventLoop) -> Waker:
    return TimerWaker(loop) if clock.AVAILABLE else LoopWaker(loop)


class Beat:
    """One room's place in time. `call(steps)` is called when steps are due, and `then`, one by one, what follows."""

    __slots__ = ("active", "call", "phase", "rate", "then", "turn")

    def __init__(
        self,
        rate: int,
        phase: int,
        turn: int,
        call: Callable[[int], None],
        then: Sequence[Callable[[], None]],
    ) -> None:
        self.rate = rate
        self.phase = phase
        self.turn = turn
        self.call = call
        self.then = then
        self.active = True

    def deadline(self, origin: int) -> int:
        return origin + (self.turn * PHASES + self.phase) * SECOND // (self.rate * PHASES)


class Ticker:
    """All beats of an instance.

    Without a waker, somebody calls `run` at `next_deadline`: tests do, with a clock of their own.
    """

    def __init__(
        self,
        waker: Waker | None = None,
        *,
        now: Callable[[], int] = clock.now,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self._now = now
        self._origin = now()
        self._waker = waker
        self._queue: list[tuple[int, int, Beat]] = []
        self._order = count()
        self._load: dict[int, list[int]] = {}
        self._running = False
        if waker is not None:
            waker.ring = self.run

    @property
    def next_deadline(self) -> int | None:
        while self._queue and not self._queue[0][2].active:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def add(self, rate: int, call: Callable[[int], None], then: Sequence[Callable[[], None]] = ()) -> Beat:
        """From the next whole interval on, `rate` times a second, in the emptiest phase."""
        load = self._load.setdefault(rate, [0] * PHASES)
        phase = load.index(min(load))
        load[phase] += 1
        turn = (self._now() - self._origin) * rate // SECOND + 1
        beat = Beat(rate, phase, turn, call, then)
        self._push(beat)
        self._arm()
        return beat

    def remove(self, beat: Beat) -> None:
        if beat.active:
            beat.active = False
            self._load[beat.rate][beat.phase] -= 1
            self._arm()

    def run(self) -> None:
        """Calls every beat that is due, once, and has each do what follows: all of them one thing, then the next.

        A thousand sends leave nothing of ours in the processor's caches. So all rules run in one go, then all states are
        encoded, and then all is sent.
        """
        self.metrics.wakeups += 1
        self._running = True
        late: list[Beat] = []
        try:
            while (deadline := self.next_deadline) is not None and deadline <= self._now():
                _, _, beat = heappop(self._queue)
                late.append(beat)
                beat.call(self._steps(beat, self._now() - deadline))
            for turn in range(max((len(beat.then) for beat in late), default=0)):
                for beat in late:
                    if beat.active and turn < len(beat.then):
                        beat.then[turn]()
        finally:
            self._running = False
            for beat in late:
                if beat.active:
                    self._push(beat)
            self._arm()

    def close(self) -> None:
        for _, _, beat in self._queue:
            beat.active = False
        if self._waker is not None:
            self._waker.close()

    def _steps(self, beat: Beat, lateness: int) -> int:
        """How many steps to make now; moves the beat on."""
        missed = lateness * beat.rate // SECOND
        if lateness > GIVE_UP:
            beat.turn += missed + 1
            self.metrics.nanoseconds_dropped += missed * SECOND // beat.rate
            return 1
        steps = 1 + min(missed, CATCH_UP)
        beat.turn += steps
        self.metrics.ticks_caught_up += steps - 1
        return steps

    def _push(self, beat: Beat) -> None:
        heappush(self._queue, (beat.deadline(self._origin), next(self._order), beat))

    def _arm(self) -> None:
        deadline = self.next_deadline
        if self._waker is not None and deadline is not None and not self._running:
            self._waker.set(deadline)
