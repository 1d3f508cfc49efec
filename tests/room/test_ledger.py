"""Entries are numbered from 1, taken once, and bounded."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from monkeytown.room.ledger import MAX_CONTENT, Entry, Kind, Ledger, as_json


def test_entries_are_numbered_and_taken_once() -> None:
    ledger = Ledger()
    assert ledger.take() == []
    ledger.note(Kind.OPENED, game="meadow")
    ledger.note(Kind.JOINED, "ann", name="Ann")
    assert ledger.take() == [
        Entry(1, Kind.OPENED, "", b'{"game":"meadow"}'),
        Entry(2, Kind.JOINED, "ann", b'{"name":"Ann"}'),
    ]
    assert ledger.take() == []
    ledger.note(Kind.LEFT, "ann")
    assert [entry.sequence for entry in ledger.take()] == [3] == [ledger.last]


def test_numpy_numbers_are_numbers() -> None:
    assert json.loads(as_json({"x": np.float64(1.5), "n": np.int32(3)})) == {"x": 1.5, "n": 3}


def deep() -> object:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (object, TypeError),
        (lambda: "x" * MAX_CONTENT, ValueError),
        (lambda: "\ud800", ValueError),
        (deep, ValueError),
        (lambda: {1j: 2}, TypeError),
    ],
)
def test_what_cannot_be_kept_takes_no_number(content: Callable[[], object], error: type[Exception]) -> None:
    ledger = Ledger()
    with pytest.raises(error):
        ledger.note(Kind.EVENT, event="broken", data=content())
    assert ledger.last == 0
    assert ledger.take() == []
