"""What it costs to hand a tick's inputs to the rules: one by one, and as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import report
from monkeytown import Entity, Game, Input, Player, boolean, fixed, table
from monkeytown.room.inputs import hand_over
from monkeytown.room.room import Room

PLAYERS = 1000


class Dot(Entity):
    x = fixed(0, 1, step=1 / 4)


class Steer(Input):
    turn = fixed(-1, 1, step=1 / 127)
    run = boolean()


class OneByOne(Game):
    input = Steer
    dots = table(Dot, capacity=PLAYERS)

    def on_create(self) -> None:
        self.turns, self.runs = np.zeros(PLAYERS), np.zeros(PLAYERS, bool)

    def on_join(self, player: Player) -> None:
        player.entity = self.dots.spawn()
        player.slot = player.entity.slot

    def on_input(self, player: Player, steer: Steer) -> None:
        self.turns[player.slot] = steer.turn
        self.runs[player.slot] = steer.run


class AtOnce(Game):
    input = Steer
    dots = table(Dot, capacity=PLAYERS)
    on_create = OneByOne.on_create

    def on_join(self, player: Player) -> None:
        player.entity = self.dots.spawn()

    def on_inputs(self, batch: Any) -> None:
        self.turns[batch.slots] = batch.turn
        self.runs[batch.slots] = batch.run


MEDIANS: dict[type[Game], float] = {}


@pytest.mark.parametrize("game_class", [OneByOne, AtOnce])
def test_a_thousand_inputs(benchmark: Any, game_class: type[Game]) -> None:
    room = Room(game_class, room_id="bench")
    for number in range(PLAYERS):
        room.join(f"p{number}")
    queue = room.inputs
    assert queue is not None
    messages = [
        (member.number, queue.layout.pack(Steer(turn=(member.number % 255 - 127) / 127, run=True), 1, 1))
        for member in room.members.values()
    ]

    def arrive() -> None:
        for number, message in messages:
            queue.push_message(number, message)

    benchmark.pedantic(lambda: hand_over(queue, room._rules, room._seating, ()), setup=arrive, rounds=200)
    game: Any = room.game
    expected = (np.arange(1, PLAYERS + 1) % 255 - 127) / 127
    assert np.allclose(game.turns, expected)
    assert game.runs.all()
    assert all(member.input == 1 for member in room.members.values())
    MEDIANS[game_class] = benchmark.stats.stats.median * 1e6
    if game_class is AtOnce and OneByOne in MEDIANS:
        each, at_once = MEDIANS[OneByOne], MEDIANS[AtOnce]
        report.record(
            f"{PLAYERS:,} inputs of a tick handed to on_inputs",
            f"{at_once:.0f} µs",
            yardstick=f"to on_input: {each:.0f} µs",
            ratio=at_once / each,
            wanted="≤ 0.1×",
            held=at_once <= each / 10,
        )
