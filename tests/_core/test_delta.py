"""Which column the bytes of a frame are for."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown import Entity, array, fixed, text, uint
from monkeytown._core import delta, state
from monkeytown._core.state import Table


class Thing(Entity):
    x = fixed(0, 1000, step=1 / 16, predict="linear")
    count = uint(16)
    name = text(24)
    places = array(uint(8), 3)
    hidden = uint(32, owner_only=True)


COLUMNS = ("x", "count", "name", "places", "hidden")


@pytest.fixture
def table() -> Table[Any]:
    table = Table("things", Thing, 64)
    for number in range(10):
        table.spawn(
            x=number * 3.0, count=number * 7, name=f"thing {number}", hidden=number, places=[1, 2, number]
        )
    state.commit((table,), 1)
    return table


def charged(table: Table[Any]) -> dict[str, int]:
    return {name: column.bytes_encoded for name, column in zip(COLUMNS, table.columns, strict=True)}


def head(base: int | None) -> int:
    """Kind, flags, epoch, tick and, in a delta, base: all small here."""
    return 4 if base is None else 5


def test_a_snapshot_is_charged_to_its_columns(table: Table[Any]) -> None:
    frame = delta.snapshot((table,), 1, 1)
    assert table.bytes_encoded == len(frame) - head(None)
    by_column = charged(table)
    assert by_column["name"] == sum(1 + len(f"thing {number}") for number in range(10))
    assert by_column["hidden"] == 0
    assert by_column["x"] > by_column["count"] > 0
    assert by_column["places"] > 0
    assert 0 < sum(by_column.values()) < table.bytes_encoded


def test_a_delta_is_charged_to_what_changed(table: Table[Any]) -> None:
    for row in table:
        row.count += 1
        row.hidden += 1
    state.commit((table,), 2)
    frame = delta.encode((table,), 1, 1, 2)
    assert table.bytes_encoded == len(frame) - head(1)
    by_column = charged(table)
    assert by_column["count"] > 0
    assert sum(by_column.values()) == by_column["count"]


def test_corrections_are_charged_with_the_rows_they_are_of(table: Table[Any]) -> None:
    table.row(3).name = "another"
    state.commit((table,), 2)
    table.row(4).x = 500
    state.commit((table,), 3)
    frame = delta.encode((table,), 1, 1, 3)
    by_column = charged(table)
    assert by_column["name"] > len("another")
    assert by_column["x"] > 0
    assert sum(by_column.values()) == by_column["name"] + by_column["x"]
    assert table.bytes_encoded == len(frame) - head(1)


def test_every_frame_adds_up_and_a_table_without_news_costs_nothing(table: Table[Any]) -> None:
    other: Table[Any] = Table("others", Thing, 8)
    state.commit((table, other), 2)
    first = len(delta.snapshot((table, other), 1, 2)) - head(None)
    assert (table.bytes_encoded, other.bytes_encoded) == (first, 0)
    delta.snapshot((table, other), 1, 2)
    assert table.bytes_encoded == 2 * first
    before = charged(table)
    delta.encode((table, other), 1, 1, 2)
    assert charged(table) == before
