"""What was played, who took part, what was said and what happened: read a page at a time.

Knows which index serves which question. A page begins after the last item of the one before, by that item's own key, so that
pages neither skip nor repeat anything while new items come.
"""

from __future__ import annotations

from typing import Literal

from monkeytown.stores.base import Base
from monkeytown.stores.database import Row
from monkeytown.stores.known import ChatLine, KnownEvent, KnownGame, Participant
from monkeytown.stores.select import select
from monkeytown.stores.text import text

__all__ = ["History"]

State = Literal["open", "closed"]
Sort = Literal["newest", "oldest"]

GAMES = """
    SELECT room, game, coalesce(mode, ''), private, opened, closed, reason, failed,
        (SELECT result FROM results WHERE results.room = games.room ORDER BY epoch DESC, sequence DESC LIMIT 1)
    FROM games WHERE
"""
TOOK_PART = "room IN (SELECT room FROM participants WHERE player = ?)"
IN_STATE = {"open": "closed IS NULL", "closed": "closed IS NOT NULL"}
IN_ORDER = {
    "newest": ("(opened, room) < (?, ?)", "ORDER BY opened DESC, room DESC LIMIT ?"),
    "oldest": ("(opened, room) > (?, ?)", "ORDER BY opened, room LIMIT ?"),
}
ONE_GAME = select(GAMES, ("room = ?",), "")

PARTICIPANTS = """
    SELECT p.player, coalesce(k.name, ''), p.joined, p.left_at
    FROM participants p LEFT JOIN players k ON k.id = p.player
    WHERE p.room = $1 AND (p.joined, p.player) > ($3, $4) ORDER BY p.joined, p.player LIMIT $2
"""
ONE_OF_THEM = "SELECT 1 FROM participants WHERE room = $1 AND player = $2"

# A reader without a position begins beyond the last record there can be, or before the first.
END = (2**63 - 1, 2**63 - 1)
BEGINNING = (-(2**63), -(2**63))
FIRST = (float("-inf"), "")
ALL = 2**63 - 1
CHAT = """
    SELECT epoch, sequence, time, player, name, text FROM chat
    WHERE room = $1 AND (epoch, sequence) < ($3, $4) ORDER BY epoch DESC, sequence DESC LIMIT $2
"""
EVENTS = """
    SELECT epoch, sequence, time, player, event, data FROM events
    WHERE room = $1 AND kind = 'event' AND (epoch, sequence) > ($3, $4) ORDER BY epoch, sequence LIMIT $2
"""


class History(Base):
    """The part of a store that knows what was played."""

    async def games(
        self,
        *,
        game: str | None = None,
        mode: str | None = None,
        state: State | None = None,
        player: str | None = None,
        sort: Sort = "newest",
        limit: int,
        after: tuple[float, str] | None = None,
    ) -> list[KnownGame]:
        """Games by when they were opened. `after` is `(opened, room)` of the last one of the page before."""
        conditions: list[str] = []
        values: list[object] = []
        for value, condition in ((game, "game = ?"), (mode, "mode = ?"), (player, TOOK_PART)):
            if value is not None:
                conditions.append(condition)
                values.append(text(value))
        if state is not None:
            conditions.append(IN_STATE[state])
        before, order = IN_ORDER[sort]
        if after is not None:
            conditions.append(before)
            values += (after[0], text(after[1]))
        sql = select(GAMES, tuple(conditions), order)
        return [_game(row) for row in await self._fetch(sql, *values, limit)]

    async def game(self, room: str) -> KnownGame | None:
        rows = await self._fetch(ONE_GAME, text(room))
        return _game(rows[0]) if rows else None

    async def participants(
        self, room: str, *, limit: int = ALL, after: tuple[float, str] | None = None
    ) -> list[Participant]:
        """Who has had a seat, in the order in which they came. `after` is `(joined, player)` of the last one of the page
        before.
        """
        joined, player = after or FIRST
        rows = await self._fetch(PARTICIPANTS, text(room), limit, joined, text(player))
        return [Participant(*row) for row in rows]

    async def took_part(self, room: str, player: str) -> bool:
        """Whether a player has had a seat."""
        return bool(await self._fetch(ONE_OF_THEM, text(room), text(player)))

    async def chat(self, room: str, *, limit: int, before: tuple[int, int] | None = None) -> list[ChatLine]:
        """What was said, newest first. `before` is `(epoch, sequence)` of the last line of the page before."""
        rows = await self._fetch(CHAT, text(room), limit, *(before or END))
        return [ChatLine(*row) for row in rows]

    async def events(
        self, room: str, *, limit: int, after: tuple[int, int] | None = None
    ) -> list[KnownEvent]:
        """What the rules emitted, oldest first. `after` is `(epoch, sequence)` of the last event of the page before."""
        rows = await self._fetch(EVENTS, text(room), limit, *(after or BEGINNING))
        return [KnownEvent._make((*place, data.encode())) for *place, data in rows]


def _game(row: Row) -> KnownGame:
    room, game, mode, private, opened, closed, reason, failed, result = row
    document = None if result is None else result.encode()
    return KnownGame(room, game, mode, bool(private), opened, closed, reason, bool(failed), document)
