"""Players: what is known of each, who may not play, and how one is forgotten.

Knows the tables that have something of a player in them. Whoever erases locks the player's row before all else, as `writing`
does, so that what is being written of it at the same moment is either erased or written as of somebody who was.
"""

from __future__ import annotations

import json

from monkeytown.stores.base import Base
from monkeytown.stores.database import Row
from monkeytown.stores.known import KnownPlayer
from monkeytown.stores.text import an_id, text

__all__ = ["Players"]

# What is erased or exported may be much.
THOROUGH_SECONDS = 60.0

PLAYER = """
    SELECT id, name, guest, data, created, seen, banned_until, ban_reason, tokens_after, erased FROM players WHERE id = $1
"""

# What must be there for a player nobody has seen yet: 1 is the id, 2 the time.
NEW = """
    INSERT INTO players (id, name, named, guest, data_time, data_epoch, data_sequence, created)
    VALUES ($1, '', 0, false, 0, 0, 0, $2) ON CONFLICT (id) DO NOTHING
"""
RENAME = "UPDATE players SET name = $2, named = $3 WHERE id = $1 AND erased IS NULL"
BAN = "UPDATE players SET banned_until = $2, ban_reason = $3 WHERE id = $1"
UNBAN = "UPDATE players SET banned_until = NULL, ban_reason = '' WHERE id = $1"
LOG_OUT = "UPDATE players SET tokens_after = $2 WHERE id = $1 AND (tokens_after IS NULL OR tokens_after < $2)"
TOMBSTONE = """
    UPDATE players SET name = '', data = NULL, erased = coalesce(erased, $2),
        tokens_after = CASE WHEN tokens_after > $2 THEN tokens_after ELSE $2 END
    WHERE id = $1
"""
FORGET = (
    "UPDATE chat SET name = '', text = '' WHERE player = $1",
    "DELETE FROM scores WHERE player = $1",
    "DELETE FROM standings WHERE player = $1",
)

PLAYED = """
    SELECT p.room, g.game, p.joined, p.left_at FROM participants p LEFT JOIN games g ON g.room = p.room
    WHERE p.player = $1 ORDER BY p.joined, p.room
"""
SAID = "SELECT room, time, name, text FROM chat WHERE player = $1 ORDER BY time, room, epoch, sequence"
SCORED = "SELECT room, game, time, score FROM scores WHERE player = $1 ORDER BY time, room, epoch, sequence"


class Players(Base):
    """The part of a store that knows players."""

    async def player(self, id: str) -> KnownPlayer | None:
        """What is known of a player; None if nobody has heard of it."""
        rows = await self._fetch(PLAYER, text(id))
        return _known(rows[0]) if rows else None

    async def rename(self, id: str, name: str) -> None:
        """Another name, until a newer record has another one. Nothing for who was erased."""
        now = self._clock()
        await self._change(id, RENAME, text(name), now)

    async def ban(self, id: str, until: float, reason: str) -> None:
        """`until` may be infinite."""
        await self._change(id, BAN, until, text(reason))

    async def unban(self, id: str) -> None:
        await self._change(id, UNBAN)

    async def log_out(self, id: str, at: float) -> None:
        """Tokens from before `at` are not to be taken any more."""
        await self._change(id, LOG_OUT, at)

    async def _change(self, id: str, sql: str, *values: object) -> None:
        player = an_id(id)
        async with self._transaction() as transaction:
            await transaction.execute(NEW, player, self._clock())
            await transaction.execute(sql, player, *values)

    async def export(self, id: str) -> dict[str, object]:
        """All that is stored of a player, as what JSON can hold; empty if that is nothing."""
        known = await self.player(id)
        if known is None:
            return {}
        player = known.id
        async with self._transaction(seconds=THOROUGH_SECONDS) as transaction:
            played = await transaction.fetch(PLAYED, player)
            said = await transaction.fetch(SAID, player)
            scored = await transaction.fetch(SCORED, player)
        document = json.loads(known.data) if known.data is not None else None
        return {
            "player": {**known._asdict(), "data": document},
            "games": _named(("room", "game", "joined", "left"), played),
            "chat": _named(("room", "time", "name", "text"), said),
            "scores": _named(("room", "game", "time", "score"), scored),
        }

    async def erase(self, id: str, at: float) -> None:
        """Forgets a player for good: name, document, scores, what it said. What stays is the id, that it played where and
        when, a ban, and what the rules emitted to it. What comes in later, be it older or newer, is stored as of somebody
        without a name.
        """
        player = an_id(id)
        async with self._transaction(seconds=THOROUGH_SECONDS) as transaction:
            await transaction.execute(NEW, player, self._clock())
            await transaction.execute(TOMBSTONE, player, at)
            for statement in FORGET:
                await transaction.execute(statement, player)


def _known(row: Row) -> KnownPlayer:
    id, name, guest, data, *rest = row
    return KnownPlayer(id, name, bool(guest), None if data is None else data.encode(), *rest)


def _named(names: tuple[str, ...], rows: list[Row]) -> list[dict[str, object]]:
    return [dict(zip(names, row, strict=True)) for row in rows]
