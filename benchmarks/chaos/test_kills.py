"""A server that is killed while its database is away, and started again in the same data folder.

A record is acknowledged once it is on disk, and that is told by `/metrics` alone: `monkeytown_records_appended_total` counts what
was taken in, `monkeytown_records_durable_total` what is on disk, in the same order. So what listeners had heard before one
answer said *appended n* is on disk once another says *durable n*.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop
from tests.postgres import Postgres

from benchmarks import report
from benchmarks.chaos import ledgers
from benchmarks.chaos.crowd import on_the_loads_core
from benchmarks.chaos.ledgers import Comparison
from benchmarks.chaos.outages import KEEPER, drained
from benchmarks.chaos.probe import Http, Metrics
from benchmarks.chaos.town import Town
from benchmarks.chaos.visitors import Crowd, Listener, Visit

LOOK = 0.03
PLAYED = 1.0
"""Seconds before the database goes."""


class Acknowledged:
    """How much of what each listener has heard is known to be on disk."""

    def __init__(self, crowd: Crowd, port: int) -> None:
        self.heard = [0] * len(crowd.listeners)
        self._crowd = crowd
        self._port = port
        self._waiting: deque[tuple[float, list[int]]] = deque()

    async def run(self) -> None:
        """Looks until the server is gone."""
        http = await Http.open(self._port)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                heard = [len(listener.told) for listener in self._crowd.listeners]
                metrics = Metrics((await http.get("/metrics"))[1])
                self._waiting.append((metrics["records_appended_total"], heard))
                while self._waiting and self._waiting[0][0] <= metrics["records_durable_total"]:
                    self.heard = self._waiting.popleft()[1]
                await asyncio.sleep(LOOK)
        http.close()


@asynccontextmanager
async def acknowledged(crowd: Crowd, port: int) -> AsyncIterator[Acknowledged]:
    """Looks while the block runs, in which the server is killed."""
    looking = Acknowledged(crowd, port)
    task = asyncio.create_task(looking.run())
    try:
        yield looking
    finally:
        await task


@dataclass
class Deaths:
    """What was seen of several."""

    broken: dict[Listener, int] = field(default_factory=dict)
    """Who lost their server, and how much of what they had heard was acknowledged."""
    complete: list[Listener] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    """Seconds from a death until a new process listens."""
    drained: list[float] = field(default_factory=list)
    """Seconds from the return of the database until it had everything."""


class Dying:
    """Kills the server of a town, again and again, each time around an outage of `seconds`."""

    def __init__(self, town: Town, url: str, postgres: Postgres, seconds: float) -> None:
        self.seen = Deaths()
        self._town = town
        self._url = url
        self._postgres = postgres
        self._seconds = seconds
        self._random = Random(4)
        self._ids = count(1)

    async def run(self, times: int) -> Deaths:
        loop = asyncio.get_running_loop()
        for _ in range(times):
            left = await self._play_until_it_dies()
            died = time.monotonic()
            await asyncio.to_thread(self._town.start)
            self.seen.back.append(time.monotonic() - died)
            async with Crowd(self._town, self._random, self._ids) as crowd:
                try:
                    await asyncio.sleep(left)
                finally:
                    await loop.run_in_executor(KEEPER, self._postgres.start)
                self.seen.drained.append(await drained(self._url, time.time()))
                await crowd.come_to_rest()
            self.seen.complete += crowd.listeners
            self.seen.visits += crowd.visits
            assert not crowd.failures, crowd.failures
        assert await asyncio.to_thread(self._town.stop) == 0
        return self.seen

    async def _play_until_it_dies(self) -> float:
        """The server dies at any moment shortly before the outage, or in it; how long that is to last then."""
        moment = self._random.uniform(PLAYED / 2, PLAYED + self._seconds)
        async with Crowd(self._town, self._random, self._ids) as crowd:
            async with acknowledged(crowd, self._town.port) as known:
                await asyncio.sleep(min(moment, PLAYED))
                if moment > PLAYED:
                    await asyncio.to_thread(self._postgres.stop)
                    await asyncio.sleep(moment - PLAYED)
                await asyncio.to_thread(self._town.kill)
                await asyncio.to_thread(self._postgres.stop)
            await crowd.lose()
        self.seen.broken |= dict(zip(crowd.listeners, known.heard, strict=True))
        return PLAYED + self._seconds - max(moment, PLAYED)


@pytest.mark.benchmark(group="chaos")
def test_a_server_that_is_killed(benchmark: Any, quick: bool, postgres: Postgres, tmp_path: Path) -> None:
    times, seconds = (2, 2.0) if quick else (10, 20.0)

    def run() -> tuple[Deaths, Comparison]:
        with on_the_loads_core():
            url = asyncio.run(postgres.database())
            with Town(tmp_path, url) as town:
                seen = uvloop.run(Dying(town, url, postgres, seconds).run(times))
            found = asyncio.run(ledgers.check(url, seen.complete, seen.broken, seen.visits))
        return seen, found

    seen, found = benchmark.pedantic(run, rounds=1)
    assert found.is_right, "\n".join(found.wrong)
    acknowledged = sum(seen.broken.values())
    assert acknowledged > 100 * times, "the witness knows of hardly anything that was on disk"
    report.record(
        f"The server killed {times} times around outages of {seconds:g} s: acknowledged records lost, stored twice, otherwise wrong",
        f"{found.lost}, {found.doubled}, {len(found.wrong)}",
        yardstick=f"{acknowledged:,} acknowledged, {found.records:,} in all",
        wanted="0, 0, 0",
        held=found.is_right,
    )
    heard = sum(len(listener.told) for listener in seen.broken)
    report.record(
        "… records that players had heard of, not acknowledged, and lost",
        f"{found.unsure}",
        yardstick=f"{heard - acknowledged:,} not known to be on disk",
    )
    report.record("… it listens again after", f"{max(seen.back):.1f} s")
    slowest = max(seen.drained)
    report.record(
        "… the database has everything after its return in", f"{slowest:.1f} s", wanted="≤ 30 s", held=slowest <= 30
    )
