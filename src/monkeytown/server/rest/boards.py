"""`/leaderboards`: who is best at a game, of all time or of a week.

Knows boards by game and week; scores are the rules'.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from monkeytown.errors import Refusal
from monkeytown.server.rest.answers import Page, Reply, Shape, page, position
from monkeytown.server.rest.endpoints import END, Call, Cursor, Endpoint, Limit, PlayerId
from monkeytown.server.rest.storing import Reach, Storing
from monkeytown.stores.batch import ALL_TIME, week_of
from monkeytown.stores.known import Standing

__all__ = ["Boards"]

Period = Annotated[
    str,
    Meta(
        pattern=f"^(all|week|[0-9]{{4}}-W(0[1-9]|[1-4][0-9]|5[0-3])){END}",
        description="`all`, `week` (this one, in UTC), or a week as in ISO 8601: 2026-W48.",
    ),
]
# Of a cursor, which anybody can make.
StoredPeriod = Annotated[str, Meta(pattern=f"^([0-9]{{4}}-W[0-9]{{2}})?{END}")]
Score = Annotated[float, Meta(ge=-1e300, le=1e300)]


class BoardQuery(Shape):
    period: Period = "all"
    limit: Limit = 25
    cursor: Cursor | None = None


class PlaceQuery(Shape):
    period: Period = "all"


class Place(Shape):
    """A player's place on a board. Who has the same score has the same rank, and the next one is counted on: 1, 2, 2, 4."""

    rank: int
    player_id: str
    name: str | None
    score: float


class Boards(Storing):
    def __init__(self, reach: Reach | None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(reach)
        self._clock = clock
        path = "/leaderboards/{game}"
        self.endpoints = (
            Endpoint(
                method="GET",
                path=path,
                handle=self._board,
                summary="Who is best at a game",
                asks=BoardQuery,
                answers=Page[Place],
                refuses=(Refusal(code="GAME-001"), Refusal(code="REST-007")),
                needs_store=True,
                max_age=5,
            ),
            Endpoint(
                method="GET",
                path=f"{path}/players/{{player}}",
                handle=self._place,
                summary="One player's place",
                asks=PlaceQuery,
                answers=Place,
                refuses=(Refusal(code="GAME-001"), Refusal(code="REST-003")),
                needs_store=True,
                max_age=5,
            ),
        )

    async def _board(self, call: Call, asked: BoardQuery) -> Reply:
        period, after = self._period(asked.period), None
        place = position(asked.cursor, tuple[StoredPeriod, Score, PlayerId])
        if place is not None:
            # The pages of a board are of one week, even if the next one begins meanwhile.
            if asked.period != "week" and place[0] != period:
                raise Refusal("The cursor is of another period.", "REST-007")
            period, after = place[0], place[1:]
        found = await self._kept.leaderboard(call.path["game"], period, limit=asked.limit + 1, after=after)
        return Reply(page(found, asked.limit, _place, lambda one: (period, one.score, one.player)))

    async def _place(self, call: Call, asked: PlaceQuery) -> Reply:
        found = await self._kept.standing(call.path["game"], self._period(asked.period), call.path["player"])
        if found is None:
            raise Refusal(code="REST-003")
        return Reply(_place(found))

    def _period(self, asked: str) -> str:
        """As the store names it."""
        if asked == "all":
            return ALL_TIME
        return week_of(self._clock()) if asked == "week" else asked


def _place(found: Standing) -> Place:
    return Place(rank=found.rank, player_id=found.player, name=found.name or None, score=found.score)
