"""What a batch comes to, as far as a store would not show it."""

from __future__ import annotations

from monkeytown.stores.batch import Batch, place_of, standings, week_of
from tests.stores.records import Diary


def a_batch() -> Batch:
    batch = Batch()
    for room in ("b", "a"):
        diary = Diary(room)
        diary.opened()
        for player in ("cat", "ann", "ben"):
            diary.joined(player)
            diary.score(player, 1)
        batch.add(reversed(diary.records))
    return batch


def test_rows_come_in_the_order_of_their_keys() -> None:
    batch = a_batch()
    assert [row[0] for row in batch.players()] == ["ann", "ben", "cat"]
    assert [row[0] for row in batch.games()] == ["a", "b"]
    assert [row[:2] for row in batch.participants()] == [(r, p) for r in "ab" for p in ("ann", "ben", "cat")]
    places = [row[:4] for row in standings(batch.scores.values())]
    assert places == sorted(places)
    assert len(places) == len(set(places)) == 6


def test_a_key_is_met_once_in_a_statement() -> None:
    batch = a_batch()
    for rows, columns in ((batch.players(), 1), (batch.games(), 1), (batch.participants(), 2)):
        keys = [row[:columns] for row in rows]
        assert len(keys) == len(set(keys))


def test_a_place_makes_the_score_again() -> None:
    for score in (0.0, 1.0, -2.5, 2.0**53):
        assert place_of(place_of(score, "best"), "best") == score
        assert place_of(place_of(score, "lowest"), "lowest") == score
    assert str(place_of(0.0, "best")) == "0.0"


def test_weeks() -> None:
    assert week_of(0.0) == "1970-W01"
    assert week_of(-1.0) == "1969-W53" or week_of(-1.0) == "1970-W01"
    assert week_of(1_798_761_600.0) == "2026-W53"
