"""When states are sent less often, and when again at every tick: with made-up loads."""

from __future__ import annotations

import pytest

from monkeytown.runtime.shedding import AT_EASE, CALM_SECONDS, GAIN, MAX_STRIDE, TOO_BUSY, Shedding

STEP = 0.1


class Load:
    """An instance whose sending costs a share of the time at stride 1, and whose other work another."""

    def __init__(self, *, rest: float, sending: float, max_stride: int = MAX_STRIDE) -> None:
        self.rest = rest
        self.sending = sending
        self.shedding = Shedding(max_stride)
        self.changes: list[tuple[float, int]] = []
        self.time = 0.0

    def run(self, seconds: float) -> int:
        for _ in range(round(seconds / STEP)):
            self.time += STEP
            sending = self.sending / self.shedding.stride
            total = self.rest + sending
            scale = STEP / max(total, 1.0)  # who has more to do than there is time does what it can
            if self.shedding.observe(STEP, total * scale, sending * scale):
                self.changes.append((self.time, self.shedding.stride))
        return self.shedding.stride


def test_who_has_time_sends_at_every_tick() -> None:
    load = Load(rest=0.3, sending=0.5)
    assert load.run(60) == 1
    assert load.shedding.busy == pytest.approx(0.8, abs=0.01)


def test_who_is_too_busy_sends_at_every_second() -> None:
    load = Load(rest=0.3, sending=0.6)
    assert load.run(10) == 2
    assert load.shedding.busy == pytest.approx(0.6, abs=0.01)
    assert len(load.changes) == 1


def test_before_a_second_of_overload_has_passed_twice() -> None:
    load = Load(rest=0.2, sending=0.3)
    load.run(10)
    load.sending = 1.2
    load.run(2)
    assert load.shedding.stride == 2


def test_and_at_every_third_if_that_is_not_enough() -> None:
    load = Load(rest=0.3, sending=1.3)
    assert load.run(10) == 3
    assert [stride for _, stride in load.changes] == [2, 3]


def test_one_overload_does_not_lead_to_two_steps() -> None:
    load = Load(rest=0.3, sending=0.7)
    load.run(30)
    assert [stride for _, stride in load.changes] == [2]


@pytest.mark.parametrize("max_stride", [1, 2])
def test_no_further_than_is_allowed(max_stride: int) -> None:
    load = Load(rest=0.5, sending=2.0, max_stride=max_stride)
    assert load.run(20) == max_stride


def test_players_are_not_made_to_see_less_for_nothing() -> None:
    load = Load(rest=0.95, sending=GAIN)
    assert load.run(20) == 1
    load.sending = 4 * GAIN
    assert load.run(20) > 1


def test_back_after_several_calm_seconds_one_by_one() -> None:
    load = Load(rest=0.3, sending=1.3)
    load.run(10)
    load.sending = 0.2
    quiet = load.time
    assert load.run(CALM_SECONDS - 1) == 3
    assert load.run(30) == 1
    (_, _), (_, _), (first, to), (second, end) = load.changes
    assert (to, end) == (2, 1)
    assert first - quiet >= CALM_SECONDS
    assert second - first >= CALM_SECONDS


def test_not_back_while_that_would_be_too_much() -> None:
    load = Load(rest=0.3, sending=0.6)
    load.run(10)
    load.sending = AT_EASE - 0.3 + 0.02
    assert load.run(60) == 2
    load.sending = AT_EASE - 0.3 - 0.02
    assert load.run(60) == 1


def test_calm_that_is_interrupted_begins_anew() -> None:
    load = Load(rest=0.3, sending=0.6)
    load.run(10)
    for _ in range(5):
        load.sending = 0.2
        assert load.run(CALM_SECONDS - 1) == 2
        load.sending = 0.6
        assert load.run(1.5) == 2


@pytest.mark.parametrize("total", [0.5, 0.7, 0.84, 0.9, 1.0, 1.3, 2.0, 4.0])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_a_steady_load_finds_its_stride_and_keeps_it(total: float, share: float) -> None:
    load = Load(rest=total * (1 - share), sending=total * share)
    load.run(20)
    settled = list(load.changes)
    load.run(120)
    assert load.changes == settled


def test_one_long_pause_is_no_load() -> None:
    shedding = Shedding()
    assert not shedding.observe(5.0, 5.0, 5.0)
    assert shedding.busy < TOO_BUSY / 2


def test_numbers_that_cannot_be_do_no_harm() -> None:
    shedding = Shedding()
    assert not shedding.observe(0.0, 1.0, 1.0)
    assert not shedding.observe(-1.0, 1.0, 1.0)
    assert shedding.busy == 0
    for _ in range(100):
        shedding.observe(STEP, 10.0, 20.0)
    assert 0 < shedding.busy <= 1


@pytest.mark.parametrize("max_stride", [0, MAX_STRIDE + 1, -1])
def test_strides_that_are_none(max_stride: int) -> None:
    with pytest.raises(ValueError, match="every 1st"):
        Shedding(max_stride)
