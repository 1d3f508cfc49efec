"""Leaderboards: ranks as in a competition, right across the borders of pages."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from monkeytown.stores.known import Standing
from monkeytown.stores.store import Store
from tests.stores.records import WEEK_48, Diary


async def with_scores(store: Store, scores: dict[str, float], order: str = "best", **diary: Any) -> None:
    room = Diary(**diary)
    for player, score in scores.items():
        room.score(player, score, order=order)
    await store.write(room.records)


async def test_who_has_the_same_score_has_the_same_rank(store: Store) -> None:
    await with_scores(store, {"dan": 5, "ann": 9, "cat": 7, "ben": 7, "eve": 5.5})
    assert await store.leaderboard("jungle", "", limit=10) == [
        Standing(1, "ann", "Ann", 9),
        Standing(2, "ben", "Ben", 7),
        Standing(2, "cat", "Cat", 7),
        Standing(4, "eve", "Eve", 5.5),
        Standing(5, "dan", "Dan", 5),
    ]


async def test_the_lowest_may_be_first(store: Store) -> None:
    await with_scores(store, {"ann": 9, "ben": -7, "cat": 0}, order="lowest")
    board = await store.leaderboard("jungle", "", limit=10)
    assert [(place.rank, place.player, place.score) for place in board] == [
        (1, "ben", -7),
        (2, "cat", 0),
        (3, "ann", 9),
    ]


@pytest.mark.parametrize("order", ["best", "lowest", "total"])
async def test_ranks_are_right_across_the_borders_of_pages(store: Store, order: str) -> None:
    random = Random(order)
    scores = {f"player-{number:03}": random.randint(0, 12) / 2 for number in range(150)}
    await with_scores(store, scores, order)
    sign = 1 if order == "lowest" else -1
    wanted = [
        (1 + sum(sign * other < sign * score for other in scores.values()), player, score)
        for score, player in sorted(
            ((score, player) for player, score in scores.items()), key=lambda one: (sign * one[0], one[1])
        )
    ]
    for size in (1, 7, 50, 149, 150, 151):
        found: list[Standing] = []
        page = await store.leaderboard("jungle", "", limit=size)
        while page:
            found += page
            page = await store.leaderboard("jungle", "", limit=size, after=(page[-1].score, page[-1].player))
        assert [(place.rank, place.player, place.score) for place in found] == wanted
    for place in found[::10]:
        assert await store.standing("jungle", "", place.player) == place


async def test_a_page_begins_where_the_last_ended_though_that_one_is_gone(store: Store) -> None:
    await with_scores(store, {"ann": 9, "ben": 7, "cat": 7, "dan": 5})
    await store.erase("ben", WEEK_48)
    after_ben = await store.leaderboard("jungle", "", limit=10, after=(7, "ben"))
    assert [(place.rank, place.player) for place in after_ben] == [(2, "cat"), (3, "dan")]


async def test_each_week_and_each_game_has_a_board(store: Store) -> None:
    await with_scores(store, {"ann": 9}, room="room-1")
    await with_scores(store, {"ann": 3, "ben": 4}, room="room-2", time=WEEK_48 + 7 * 86_400)
    await with_scores(store, {"cat": 1}, room="room-3", game="maze")

    async def board(game: str, week: str) -> list[tuple[int, str, float]]:
        return [(place[0], place[1], place[3]) for place in await store.leaderboard(game, week, limit=10)]

    assert await board("jungle", "") == [(1, "ann", 9), (2, "ben", 4)]
    assert await board("jungle", "2026-W48") == [(1, "ann", 9)]
    assert await board("jungle", "2026-W49") == [(1, "ben", 4), (2, "ann", 3)]
    assert await board("maze", "") == [(1, "cat", 1)]
    assert await board("jungle", "2026-W50") == await board("chess", "") == await board("\0", "\0") == []


async def test_who_is_not_on_a_board_has_no_standing(store: Store) -> None:
    assert await store.standing("jungle", "", "ann") is None
    await with_scores(store, {"ann": 9})
    assert await store.standing("jungle", "", "ben") is None
    assert await store.standing("jungle", "2026-W47", "ann") is None
    assert await store.standing("jungle", "2026-W48", "ann") == Standing(1, "ann", "Ann", 9)


async def test_a_board_shows_a_player_by_their_newest_name(store: Store) -> None:
    await with_scores(store, {"ann": 9})
    await store.rename("ann", "Ännchen")
    assert await store.leaderboard("jungle", "", limit=1) == [Standing(1, "ann", "Ännchen", 9)]


async def test_large_scores_are_exact(store: Store) -> None:
    await with_scores(store, {"ann": 2**53, "ben": 2**53 - 1})
    board = await store.leaderboard("jungle", "", limit=2)
    assert [(place.rank, place.score) for place in board] == [(1, 2**53), (2, 2**53 - 1)]
    assert all(isinstance(place.score, int) for place in board)
