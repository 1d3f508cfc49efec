"""What Jungle costs: its rules, a whole tick of a room, and three hours of it in memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks import report
from monkeytown._core.mirror import apply
from monkeytown.games.jungle import MEETING, Jungle, Steer
from monkeytown.position import Position
from monkeytown.room.room import Room
from monkeytown.schema import Schema

PLAYERS = 50


class Arena:
    """A room of players who steer at random, and a reader that checks what they see."""

    def __init__(self) -> None:
        self.room = self.new_room()
        self.random = Random(1)
        for number in range(PLAYERS):
            self.room.join(f"p{number}")
        self.copy = tuple(Schema.of(Jungle).build().values())
        self.position: Position | None = None
        self.bytes = 0
        for _ in range(120):
            self.tick()

    def new_room(self) -> Room:
        return Room(Jungle, room_id="bench", seed=1)

    def steer(self) -> None:
        assert self.room.inputs is not None
        for member in list(self.room.members.values())[self.room.tick % 3 :: 3]:
            steer = Steer(turn=self.random.uniform(-1, 1), run=self.random.random() < 0.4)
            self.room.inputs.put(member.number, self.room.tick, steer)

    def step(self) -> bytes:
        """What is measured of a room: a tick, and the frame that all its players share; empty before anybody moves."""
        self.room.step()
        return self.room.read(self.position).frame or b""

    def tick(self) -> None:
        self.steer()
        self.check(self.step())

    def check(self, frame: bytes) -> None:
        if frame:
            self.position = apply(frame, self.copy, self.position)
        self.bytes += len(frame)

    def assert_equal(self) -> None:
        assert self.room.closed is None
        shown = [(monkey.x, monkey.y, monkey.bananas) for monkey in self.copy[0]]
        assert shown == [(monkey.x, monkey.y, monkey.bananas) for monkey in self.room.tables[0]]


def test_rules(benchmark: Any) -> None:
    arena = Arena()
    game: Any = arena.room.game

    def rules() -> None:
        for _ in range(MEETING):
            game.on_tick(1 / 60)
            game.tick += 1  # by which the rules tell what is due

    benchmark.pedantic(rules, setup=arena.tick, rounds=500)
    arena.tick()
    arena.assert_equal()
    each = benchmark.stats.stats.median * 1e6 / MEETING
    report.record(
        f"Jungle's rules, a tick of {PLAYERS} monkeys", f"{each:.1f} µs", wanted="≤ 60 µs", held=each <= 60
    )


def test_whole_tick(benchmark: Any) -> None:
    arena = Arena()
    frames: list[bytes] = []

    def prepare() -> None:
        if frames:
            arena.check(frames.pop())
        arena.steer()

    benchmark.pedantic(lambda: frames.append(arena.step()), setup=prepare, rounds=1000)
    arena.check(frames.pop())
    arena.assert_equal()
    each = benchmark.stats.stats.median * 1e6
    size = arena.bytes / arena.room.tick
    report.record(
        f"a whole tick of a Jungle of {PLAYERS}, read and encoded", f"{each:.1f} µs, {size:.0f} bytes"
    )


def test_soak(benchmark: Any, quick: bool) -> None:
    hours = 0.25 if quick else 3.0
    command = [sys.executable, "-m", "benchmarks.soak", "--hours", str(hours)]

    def soak() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
        )

    done = benchmark.pedantic(soak, rounds=1)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr)
    grown = re.findall(r"\(([+-][\d.]+)\)", done.stdout)[-1]
    report.record(
        f"memory after {hours:g} hours of Jungle, against the first minute",
        f"{grown} MiB",
        wanted="≤ +2 MiB",
        held=True,
    )
