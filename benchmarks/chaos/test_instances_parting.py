"""Instances that are cut off from all others, and instances that stop because an operator wants it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.instances import Instance

from benchmarks import report
from benchmarks.chaos import accounts
from benchmarks.chaos.fleet import Fleet, kept, until, with_fleet
from benchmarks.chaos.probe import Http
from benchmarks.chaos.wire import Wire
from benchmarks.chaos.witness import Crowd

LEASE = 2.0
CHECKPOINTED = 1.3
ASK_SECONDS = 0.02


@dataclass
class Cuts:
    wrong: list[str] = field(default_factory=list)
    """Two owners in an epoch, something kept twice, something kept by an owner whose lease had ended."""
    alone: list[float] = field(default_factory=list)
    """Seconds after the cut of what was said last of that which its owner alone has kept."""
    healed: list[float] = field(default_factory=list)
    """Seconds after it was mended until all players were in the new epoch."""
    still: float = 0.0
    """Longest time that somebody at the owner who was cut off saw nothing."""


async def owner_is_cut_off(fleet: Fleet, wire: Wire, seconds: float, seen: Cuts) -> None:
    owner, second, third = fleet[0], fleet[1], fleet[2]
    async with fleet.crowd(owner, {owner: 2, second: 2, third: 2}) as crowd:
        players, room, epoch = crowd.witnesses, crowd.witnesses[0].room.id, crowd.witnesses[0].room.epoch
        own, others = players[:2], players[2:]
        await asyncio.sleep(CHECKPOINTED)
        cut = time.monotonic()
        wire.cut()
        await asyncio.sleep(seconds)
        assert all(one.room.epoch > epoch for one in others), "nobody took the room meanwhile"
        mended = time.monotonic()
        wire.mend()
        await until(lambda: all(one.room.epoch > epoch for one in own), why="its own players do not follow")
        seen.healed.append(time.monotonic() - mended)
        await asyncio.sleep(0.5)
        await crowd.rest()
        await until(lambda: not accounts.differing(players), why="not all see the same")
        records = await fleet.records(room, crowd)
    seen.still = max(seen.still, *(accounts.longest_pause(one, cut, mended) for one in own))
    seen.wrong += accounts.contradictions(players) + accounts.kept_twice(records)
    said = {(one.name, number): at - cut for one in own for at, number in one.said}
    late = [
        said[one.who, one.number] for one in records if one.epoch == epoch and (one.who, one.number) in said
    ]
    seen.alone.append(max(late))
    seen.wrong += [f"kept {after:.1f} s after the cut" for after in late if after > LEASE + 0.3]
    seen.wrong += [f"{one.name} lost its connection" for one in others if one.lost or one.closed]


@pytest.mark.benchmark(group="chaos")
def test_an_owner_that_is_cut_off(benchmark: Any, quick: bool, wired_fleet: tuple[Fleet, Wire]) -> None:
    times, seconds = (2, 3.5) if quick else (20, 15.0)
    fleet, wire = wired_fleet

    async def run(fleet: Fleet) -> Cuts:
        seen = Cuts()
        for _ in range(times):
            await owner_is_cut_off(fleet, wire, seconds, seen)
        return seen

    seen = benchmark.pedantic(lambda: with_fleet(fleet, run), rounds=1)
    report.record(
        f"The owner cut off with two of its players for {seconds:g} s {times} times: two owners in an epoch, "
        "records kept twice or after its lease",
        f"{len(seen.wrong)}",
        yardstick=f"the last it kept was said {max(seen.alone):.2f} s after the cut",
        wanted="0; ≤ 2 s",
        held=not seen.wrong and max(seen.alone) <= LEASE,
    )
    report.record(
        "… mended, all are in one epoch within",
        f"{max(seen.healed):.2f} s",
        yardstick=f"its own players saw nothing for {1000 * seen.still:.0f} ms, at most, while it was alone",
        wanted="≤ 3 s",
        held=max(seen.healed) <= 3,
    )
    assert not seen.wrong, "\n".join(seen.wrong[:10])
    assert max(seen.healed) <= 10


@dataclass
class Stops:
    wrong: list[str] = field(default_factory=list)
    unready: list[float] = field(default_factory=list)
    """Seconds until it said that it is not ready, or did not answer any more."""
    moved: list[float] = field(default_factory=list)
    """Seconds until each of its players was back elsewhere."""
    ended: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    """Ticks from one state to the next of who is elsewhere, at most."""
    stills: list[float] = field(default_factory=list)
    told: int = 0


async def unready(instance: Instance) -> float:
    """The moment at which it is not ready."""
    while True:
        try:
            http = await Http.open(instance.port)
            status, _ = await http.get("/health/ready")
            http.close()
        except (OSError, asyncio.IncompleteReadError):
            return time.monotonic()
        if status != 200:
            return time.monotonic()
        await asyncio.sleep(ASK_SECONDS)


async def instance_stops(fleet: Fleet, crowd: Crowd, stopping: Instance, seen: Stops) -> None:
    at = {one: one.client.url == stopping.url for one in crowd.witnesses}
    there, elsewhere = [one for one in at if at[one]], [one for one in at if not at[one]]
    began, before = time.monotonic(), {one: len(one.back) for one in there}
    asking = asyncio.create_task(unready(stopping))
    stopping.terminate()
    ending = asyncio.create_task(kept(stopping.ended))
    seen.unready.append(await asking - began)
    seen.codes.append(await ending)
    seen.ended.append(time.monotonic() - began)
    await until(lambda: all(len(one.back) > before[one] for one in there), why="not all came back")
    seen.moved += [one.back[-1][0] - began for one in there]
    ended = time.monotonic()
    seen.gaps += [accounts.most_ticks_between(one, began, ended) for one in elsewhere]
    seen.stills += [accounts.longest_pause(one, began, ended) for one in elsewhere]
    seen.wrong += [
        f"{one.name} lost its connection: {one.lost}"
        for one in elsewhere
        if any(at > began for at, _ in one.lost)
    ]
    await fleet.start()
    await asyncio.sleep(0.5)


async def all_stop(fleet: Fleet, players: int, times: int) -> Stops:
    seen, third = Stops(), players // 3
    where = {fleet[0]: players - 2 * third, fleet[1]: third, fleet[2]: third}
    failovers = await fleet.failovers()
    async with fleet.crowd(fleet[0], where, speakers=6) as crowd:
        await asyncio.sleep(CHECKPOINTED)
        for number in range(times):
            await instance_stops(fleet, crowd, fleet[number], seen)
        seen.wrong += await fleet.settle(crowd)
        seen.wrong += [f"{one.name} is sent away: {one.closed}" for one in crowd.witnesses if one.closed]
        taken = await fleet.failovers()  # of those that have not been started anew
        seen.wrong += [f"{taken - failovers:g} rooms were taken over"] if taken > failovers else []
    seen.wrong += accounts.wrong(crowd.witnesses)
    seen.told = sum(not about.recovered for one in crowd.witnesses for _, about in one.back)
    return seen


@pytest.mark.benchmark(group="chaos")
def test_instances_that_stop(benchmark: Any, quick: bool, fleet: Fleet) -> None:
    players, times = (30, 2) if quick else (100, 31)

    async def run(fleet: Fleet) -> Stops:
        return await all_stop(fleet, players, times)

    seen = benchmark.pedantic(lambda: with_fleet(fleet, run), rounds=1)
    report.record(
        f"{times} instances stopped in turn, {players} players: ticks from one state to the next for who is elsewhere",
        f"{max(seen.gaps)}",
        yardstick=f"{1000 * max(seen.stills):.0f} ms without a state, at most",
        wanted="≤ 2",
        held=max(seen.gaps) <= 2,
    )
    report.record(
        "… lost or contradictory; players told that they missed something",
        f"{len(seen.wrong)}; {seen.told}",
        wanted="0; 0",
        held=not seen.wrong and not seen.told,
    )
    for what, seconds, wanted in (
        ("all its players are elsewhere within", max(seen.moved), 5.0),
        ("it is not ready any more within", max(seen.unready), 0.25),
        ("it has ended within", max(seen.ended), 10.0),
    ):
        report.record(f"… {what}", f"{seconds:.2f} s", wanted=f"≤ {wanted:g} s", held=seconds <= wanted)
        assert seconds <= 4 * wanted
    assert set(seen.codes) == {0}
    assert not seen.wrong, "\n".join(seen.wrong[:10])
