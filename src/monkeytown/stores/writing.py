"""How records become rows: in one transaction, as often as anybody likes.

Knows which statement goes to which table; what a batch comes to is `batch`. The order of the statements is that of the locks:
players come first, because what else is written of a player depends on whether somebody has just erased it, and tables always
come in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from monkeytown.stores import batch
from monkeytown.stores.base import Base
from monkeytown.stores.batch import Batch, Key
from monkeytown.stores.database import Collided, Insert, Row, Transaction
from monkeytown.stores.records import Record

__all__ = ["Writing"]

# After so many records, or rows, other things have their turn in the event loop: at each about half a millisecond.
AT_ONCE = 100
TRIES = 5  # if other writers are in the way

# The key of a record, and the rest of its row.
IF_NEW = "ON CONFLICT (room, epoch, sequence) DO NOTHING RETURNING room, epoch, sequence"
EVENTS = Insert(
    "events",
    "room text, epoch int8, sequence int8, time float8, kind text, player text, event text, data text",
    IF_NEW,
)
CHAT = Insert(
    "chat",
    "room text, epoch int8, sequence int8, time float8, player text, name text, text text",
    IF_NEW,
)
SCORES = Insert(
    "scores",
    "room text, epoch int8, sequence int8, time float8, game text, player text, score float8, ranking text",
    IF_NEW,
)
RESULTS = Insert("results", "room text, epoch int8, sequence int8, time float8, result text", IF_NEW)

# Every value keeps what is newest (or oldest) of it. Names and documents of who was erased do not come back.
PLAYERS = Insert(
    "players",
    "id text, name text, named float8, guest bool, data text, data_time float8, data_epoch int8, data_sequence int8,"
    " created float8, seen float8",
    """
    ON CONFLICT (id) DO UPDATE SET
        name = CASE WHEN players.erased IS NULL AND (excluded.named, excluded.name) > (players.named, players.name)
            THEN excluded.name ELSE players.name END,
        guest = CASE WHEN (excluded.named, excluded.name) > (players.named, players.name)
            THEN excluded.guest ELSE players.guest END,
        named = CASE WHEN excluded.named > players.named THEN excluded.named ELSE players.named END,
        data = CASE WHEN players.erased IS NULL AND (excluded.data_time, excluded.data_epoch, excluded.data_sequence)
            > (players.data_time, players.data_epoch, players.data_sequence) THEN excluded.data ELSE players.data END,
        data_epoch = CASE WHEN (excluded.data_time, excluded.data_epoch, excluded.data_sequence)
            > (players.data_time, players.data_epoch, players.data_sequence)
            THEN excluded.data_epoch ELSE players.data_epoch END,
        data_sequence = CASE WHEN (excluded.data_time, excluded.data_epoch, excluded.data_sequence)
            > (players.data_time, players.data_epoch, players.data_sequence)
            THEN excluded.data_sequence ELSE players.data_sequence END,
        data_time = CASE WHEN excluded.data_time > players.data_time THEN excluded.data_time ELSE players.data_time END,
        created = CASE WHEN excluded.created < players.created THEN excluded.created ELSE players.created END,
        seen = CASE WHEN players.seen IS NULL OR excluded.seen > players.seen THEN excluded.seen ELSE players.seen END
    RETURNING id, erased IS NOT NULL
    """,
)

GAMES = Insert(
    "games",
    "room text, game text, mode text, private bool, opened float8, closed float8, closed_epoch int8, reason text,"
    " failed bool",
    """
    ON CONFLICT (room) DO UPDATE SET
        mode = CASE WHEN excluded.mode IS NOT NULL AND (games.mode IS NULL OR excluded.opened < games.opened)
            THEN excluded.mode ELSE games.mode END,
        private = CASE WHEN excluded.mode IS NOT NULL AND (games.mode IS NULL OR excluded.opened < games.opened)
            THEN excluded.private ELSE games.private END,
        opened = CASE WHEN excluded.mode IS NOT NULL AND (games.mode IS NULL OR excluded.opened < games.opened)
            THEN excluded.opened ELSE games.opened END,
        closed = CASE WHEN excluded.closed_epoch > games.closed_epoch THEN excluded.closed ELSE games.closed END,
        reason = CASE WHEN excluded.closed_epoch > games.closed_epoch THEN excluded.reason ELSE games.reason END,
        failed = CASE WHEN excluded.closed_epoch > games.closed_epoch THEN excluded.failed ELSE games.failed END,
        closed_epoch = CASE WHEN excluded.closed_epoch > games.closed_epoch
            THEN excluded.closed_epoch ELSE games.closed_epoch END
    """,
)

PARTICIPANTS = Insert(
    "participants",
    "room text, player text, joined float8, left_at float8, epoch int8, sequence int8",
    """
    ON CONFLICT (room, player) DO UPDATE SET
        joined = CASE WHEN excluded.joined < participants.joined THEN excluded.joined ELSE participants.joined END,
        left_at = CASE WHEN (excluded.epoch, excluded.sequence) > (participants.epoch, participants.sequence)
            THEN excluded.left_at ELSE participants.left_at END,
        epoch = CASE WHEN (excluded.epoch, excluded.sequence) > (participants.epoch, participants.sequence)
            THEN excluded.epoch ELSE participants.epoch END,
        sequence = CASE WHEN (excluded.epoch, excluded.sequence) > (participants.epoch, participants.sequence)
            THEN excluded.sequence ELSE participants.sequence END
    """,
)

BOARDS = Insert(
    "boards",
    "game text, ranking text, newest float8",
    """
    ON CONFLICT (game) DO UPDATE SET ranking = excluded.ranking, newest = excluded.newest
        WHERE excluded.newest > boards.newest
    """,
)

STANDINGS = Insert(
    "standings",
    "game text, period text, ranking text, player text, place float8",
    """
    ON CONFLICT (game, period, ranking, player) DO UPDATE SET place = CASE
        WHEN excluded.ranking = 'total' THEN standings.place + excluded.place
        WHEN excluded.place < standings.place THEN excluded.place
        ELSE standings.place END
    """,
)


class Writing(Base):
    """The part of a store that takes records."""

    async def write(self, records: Sequence[Record]) -> int:
        """Stores records, all of them or none, and says how many were new. Those that are there already change nothing.

        Raises `StoreDown` if it cannot be done now; whether it was done is then not known, and it is to be tried again.
        Raises `RecordRefused` if one of the records cannot be stored ever: the others then have to come without it.
        """
        rows = Batch()
        for start in range(0, len(records), AT_ONCE):
            rows.add(records[start : start + AT_ONCE])
            await asyncio.sleep(0)
        for _ in range(TRIES - 1):
            try:
                return await self._write(rows)
            except Collided:
                await asyncio.sleep(0)
        return await self._write(rows)

    async def _write(self, rows: Batch) -> int:
        async with self._transaction() as transaction:
            players = await _insert(transaction, PLAYERS, rows.players())
            erased = {player for player, is_erased in players if is_erased}
            new = await _insert(transaction, EVENTS, _in_order(rows.events))
            new += await _insert(transaction, CHAT, _said(rows, erased))
            scored = await _insert(transaction, SCORES, _scored(rows, erased))
            new += scored
            new += await _insert(transaction, RESULTS, _in_order(rows.results))
            await _insert(transaction, GAMES, rows.games())
            await _insert(transaction, PARTICIPANTS, rows.participants())
            if scored:
                new_scores = [rows.scores[key] for key in scored]
                await _insert(transaction, BOARDS, batch.boards(new_scores))
                await _insert(transaction, STANDINGS, batch.standings(new_scores))
        return len(new)


async def _insert(transaction: Transaction, insert: Insert, rows: Sequence[Row]) -> list[Row]:
    returned: list[Row] = []
    for start in range(0, len(rows), AT_ONCE):
        returned += await transaction.insert(insert, rows[start : start + AT_ONCE])
    return returned


def _in_order(rows: dict[Key, Row]) -> list[Row]:
    return [rows[key] for key in sorted(rows)]


def _said(rows: Batch, erased: Collection[str]) -> list[Row]:
    """Lines of chat, of which those of who was erased keep no more than that something was said."""
    return [row if row[4] not in erased else (*row[:5], "", "") for row in _in_order(rows.chat)]


def _scored(rows: Batch, erased: Collection[str]) -> list[Row]:
    return [row for row in _in_order(rows.scores) if row[5] not in erased]
