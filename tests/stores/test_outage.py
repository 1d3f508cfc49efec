"""Spool, shipper and a PostgreSQL that is frozen, stopped and cut off while rooms go on: all is there, once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monkeytown.stores.postgres import PostgreSQL
from monkeytown.stores.records import packed
from monkeytown.stores.shipper import Shipper
from monkeytown.stores.spools import Spools, open_spools
from monkeytown.stores.store import Store
from tests.postgres import Postgres
from tests.stores.records import Diary

DEADLINE = 0.3
PATIENCE = 20.0
DELAYS = {"linger": 0.01, "first_delay": 0.02, "longest_delay": 0.1}


@pytest.fixture
def steady(postgres: Postgres) -> Iterator[Postgres]:
    """A server that a test may stop and pause; it runs again for the next."""
    yield postgres
    postgres.stop()
    postgres.start()


class Town:
    """Three rooms in which something happens all the time, a spool for that, and a shipper that empties it."""

    def __init__(self, root: Path, store: Store) -> None:
        self.diaries = [Diary(room, time=1000.0) for room in ("beach", "jungle", "swamp")]
        self._root = root
        self._store = store
        self.open()

    def open(self) -> None:
        self.spools = open_spools(self._root, max_bytes=1 << 26, segment_bytes=1 << 14)
        self.shipper = Shipper(self.spools, self._store, max_records=200, **DELAYS)
        self.shipper.start()
        self._going_on = asyncio.create_task(self._go_on(self.spools))

    async def _go_on(self, spools: Spools) -> None:
        for number in count(1):
            for diary in self.diaries:
                record = diary.event("banana", {"number": number})
                assert spools.own.append(packed(record), record.kind)
            await asyncio.sleep(0.002)

    async def rest(self) -> None:
        """Nothing happens any more."""
        self._going_on.cancel()
        await asyncio.wait({self._going_on})

    async def close(self) -> None:
        """Ends it, whatever is under way."""
        await self.rest()
        await self.shipper.stop(0.0)
        await self.spools.close()

    async def stored(self) -> int:
        """How many events of all rooms the database has; of each room it must be the first ones, all of them."""
        total = 0
        for diary in self.diaries:
            numbers: list[int] = []
            while known := await self._store.events(
                diary.room, limit=1000, after=(diary.epoch, numbers[-1]) if numbers else None
            ):
                numbers += [event.sequence for event in known]
            assert numbers == list(range(1, len(numbers) + 1))
            total += len(numbers)
        return total

    @property
    def happened(self) -> int:
        return sum(diary.sequence for diary in self.diaries)


@pytest.fixture
async def town(steady: Postgres, tmp_path: Path) -> AsyncIterator[Town]:
    store = Store(PostgreSQL(await steady.database(), seconds=DEADLINE))
    await store.open(migrate=True)
    town = Town(tmp_path / "spool", store)
    yield town
    await town.close()
    await store.close()


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happens():  # noqa: ASYNC110 -- it may be anything
            await asyncio.sleep(0.01)


async def test_an_outage_loses_doubles_and_reorders_nothing(town: Town, steady: Postgres):
    metrics, shipper = town.spools.metrics, town.shipper
    with capture_logs() as logs:
        for fail, mend in ((steady.pause, steady.resume), (steady.stop, steady.start)) * 2:
            await goes_on(town)
            await asyncio.to_thread(fail)
            await until(lambda: shipper.down_since is not None)
            before, waiting = metrics.stored, shipper.lag_records
            await until(lambda waiting=waiting: shipper.lag_records > waiting + 300)
            assert metrics.stored == before
            assert shipper.lag_seconds > 0
            await asyncio.to_thread(mend)
            await goes_on(town)
            assert await town.stored() > before
        await town.rest()
        await shipper.caught_up()
    assert await town.stored() == town.happened == metrics.stored
    assert metrics.outages >= 4
    assert not metrics.dropped
    assert metrics.refused == 0
    for event in ("takes nothing", "is back"):
        assert sum(event in entry["event"] for entry in logs) == metrics.outages


async def goes_on(town: Town) -> None:
    """What happens now gets into the database."""
    before = town.spools.metrics.stored
    await until(lambda: town.spools.metrics.stored > before and town.shipper.down_since is None)


async def test_connections_that_are_cut_and_servers_that_end_double_nothing(town: Town, steady: Postgres):
    """What is under way is cut off again and again: by the database, and by the end of the server."""
    with capture_logs():
        for _ in range(6):
            await goes_on(town)
            await steady.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = 'monkeytown'"
            )
            await town.close()
            town.open()
        await goes_on(town)
        await town.rest()
        await town.shipper.caught_up()
    assert await town.stored() == town.happened
