"""A thousand players of Jungle, in rooms of fifty, on one core: beside a bare C server with the same frames and inputs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks import report
from benchmarks.load_run import (
    LOAD_CORE,
    Load,
    Measured,
    as_much,
    free_port,
    inputs,
    monkeytown,
    monkeytown_load,
    process,
)
from monkeytown.client import connect
from monkeytown.games.jungle import Jungle

PLAYERS = 1000
ROOM = 50
RATE = 60
INPUTS = 60
STEER = {"turn": 0.3, "run": True}


class Witness:
    """One more player, who decodes every state: what the load only counts, it reads."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.states = 0
        self.monkeys = 0
        self.errors: list[object] = []

    async def watch(self, until: asyncio.Event) -> None:
        async with await connect(f"ws://127.0.0.1:{self.port}/ws", name="Witness") as client:
            room = await client.join("jungle")
            room.on("error", self.errors.append)

            def count(_: object) -> None:
                self.states += 1
                self.monkeys = max(self.monkeys, len(room.tables["monkeys"]))

            room.on("state", count)
            await until.wait()


@contextmanager
def witness(port: int) -> Iterator[Witness]:
    """The witness plays in a thread of its own while the block runs."""
    watching, loop, done = Witness(port), asyncio.new_event_loop(), asyncio.Event()
    failures: list[BaseException] = []

    def run() -> None:
        os.sched_setaffinity(0, {LOAD_CORE})  # this thread alone: the server's core is the server's
        try:
            loop.run_until_complete(watching.watch(done))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield watching
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
    assert not failures, failures
    assert not watching.errors


def jungle(load: Load) -> Measured:
    with monkeytown("jungle", "--max-players", ROOM) as (port, pid), witness(port) as watching:
        measured = load.against(port, pid)
    assert measured.closed == 0
    assert watching.monkeys >= ROOM - 1, "the witness saw too few of its room"
    assert watching.states >= RATE * load.seconds * 0.9, "the witness missed states"
    return measured


def bare_c(bare: Path, load: Load, payload: int) -> Measured:
    port = free_port()
    with process([bare, port, payload, RATE], port) as pid:
        measured = load.against(port, pid)
    assert measured.closed == 0
    return measured


def pair(bare: Path, load_program: Path, rounds: int, seconds: float) -> list[tuple[Measured, Measured]]:
    """The two servers in turn."""
    load = inputs(monkeytown_load(load_program, "jungle", PLAYERS, seconds), Jungle, STEER, INPUTS)
    pairs = []
    for _ in range(rounds):
        ours = jungle(load)
        pairs.append((ours, bare_c(bare, as_much(load), ours.payload)))
    return pairs


@pytest.mark.benchmark(group="load")
def test_jungle_with_a_thousand_players(benchmark: Any, bare: Path, load_program: Path, quick: bool) -> None:
    rounds, seconds = (1, 5.0) if quick else (3, 10.0)
    pairs = benchmark.pedantic(lambda: pair(bare, load_program, rounds, seconds), rounds=1)
    ours = [mine for mine, _ in pairs]
    ratio = median(mine.cpu / theirs.cpu for mine, theirs in pairs)
    frames = median(mine.states for mine in ours)
    gap = median(mine.gap("p99") for mine in ours)
    assert median(mine.inputs for mine in ours) >= 0.95 * PLAYERS * INPUTS
    what = "Jungle, 1,000 players in rooms of 50, 60 Hz out, 60 Hz in"
    report.record(
        f"{what}: CPU of the server",
        f"{median(mine.cpu for mine in ours):.0%} of a core",
        yardstick=f"bare C {median(theirs.cpu for _, theirs in pairs):.0%}",
        ratio=ratio,
        wanted="≤ 1.30×",
        held=ratio <= 1.3,
    )
    report.record(
        f"{what}: states a second and player",
        f"{frames:.2f}",
        wanted="60.0 ± 0.1",
        held=abs(frames - RATE) <= 0.1,
    )
    report.record(
        f"{what}: p99 gap between states",
        f"{gap:.1f} ms",
        yardstick=f"bare C {median(theirs.gap('p99') for _, theirs in pairs):.1f} ms",
        wanted="≤ 20 ms",
        held=gap <= 20,
    )
    trip = median(mine.round_trip("p95") for mine in ours)
    report.record(
        f"{what}: p95 from an input to the state that has seen it",
        f"{trip:.1f} ms",
        wanted="≤ 21.7 ms",
        held=trip <= 1000 / RATE + 5,
    )
    report.record(f"{what}: bytes of a state", f"{median(mine.payload for mine in ours):.0f}")


