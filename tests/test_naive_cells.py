"""The naive reader of rooms with an `area`, held to frames packed by hand from docs/reference/wire.md."""

from typing import Any

import pytest

from tests.naive_reader import NaiveReader
from tests.naive_wire import NaiveWireError
from tests.vectors.broken import a_schema, a_table, packed
from tests.vectors.broken_cells import (
    AREA,
    BOARD,
    BROKEN_CELLS,
    FIRST_GONE,
    PLACES,
    PLACES_SNAPSHOT,
    STATE,
    VIEW,
    X,
    a_thing,
    with_area,
)

FIRST, SECOND, DISTANT = 1 << 20, 5 << 20 | 2, 1 << 20 | 3


def a_reader(*frames: str) -> NaiveReader:
    reader = NaiveReader(PLACES)
    reader.apply(PLACES_SNAPSHOT)
    for frame in frames:
        reader.apply(bytes.fromhex(frame))
    return reader


def places(reader: NaiveReader) -> dict[int, int]:
    return {id: row["x"] for id, row in reader.tables["things"].items()}


def test_a_snapshot_read_by_hand() -> None:
    reader = a_reader()
    assert reader.view == {0: "near", 1: "near", 2: "far"}
    assert reader.cells == {"things": {FIRST: 0, SECOND: 1, DISTANT: 2}}
    assert (reader.position, reader.far_tick) == ((1, 300), 300)
    assert places(reader) == {FIRST: 10, SECOND: 20, DISTANT: 100}
    assert reader.received == {("board", 1 << 20), *(("things", id) for id in (FIRST, SECOND, DISTANT))}


def test_near_cells_are_extrapolated_and_far_ones_wait_for_their_turn() -> None:
    reader = a_reader("43 00 01 ae02 02")
    assert places(reader) == {FIRST: 14, SECOND: 14, DISTANT: 100}
    assert (reader.position, reader.far_tick, reader.received) == ((1, 302), 300, set())
    # three ticks later with the far ring, whose only row is corrected by +1
    reader.apply(bytes.fromhex("43 08 01 af02 01 03" + "01 04 02 00 01 02 02"))
    assert places(reader) == {FIRST: 16, SECOND: 11, DISTANT: 104}
    assert (reader.far_tick, reader.received) == (303, {("things", DISTANT)})


def test_a_row_goes_from_one_cell_to_another() -> None:
    reader = a_reader(STATE + FIRST_GONE + "01 02 01" + a_thing(0, 1, 13, 6, "hi"))
    assert reader.cells["things"] == {FIRST: 1, SECOND: 1, DISTANT: 2}
    assert places(reader) == {FIRST: 13, SECOND: 17, DISTANT: 100}
    # both are now numbered in cell 1: the second one is corrected, the first one moves on
    reader.apply(bytes.fromhex("43 00 01 ae02 01 01 08 01 01 01 02 08 32 00"))
    assert places(reader) == {FIRST: 16, SECOND: 50, DISTANT: 100}
    assert reader.received == {("things", SECOND)}


def test_a_row_enters_a_cell_before_it_is_gone_from_another() -> None:
    reader = a_reader(STATE + "01 02 00" + a_thing(2, 5, 18, 5, "") + "01 01 01" + "01 02 02")
    assert reader.cells["things"] == {FIRST: 0, SECOND: 0, DISTANT: 2}
    # and in a message of its own: what is not struck yet takes part in nothing
    reader = a_reader(STATE + "01 02 00" + a_thing(2, 5, 18, 5, ""), "43 00 01 ae02 01 01 01 01 01 02 02")
    assert reader.cells["things"] == {FIRST: 0, SECOND: 0, DISTANT: 2}
    assert places(reader) == {FIRST: 14, SECOND: 15, DISTANT: 100}


