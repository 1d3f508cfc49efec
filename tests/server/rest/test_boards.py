"""Who is best: ranks, weeks, pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from monkeytown.room.ledger import Kind
from monkeytown.stores.batch import week_of
from tests.server.rest.stage import EPOCH, Api, an_api, code


async def score(api: Api, player: str, points: float, **about: Any) -> None:
    await api.note(
        "room-1", Kind.SCORE, player, score=points, name=player.title(), guest=False, order="best", **about
    )


async def places(http: httpx.AsyncClient, **params: Any) -> list[tuple[int, str, float]]:
    """All pages."""
    found: list[tuple[int, str, float]] = []
    while True:
        page = (await http.get("/leaderboards/duel", params=params)).json()
        found += [(place["rank"], place["playerId"], place["score"]) for place in page["items"]]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_who_has_the_same_score_has_the_same_rank(api: Api, limit: int) -> None:
    for player, points in (("ada", 9), ("bob", 7), ("cid", 7), ("dan", 1.5), ("eve", -2)):
        await score(api, player, points)
    http = await api.client()
    assert await places(http, limit=limit) == [
        (1, "ada", 9),
        (2, "bob", 7),
        (2, "cid", 7),
        (4, "dan", 1.5),
        (5, "eve", -2),
    ]
    assert (await http.get("/leaderboards/duel/players/cid")).json() == {
        "rank": 2,
        "playerId": "cid",
        "name": "Cid",
        "score": 7,
    }


async def test_weeks_are_apart(api: Api) -> None:
    await score(api, "ada", 9, at=EPOCH)
    await score(api, "bob", 7, at=EPOCH + 7 * 86400)
    http = await api.client()
    assert week_of(EPOCH) == "2026-W48"
    assert await places(http, period="2026-W48") == [(1, "ada", 9)]
    assert await places(http, period="2026-W49") == [(1, "bob", 7)]
    assert await places(http, period="all") == [(1, "ada", 9), (2, "bob", 7)]
    assert code(await http.get("/leaderboards/duel/players/bob?period=2026-W48")) == (404, "REST-003")


async def test_this_week(api: Api) -> None:
    import time

    await score(api, "ada", 9, at=time.time())
    await score(api, "bob", 99, at=time.time() - 8 * 86400)
    http = await api.client()
    assert [place[1] for place in await places(http, period="week", limit=1)] == ["ada"]
    assert (await http.get("/leaderboards/duel/players/ada?period=week")).json()["rank"] == 1


async def test_a_board_that_there_is_not_is_empty(api: Api) -> None:
    http = await api.client()
    assert (await http.get("/leaderboards/chess")).json() == {"items": [], "next": None}
    assert code(await http.get("/leaderboards/chess/players/ada")) == (404, "REST-003")
    assert code(await http.get("/leaderboards/a%20b")) == (404, "GAME-001")
    assert code(await http.get("/leaderboards/duel/players/a%20b")) == (404, "REST-003")


@pytest.mark.parametrize(
    "period", ["", "2026-W54", "2026-W00", "2026-w48", "26-W48", "month", "2026-W48\n", "ALL"]
)
async def test_periods(api: Api, period: str) -> None:
    answer = await (await api.client()).get("/leaderboards/duel", params={"period": period})
    assert code(answer) == (400, "REST-001")


async def test_a_cursor_is_of_one_period(api: Api) -> None:
    for number in range(3):
        await score(api, f"p{number}", number)
    http = await api.client()
    cursor = (await http.get("/leaderboards/duel?limit=1")).json()["next"]
    for period, expected in (("all", 200), ("week", 200), ("2026-W48", 422)):
        answer = await http.get("/leaderboards/duel", params={"cursor": cursor, "period": period})
        assert answer.status_code == expected


async def test_without_a_store_there_are_none() -> None:
    async with an_api(None) as api:
        http = await api.client()
        for path in ("/leaderboards/duel", "/leaderboards/duel/players/ada"):
            assert code(await http.get(path)) == (503, "SYS-003")
