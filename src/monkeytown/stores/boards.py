"""Leaderboards: who has the best score, of all time and of each week.

Knows how a place on a board is counted. Standings are kept when scores come (`writing`), so a page is read from an index.
"""

from __future__ import annotations

from monkeytown.stores.base import Base
from monkeytown.stores.batch import place_of
from monkeytown.stores.known import Ranking, Standing
from monkeytown.stores.text import text

__all__ = ["Boards"]

RANKING = "SELECT ranking FROM boards WHERE game = $1"

FIRST_PAGE = """
    SELECT standings.player, coalesce(players.name, ''), place, 0, 0
    FROM standings LEFT JOIN players ON players.id = standings.player
    WHERE game = $1 AND period = $2 AND ranking = $3 ORDER BY place, standings.player LIMIT $4
"""

# How many are better than the first of the page, and how many stand before it with the same score, is counted in the same
# statement: so all ranks of a page are those of one moment.
PAGE = """
    WITH page AS (
        SELECT player, place FROM standings
        WHERE game = $1 AND period = $2 AND ranking = $3 AND (place, player) > ($5, $6)
        ORDER BY place, player LIMIT $4
    ), first AS (
        SELECT place, player FROM page ORDER BY place, player LIMIT 1
    )
    SELECT page.player, coalesce(players.name, ''), page.place,
        (SELECT count(*) FROM standings s WHERE s.game = $1 AND s.period = $2 AND s.ranking = $3
            AND s.place < (SELECT place FROM first)),
        (SELECT count(*) FROM standings s WHERE s.game = $1 AND s.period = $2 AND s.ranking = $3
            AND s.place = (SELECT place FROM first) AND s.player < (SELECT player FROM first))
    FROM page LEFT JOIN players ON players.id = page.player
    ORDER BY page.place, page.player
"""
ONE = """
    SELECT me.player, coalesce(players.name, ''), me.place,
        (SELECT count(*) FROM standings s WHERE s.game = $1 AND s.period = $2 AND s.ranking = $3 AND s.place < me.place)
    FROM standings me LEFT JOIN players ON players.id = me.player
    WHERE me.game = $1 AND me.period = $2 AND me.ranking = $3 AND me.player = $4
"""


class Boards(Base):
    """The part of a store that knows who is best."""

    async def leaderboard(
        self, game: str, period: str, *, limit: int, after: tuple[float, str] | None = None
    ) -> list[Standing]:
        """Places on a board, first ones first. `period` is "" for all time, or a week such as "2026-W48"; `after` is `(score,
        player)` of the last place of the page before.
        """
        ranking = await self._ranking(game)
        if ranking is None:
            return []
        board = (text(game), text(period), ranking, limit)
        if after is None:
            rows = await self._fetch(FIRST_PAGE, *board)
        else:
            rows = await self._fetch(PAGE, *board, place_of(after[0], ranking), text(after[1]))
        standings: list[Standing] = []
        rank, last = 0, None
        for number, (id, name, here, better, before) in enumerate(rows):
            if here != last:
                rank, last = (better + 1 if number == 0 else better + before + number + 1), here
            standings.append(Standing(rank, id, name, _score(here, ranking)))
        return standings

    async def standing(self, game: str, period: str, player: str) -> Standing | None:
        """One player's place on a board; None if it has none."""
        ranking = await self._ranking(game)
        if ranking is None:
            return None
        rows = await self._fetch(ONE, text(game), text(period), ranking, text(player))
        for id, name, place, better in rows:
            return Standing(better + 1, id, name, _score(place, ranking))
        return None

    async def _ranking(self, game: str) -> Ranking | None:
        rows = await self._fetch(RANKING, text(game))
        return rows[0][0] if rows else None


def _score(place: float, ranking: Ranking) -> float:
    score = place_of(place, ranking)
    return int(score) if score.is_integer() else score
