"""A thousand connections that end in the same moment, and one that was away for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
import uvloop

from benchmarks import report
from benchmarks.asking import Asked, inside
from benchmarks.chaos.crowd import Runner, on_the_loads_core, reset

PLAYERS, ROOM, RATE = 1000, 50, 60
PATIENCE = 60.0


async def until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.05)
    assert condition(), what


def all_back(runners: list[Runner], times: int) -> bool:
    return all(len(runner.back) == times for runner in runners)


async def storms(server: Asked, times: int) -> tuple[list[list[dict[str, Any]]], float, int]:
    """Resets all at once, so many times; returns how they came back, how late the server's ticks were, and its memory."""
    random = Random(1)
    runners = [Runner(server.port, "calm", random) for _ in range(PLAYERS)]
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    back, late = [], 0.0
    try:
        await until(lambda: all(runner.states for runner in runners), "not all are in")
        await asyncio.sleep(2)
        before = await asyncio.to_thread(server.ask, "collect")
        for number in range(1, times + 1):
            await asyncio.sleep(1)
            await asyncio.to_thread(server.ask)  # what was late by now is not of this storm
            for runner in runners:
                reset(runner)
            await until(partial(all_back, runners, number), "not all are back")
            late = max(late, (await asyncio.to_thread(server.ask))["late_ms"])
            back.append([runner.back[-1] for runner in runners])
        after = await asyncio.to_thread(server.ask, "collect")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    broken = [problem for runner in runners for problem in runner.broken]
    assert not broken, broken[:5]
    return back, late, after["rss"] - before["rss"]


@pytest.mark.benchmark(group="chaos")
def test_a_thousand_resets_at_once(benchmark: Any, quick: bool) -> None:
    def run() -> tuple[list[list[dict[str, Any]]], float, int]:
        with inside("calm", max_players=ROOM, ack_window=1, seat_seconds=300) as server, on_the_loads_core():
            return uvloop.run(storms(server, 2 if quick else 20))

    back, late, grown = benchmark.pedantic(run, rounds=1)
    everyone = [one for storm in back for one in storm]
    assert all(one["recovered"] for one in everyone)
    assert all(one["resumed"] == one["said"] == "delta" for one in everyone), "somebody was shown all anew"
    slowest = max(one["seconds"] for one in everyone)
    report.record(
        f"1,000 connections reset at once, {len(back)} times: the last one plays again after",
        f"{slowest:.2f} s",
        wanted="≤ 5 s",
        held=slowest <= 5,
    )
    report.record(
        "… a tick of the server begins late by at most",
        f"{late:.1f} ms",
        wanted="≤ 16.7 ms",
        held=late <= 1000 / RATE,
    )
    report.record(
        "… memory of the server afterwards",
        f"{grown / 2**20:+.1f} MiB",
        wanted="≤ +150 MiB",
        held=grown <= 150 * 2**20,
    )


@asynccontextmanager
async def playing(*runners: Runner) -> AsyncIterator[None]:
    """They play while the block runs, once all have a state."""
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        await until(lambda: all(one.states and not one.lost_at for one in runners), "not all are in")
        yield
    finally:
        for runner in runners:
            reset(runner)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def absences(port: int, seconds: float, times: int) -> list[dict[str, Any]]:
    """One player of fifty is away for a while, again and again; how it came back, beside a snapshot of the same room."""
    random, seen = Random(2), []
    away = Runner(port, "jungle", random)
    async with playing(*(Runner(port, "jungle", random) for _ in range(ROOM - 1))):
        for _ in range(times):
            async with playing(away):
                await asyncio.sleep(0.5)
            await asyncio.sleep(seconds)
            away.lost_at = time.monotonic()
            async with playing(away):
                fresh = Runner(port, away.room, random)
                async with playing(fresh):
                    seen.append(away.back[-1] | {"snapshot": fresh.snapshot_bytes})
    assert not away.broken, away.broken
    return seen


@pytest.mark.benchmark(group="chaos")
def test_a_player_who_was_away_for_ten_seconds(benchmark: Any, quick: bool) -> None:
    def run() -> list[dict[str, Any]]:
        with inside("jungle", max_players=0, ack_window=1, seat_seconds=300) as server, on_the_loads_core():
            return uvloop.run(absences(server.port, 10.0, 2 if quick else 20))

    seen = benchmark.pedantic(run, rounds=1)
    assert all(one["resumed"] == "delta" and one["recovered"] for one in seen)
    most = max(one["bytes"] / one["snapshot"] for one in seen)
    report.record(
        f"A player of 50 who was away for 10 s, {len(seen)} times: bytes of the state it comes back with",
        f"{max(one['bytes'] for one in seen)}",
        yardstick=f"a snapshot {seen[0]['snapshot']}",
        ratio=most,
        wanted="≤ 1×",
        held=most <= 1,
    )
    slowest = max(one["since_open"] for one in seen) * 1000
    report.record(
        "… from the open socket to the state, on loopback",
        f"{slowest:.1f} ms",
        wanted="≤ one tick (16.7 ms) and a round trip",
        held=slowest <= 1000 / RATE + 5,
    )
