"""Connections of real clients, reset at any moment, with swaps to long-poll and back: nothing is lost or comes twice."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
import uvloop

from benchmarks import report
from benchmarks.asking import inside
from benchmarks.chaos.crowd import Runner, on_the_loads_core, reset

PLAYERS = 40
PATIENCE = 30.0


async def losses(port: int, seconds: float) -> list[Runner]:
    """Plays for so long while connections are lost at random; then all come to rest."""
    random = Random(3)
    runners = [Runner(port, "calm", random, polls=4, talks=True) for _ in range(PLAYERS)]
    tasks = [asyncio.create_task(one.run()) for one in runners]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            while not all(one.states for one in runners):  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.05)
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(random.uniform(0, 0.1))
            reset(random.choice(runners))
        for one in runners:
            one.polls, one.talks = 0, False
        async with asyncio.timeout(PATIENCE):
            while not all(len(one.heard) >= one.said and one.socket for one in runners):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        failed = [task.exception() for task in tasks if task.done()]
        assert not failed, failed[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return runners


@pytest.mark.benchmark(group="chaos")
def test_nothing_is_lost_doubled_or_out_of_order(benchmark: Any, quick: bool) -> None:
    def run() -> list[Runner]:
        settings = {"ack_window": 1, "seat_seconds": 300, "chat_per_second": 100, "chat_burst": 1000}
        with inside("calm", max_players=PLAYERS, **settings) as server, on_the_loads_core():
            return uvloop.run(losses(server.port, 20.0 if quick else 200.0))

    runners = benchmark.pedantic(run, rounds=1)
    broken = [problem for one in runners for problem in one.broken]
    assert not broken, broken[:5]
    back = [each for one in runners for each in one.back]
    wrong: list[object] = [each for each in back if not each["recovered"] or each["resumed"] != each["said"]]
    for one in runners:
        first = one.counted[0]
        if one.counted != list(range(first, first + len(one.counted))):
            wrong.append(one.counted)
        if one.heard != [str(number + 1) for number in range(one.said)]:
            wrong.append(one.heard)
    report.record(
        f"{len(back):,} connections lost at random, with swaps between WebSocket and long-poll: wrong answers",
        f"{len(wrong)}",
        yardstick=f"{sum(len(one.counted) for one in runners):,} events, {sum(one.said for one in runners):,} messages",
        wanted="0",
        held=not wrong,
    )
    assert not wrong, wrong[:3]
