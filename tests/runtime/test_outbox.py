"""Numbered news: resumed by number, bounded, and honest about what is gone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.room.mail import MAX_EVENT, News
from monkeytown.runtime.outbox import MAX_BYTES, MAX_NEWS, Outbox


def news(size: int) -> News:
    return News("game_event", msgspec.Raw(b"x" * size))


def filled(count: int, size: int = 10) -> Outbox:
    outbox = Outbox()
    for number in range(1, count + 1):
        assert outbox.append(news(size)) == number
    return outbox


def numbers(outbox: Outbox, since: int) -> list[int] | None:
    kept = outbox.since(since)
    return None if kept is None else [number for number, _ in kept]


def test_news_are_numbered_from_one_without_gaps() -> None:
    outbox = filled(3)
    assert numbers(outbox, 0) == [1, 2, 3]
    assert numbers(outbox, 2) == [3]
    assert numbers(outbox, 3) == []


def test_an_empty_outbox_has_nothing_after_nothing() -> None:
    outbox = Outbox()
    assert (outbox.first, outbox.last) == (1, 0)
    assert numbers(outbox, 0) == []


def test_what_was_acknowledged_is_not_kept() -> None:
    outbox = filled(5)
    outbox.acknowledge(3)
    assert numbers(outbox, 3) == [4, 5]
    assert numbers(outbox, 2) is None
    outbox.acknowledge(99)
    assert numbers(outbox, 5) == []
    assert outbox.append(news(1)) == 6


@pytest.mark.parametrize("number", [-1, 6, 2**40])
def test_a_number_that_was_never_given_gets_no_answer(number: int) -> None:
    assert filled(5).since(number) is None


def test_the_oldest_make_room_by_count() -> None:
    outbox = filled(MAX_NEWS + 5)
    assert outbox.first == 6
    assert numbers(outbox, 4) is None
    assert len(numbers(outbox, 5) or []) == MAX_NEWS


def test_the_oldest_make_room_by_size() -> None:
    outbox = filled(200, size=1000)
    kept = outbox.since(outbox.first - 1)
    assert kept is not None
    assert MAX_BYTES - 2000 < sum(len(one.payload) for _, one in kept) <= MAX_BYTES


@given(
    st.lists(
        st.one_of(
            st.integers(0, 20_000).map(lambda n: ("add", n)), st.integers(0, 60).map(lambda n: ("ack", n))
        )
    )
)
def test_what_is_told_is_always_whole(steps: list[tuple[str, int]]) -> None:
    outbox, sent = Outbox(), 0
    for step, n in steps:
        if step == "add":
            sent = outbox.append(news(min(n, MAX_EVENT)))
        else:
            outbox.acknowledge(n)
        for number in range(-1, sent + 2):
            told = numbers(outbox, number)
            assert told is None or told == list(range(number + 1, sent + 1))
        assert numbers(outbox, sent) == []
