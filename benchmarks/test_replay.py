"""What recordings cost: their size, the time that a tick gives to them, and the time until one is watched in a browser."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from time import thread_time_ns
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from tests import browser as browsers

from benchmarks import report
from benchmarks.film import RATE, Film
from monkeytown.client.replay import Replay
from monkeytown.games.jungle import Jungle
from monkeytown.protocol.replay import state_hash
from monkeytown.server.app import running
from monkeytown.server.settings import Settings

PLAYERS = 50
MINUTES = 10
MEGABYTE = 10**6
STRETCH = 30  # ticks that are measured in one way before it is the other's turn
STRETCHES = 120
SEEKS = (0.9, 0.1, 0.5, 0.97, 0.02, 0.7, 0.33, 0.6)


def films(folder: Path, minutes: float, rate: float) -> Any:
    film = Film(folder, players=PLAYERS, rate=rate)
    film.run(60 * minutes)
    return asyncio.run(film.end())


def test_size(benchmark: Any, tmp_path: Path, quick: bool) -> None:
    """Ten minutes at the rate that is usual, and at others to compare."""

    def record_all() -> None:
        for rate in (20,) if quick else (20, 30, 60):
            check_size(tmp_path / str(rate), rate)

    benchmark.pedantic(record_all, rounds=1)


def check_size(folder: Path, rate: float) -> None:
    replay = films(folder, MINUTES, rate)
    with Replay.open(folder / replay.file) as played:
        assert played.check() == []
        assert played.seconds == pytest.approx(60 * MINUTES, abs=0.1)
        assert played.recording.index.complete
        hashes = sum(entry.last is not None for entry in played.recording.index.blocks)
    assert hashes == len(played.recording.index.blocks) >= 60 * MINUTES / 5 - 1
    size = replay.size / MEGABYTE
    report.record(
        f"a recording of a Jungle of {PLAYERS}, {MINUTES} minutes, {rate:g} states a second; {hashes} hashes right",
        f"{size:.2f} MB",
        wanted="≤ 3 MB",
        held=size <= 3,
    )


def test_recorder(benchmark: Any, tmp_path: Path) -> None:
    """The recorder has its turn in every second stretch of ticks: room, rules and players are the same."""
    film = Film(tmp_path, players=PLAYERS)
    film.run(10)
    position = film.room.read(None).position
    spans: dict[bool, list[int]] = {True: [], False: []}

    def stretch() -> None:
        nonlocal position
        recorded, spent = len(spans[True]) == len(spans[False]), 0
        for _ in range(STRETCH):
            film.decide()
            started = thread_time_ns()
            film.step()
            position = film.room.read(position).position  # as its players do
            if recorded:
                film.recorder.prepare(film.room)
            spent += thread_time_ns() - started
        spans[recorded].append(spent)

    benchmark.pedantic(stretch, rounds=2 * STRETCHES)
    replay = asyncio.run(film.end())
    with Replay.open(tmp_path / replay.file) as played:
        assert played.check() == []
    with_it, without = (median(spans[recorded]) / STRETCH / 1000 for recorded in (True, False))
    report.record(
        f"the recorder of a Jungle of {PLAYERS}, a tick, where one of three is recorded",
        f"{with_it - without:.1f} µs",
        yardstick=f"the tick itself: {without:.0f} µs",
        ratio=with_it / without,
    )


def test_state_hash(benchmark: Any, tmp_path: Path) -> None:
    film = Film(tmp_path, players=PLAYERS)
    film.run(10)
    snapshot = film.room.read(None).frame
    assert snapshot is not None
    benchmark.pedantic(state_hash, (snapshot,), rounds=2000, warmup_rounds=100)
    asyncio.run(film.end())
    each = benchmark.stats.stats.median * 1e6
    report.record(
        f"a hash of the state of {PLAYERS} monkeys, once in 5 s", f"{each:.1f} µs, {len(snapshot)} bytes"
    )


def test_seek_in_python(benchmark: Any, tmp_path: Path) -> None:
    replay = films(tmp_path, 3, 20)
    with Replay.open(tmp_path / replay.file) as played:
        places = iter(SEEKS * 100)
        benchmark.pedantic(lambda: played.seek(next(places) * played.seconds), rounds=200)
        assert played.check() == []
    each = benchmark.stats.stats.median * 1e3
    report.record("a seek to any moment of a recording, in Python", f"{each:.1f} ms")


def test_browser(benchmark: Any, tmp_path: Path) -> None:
    """A recording of three megabytes over loopback: until its first state can be drawn, and until another moment can be."""
    folder = tmp_path / "replays"
    replay = films(folder, 24, 60)
    times = benchmark.pedantic(lambda: asyncio.run(watched(tmp_path, replay.id)), rounds=1)
    opened, seeks, ticks = times
    with Replay.open(folder / replay.file) as played:
        for place, tick in zip(SEEKS, ticks, strict=True):
            played.seek(place * played.seconds)
            assert abs(played.tick - tick) <= RATE / 10
    slowest = max(seeks)
    size = replay.size / MEGABYTE
    report.record(
        f"a recording of {size:.1f} MB in a browser, over loopback: opened",
        f"{opened:.0f} ms",
        wanted="≤ 300 ms",
        held=opened <= 300,
    )
    report.record(
        f"… a seek to anywhere, median and slowest of {len(seeks)}, while it is played and drawn",
        f"{median(seeks):.0f} ms; {slowest:.0f} ms",
        wanted="≤ 300 ms",
        held=slowest <= 300,
    )


async def watched(folder: Path, id: str) -> tuple[float, list[float], list[int]]:
    async with running([Jungle], Settings(port=0, data_folder=str(folder))) as server:
        return await asyncio.to_thread(watch, f"{server.url}/replay?id={id}")


def watch(address: str) -> tuple[float, list[float], list[int]]:
    path = browsers.find()
    if path is None:
        pytest.fail(browsers.HOW_TO_INSTALL)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=browsers.ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector("#places li:not([hidden])")
        opened = page.evaluate("monkeytown.opened")
        seeks, ticks = [], []
        for place in SEEKS:
            took, tick = page.evaluate(
                """async (place) => {
                    const { replay } = monkeytown, started = performance.now();
                    await replay.seek(place * replay.length);
                    return [performance.now() - started, replay.tick];
                }""",
                place,
            )
            seeks.append(took)
            ticks.append(tick)
        chromium.close()
        return opened, seeks, ticks
