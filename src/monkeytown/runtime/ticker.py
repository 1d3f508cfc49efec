"""When rooms are stepped: beats with absolute deadlines, and the alarm that wakes the event loop for them.

Knows time and calls; knows nothing of rooms. All deadlines of a rate count from one origin, so nothing drifts. Rooms of one
rate are spread over a few phases of its interval: enough that they do not all send at once, few enough that wake-ups cost
little.

A beat that is late is called once with the number of steps to make up: at most two more than the one that is due; the rest
waits for the next turn of the loop. One that is late by more than a quarter of a second gives that time up.

What a wake-up took is put down to the rooms it was for, and an instance that is too busy leaves out what follows the calls
at every second or third turn of a beat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

import structlog

from monkeytown._core import clock
from monkeytown._core.timing import Course, Stopwatch
from monkeytown.runtime.metrics import Metrics
from monkeytown.runtime.shedding import Shedding

__all__ = [
    "CATCH_UP",
    "GIVE_UP",
    "OVERLONG_TURNS",
    "PHASES",
    "Beat",
    "LoopWaker",
    "Ticker",
    "TimerWaker",
    "Waker",
    "make_waker",
]

log = structlog.get_logger()

SECOND = 1_000_000_000

CATCH_UP = 2
"""Steps beside the one that is due."""

OVERLONG_TURNS = 3
"""In a row: then a room is ended for what it does to the others. One alone may be the machine's doing."""

GIVE_UP = SECOND // 4
"""Nanoseconds: whoever is later does not try to catch up."""

PHASES = 2

SHIFTS = 6
"""A multiple of every stride: the places over which the beats of a phase spread what they leave out."""

