"""Buckets: a rate, a burst, and when it is a flood."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from monkeytown.runtime.limits import Limits, TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(1.0, 5, 100.0)
    assert [bucket.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [bucket.take(103.0) for _ in range(2)] == [True, False]


def test_a_pause_fills_no_more_than_the_burst() -> None:
    bucket = TokenBucket(1.0, 5, 0.0)
    assert [bucket.take(1e6) for _ in range(6)].count(True) == 5


def test_slightly_too_much_is_not_a_flood_for_long_and_ten_times_too_much_is() -> None:
    steady, flood = TokenBucket(10, 10, 0.0), TokenBucket(10, 10, 0.0)
    for i in range(100):
        steady.take(i / 11)
    assert not steady.flooded
    for i in range(30):
        flood.take(i / 100)
    assert flood.flooded


def test_excess_let_through_over_a_minute_is_only_the_burst() -> None:
    bucket = TokenBucket(120, 120, 0.0)
    admitted = sum(bucket.take(i / 125) for i in range(60 * 125))
    assert admitted <= 60 * 120 + 120


def test_limits_are_those_of_the_reference() -> None:
    limits = Limits()
    assert (limits.message_bytes, limits.input_bytes, limits.fragments, limits.pings_per_second) == (
        4096,
        64,
        64,
        20,
    )
    assert (limits.handshake_seconds, limits.first_message_seconds, limits.silence_seconds) == (10, 5, 60)
    assert (limits.connections_per_address, limits.inputs_per_tick) == (10, 2)
    assert (limits.chat_per_second, limits.chat_burst) == (1, 5)


@pytest.mark.parametrize(
    "bad", [{"message_bytes": 0}, {"fragments": 0}, {"silence_seconds": -1}, {"chat_burst": 0}]
)
def test_limits_without_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Limits(**bad)  # type: ignore[arg-type]
