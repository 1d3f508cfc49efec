"""What ticks take, put down to rooms and parts, and what a busy instance leaves out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest
import structlog

from monkeytown._core.timing import ENCODE, ON_TICK, PARTS, SEND, Stopwatch, Timing
from monkeytown.runtime.shedding import Shedding
from monkeytown.runtime.ticker import GIVE_UP, SECOND, Beat, Ticker
from tests.runtime.stage import Clock

MILLISECOND = SECOND // 1000


class Work:
    """A beat whose parts take their time."""

    def __init__(self, clock: Clock, rate: int = 50, **durations: int) -> None:
        self.clock = clock
        self.durations = defaultdict(int, durations)
        self.timing = Timing()
        self.stopwatch: Stopwatch = Stopwatch(self.timing, clock.ticker.course)
        self.steps = 0
        self.sent: list[int] = []
        """The step after which each state was sent."""
        self.beat: Beat = clock.ticker.add(rate, self.step, (self.encode, self.send), self.stopwatch)

    def step(self, steps: int) -> None:
        self.steps += steps
        self.spend("rules", ON_TICK, steps)

    def encode(self) -> None:
        self.spend("encode", ENCODE)

    def send(self) -> None:
        self.sent.append(self.steps)
        self.spend("send", SEND)

    def spend(self, what: str, part: int, times: int = 1) -> None:
        self.clock.ns += self.durations[what] * times
        self.stopwatch.lap(part)

    @property
    def overruns(self) -> dict[str, int]:
        return {part: count for part, count in zip(PARTS, self.timing.overruns, strict=True) if count}

    @property
    def gaps(self) -> set[int]:
        """Steps from one state to the next, without the first, which comes as soon as it can."""
        return {after - before for before, after in pairwise(self.sent[1:])}


def test_a_tick_on_time_is_not_late(clock: Clock) -> None:
    work = Work(clock, rules=2 * MILLISECOND, encode=MILLISECOND, send=3 * MILLISECOND)
    clock.run(1.0)
    assert work.timing.lateness.sum == 0
    assert sum(work.timing.lateness.counts) == work.steps == 50
    assert work.timing.duration.sum == 50 * 6 * MILLISECOND
    assert [part.sum // MILLISECOND for part in work.timing.parts] == [0, 0, 0, 100, 0, 50, 150]
    assert work.overruns == {}


def test_lateness_is_from_the_deadline_to_the_start(clock: Clock) -> None:
    work = Work(clock)
    clock.ns = clock.ticker.next_deadline or 0
    clock.sleep(0.007)
    clock.ticker.run()
    assert work.timing.lateness.sum == 7 * MILLISECOND


def test_who_waits_for_another_room_is_late(clock: Clock) -> None:
    slow = Work(clock, rules=4 * MILLISECOND)
    Work(clock)
    second = Work(clock)
    assert second.beat.phase == slow.beat.phase
    clock.run(0.03)
    assert slow.timing.lateness.sum == 0
    assert second.timing.lateness.sum == 4 * MILLISECOND


def test_a_room_that_takes_longer_than_its_interval_overruns_by_its_longest_part(clock: Clock) -> None:
    slow = Work(clock, rules=9 * MILLISECOND, encode=MILLISECOND, send=11 * MILLISECOND)
    other = Work(clock, send=12 * MILLISECOND)
    clock.ns = slow.beat.deadline(clock.ticker._origin)
    clock.ticker.run()
    assert slow.overruns == {"send": 1}
    assert other.overruns == {}


def test_steps_that_are_caught_up_are_one_turn(clock: Clock) -> None:
    work = Work(clock, rules=8 * MILLISECOND)
    clock.ns = (clock.ticker.next_deadline or 0) + 40 * MILLISECOND
    clock.ticker.run()
    assert work.steps == 3
    assert work.timing.duration.sum == 24 * MILLISECOND
    assert sum(work.timing.duration.counts) == 1
    assert work.overruns == {"on_tick": 1}


def test_rooms_that_are_too_many_together_overrun_once_by_the_one_that_took_most(clock: Clock) -> None:
    works = [Work(clock, rules=5 * MILLISECOND, send=MILLISECOND) for _ in range(8)]
    together = [work for work in works if work.beat.phase == 0]
    together[2].durations["send"] = 7 * MILLISECOND
    clock.ns = clock.ticker.next_deadline or 0
    clock.ticker.run()
    assert [work.overruns for work in together] == [{}, {}, {"send": 1}, {}]


def test_the_shortest_interval_counts(clock: Clock) -> None:
    fast, slow = Work(clock, 100, rules=MILLISECOND), Work(clock, 10, rules=20 * MILLISECOND)
    clock.ns = max(fast.beat.deadline(clock.ticker._origin), slow.beat.deadline(clock.ticker._origin))
    clock.ticker.run()
    assert slow.overruns == {"on_tick": 1}
    assert fast.overruns == {}


def test_beats_without_a_stopwatch_are_not_measured(clock: Clock) -> None:
    calls: list[int] = []
    clock.ticker.add(50, calls.append)
    clock.run(1.0)
    assert len(calls) == 50
    assert clock.ticker.metrics.wakeups == 50
    assert clock.ticker.metrics.nanoseconds_busy == 0


def test_wake_ups_are_measured(clock: Clock) -> None:
    Work(clock, rules=2 * MILLISECOND, send=3 * MILLISECOND)
    clock.run(2.0)
    assert clock.ticker.metrics.nanoseconds_busy == 100 * 5 * MILLISECOND


# Shedding


class Fixed(Shedding):
    """A stride that somebody chose."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.seen: list[tuple[float, float, float]] = []

    def observe(self, elapsed: float, working: float, sending: float) -> bool:
        self.seen.append((elapsed, working, sending))
        return False


