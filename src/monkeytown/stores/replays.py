"""The index of replays: which recordings there are. The recordings themselves are files, which this knows by name only."""

from __future__ import annotations

from monkeytown.stores.base import Base
from monkeytown.stores.database import Row
from monkeytown.stores.known import KnownReplay
from monkeytown.stores.select import select
from monkeytown.stores.text import an_id, text

__all__ = ["Replays"]

COLUMNS = "SELECT id, room, game, started, ended, ticks, size, file, complete FROM replays WHERE"
ADD = """
    INSERT INTO replays (id, room, game, started, ended, ticks, size, file, complete)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (id) DO UPDATE SET room = excluded.room, game = excluded.game, started = excluded.started,
        ended = excluded.ended, ticks = excluded.ticks, size = excluded.size, file = excluded.file,
        complete = excluded.complete
"""
ONE = select(COLUMNS, ("id = ?",), "")
REMOVE = "DELETE FROM replays WHERE id = $1"


class Replays(Base):
    """The part of a store that knows which replays there are."""

    async def add_replay(self, replay: KnownReplay) -> None:
        """Notes a replay; one with the same id is replaced."""
        row = replay._replace(
            id=an_id(replay.id), room=an_id(replay.room), game=an_id(replay.game), file=text(replay.file)
        )
        await self._execute(ADD, *row)

    async def replays(
        self,
        *,
        game: str | None = None,
        room: str | None = None,
        limit: int,
        after: tuple[float, str] | None = None,
    ) -> list[KnownReplay]:
        """Replays, newest first. `after` is `(started, id)` of the last one of the page before."""
        conditions: list[str] = []
        values: list[object] = []
        for value, condition in ((game, "game = ?"), (room, "room = ?")):
            if value is not None:
                conditions.append(condition)
                values.append(text(value))
        if after is not None:
            conditions.append("(started, id) < (?, ?)")
            values += (after[0], text(after[1]))
        sql = select(COLUMNS, tuple(conditions), "ORDER BY started DESC, id DESC LIMIT ?")
        return [_replay(row) for row in await self._fetch(sql, *values, limit)]

    async def replay(self, id: str) -> KnownReplay | None:
        rows = await self._fetch(ONE, text(id))
        return _replay(rows[0]) if rows else None

    async def remove_replay(self, id: str) -> None:
        """Takes it out of the index; nothing if it is not there."""
        await self._execute(REMOVE, text(id))


def _replay(row: Row) -> KnownReplay:
    *rest, complete = row
    return KnownReplay._make((*rest, bool(complete)))
