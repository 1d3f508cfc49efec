"""One outage of the database, between two halves of a control run, and what operator, players and database saw of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import asyncpg

from benchmarks.chaos import ledgers
from benchmarks.chaos.ledgers import Comparison
from benchmarks.chaos.probe import Lateness, Metrics, Probe, probing
from benchmarks.chaos.town import Town
from benchmarks.chaos.visitors import Crowd, Visit
from benchmarks.load_run import SERVER_CORE, core_seconds, cpu_seconds

__all__ = ["KEEPER", "Away", "Outage", "drained", "outage"]

PATIENCE = 60.0
WARM_UP = 1.0
KEEPER = ThreadPoolExecutor(1, "postgres")
"""A database that is started again ends with the thread that has started it, so that one has to last."""
NEWEST = "SELECT max(time) FROM events"


@dataclass(frozen=True)
class Away:
    """How a database goes, and comes back."""

    leave: Callable[[], None]
    come_back: Callable[[], None]


@dataclass(frozen=True)
class Outage:
    """What was seen of one. Moments are seconds of a monotonic clock; `disturbed` is what others took of the server's core."""

    crowd: Crowd
    probe: Probe
    found: Comparison
    metrics: Metrics
    control: Lateness
    fault: Lateness
    disturbed: float
    began: float
    back: float
    drain: float
    """Seconds from its return until the database had everything."""

    @property
    def visits(self) -> list[Visit]:
        """Those who came while the database was away."""
        return [visit for visit in self.crowd.visits if self.began <= visit.began <= self.back]

    @property
    def unready(self) -> float | None:
        """Seconds until an operator was told that the database is away."""
        return self.probe.first("ready", 503, self.began)

    @property
    def ready(self) -> float | None:
        """Seconds until an operator was told that it is back."""
        return self.probe.first("ready", 200, self.back)

    @property
    def later(self) -> float:
        """Milliseconds by which the p99 of the ticks' lateness was larger than in the control run."""
        return self.fault.quantile(0.99) - self.control.quantile(0.99)


async def drained(url: str, moment: float) -> float:
    """Waits until the database has all that had happened by a moment, in seconds since 1970; how long after it that was."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE):
            # Records are stored in order: with one that is newer, all before it are there.
            while (await connection.fetchval(NEWEST) or 0.0) <= moment:  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    return time.time() - moment


async def outage(town: Town, url: str, away: Away, seconds: float, calm: float) -> Outage:
    """The fault for `seconds`, and half of `calm` before and after it. Stops the server at the end."""
    loop = asyncio.get_running_loop()
    async with Crowd(town, Random(1)) as crowd, probing(town.port, town.spool) as probe:
        await asyncio.sleep(WARM_UP)
        first, others = await Metrics.of(town.port), _others(town)
        await asyncio.sleep(calm / 2)
        second, began = await Metrics.of(town.port), time.monotonic()
        await loop.run_in_executor(KEEPER, away.leave)
        try:
            await asyncio.sleep(seconds)
        finally:
            await loop.run_in_executor(KEEPER, away.come_back)
        back = time.monotonic()
        drain = await drained(url, time.time())
        third = await Metrics.of(town.port)
        await asyncio.sleep(calm / 2)
        last = await Metrics.of(town.port)
        disturbed = (_others(town) - others) / (time.monotonic() - began + calm / 2)
        await crowd.come_to_rest()
    assert await asyncio.to_thread(town.stop) == 0
    control = (second.lateness - first.lateness) + (last.lateness - third.lateness)
    fault = third.lateness - second.lateness
    found = await ledgers.check(url, crowd.listeners, {}, crowd.visits)
    return Outage(crowd, probe, found, last, control, fault, disturbed, began, back, drain)


def _others(town: Town) -> float:
    """Seconds that everything but the server took of its core so far."""
    return core_seconds(SERVER_CORE) - cpu_seconds(town.pid)
