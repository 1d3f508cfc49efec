"""One outage between two halves of a control run: what players, an operator and the database see, and what must be so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import asyncpg

from benchmarks import report
from benchmarks.chaos import ledgers
from benchmarks.chaos.ledgers import Comparison
from benchmarks.chaos.probe import Lateness, Metrics, Probe, probing
from benchmarks.chaos.town import Town
from benchmarks.chaos.visitors import Crowd, Visit

__all__ = ["KEEPER", "Away", "Outage", "check", "drained", "outage", "tell"]

PATIENCE = 60.0
WARM_UP = 1.0
KEEPER = ThreadPoolExecutor(1, "postgres")
"""A database that is started again ends with the thread that has started it, so that one has to last."""
SPOOL_BYTES = 64 * 2**20
NEWEST = "SELECT max(time) FROM events"


@dataclass(frozen=True)
class Away:
    """How something goes, and comes back."""

    leave: Callable[[], None]
    come_back: Callable[[], None]


@dataclass(frozen=True)
class Outage:
    """What was seen of one. Moments are seconds of a monotonic clock."""

    crowd: Crowd
    probe: Probe
    found: Comparison
    during: Metrics
    metrics: Metrics
    control: Lateness
    fault: Lateness
    began: float
    back: float
    drain: float
    """Seconds from its end until the database had everything."""

    @property
    def visits(self) -> list[Visit]:
        """Those who came meanwhile."""
        return [visit for visit in self.crowd.visits if self.began <= visit.began <= self.back]

    @property
    def unready(self) -> float:
        """Seconds until an operator was told that something is amiss."""
        return self.probe.first("ready", 503, self.began)

    @property
    def ready(self) -> float:
        """Seconds until an operator was told that all is well again."""
        return self.probe.first("ready", 200, self.back)


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
        first = await Metrics.of(town.port)
        await asyncio.sleep(calm / 2)
        second, began = await Metrics.of(town.port), time.monotonic()
        await loop.run_in_executor(KEEPER, away.leave)
        try:
            await asyncio.sleep(seconds)
            during = await Metrics.of(town.port)
        finally:
            await loop.run_in_executor(KEEPER, away.come_back)
        back = time.monotonic()
        drain = await drained(url, time.time())
        third = await Metrics.of(town.port)
        await asyncio.sleep(calm / 2)
        last = await Metrics.of(town.port)
        await crowd.come_to_rest()
    assert await asyncio.to_thread(town.stop) == 0
    control = (second.lateness - first.lateness) + (last.lateness - third.lateness)
    fault = third.lateness - second.lateness
    found = await ledgers.check(url, crowd.listeners, {}, crowd.visits)
    return Outage(crowd, probe, found, during, last, control, fault, began, back, drain)


def check(seen: Outage, during: dict[str, float]) -> None:
    """What must be so; `during` is what the metrics say towards the end of the outage."""
    assert not seen.crowd.failures, seen.crowd.failures[:5]
    assert seen.found.is_right, "\n".join(seen.found.wrong)
    assert all(visit.done for visit in seen.crowd.visits)
    assert seen.metrics["records_dropped_total"] == seen.metrics["records_refused_total"] == 0
    assert {name: seen.during[name] for name in during} == during
    assert not any(seen.metrics[name] == during[name] for name in during), "it is said to last"
    assert {answer.status for answer in seen.probe.answers if answer.path == "live"} == {200}
    assert seen.began + seen.unready < seen.back, "nobody was told that something is amiss"
    assert seen.ready < float("inf"), "nobody was told that all is well again"


def tell(what: str, seen: Outage) -> None:
    """What was measured."""
    found = seen.found
    events = sum(kind == "event" for listener in seen.crowd.listeners for kind, *_ in listener.told)
    report.record(
        f"{what}: records lost, stored twice, otherwise wrong",
        f"{found.lost}, {found.doubled}, {len(found.wrong)}",
        yardstick=f"{found.records:,} records, {events:,} of them events",
        wanted="0, 0, 0",
        held=found.is_right,
    )
    report.record(
        "… all is stored, after its end", f"{seen.drain:.1f} s", wanted="≤ 30 s", held=seen.drain <= 30
    )
    late, usual = seen.fault.quantile(0.99), seen.control.quantile(0.99)
    report.record(
        "… lateness of ticks, p99, until then",
        f"{late:.2f} ms, none more than {seen.fault.worst:g}",
        yardstick=f"right before and after {usual:.2f} ms, none more than {seen.control.worst:g}",
        wanted="≤ +1 ms",
        held=late <= usual + 1,
    )
    slowest = max(visit.joined for visit in seen.visits)
    report.record(
        f"… {len(seen.visits)} joins with a token meanwhile, all in: the slowest",
        f"{slowest * 1000:.0f} ms",
        wanted="≤ 1.5 s",
        held=slowest <= 1.5,
    )
    spool = seen.probe.spool_bytes
    report.record(
        "… the spool on disk at most",
        f"{spool / 2**20:.1f} MiB",
        wanted="≤ 64 MiB",
        held=spool <= SPOOL_BYTES,
    )
    for path, moment in (("503", seen.unready), ("200, after its end", seen.ready)):
        report.record(f"… /health/ready says {path}", f"{moment:.1f} s", wanted="≤ 5 s", held=moment <= 5)
    longest = max(answer.seconds for answer in seen.probe.answers)
    report.record(
        f"… /health/live and /health/ready, {len(seen.probe.answers):,} answers: the slowest",
        f"{longest * 1000:.0f} ms",
        wanted="≤ 1 s",
        held=longest <= 1,
    )
