"""Commits whose answer never arrives: the shipper cannot know that they took effect, and what it does then must not show.

The spool, the shipper, the store and the database are the real ones. Between store and database stands a proxy, which cuts the
connection right when the answer to COMMIT would pass.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvloop
from tests.chaos.proxy import Direction, Proxy
from tests.postgres import Postgres

from benchmarks import report
from benchmarks.chaos.crowd import on_the_loads_core
from monkeytown.room.ledger import Kind
from monkeytown.stores.address import database_at
from monkeytown.stores.records import Record, packed
from monkeytown.stores.shipper import Shipper
from monkeytown.stores.spools import open_spools
from monkeytown.stores.store import Store

PATIENCE = 30.0
ROOM, PLAYER = "belfry-1", "ann"
SPOOL_BYTES = 2**26

# CommandComplete in PostgreSQL's protocol: its length counts itself and not the letter before it.
ANSWERED = b"C\x00\x00\x00\x0bCOMMIT\x00"

CONTENT: dict[Kind, dict[str, object]] = {
    Kind.EVENT: {"event": "ring", "data": 1},
    Kind.CHAT: {"name": "Ann", "text": "hello"},
    Kind.SCORE: {"score": 3, "name": "Ann", "guest": False, "order": "total"},
    Kind.RESULT: {"result": [1, 2]},
    Kind.JOINED: {"name": "Ann", "guest": False},
    Kind.DATA: {"data": {"visits": 1}},
    Kind.LEFT: {},
}
KINDS = tuple(CONTENT)

KEYS = """
    SELECT sequence, kind FROM events UNION ALL SELECT sequence, 'chat' FROM chat
    UNION ALL SELECT sequence, 'score' FROM scores UNION ALL SELECT sequence, 'result' FROM results ORDER BY sequence
"""


class Cutter:
    """Cuts the next answer to a COMMIT off, once it is armed."""

    def __init__(self, proxy: Proxy) -> None:
        self.cuts = 0
        self.happened = asyncio.Event()
        self._proxy = proxy
        self._armed = False
        proxy.cuts = self._sees

    def arm(self) -> None:
        self._armed = True
        self.happened.clear()

    def _sees(self, direction: Direction, data: bytes) -> bool:
        if not self._armed or direction == "up" or ANSWERED not in data:
            return False
        self._armed = False
        self.cuts += 1
        # Nobody gets through before it is known what the database has.
        self._proxy.accepting = False
        self.happened.set()
        return True


def record(number: int) -> Record:
    kind = KINDS[number % len(KINDS)]
    return Record(ROOM, "belfry", 1, number, time.time(), kind, PLAYER, json.dumps(CONTENT[kind]).encode())


async def commits(url: str, port: int, folder: Path, count: int) -> tuple[Cutter, Counter[str]]:
    """One record after another, each in a commit that is not heard of; what the shipper and the store counted."""
    async with Proxy("127.0.0.1", port) as proxy:
        cutter = Cutter(proxy)
        database = database_at(url.replace(f":{port}/", f":{proxy.port}/"), folder)
        assert database is not None
        store = Store(database)
        await store.open(migrate=True)
        spools = open_spools(folder, max_bytes=SPOOL_BYTES)
        shipper = Shipper(spools, store, linger=0, first_delay=0.005, longest_delay=0.02)
        shipper.start()
        direct = await asyncpg.connect(url)
        try:
            for number in range(1, count + 1):
                cutter.arm()
                spools.own.append(packed(record(number)))
                async with asyncio.timeout(PATIENCE):
                    await cutter.happened.wait()
                    # It really was committed, and the shipper does not know.
                    assert [key for key, _ in await direct.fetch(KEYS)][-1:] == [number]
                    assert spools.metrics.stored == number - 1
                    proxy.accepting = True
                    await shipper.caught_up()
        finally:
            await direct.close()
            await shipper.stop(1)
            await spools.close()
            await store.close()
    metrics = spools.metrics
    return cutter, Counter(stored=metrics.stored, repeated=metrics.repeated, outages=metrics.outages)


async def kept(url: str) -> tuple[list[tuple[int, str]], dict[str, float], str]:
    """Keys and kinds of all that is there; the standings of all time; and the player's document."""
    connection = await asyncpg.connect(url)
    try:
        keys = [(number, kind) for number, kind in await connection.fetch(KEYS)]
        standings = await connection.fetch("SELECT player, -place FROM standings WHERE period = ''")
        data = await connection.fetchval("SELECT data FROM players WHERE id = $1", PLAYER)
    finally:
        await connection.close()
    return keys, {player: total for player, total in standings}, data


@pytest.mark.benchmark(group="chaos")
def test_commits_that_are_not_heard_of(
    benchmark: Any, quick: bool, postgres: Postgres, tmp_path: Path
) -> None:
    count = 60 if quick else 1000

    def run() -> tuple[str, Cutter, Counter[str]]:
        with on_the_loads_core():
            url = asyncio.run(postgres.database())
            return url, *uvloop.run(commits(url, postgres.port, tmp_path, count))

    url, cutter, counted = benchmark.pedantic(run, rounds=1)
    keys, standings, data = asyncio.run(kept(url))
    numbers = range(1, count + 1)
    once = keys == [(number, KINDS[number % len(KINDS)].value) for number in numbers]
    report.record(
        f"{cutter.cuts:,} commits whose answer was cut off: records in the database, each once",
        f"{len(keys):,} of {count:,}",
        yardstick=f"{counted['repeated']:,} written again",
        wanted="all",
        held=once,
    )
    assert once, Counter(keys).most_common(3)
    assert cutter.cuts == counted["repeated"] == counted["stored"] == count
    assert counted["outages"] == count
    assert standings == {PLAYER: 3 * sum(KINDS[number % len(KINDS)] is Kind.SCORE for number in numbers)}
    assert json.loads(data) == {"visits": 1}
