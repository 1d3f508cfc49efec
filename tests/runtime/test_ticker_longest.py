"""Rooms that hold up all others: what a ticker does about one that takes longer than any may."""

from __future__ import annotations

from monkeytown._core.timing import ON_TICK, Stopwatch
from monkeytown.runtime.metrics import Metrics
from monkeytown.runtime.ticker import OVERLONG_TURNS, SECOND, Ticker

MILLISECOND = SECOND // 1000


class Desk:
    """One beat of 50 a second under a ticker by a clock of ours."""

    def __init__(self, longest: float) -> None:
        self.ns = 0
        self.takes = 0
        self.told: list[int] = []
        self.ticker = Ticker(now=lambda: self.ns, metrics=Metrics(), longest=longest)
        self.last = False
        self._stopwatch = Stopwatch(self.ticker.metrics.games["dots"].timing, self.ticker.course)
        self.beat = self.ticker.add(50, self._step, (), self._stopwatch)
        self.beat.too_long = self.told.append

    def _step(self, steps: int) -> None:
        self.ns += self.takes * MILLISECOND
        self._stopwatch.lap(ON_TICK)
        if self.last:
            self.ticker.remove(self.beat)

    def turns(self, *milliseconds: int) -> None:
        for takes in milliseconds:
            self.takes = takes
            deadline = self.ticker.next_deadline
            assert deadline is not None
            self.ns = max(self.ns, deadline)
            self.ticker.run()


def test_so_many_turns_in_a_row_are_too_many() -> None:
    desk = Desk(longest=0.1)
    desk.turns(*[150] * (OVERLONG_TURNS - 1))
    assert desk.told == []
    desk.turns(150)
    assert len(desk.told) == 1
    assert desk.told[0] >= 150 * MILLISECOND


def test_it_is_told_once() -> None:
    desk = Desk(longest=0.1)
    desk.turns(*[150] * (3 * OVERLONG_TURNS))
    assert len(desk.told) == 1


def test_a_turn_in_time_in_between_forgives_the_others() -> None:
    desk = Desk(longest=0.1)
    desk.turns(*([150] * (OVERLONG_TURNS - 1) + [1]) * 4)
    assert desk.told == []


def test_what_takes_just_as_long_as_it_may_is_not_too_long() -> None:
    desk = Desk(longest=0.1)
    desk.turns(*[99] * 10)
    assert desk.told == []


def test_without_a_limit_it_may_take_as_long_as_it_likes() -> None:
    desk = Desk(longest=0.0)
    desk.turns(*[500] * 10)
    assert desk.told == []


def test_one_that_ends_in_that_turn_is_not_told() -> None:
    desk = Desk(longest=0.1)
    desk.turns(*[150] * (OVERLONG_TURNS - 1))
    desk.last = True
    desk.turns(150)
    assert desk.told == []
