"""Each key has its own rate, and what is remembered of them is bounded."""

from __future__ import annotations

import pytest

from monkeytown.runtime.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def now() -> Clock:
    return Clock()


def test_a_burst_is_let_through_and_then_the_rate(now: Clock) -> None:
    rates = Rates(0.5, 3, now=now)
    assert [rates.take("ada") for _ in range(5)] == [0, 0, 0, 2, 2]
    assert rates.wait("ada") == 2
    now.time += 2
    assert [rates.take("ada") for _ in range(2)] == [0, 2]
    now.time += 60
    assert [rates.take("ada") for _ in range(4)] == [0, 0, 0, 2]


def test_what_is_refused_costs_nothing(now: Clock) -> None:
    rates = Rates(1, 1, now=now)
    for _ in range(10_000):
        rates.take("ada")
    now.time += 1
    assert rates.take("ada") == 0


def test_one_does_not_pay_for_another(now: Clock) -> None:
    rates = Rates(1, 1, now=now)
    assert [rates.take(key) for key in ("ada", "bob", "ada", "bob")] == [0, 0, 1, 1]
    assert rates.wait("cid") == 0


def test_asking_is_not_taking(now: Clock) -> None:
    rates = Rates(1, 1, now=now)
    assert [rates.wait("ada"), rates.wait("ada"), len(rates)] == [0, 0, 0]


def test_only_so_many_are_remembered_and_those_who_came_last(now: Clock) -> None:
    rates = Rates(1, 1, most=3, now=now)
    for key in ("ada", "bob", "cid", "ada", "dan"):
        rates.take(key)
    assert len(rates) == 3
    assert {key: rates.wait(key) for key in ("ada", "bob", "cid", "dan")} == {
        "ada": 1,
        "bob": 0,
        "cid": 1,
        "dan": 1,
    }
