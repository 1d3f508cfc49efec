"""Numbered events: resumed by number, bounded, and honest about what is gone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.room.outbox import MAX_BYTES, MAX_EVENT, MAX_EVENTS, Outbox, packed


def filled(count: int, size: int = 10) -> Outbox:
    outbox = Outbox()
    for number in range(1, count + 1):
        assert outbox.append("game_event", packed({"n": "x" * size})) == number
    return outbox


def numbers(outbox: Outbox, since: int) -> list[int] | None:
    events = outbox.since(since)
    return None if events is None else [event.number for event in events]


def test_events_are_numbered_from_one_without_gaps() -> None:
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
    assert outbox.append("error", packed({})) == 6


def test_what_was_taken_is_not_kept() -> None:
    outbox = filled(3)
    assert [event.number for event in outbox.take()] == [1, 2, 3]
    assert list(outbox.take()) == []
    assert numbers(outbox, 3) == []
    assert numbers(outbox, 2) is None
    assert outbox.append("error", packed({})) == 4
    assert [event.number for event in outbox.take()] == [4]


@pytest.mark.parametrize("number", [-1, 6, 2**40])
def test_a_number_that_was_never_given_gets_no_answer(number: int) -> None:
    assert filled(5).since(number) is None


def test_the_oldest_make_room_by_count() -> None:
    outbox = filled(MAX_EVENTS + 5)
    assert outbox.first == 6
    assert numbers(outbox, 4) is None
    assert len(numbers(outbox, 5) or []) == MAX_EVENTS


def test_the_oldest_make_room_by_size() -> None:
    outbox = filled(200, size=1000)
    kept = outbox.since(outbox.first - 1)
    assert kept is not None
    assert MAX_BYTES - 2000 < sum(len(event.payload) for event in kept) <= MAX_BYTES


def test_an_event_is_frozen_when_it_is_sent() -> None:
    data = {"score": 1}
    outbox = Outbox()
    outbox.append("game_event", packed({"event": "score", "data": data}))
    data["score"] = 2
    [event] = outbox.since(0) or []
    assert msgspec.msgpack.decode(event.payload) == {"event": "score", "data": {"score": 1}}


class TestPacked:
    def test_takes_numbers_of_numpy_for_what_they_are(self) -> None:
        payload = packed({"n": numpy.int64(5), "x": numpy.float64(0.5), "b": numpy.bool_(True)})
        assert msgspec.msgpack.decode(payload) == {"n": 5, "x": 0.5, "b": True}

    @pytest.mark.parametrize(
        ("value", "error", "words"),
        [
            (object(), TypeError, "cannot carry a object"),
            (2**70, ValueError, "cannot carry this"),
            ("\ud800", ValueError, "cannot carry this"),
            ("x" * MAX_EVENT, ValueError, "too large"),
        ],
    )
    def test_says_what_cannot_be_sent(self, value: Any, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            packed({"data": value})

    def test_refuses_what_holds_itself(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(ValueError, match="cannot carry this"):
            packed({"data": endless})


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
            sent = outbox.append("game_event", msgspec.Raw(b"x" * min(n, MAX_EVENT)))
        else:
            outbox.acknowledge(n)
        for number in range(-1, sent + 2):
            told = numbers(outbox, number)
            assert told is None or told == list(range(number + 1, sent + 1))
        assert numbers(outbox, sent) == []
