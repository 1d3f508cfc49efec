"""Beats under a clock that the test moves: when, how many steps, what is dropped."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from monkeytown._core import clock as kernel
from monkeytown.runtime.ticker import GIVE_UP, PHASES, SECOND, LoopWaker, Ticker, TimerWaker, Waker
from tests.runtime.stage import Clock


def test_a_second_has_as_many_steps_as_the_rate_says(clock: Clock) -> None:
    steps: Counter[int] = Counter()
    for rate in (1, 20, 60, 128):
        clock.ticker.add(rate, lambda count, rate=rate: steps.update({rate: count}))  # type: ignore[misc]
    clock.run(10)
    assert steps == {1: 10, 20: 200, 60: 600, 128: 1280}
    assert clock.ticker.metrics.ticks_caught_up == 0


def test_deadlines_do_not_drift(clock: Clock) -> None:
    times: list[int] = []
    start = clock.ns
    clock.ticker.add(60, lambda count: times.append(clock.ns))
    clock.run(3600)
    assert len(times) == 3600 * 60
    assert abs(times[-1] - start - 3600 * SECOND) <= 1


def test_rooms_of_one_rate_are_spread_evenly_over_the_phases(clock: Clock) -> None:
    times: list[int] = []
    for _ in range(2 * PHASES):
        clock.ticker.add(50, lambda count: times.append(clock.ns))
    clock.run(0.036)
    assert len(times) == 2 * PHASES
    assert set(Counter(times).values()) == {2}
    assert {
        after - before for before, after in zip(sorted(set(times)), sorted(set(times))[1:], strict=False)
    } == {SECOND // 50 // PHASES}


def test_a_beat_is_due_from_its_deadline_until_it_is_called(clock: Clock) -> None:
    ticker = clock.ticker
    assert not ticker.is_due
    ticker.add(50, lambda count: None)
    deadline = ticker.next_deadline
    assert deadline is not None
    clock.ns = deadline - 1
    assert not ticker.is_due
    clock.ns = deadline
    assert ticker.is_due
    ticker.run()
    assert not ticker.is_due


def test_an_empty_phase_is_filled_first(clock: Clock) -> None:
    beats = [clock.ticker.add(50, lambda count: None) for _ in range(PHASES)]
    clock.ticker.remove(beats[1])
    assert clock.ticker.add(50, lambda count: None).phase == beats[1].phase


@pytest.mark.parametrize(
    ("late", "first", "again"), [(0.0, 1, 1), (0.025, 2, 1), (0.045, 3, 1), (0.095, 3, 2), (0.125, 3, 3)]
)
def test_at_most_two_steps_are_caught_up_at_once(clock: Clock, late: float, first: int, again: int) -> None:
    steps: list[int] = []
    clock.ticker.add(50, steps.append)
    deadline = clock.ticker.next_deadline
    assert deadline is not None
    clock.ns = deadline
    clock.sleep(late)
    clock.ticker.run()
    assert steps == [first]
    if clock.ticker.next_deadline <= clock.ns:  # type: ignore[operator]
        clock.ticker.run()
        assert steps == [first, again]
    assert clock.ticker.metrics.nanoseconds_dropped == 0


def test_one_long_pause_is_given_up_and_counted(clock: Clock) -> None:
    steps: list[int] = []
    clock.ticker.add(50, steps.append)
    clock.run(0.1)
    steps.clear()
    clock.sleep(3.0)
    clock.ticker.run()
    assert steps == [1]
    assert 2.9 * SECOND <= clock.ticker.metrics.nanoseconds_dropped <= 3.0 * SECOND
    clock.run(1.0)
    assert sum(steps) == pytest.approx(51, abs=1)


def test_a_pause_just_within_bounds_loses_nothing(clock: Clock) -> None:
    steps: list[int] = []
    clock.ticker.add(50, steps.append)
    deadline = clock.ticker.next_deadline
    assert deadline is not None
    clock.ns = deadline + GIVE_UP
    clock.run(1.0)
    assert clock.ticker.metrics.nanoseconds_dropped == 0
    assert sum(steps) == (clock.ns - deadline) * 50 // SECOND + 1
    assert max(steps) == 3


def test_a_removed_beat_is_not_called_any_more(clock: Clock) -> None:
    calls: list[int] = []
    beat = clock.ticker.add(50, calls.append)
    clock.run(0.05)
    clock.ticker.remove(beat)
    clock.ticker.remove(beat)
    before = len(calls)
    clock.run(1)
    assert len(calls) == before
    assert clock.ticker.next_deadline is None


def test_a_beat_may_remove_itself_and_others_and_add_new_ones(clock: Clock) -> None:
    calls: list[str] = []

    def first(count: int) -> None:
        calls.append("first")
        clock.ticker.remove(one)
        clock.ticker.remove(two)
        clock.ticker.add(50, lambda count: calls.append("new"))

    one = clock.ticker.add(50, first)
    two = clock.ticker.add(50, lambda count: calls.append("second"))
    clock.run(0.05)
    assert calls[0] == "first"
    assert calls.count("second") == 0
    assert calls.count("new") >= 1


def test_an_error_of_one_beat_does_not_stop_the_others(clock: Clock) -> None:
    calls: list[int] = []

    def fails(count: int) -> None:
        raise RuntimeError("from the beat")

    clock.ticker.add(50, fails)
    clock.ticker.add(50, calls.append)
    errors = 0
    end = clock.ns + SECOND
    while (deadline := clock.ticker.next_deadline) is not None and deadline <= end:
        clock.ns = max(clock.ns, deadline)
        try:
            clock.ticker.run()
        except RuntimeError:
            errors += 1
    assert len(calls) == pytest.approx(50, abs=1)
    assert errors == pytest.approx(50, abs=1)


@pytest.mark.parametrize("make", [TimerWaker, LoopWaker])
async def test_wakers_ring_once_at_their_deadline(make: type[TimerWaker] | type[LoopWaker]) -> None:
    if make is TimerWaker and not kernel.AVAILABLE:
        pytest.skip("there is no timerfd here")
    waker: Waker = make(asyncio.get_running_loop())
    rung: list[int] = []
    done = asyncio.Event()

    def ring() -> None:
        rung.append(kernel.now())
        done.set()

    waker.ring = ring
    never = kernel.now() + 3600 * SECOND
    deadline = kernel.now() + SECOND // 100
    waker.set(never)
    waker.set(deadline)
    await asyncio.wait_for(done.wait(), 10)
    await asyncio.sleep(0)
    assert len(rung) == 1
    assert rung[0] >= deadline
    waker.close()
    waker.close()


async def test_a_ticker_with_a_waker_runs_by_itself() -> None:
    waker = LoopWaker(asyncio.get_running_loop())
    ticker = Ticker(waker)
    done = asyncio.Event()
    calls: list[int] = []

    def call(steps: int) -> None:
        calls.append(steps)
        if len(calls) == 3:
            done.set()

    ticker.add(500, call)
    await asyncio.wait_for(done.wait(), 10)
    ticker.close()
    assert ticker.next_deadline is None
