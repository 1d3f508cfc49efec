"""Records are kept once, however often, in whatever company and in whatever order of rooms they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monkeytown.errors import RecordRefused, StoreDown
from monkeytown.room.ledger import Kind
from monkeytown.stores.address import database_at
from monkeytown.stores.database import Collided, Database, Insert, Row, Transaction
from monkeytown.stores.known import KnownGame, Standing
from monkeytown.stores.records import Record
from monkeytown.stores.store import Store
from tests.stores.dump import contents
from tests.stores.records import WEEK_48, Diary


def a_game(room: str = "room-1", players: Sequence[str] = ("ann", "ben")) -> Diary:
    """A game from its beginning to its end, with something of every kind."""
    diary = Diary(room)
    diary.opened("duel", private=True)
    for player in players:
        diary.joined(player)
    diary.event("started", {"by": players[0]})
    diary.chat(players[0], "grüß dich, <b>Ben</b>")
    for points, player in enumerate(players):
        diary.score(player, 10 + points)
        diary.data(player, {"level": points})
    diary.result([1, 2])
    for player in players:
        diary.left(player)
    diary.closed("over")
    return diary


async def test_everything_is_there_once(store: Store) -> None:
    diary = a_game()
    assert await store.write(diary.records) == len(diary.records)
    there = await contents(store)
    counts = {table: len(rows) for table, rows in there.items()}
    assert counts == {
        "players": 2,
        "games": 1,
        "participants": 2,
        "events": 9,
        "chat": 1,
        "scores": 2,
        "results": 1,
        "boards": 1,
        "standings": 4,
        "replays": 0,
    }
    assert await store.write(diary.records) == 0
    assert await contents(store) == there


async def test_nothing_to_write_is_written(store: Store) -> None:
    assert await store.write([]) == 0


async def test_batches_overlap(store: Store, other: Store) -> None:
    records = a_game().records
    await other.write(records)
    new = [await store.write(records[start : start + 5]) for start in range(0, len(records), 2)]
    assert sum(new) == len(records)
    assert await contents(store) == await contents(other)


async def test_a_record_may_come_twice_in_a_batch(store: Store, other: Store) -> None:
    records = a_game().records
    await other.write(records)
    assert await store.write([*records, *records]) == len(records)
    assert await contents(store) == await contents(other)


async def test_rooms_come_in_any_order(store: Store, other: Store) -> None:
    rooms = [a_game(f"room-{number}", (f"p{number}", f"p{number + 1}", "everywhere")) for number in range(6)]
    for shift, diary in enumerate(rooms):
        diary.records[:] = [later(record, 1000.0 * shift) for record in diary.records]
    await other.write([record for diary in rooms for record in diary.records])
    for diary in reversed(rooms):
        await store.write(diary.records)
    assert await contents(store) == await contents(other)


def later(record: Record, seconds: float) -> Record:
    fields = {name: getattr(record, name) for name in Record.__struct_fields__}
    return Record(**{**fields, "time": record.time + seconds})


# ---- what goes wrong ----


class Interrupted:
    """A database that goes away at one of its statements: before it or, with `after`, once it is done."""

    def __init__(
        self, database: Database, at: int, *, after: bool, error: type[StoreDown] = StoreDown
    ) -> None:
        self._database = database
        self.dialect = database.dialect
        self.place = database.place
        self.left = at
        self.times = 1
        self._at = at
        self._after = after
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        return await self._database.fetch(sql, *values)

    @asynccontextmanager
    async def transaction(self, *, seconds: float | None = None) -> AsyncIterator[Transaction]:
        async with self._database.transaction(seconds=seconds) as transaction:
            yield _Interrupted(self, transaction)

    async def step(self, statement: Any) -> list[Row]:
        self.left -= 1
        if self.left or not self.times:
            return list(await statement)
        self.times -= 1
        self.left = self._at
        if self._after:
            await statement
        else:
            statement.close()
        raise self._error("gone")


class _Interrupted:
    def __init__(self, database: Interrupted, transaction: Transaction) -> None:
        self._database = database
        self._transaction = transaction

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> list[Row]:
        return await self._database.step(self._transaction.insert(insert, rows))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_write_that_is_interrupted_leaves_nothing(store: Store, other: Store, after: bool) -> None:
    first, second = a_game("room-1"), a_game("room-2")
    await other.write([*first.records, *second.records])
    await store.write(first.records)
    before = await contents(store)
    database = store.database
    interruptions = 0
    for statement in range(1, 100):
        store.database = Interrupted(database, statement, after=after)
        try:
            await store.write(second.records)
        except StoreDown:
            interruptions += 1
            assert await contents(store) == before
        else:
            break
    assert interruptions == 9  # one for each table that records are in
    assert await contents(store) == await contents(other)


async def test_whoever_is_in_the_way_is_waited_for(store: Store, other: Store) -> None:
    diary = a_game()
    await other.write(diary.records)
    interrupted = Interrupted(store.database, 5, after=True, error=Collided)
    interrupted.times = 3
    store.database = interrupted
    assert await store.write(diary.records) == len(diary.records)
    assert interrupted.times == 0
    assert await contents(store) == await contents(other)


async def test_whoever_is_always_in_the_way_is_reported(store: Store) -> None:
    store.database = Interrupted(store.database, 1, after=False, error=Collided)
    store.database.times = 1000
    with pytest.raises(StoreDown):
        await store.write(a_game().records)


async def test_two_write_the_same_at_once(url: str, tmp_path: Path, other: Store) -> None:
    """Each with a spool of the same records, in batches of its own, over connections of its own."""
    random = Random(48)
    rooms = [a_game(f"room-{number}", ("ann", "ben", f"p{number}")).records for number in range(40)]
    records = [record for room in rooms for record in room]
    await other.write(records)

    async def ship() -> int:
        database = database_at(url, tmp_path)
        assert database is not None
        store = Store(database)
        await store.open(migrate=True)
        new = start = 0
        while start < len(records):
            size = random.randint(1, 60)
            new += await store.write(records[start : start + size])
            start += size
        await store.close()
        return new

    assert sum(await asyncio.gather(ship(), ship(), ship())) == len(records)
    database = database_at(url, tmp_path)
    assert database is not None
    store = Store(database)
    await store.open(migrate=False)
    assert await contents(store) == await contents(other)
    await store.close()


async def test_a_write_that_is_cancelled_is_done_or_not_and_disturbs_nobody(store: Store) -> None:
    """At every moment of it, as far as the event loop has moments."""
    done = cancelled = 0
    while not done:
        diary = a_game(f"room-{cancelled}")
        writing = asyncio.create_task(store.write(diary.records))
        for _ in range(cancelled):
            await asyncio.sleep(0)
        done = writing.done()
        if not writing.cancel():
            break
        with pytest.raises(asyncio.CancelledError):
            await writing
        cancelled += 1
        new = await store.write(diary.records)
        assert new in (0, len(diary.records))
    assert cancelled > 3
    await store.ping()


# ---- what is folded ----


async def test_late_records_do_not_bring_back_what_was(store: Store) -> None:
    old, new = Diary("old", time=WEEK_48), Diary("new", time=WEEK_48 + 3600)
    old.joined("ann", "Annie", guest=True)
    old.data("ann", {"level": 1})
    old.left("ann")
    new.joined("ann", "Ann", guest=False)
    new.data("ann", {"level": 2})
    await store.write(new.records)
    await store.write(old.records)
    known = await store.player("ann")
    assert known
    assert (known.name, known.guest, known.data) == ("Ann", False, b'{"level":2}')
    assert (known.created, known.seen) == (old.records[0].time, new.records[-1].time)


async def test_of_two_documents_of_one_moment_the_later_entry_counts(store: Store) -> None:
    diary = Diary()
    for level in (1, 2):
        diary.time = WEEK_48
        diary.data("ann", {"level": level})
    await store.write(diary.records)
    await store.write(diary.records[:1])
    known = await store.player("ann")
    assert known
    assert known.data == b'{"level":2}'


async def test_a_room_that_finishes_again_has_its_newest_result(store: Store) -> None:
    diary = Diary()
    diary.opened()
    diary.result("first")
    diary.result("second")
    await store.write(diary.records)
    await store.write(diary.records[:2])
    game = await store.game("room-1")
    assert game
    assert game.result == b'"second"'


async def test_the_end_may_be_told_before_the_beginning(store: Store) -> None:
    diary = Diary()
    opened = diary.opened("duel", private=True)
    closed = diary.closed("over", failed=True)
    await store.write([closed])
    stub = await store.game("room-1")
    assert stub == KnownGame("room-1", "jungle", "", False, closed.time, closed.time, "over", True, None)
    await store.write([opened])
    game = await store.game("room-1")
    assert game == KnownGame("room-1", "jungle", "duel", True, opened.time, closed.time, "over", True, None)


async def test_of_several_ends_that_of_the_newest_epoch_counts(store: Store) -> None:
    first, second = Diary(epoch=1), Diary(epoch=2, time=WEEK_48 + 60)
    first.opened("duel")
    second.closed("over")
    first.closed("lost")
    await store.write(second.records)
    await store.write(first.records)
    game = await store.game("room-1")
    assert game
    assert (game.reason, game.closed) == ("over", second.time)


async def test_who_comes_back_is_there_again(store: Store) -> None:
    diary = Diary()
    diary.joined("ann")
    diary.left("ann")
    diary.joined("ann")
    for record in diary.records:
        await store.write([record])
    (ann,) = await store.participants("room-1")
    assert (ann.joined, ann.left) == (diary.records[0].time, None)
    await store.write([diary.left("ann"), *diary.records])
    (ann,) = await store.participants("room-1")
    assert (ann.joined, ann.left) == (diary.records[0].time, diary.records[3].time)


@pytest.mark.parametrize(
    ("order", "scores", "score"),
    [("best", [3, 9, 4.5], 9), ("lowest", [3, 9, 4.5], 3), ("total", [3, 9, 4.5], 16.5), ("best", [0], 0)],
)
async def test_scores_count_as_the_game_says(
    store: Store, order: str, scores: list[float], score: float
) -> None:
    diary = Diary()
    for points in scores:
        diary.score("ann", points, order=order)
    assert await store.write(diary.records[:1]) == 1
    await store.write(diary.records)
    await store.write(diary.records)
    assert await store.standing("jungle", "", "ann") == Standing(1, "ann", "Ann", score)


async def test_a_week_is_that_of_the_record(store: Store) -> None:
    for time, week in (
        (1_767_225_600, "2026-W01"),  # Thursday, 1 January 2026
        (1_767_571_199, "2026-W01"),  # the last second of that week's Sunday
        (1_767_571_200, "2026-W02"),
        (1_798_761_600, "2026-W53"),  # Friday, 1 January 2027
    ):
        diary = Diary(f"room-{time}", time=time - 1)
        diary.score("ann", time)
        await store.write(diary.records)
        standing = await store.standing("jungle", week, "ann")
        assert standing
        assert standing.score == time


async def test_a_game_that_counts_otherwise_begins_a_new_board(store: Store) -> None:
    diary = Diary()
    diary.score("ann", 5, order="best")
    diary.score("ben", 7, order="lowest")
    await store.write(diary.records)
    await store.write(diary.records[:1])
    assert await store.leaderboard("jungle", "", limit=9) == [Standing(1, "ben", "Ben", 7)]


# ---- what cannot be kept ----

BROKEN = {
    "no JSON": {"content": b"{"},
    "no UTF-8": {"content": b'{"event": "\xff"}'},
    "another type": {"content": b'{"event": 7}'},
    "half a character": {"content": b'{"event": "\\ud800"}'},
    "a long id": {"room": "r" * 256},
    "a long player": {"player": "p" * 256},
    "no time": {"time": float("nan")},
    "endless time": {"time": float("inf")},
    "a large number": {"sequence": 2**63},
    "a score without a score": {"kind": Kind.SCORE, "content": b"{}"},
    "a score that is too large": {"kind": Kind.SCORE, "player": "p", "content": b'{"score": 1e300}'},
    "a score of nobody": {"kind": Kind.SCORE, "content": b'{"score": 1}'},
    "a score beyond all calendars": {
        "kind": Kind.SCORE,
        "player": "p",
        "content": b'{"score": 1}',
        "time": 1e18,
    },
    "a score of another order": {
        "kind": Kind.SCORE,
        "player": "p",
        "content": b'{"score": 1, "order": "odd"}',
    },
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_what_no_database_could_hold_is_refused(store: Store, broken: dict[str, Any]) -> None:
    fields = {
        "room": "r",
        "game": "jungle",
        "epoch": 1,
        "sequence": 1,
        "time": WEEK_48,
        "kind": Kind.EVENT,
        "player": "",
        "content": b"{}",
    }
    good = a_game()
    with pytest.raises(RecordRefused):
        await store.write([*good.records, Record(**{**fields, **broken})])
    assert not any((await contents(store)).values())
    assert await store.write(good.records) == len(good.records)


async def test_keys_that_are_missing_are_no_reason_to_refuse(store: Store) -> None:
    kinds = [kind for kind in Kind if kind is not Kind.SCORE]
    records = [Record("r", "g", 1, number, WEEK_48, kind, "p", b"{}") for number, kind in enumerate(kinds)]
    assert await store.write(records) == len(kinds)
