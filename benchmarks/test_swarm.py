"""What Swarm costs, of five thousand bees and a thousand birds: its rules, and a tick of its state."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from benchmarks import report
from monkeytown._core import state
from monkeytown._core.mirror import apply
from monkeytown.games.swarm import BEES, BIRDS, Steer, Swarm
from monkeytown.position import Position
from monkeytown.room.inputs import hand_over
from monkeytown.room.room import Room
from monkeytown.schema import Schema

ROUNDS = 240  # whole turns of all that is done by parts


class Meadow:
    """A full room of players who steer at random, and a reader that checks what they see."""

    def __init__(self) -> None:
        self.room = Room(Swarm, room_id="bench", seed=1)
        dice = Random(1)
        for number in range(BIRDS):
            self.room.join(f"p{number}")
        self.steers = [Steer(turn=dice.uniform(-1, 1), dive=dice.random() < 0.3) for _ in range(97)]
        self.copy = tuple(Schema.of(Swarm).build().values())
        self.position: Position | None = None
        self.sizes: list[int] = []
        for _ in range(60):
            self.steer()
            self.room.step()
            self.check(self.frame())

    def steer(self) -> None:
        """A third of the players send something."""
        assert self.room.inputs is not None
        tick = self.room.tick
        for number in range(1 + tick % 3, BIRDS + 1, 3):
            self.room.inputs.put(number, tick, self.steers[(number + tick) % 97])

    def rules(self) -> None:
        assert self.room.inputs is not None
        hand_over(self.room.inputs, self.room._rules, self.room._seating, ())
        self.room.game.on_tick(1 / 60)

    def commit(self) -> None:
        self.room._commit()
        assert self.room.closed is None

    def frame(self) -> bytes:
        frame = self.room.read(self.position).frame
        assert frame is not None
        return frame

    def check(self, frame: bytes) -> None:
        self.position = apply(frame, self.copy, self.position)
        self.sizes.append(len(frame))

    def assert_equal(self) -> None:
        assert self.room.closed is None
        for copied, table in zip(self.copy, self.room.tables, strict=True):
            assert [(row.id, row.x, row.y) for row in copied] == [(row.id, row.x, row.y) for row in table]


@pytest.fixture(scope="module")
def meadow() -> Meadow:
    return Meadow()


def test_rules(benchmark: Any, meadow: Meadow) -> None:
    def prepare() -> None:
        meadow.commit()
        meadow.check(meadow.frame())
        meadow.steer()

    benchmark.pedantic(meadow.rules, setup=prepare, rounds=ROUNDS)
    meadow.commit()
    meadow.check(meadow.frame())
    meadow.assert_equal()
    assert sum(bird.caught for bird in meadow.room.tables[1]) > 1000
    mean = benchmark.stats.stats.mean * 1e3
    report.record(
        f"Swarm's rules, a tick of {BEES:,} bees and {BIRDS:,} birds",
        f"{mean:.2f} ms, at most {benchmark.stats.stats.max * 1e3:.2f}",
        wanted="≤ 3 ms",
        held=mean <= 3,
    )


def test_commit_and_encode(benchmark: Any, meadow: Meadow) -> None:
    frames: list[bytes] = []

    def prepare() -> None:
        if frames:
            meadow.check(frames.pop())
        meadow.steer()
        meadow.rules()

    def tick() -> None:
        meadow.commit()
        frames.append(meadow.frame())

    benchmark.pedantic(tick, setup=prepare, rounds=ROUNDS)
    meadow.check(frames.pop())
    meadow.assert_equal()
    each = benchmark.stats.stats.median * 1e6
    size = sum(meadow.sizes[-ROUNDS:]) / ROUNDS
    report.record(
        f"a tick of Swarm committed and encoded, all {BEES + BIRDS:,} for everybody",
        f"{each:.0f} µs, {size:,.0f} bytes",
    )


def test_keeping_a_second_of_it(benchmark: Any, meadow: Meadow) -> None:
    """What `rewind=1` adds to a commit of the bees."""
    bees = meadow.room.tables[0]
    kept: Any = state.Table("bees", bees.entity, BEES, False, 60)
    for bee in bees:
        kept.spawn(x=bee.x, y=bee.y)
    ticks = iter(range(1, 10_000))
    for _ in range(70):
        state.commit((kept,), next(ticks))

    benchmark.pedantic(lambda: state.commit((kept,), next(ticks)), rounds=500)
    newest = kept.at(kept.tick)
    assert list(newest.x) == [round(bee.x * 16) / 16 for bee in kept]
    each = benchmark.stats.stats.median * 1e6
    report.record(f"a commit of {BEES:,} bees that keeps a second of them", f"{each:.0f} µs")
