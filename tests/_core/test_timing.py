"""The stopwatch: laps by part, buckets, and who is blamed."""

from __future__ import annotations

import pytest

from monkeytown._core import clock
from monkeytown._core.timing import (
    BOUNDS,
    COMMIT,
    ENCODE,
    ON_INPUT,
    ON_TICK,
    PARTS,
    SEND,
    Histogram,
    Stopwatch,
    Timing,
)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def watch(hand: Hand) -> Stopwatch:
    return Stopwatch(Timing(), hand)


def spend(watch: Stopwatch, hand: Hand, part: int, duration: int) -> None:
    hand.at += duration
    watch.lap(part)


def test_a_duration_falls_into_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram()
    durations = [0, BOUNDS[0], BOUNDS[0] + 1, BOUNDS[-1], BOUNDS[-1] + 1, 1 << 62]
    for duration in durations[:-1]:
        histogram.observe(duration)
    assert histogram.sum == sum(durations[:-1])
    histogram.observe(durations[-1] - histogram.sum)
    assert histogram.counts == (2, 1, *[0] * (len(BOUNDS) - 3), 1, 2)
    assert sum(histogram.counts) == len(durations)


def test_bounds_rise() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert len(Histogram().counts) == len(BOUNDS) + 1


def test_laps_go_to_their_parts(watch: Stopwatch, hand: Hand) -> None:
    watch.start()
    spend(watch, hand, ON_INPUT, 100)
    spend(watch, hand, ON_TICK, 2_000)
    spend(watch, hand, ON_INPUT, 10)
    hand.at += 5_000_000  # somebody else's turn
    watch.start()
    spend(watch, hand, ENCODE, 3)
    assert watch.finish() == watch.taken == 2_113
    sums = {name: part.sum for name, part in zip(PARTS, watch.timing.parts, strict=True) if sum(part.counts)}
    assert sums == {"on_input": 110, "on_tick": 2_000, "encode": 3}
    assert watch.timing.duration.sum == 2_113
    assert sum(watch.timing.duration.counts) == 1


def test_a_turn_is_forgotten_once_it_is_finished(watch: Stopwatch, hand: Hand) -> None:
    watch.start()
    spend(watch, hand, COMMIT, 50)
    watch.finish()
    watch.start()
    spend(watch, hand, SEND, 7)
    assert watch.finish() == 7
    assert [part.sum for part in watch.timing.parts] == [0, 0, 0, 0, 50, 0, 7]


def test_a_turn_without_laps_has_no_duration(watch: Stopwatch) -> None:
    assert watch.finish(30) == 0
    assert sum(watch.timing.duration.counts) == 0
    assert sum(watch.timing.lateness.counts) == 1


def test_lateness_is_kept_where_there_is_a_deadline(watch: Stopwatch) -> None:
    watch.finish()
    watch.finish(-1)
    assert sum(watch.timing.lateness.counts) == 0
    watch.finish(0)
    watch.finish(20_000)
    assert watch.timing.lateness.sum == 20_000
    assert watch.timing.lateness.counts[:2] == (1, 1)


def test_the_longest_part_of_the_last_turn_is_blamed(watch: Stopwatch, hand: Hand) -> None:
    for part, duration in ((ON_INPUT, 5), (ON_TICK, 50), (COMMIT, 49)):
        watch.start()
        spend(watch, hand, part, duration)
    watch.finish()
    watch.blame()
    watch.start()
    spend(watch, hand, SEND, 1)
    watch.finish()
    watch.blame()
    watch.blame()
    overruns = dict(zip(PARTS, watch.timing.overruns, strict=True))
    assert {part: count for part, count in overruns.items() if count} == {"on_tick": 1, "send": 2}


def test_rooms_of_one_game_share_their_timing(hand: Hand) -> None:
    timing = Timing()
    for _ in range(3):
        watch = Stopwatch(timing, hand)
        watch.start()
        spend(watch, hand, ON_TICK, 10)
        watch.finish()
    assert timing.duration.sum == 30


@pytest.mark.parametrize("part", [-1, len(PARTS), 1 << 20])
def test_other_parts_are_refused(watch: Stopwatch, part: int) -> None:
    with pytest.raises(ValueError, match="no part"):
        watch.lap(part)
    assert watch.finish() == 0


def test_a_clock_that_fails_is_not_hidden() -> None:
    def broken() -> int:
        raise LookupError("no time")

    with pytest.raises(LookupError):
        Stopwatch(Timing(), broken).start()


def test_without_a_clock_it_goes_by_the_monotonic_one() -> None:
    watch = Stopwatch(Timing())
    before = clock.now()
    watch.start()
    watch.lap(ON_TICK)
    assert 0 <= watch.finish() <= clock.now() - before
    assert sum(watch.timing.duration.counts) == 1
