"""What the databases take: records in batches of a thousand, as the shipper sends them when much has been waiting.

And how late the event loop, in which rooms have their ticks, is for anything else meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Iterator
from pathlib import Path
from random import Random
from statistics import quantiles
from time import perf_counter
from typing import Any

import pytest
from tests.postgres import Postgres
from tests.stores.records import WEEK_48, Diary

from benchmarks import report
from monkeytown.room.ledger import Kind
from monkeytown.stores.address import database_at
from monkeytown.stores.records import Record
from monkeytown.stores.store import Store

ROOMS, PLAYERS = 40, 500
BATCH = 1_000
WANTED = 10_000  # a second
TIMER = 0.001
LOG = {Kind.CHAT: "chat", Kind.SCORE: "scores", Kind.RESULT: "results"}  # all others are in events


def evening(count: int) -> list[Record]:
    """So many records of rooms in which much is going on, in the order in which a server would spool them."""
    random = Random(48)
    rooms = [Diary(f"room-{number}", time=WEEK_48 + number / 100) for number in range(ROOMS)]
    records: list[Record] = []
    while len(records) < count:
        room, player = random.choice(rooms), f"player-{random.randrange(PLAYERS)}"
        if not room.records:
            record = room.opened("open")
        else:
            kind = random.random()
            if kind < 0.5:
                record = room.event("eaten", {"by": player, "at": [random.random(), random.random()]})
            elif kind < 0.8:
                record = room.chat(player, "has anybody seen the large banana? " * random.randint(1, 3))
            elif kind < 0.9:
                record = room.score(player, random.randrange(1000), order="total")
            elif kind < 0.94:
                record = room.joined(player)
            elif kind < 0.98:
                record = room.left(player)
            else:
                record = room.data(player, {"level": random.randrange(9), "items": list(range(20))})
        records.append(record)
    return records


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'town.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        yield asyncio.run(server.database())


async def lateness(during: Awaitable[object]) -> str:
    """How late a timer was meanwhile."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            due = perf_counter() + TIMER
            await asyncio.sleep(TIMER)
            late.append((perf_counter() - due) * 1e3)

    watching = asyncio.create_task(watch())
    await during
    watching.cancel()
    await asyncio.wait({watching})
    cuts = quantiles(late, n=100)
    return f"{cuts[49]:.1f} ms, {cuts[98]:.1f} ms"


async def ship(store: Store, records: list[Record]) -> None:
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        assert await store.write(batch) == len(batch)


async def check(store: Store, records: list[Record]) -> None:
    """All are there, once; and what is counted from them is right."""
    for table in ("events", *LOG.values()):
        rows = await store.database.fetch(f"SELECT room, epoch, sequence FROM {table}")
        wanted = [
            (record.room, record.epoch, record.sequence)
            for record in records
            if LOG.get(record.kind, "events") == table
        ]
        assert sorted(rows) == sorted(wanted)
    board = await store.leaderboard("jungle", "", limit=PLAYERS)
    scored = {record.player for record in records if record.kind is Kind.SCORE}
    assert {standing.player for standing in board} == scored
    assert await store.write(records[:BATCH]) == 0


def test_shipping(benchmark: Any, url: str, tmp_path: Path, quick: bool) -> None:
    records = evening(20_000 if quick else 100_000)

    async def run() -> tuple[float, str, str]:
        database = database_at(url, tmp_path)
        assert database is not None
        store = Store(database)
        await store.open(migrate=True)
        idle = await lateness(asyncio.sleep(1))
        began = perf_counter()
        busy = await lateness(ship(store, records))
        seconds = perf_counter() - began
        await check(store, records)
        await store.close()
        return seconds, busy, idle

    # As a server has it: its collector runs between ticks.
    gc.disable()
    try:
        seconds, busy, idle = benchmark.pedantic(lambda: asyncio.run(run()), rounds=1)
    finally:
        gc.enable()
    kind = url.partition(":")[0]
    rate = len(records) / seconds
    report.record(
        f"records into {kind}, in batches of {BATCH}",
        f"{rate:,.0f}/s",
        wanted=f"≥ {WANTED:,}/s",
        held=rate >= WANTED,
    )
    report.record(f"how late a timer is while {kind} takes them: p50, p99", busy, yardstick=f"{idle} idle")
