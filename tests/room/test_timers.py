"""Timers fire by game time, in order, whatever they do to each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from monkeytown.player import Timer
from monkeytown.room.timers import FIRST_SWEEP, SHORTEST, Timers

RATE = 60


class Clock:
    """Timers moved tick by tick, and a diary of what fired when."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.tick = 0
        self.diary: list[tuple[str, int]] = []

    def note(self, name: str) -> Callable[[], None]:
        return lambda: self.diary.append((name, self.tick))

    def run(self, ticks: int) -> list[tuple[str, int]]:
        start = len(self.diary)
        for _ in range(ticks):
            self.tick += 1
            self.timers.now = self.tick / RATE
            while (timer := self.timers.take_due()) is not None:
                timer.call()
                self.timers.put_back(timer)
        return self.diary[start:]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_after_fires_once_in_the_tick_of_its_time(clock: Clock) -> None:
    clock.run(7)
    timer = clock.timers.after(1.0, clock.note("x"))
    assert timer.active
    assert clock.run(59) == []
    assert clock.run(1) == [("x", 67)]
    assert not timer.active
    assert clock.run(200) == []


def test_every_keeps_its_rate_for_hours(clock: Clock) -> None:
    clock.timers.every(1 / 60, clock.note("tick"))
    clock.timers.every(0.1, clock.note("tenth"))
    fired = clock.run(60 * 3600)
    assert [tick for name, tick in fired if name == "tick"] == list(range(1, 60 * 3600 + 1))
    assert [tick for name, tick in fired if name == "tenth"] == list(range(6, 60 * 3600 + 1, 6))


def test_every_faster_than_the_ticks_fires_several_times_in_one(clock: Clock) -> None:
    clock.timers.every(1 / 240, clock.note("x"))
    assert len(clock.run(60)) == 240


def test_those_due_together_fire_in_the_order_they_were_made(clock: Clock) -> None:
    for name in "abc":
        clock.timers.after(0.5, clock.note(name))
    assert [name for name, _ in clock.run(30)] == ["a", "b", "c"]


def test_the_earlier_fires_first_within_a_tick(clock: Clock) -> None:
    clock.timers.after(0.016, clock.note("late"))
    clock.timers.after(0.004, clock.note("early"))
    assert [name for name, _ in clock.run(1)] == ["early", "late"]


@pytest.mark.parametrize("delay", [0, 1e-9, SHORTEST])
def test_a_timer_made_by_a_timer_waits_for_the_next_tick(clock: Clock, delay: float) -> None:
    def chain() -> None:
        clock.note("x")()
        clock.timers.after(delay, chain)

    clock.timers.after(delay, chain)
    assert clock.run(3) == [("x", 1), ("x", 2), ("x", 3)]


def test_what_was_cancelled_does_not_fire(clock: Clock) -> None:
    once, often = clock.timers.after(0.1, clock.note("x")), clock.timers.every(0.1, clock.note("y"))
    once.cancel()
    once.cancel()
    assert [name for name, _ in clock.run(13)] == ["y", "y"]
    often.cancel()
    assert clock.run(60) == []


def test_a_timer_may_cancel_itself_and_one_that_is_due_with_it(clock: Clock) -> None:
    def first() -> None:
        clock.note("first")()
        itself.cancel()
        second.cancel()

    itself: Timer = clock.timers.every(0.1, first)
    second = clock.timers.after(0.1, clock.note("second"))
    assert clock.run(60) == [("first", 6)]
    assert clock.timers.next_due is None


def test_next_due_passes_over_the_cancelled(clock: Clock) -> None:
    assert clock.timers.next_due is None
    clock.timers.after(1, clock.note("x")).cancel()
    clock.timers.after(2, clock.note("y"))
    assert clock.timers.next_due == 2


def test_cancelled_timers_do_not_pile_up(clock: Clock) -> None:
    clock.timers.every(1000, clock.note("kept"))
    for _ in range(10_000):
        clock.timers.after(3600, clock.note("x")).cancel()
    assert len(clock.timers) <= FIRST_SWEEP
    kept = [clock.timers.after(3600, clock.note("y")) for _ in range(1000)]
    assert len(clock.timers) >= len(kept)


def test_nothing_fires_once_cleared(clock: Clock) -> None:
    clock.timers.after(0.1, clock.note("x"))
    clock.timers.clear()
    assert clock.run(60) == []


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_a_delay_is_a_time_to_come(clock: Clock, seconds: float) -> None:
    with pytest.raises(ValueError, match="0 seconds or more"):
        clock.timers.after(seconds, clock.note("x"))
    with pytest.raises(ValueError, match="0 seconds or more"):
        clock.timers.every(seconds, clock.note("x"))


def test_an_interval_of_zero_would_never_end(clock: Clock) -> None:
    with pytest.raises(ValueError, match="interval above 0"):
        clock.timers.every(0, clock.note("x"))


def test_calling_instead_of_naming_a_function_is_noticed(clock: Clock) -> None:
    ring: Any = None
    with pytest.raises(TypeError, match="without parentheses"):
        clock.timers.after(1, ring)