OBSERVED = SECOND // 10
"""Nanoseconds from one look at how busy the instance is to the next."""


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
    """One room's place in time. `call(steps)` is called when steps are due, and `then`, one by one, what follows.

    Both take laps of the stopwatch, if there is one. `shift` says which turns are without what follows, if some are.
    """

    __slots__ = (
        "active",
        "call",
        "interval",
        "lateness",
        "overlong",
        "phase",
        "rate",
        "shift",
        "stopwatch",
        "stretch",
        "then",
        "too_long",
        "turn",
    )

    def __init__(
        self,
        rate: int,
        phase: int,
        shift: int,
        turn: int,
        call: Callable[[int], None],
        then: Sequence[Callable[[], None]],
        stopwatch: Stopwatch | None,
    ) -> None:
        self.rate = rate
        self.phase = phase
        self.shift = shift
        self.turn = turn
        self.call = call
        self.then = then
        self.stopwatch = stopwatch
        self.interval = SECOND // rate
        self.lateness = 0
        self.overlong = 0
        """Turns in a row that took longer than any may."""
        self.too_long: Callable[[int], None] = lambda nanoseconds: None
        """Called when those were too many, with what the last of them took."""
        self.stretch = -1
        self.active = True

    def follows(self, stride: int) -> bool:
        """Whether this turn has what follows: one of each stretch of `stride` turns has."""
        before, self.stretch = self.stretch, (self.turn + self.shift) // stride
        return self.stretch != before

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
        cpu: Callable[[], int] = time.thread_time_ns,
        metrics: Metrics | None = None,
        shedding: Shedding | None = None,
        longest: float = 0.0,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.shedding = shedding or Shedding(max_stride=1)
        self._longest = int(longest * SECOND)
        """What a room may take for a turn; 0: as much as it likes."""
        self.course = Course(None if now is clock.now else now)
        """What stopwatches measure, by the ticker's own clock."""
        self._now = now
        self._cpu = cpu
        self._origin = now()
        self._waker = waker
        self._queue: list[tuple[int, int, Beat]] = []
        self._order = count()
        self._load: dict[int, list[list[int]]] = {}
        self._running = False
        self.before: Callable[[], None] = lambda: None
        """Called when some beat is due, before any is: what is to be known by then."""
        self.after: Callable[[], None] = lambda: None
        """Called when all that was due is done: what it has put together can go."""
        self._observed = self._origin
        self._cpu_then = cpu()
        self._busy = 0
        self._excused = 0
        self._sending = 0
        if waker is not None:
            waker.ring = self.run

    @property
    def next_deadline(self) -> int | None:
        while self._queue and not self._queue[0][2].active:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    @property
    def is_due(self) -> bool:
        """Whether some beat waits to be called."""
        deadline = self.next_deadline
        return deadline is not None and deadline <= self._now()

    def add(
        self,
        rate: int,
        call: Callable[[int], None],
        then: Sequence[Callable[[], None]] = (),
        stopwatch: Stopwatch | None = None,
    ) -> Beat:
        """From the next whole interval on, `rate` times a second, in the emptiest phase."""
        load = self._load.setdefault(rate, [[0] * SHIFTS for _ in range(PHASES)])
        phase = min(range(PHASES), key=lambda phase: sum(load[phase]))
        shift = load[phase].index(min(load[phase]))
        load[phase][shift] += 1
        turn = (self._now() - self._origin) * rate // SECOND + 1
        beat = Beat(rate, phase, shift, turn, call, then, stopwatch)
        self._push(beat)
        self._arm()
        return beat

    def remove(self, beat: Beat) -> None:
        if beat.active:
            beat.active = False
            self._load[beat.rate][beat.phase][beat.shift] -= 1
            self._arm()

    def run(self) -> None:
        """Calls every beat that is due, once, and has each do what follows: all of them one thing, then the next.

        A thousand sends leave nothing of ours in the processor's caches. So all rules run in one go, then all states are
        encoded, and then all is sent.
        """
        self.before()
        self.metrics.wakeups += 1
        self._running = True
        late: list[Beat] = []
        began = now = self._now()
        self.course.start()
        try:
            while (deadline := self.next_deadline) is not None and deadline <= now:
                _, _, beat = heappop(self._queue)
                late.append(beat)
                beat.lateness = now - deadline
                beat.call(self._steps(beat))
                now = self._now()
            stride = self.shedding.stride
            following = [beat for beat in late if beat.then]
            if stride > 1:
                due, following = len(following), [beat for beat in following if beat.follows(stride)]
                self.metrics.states_shed += due - len(following)
            for turn in range(max((len(beat.then) for beat in following), default=0)):
                for beat in following:
                    if beat.active and turn < len(beat.then):
                        beat.then[turn]()
            self.after()
            self._account(late, began, now)
        finally:
            self._running = False
            for beat in late:
                if beat.active:
                    self._push(beat)
            self._arm()

    def excuse(self, seconds: float) -> None:
        """So much was done that gives way to ticks, and is none of what makes an instance too busy."""
        self._excused += int(seconds * SECOND)

    def close(self) -> None:
        for _, _, beat in self._queue:
            beat.active = False
        if self._waker is not None:
            self._waker.close()

    def _account(self, late: Sequence[Beat], began: int, stepped: int) -> None:
        """Puts down what this wake-up took; all that is left of it is what follows the calls, from `stepped` on.

        A room that took longer than its interval has overrun it. If none did, and all together took longer than the
        shortest interval, that counts once, for the room that took most.
        """
        now = self._now()
        self.metrics.nanoseconds_busy += now - began
        self._busy += now - began
        self._sending += now - stepped
        overrun = False
        overlong: list[tuple[Beat, int]] = []
        longest: Stopwatch | None = None
        shortest = SECOND
        for beat in late:
            shortest = min(shortest, beat.interval)
            stopwatch = beat.stopwatch
            if stopwatch is None:
                continue
            taken = stopwatch.finish(beat.lateness)
            if taken > self._longest > 0:
                overlong.append((beat, taken))
            else:
                beat.overlong = 0
            if taken > beat.interval:
                stopwatch.blame()
                overrun = True
            if longest is None or taken > longest.taken:
                longest = stopwatch
        if not overrun and longest is not None and now - began > shortest:
            longest.blame()
        for beat, taken in overlong:
            beat.overlong += 1
            if beat.overlong == OVERLONG_TURNS and beat.active:
                beat.too_long(taken)
        if now - self._observed >= OBSERVED:
            self._observe(now)

    def _observe(self, now: int) -> None:
        """Shows the shedding how busy this thread was: with the rooms or, if that is more, with anything at all."""
        elapsed = now - self._observed
        cpu = self._cpu()
        working = max(self._busy, cpu - self._cpu_then - self._excused)
        shedding, before = self.shedding, self.shedding.stride
        if shedding.observe(elapsed / SECOND, working / SECOND, self._sending / SECOND):
            if shedding.stride > before:
                log.warning("too busy: states are sent less often", stride=shedding.stride)
            else:
                log.info("states are sent more often again", stride=shedding.stride)
        self._observed = now
        self._cpu_then = cpu
        self._busy = self._sending = self._excused = 0

    def _steps(self, beat: Beat) -> int:
        """How many steps to make now; moves the beat on."""
        lateness = beat.lateness
        if lateness < beat.interval:
            beat.turn += 1
            return 1
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