def with_shedding(clock: Clock, shedding: Shedding, cpu: Callable[[], int] = lambda: 0) -> None:
    clock.ticker = Ticker(now=lambda: clock.ns, cpu=cpu, shedding=shedding)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("rate", [60, 20, 5])
def test_states_are_sent_at_every_so_many_ticks_and_rules_run_at_all(
    clock: Clock, stride: int, rate: int
) -> None:
    with_shedding(clock, Fixed(stride))
    work = Work(clock, rate)
    clock.run(12.0)
    assert work.steps == 12 * rate
    assert work.gaps == {stride}
    assert len(work.sent) == pytest.approx(12 * rate / stride, abs=1)
    assert clock.ticker.metrics.states_shed == work.steps - len(work.sent)


@pytest.mark.parametrize("stride", [2, 3])
def test_rooms_take_turns_to_send(clock: Clock, stride: int) -> None:
    with_shedding(clock, Fixed(stride))
    works = [Work(clock) for _ in range(12)]
    clock.run(2.0)
    sends: Counter[tuple[int, int]] = Counter()
    for work in works:
        assert work.gaps == {stride}
        sends.update((work.beat.phase, tick) for tick in work.sent if 20 <= tick < 80)
    assert set(sends.values()) == {6 // stride}


def test_steps_that_are_caught_up_skip_no_state(clock: Clock) -> None:
    with_shedding(clock, Fixed(3))
    work = Work(clock)
    clock.run(0.2)
    work.sent.clear()
    for _ in range(20):
        clock.sleep(0.04)
        clock.ticker.run()
    assert len(work.sent) == pytest.approx(40 / 3, abs=1)
    assert max(work.gaps) < 3 + 2


def test_after_a_long_pause_a_state_is_sent(clock: Clock) -> None:
    with_shedding(clock, Fixed(2))
    work = Work(clock)
    clock.run(0.2)
    before = len(work.sent)
    clock.ns += 3 * GIVE_UP
    clock.ticker.run()
    assert len(work.sent) == before + 1


def test_a_change_of_stride_leaves_no_longer_gap(clock: Clock) -> None:
    shedding = Fixed(1)
    with_shedding(clock, shedding)
    work = Work(clock)
    for stride in (2, 3, 2, 1, 3, 1, 2):
        shedding.stride = stride
        clock.run(0.34)
    assert max(work.gaps) == 3


def test_the_shedding_is_shown_what_is_done_and_what_of_it_is_sending(clock: Clock) -> None:
    shedding = Fixed(1)
    with_shedding(clock, shedding)
    Work(clock, rules=2 * MILLISECOND, encode=MILLISECOND, send=3 * MILLISECOND)
    clock.run(10.0)
    elapsed, working, sending = (sum(column) for column in zip(*shedding.seen, strict=True))
    assert len(shedding.seen) >= 80
    assert elapsed == pytest.approx(10, abs=0.2)
    assert working / elapsed == pytest.approx(0.30, abs=0.01)
    assert sending / elapsed == pytest.approx(0.20, abs=0.01)


def test_whatever_else_keeps_the_thread_busy_counts_as_well(clock: Clock) -> None:
    shedding = Fixed(1)
    with_shedding(clock, shedding, cpu=lambda: clock.ns // 2)
    Work(clock, rules=2 * MILLISECOND)
    clock.run(10.0)
    elapsed, working, _ = (sum(column) for column in zip(*shedding.seen, strict=True))
    assert working / elapsed == pytest.approx(0.5, abs=0.01)


def test_what_gives_way_to_ticks_does_not_make_an_instance_too_busy(clock: Clock) -> None:
    """A crowd that is let in takes all the time that is left, and no tick is late for it."""
    shedding = Fixed(1)
    with_shedding(clock, shedding, cpu=lambda: clock.ns * 9 // 10)
    Work(clock, rules=2 * MILLISECOND)
    for _ in range(100):
        clock.run(0.1)
        clock.ticker.excuse(0.07)
    elapsed, working, _ = (sum(column) for column in zip(*shedding.seen, strict=True))
    assert working / elapsed == pytest.approx(0.2, abs=0.02)


def test_too_many_players_are_sent_less_and_said_so_once(clock: Clock) -> None:
    with_shedding(clock, Shedding())
    work = Work(clock, rules=3 * MILLISECOND, encode=MILLISECOND, send=14 * MILLISECOND)
    with structlog.testing.capture_logs() as logs:
        clock.run(10.0)
        assert clock.ticker.shedding.stride == 2
        assert work.steps == pytest.approx(500, abs=1)
        work.durations["send"] = MILLISECOND
        clock.run(20.0)
    assert clock.ticker.shedding.stride == 1
    assert [(entry["log_level"], entry["stride"]) for entry in logs] == [("warning", 2), ("info", 1)]
    work.sent.clear()
    clock.run(1.0)
    assert work.gaps == {1}