def test_another_entity_takes_a_slot_that_a_far_cell_still_counts() -> None:
    other = 2 << 20 | 3
    reader = a_reader(STATE + "01 02 01" + a_thing(3, 2, 7, 0, "new"))
    assert places(reader) == {FIRST: 12, SECOND: 17, other: 7}
    reader.apply(bytes.fromhex("43 08 01 ae02 01 02" + "01 01 02 01 02 03"))
    assert reader.cells["things"] == {FIRST: 0, SECOND: 1, other: 1}


def test_a_lost_cell_takes_its_rows_along() -> None:
    reader = a_reader(VIEW + "01 00 01 02 03 00" + "01 02 03" + a_thing(0, 1, 12, 4, "hi"))
    assert reader.view == {1: "near", 2: "far", 3: "near"}
    assert reader.cells["things"] == {FIRST: 3, SECOND: 1, DISTANT: 2}


def test_a_cell_that_is_lost_and_seen_again_is_emptied() -> None:
    reader = a_reader(VIEW + "01 00 01 00 00")
    assert places(reader) == {SECOND: 17, DISTANT: 100}
    assert reader.view == {0: "near", 1: "near", 2: "far"}


def test_a_far_cell_may_begin_anew_in_any_message() -> None:
    """Being lost it counts as not having been in the view."""
    reader = a_reader(VIEW + "01 02 02 01 02 02 00" + "01 02 02" + a_thing(4, 1, 1, 2, ""))
    assert places(reader) == {FIRST: 12, SECOND: 17, 1 << 20 | 4: 1}


def test_rings_change_with_the_far_ring() -> None:
    reader = a_reader("43 0c 01 ae02 02 02" + "00" + "01 02 02" + "01 00")
    assert reader.view == {0: "far", 1: "near", 2: "near"}
    assert places(reader) == {FIRST: 14, SECOND: 14, DISTANT: 102}
    reader.apply(bytes.fromhex("43 00 01 af02 01"))
    assert places(reader) == {FIRST: 14, SECOND: 11, DISTANT: 103}


def test_a_snapshot_begins_anew() -> None:
    reader = a_reader(STATE)
    reader.apply(PLACES_SNAPSHOT)
    assert places(reader) == {FIRST: 10, SECOND: 20, DISTANT: 100}
    assert reader.far_tick == 300


@pytest.mark.parametrize("rule", BROKEN_CELLS)
def test_a_broken_rule_is_refused(rule: str) -> None:
    reader = a_reader()
    with pytest.raises(NaiveWireError):
        reader.apply(bytes.fromhex(BROKEN_CELLS[rule]))
    reader.apply(PLACES_SNAPSHOT)
    assert places(reader) == {FIRST: 10, SECOND: 20, DISTANT: 100}


def test_every_cut_of_a_snapshot_is_refused() -> None:
    whole = NaiveReader(PLACES)
    whole.apply(PLACES_SNAPSHOT)
    for size in range(len(PLACES_SNAPSHOT)):
        reader = NaiveReader(PLACES)
        try:
            reader.apply(PLACES_SNAPSHOT[:size])
        except NaiveWireError:
            continue
        # cut between two sections it is a snapshot of less
        assert len(reader.tables["things"]) < 3
        assert len(reader.tables["board"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"tables": []},
        {"tables": [0]},
        {"tables": [2]},
        {"tables": [1, 1]},
        {"columns": 0},
        {"rows": 0},
        {"columns": 65537, "rows": 1},
    ],
    ids=str,
)
def test_an_impossible_area_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NaiveWireError):
        NaiveReader(with_area(PLACES, AREA | change))


def test_an_area_counts_in_the_hash() -> None:
    with pytest.raises(NaiveWireError):
        NaiveReader(PLACES | {"area": None})
    plain = a_schema(BOARD, a_table(X))
    reader = NaiveReader(plain | {"area": None})
    with pytest.raises(NaiveWireError):
        reader.apply(bytes.fromhex("43 05 01 01 00 00 00 00 02 01 00 00") + packed(3, 5))