def players_while_others_join(load_program: Path) -> tuple[Measured, Measured]:
    """A hundred players, first left alone, then while two hundred more join at once."""
    with monkeytown("jungle", "--max-players", ROOM) as (port, pid):
        load = monkeytown_load(load_program, "jungle", 100, 4.0)
        alone = load.against(port, pid)
        newcomers: list[Measured] = []
        crowd = monkeytown_load(load_program, "jungle", 200, 1.0)
        arriving = threading.Timer(3.0, lambda: newcomers.append(crowd.against(port, pid)))
        arriving.start()
        disturbed = load.against(port, pid)
        arriving.join()
    assert newcomers
    assert newcomers[0].closed == 0
    assert newcomers[0].states > RATE * 0.9, "the newcomers do not get their states"
    return alone, disturbed


@pytest.mark.benchmark(group="load")
def test_two_hundred_join_within_a_second(benchmark: Any, load_program: Path) -> None:
    alone, disturbed = benchmark.pedantic(lambda: players_while_others_join(load_program), rounds=1)
    assert disturbed.closed == 0
    late = disturbed.gap("max") - 1000 / RATE
    report.record(
        "200 players join within a second: a state of the others is late by at most",
        f"{late:.1f} ms",
        yardstick=f"without them {alone.gap('max') - 1000 / RATE:.1f} ms",
        wanted="≤ 16.7 ms",
        held=late <= 1000 / RATE,
    )


def resident(pid: int) -> int:
    """KiB of a process in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def with_slow_readers(load_program: Path, seconds: float) -> tuple[Measured, Measured, int]:
    """Two hundred players, first all good, then with one in twenty who reads 1 KB a second; and by how much memory grew while
    they did, from when the slow ones had their buffers full on."""
    slow = ("--slow", 0.05, "--slow-rate", 1024)
    sizes: list[int] = []
    with monkeytown("jungle", "--max-players", ROOM) as (port, pid):
        good = monkeytown_load(load_program, "jungle", 200, seconds).against(port, pid)
        clocks = [threading.Timer(after, lambda: sizes.append(resident(pid))) for after in (4, seconds + 1)]
        for clock in clocks:
            clock.start()
        bad = monkeytown_load(load_program, "jungle", 200, seconds, *slow).against(port, pid)
        for clock in clocks:
            clock.join()
    return good, bad, sizes[1] - sizes[0]


@pytest.mark.benchmark(group="load")
def test_slow_readers(benchmark: Any, load_program: Path, quick: bool) -> None:
    good, bad, grown = benchmark.pedantic(
        lambda: with_slow_readers(load_program, 5.0 if quick else 20.0), rounds=1
    )
    assert bad.closed == 0
    assert bad.seen["apart"]["clients"] == 10
    assert bad.seen["apart"]["closed_slow"] == 0, "the slow readers were sent away"
    report.record(
        "one player in twenty reads 1 KB a second: p99 gap between states of the others",
        f"{bad.gap('p99'):.1f} ms",
        yardstick=f"without them {good.gap('p99'):.1f} ms",
        ratio=bad.gap("p99") / good.gap("p99"),
        wanted="≤ 1.1×",
        held=bad.gap("p99") <= 1.1 * good.gap("p99"),
    )
    report.record(
        "… memory of the server, from when they had fallen behind on",
        f"{grown:+d} KiB",
        wanted="flat",
        held=grown <= 128,
    )
