"""The alarm: absolute deadlines on a descriptor. Nothing here measures how late it rings."""

from __future__ import annotations

import select
import time

import pytest

from monkeytown._core import clock

pytestmark = pytest.mark.skipif(not clock.AVAILABLE, reason="there is no timerfd here")


def readable(alarm: clock.Alarm, seconds: float) -> bool:
    return bool(select.select([alarm], [], [], seconds)[0])


def test_now_is_the_monotonic_clock_and_does_not_go_back() -> None:
    before = time.monotonic_ns()
    first, second = clock.now(), clock.now()
    after = time.monotonic_ns()
    assert before <= first <= second <= after


def test_it_rings_at_its_deadline_and_not_before() -> None:
    alarm = clock.Alarm()
    deadline = clock.now() + 5_000_000
    alarm.set(deadline)
    assert not alarm.silence()
    assert readable(alarm, 10)
    assert clock.now() >= deadline
    assert alarm.silence()


def test_once_silenced_it_does_not_ring_again() -> None:
    alarm = clock.Alarm()
    alarm.set(clock.now())
    assert readable(alarm, 10)
    assert alarm.silence()
    assert not alarm.silence()
    assert not readable(alarm, 0)


@pytest.mark.parametrize("deadline", [-5, 0, 1])
def test_a_deadline_long_past_rings_at_once(deadline: int) -> None:
    alarm = clock.Alarm()
    alarm.set(deadline)
    assert readable(alarm, 10)


def test_a_new_deadline_replaces_the_old_one() -> None:
    alarm = clock.Alarm()
    alarm.set(clock.now())
    assert readable(alarm, 10)
    alarm.set(clock.now() + 3600 * 10**9)
    assert not readable(alarm, 0)


def test_a_closed_alarm_has_no_descriptor() -> None:
    alarm = clock.Alarm()
    alarm.close()
    alarm.close()
    assert alarm.fileno() == -1
    with pytest.raises(OSError, match="could not be set"):
        alarm.set(1)
