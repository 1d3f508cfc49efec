"""Inputs on their way to the rules: where they wait, what a map makes one, and whose are heard."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown import Game, Player, Refusal
from monkeytown._core.inputs import Queue
from monkeytown.room.inputs import INPUTS_PER_TICK, hand_over, queue_for, record
from monkeytown.room.rules import Rules
from monkeytown.room.seating import Seating
from monkeytown.room.setup import Setup
from monkeytown.room.stage import RoomStage
from monkeytown.schema import Schema

from .pond import Hop, Pond, Shoal, Wall


class Stage:
    """Rules, seats and a queue, and nothing around them."""

    def __init__(self, game: type[Game]) -> None:
        schema = Schema.of(game)
        queue = queue_for(schema)
        assert isinstance(queue, Queue)
        self.queue = queue
        self.stage = RoomStage()
        self.seating = Seating(self.stage, None)
        self.rules = Rules(
            game,
            stage=self.stage,
            tables=schema.build(),
            players=self.seating.players,
            room_id="r",
            seed=0,
            setup=Setup(),
        )
        self.rules.call("on_create")
        self.members = [self.seating.seat(name, name) for name in ("Ada", "Bob")]
        for member in self.members:
            self.rules.call("on_join", member.player)

    def push(self, number: int, by: float, count: int = 1) -> None:
        self.queue.push_message(number, self.queue.layout.pack(Hop(by=by), count, 5))

    def hand_over(self) -> None:
        hand_over(self.queue, self.rules, self.seating, self.stage.kicks)


class Loud(Pond):
    def on_input(self, player: Player, hop: Hop) -> None:
        self.calls.append((player.name, hop.by))


def heard(stage: Stage) -> list[tuple[Any, ...]]:
    """(whose input it was, how far they hopped)"""
    if isinstance(stage.rules.game, Loud):
        return [call for call in stage.rules.game.calls if call[0] in ("Ada", "Bob")]
    assert isinstance(stage.rules.game, Shoal)
    names = {member.number: member.player.name for member in stage.members}
    return [(names[number], by) for batch in stage.rules.game.batches for number, by, _ in batch]


games = pytest.mark.parametrize("game", [Loud, Shoal])


@games
def test_they_are_handed_over_in_order_and_once(game: type[Game]) -> None:
    stage = Stage(game)
    stage.push(1, 1)
    stage.push(2, 2)
    stage.push(1, 3, count=2)
    stage.hand_over()
    stage.hand_over()
    assert heard(stage) == [("Ada", 1), ("Bob", 2), ("Ada", 3)]
    assert [(member.input, member.seen_tick) for member in stage.members] == [(2, 5), (1, 5)]


@games
def test_who_is_kicked_or_gone_is_not_heard(game: type[Game]) -> None:
    stage = Stage(game)
    ada, bob = stage.members
    for number in (1, 2, 3):
        stage.push(number, 1)
    stage.stage.kick(ada.player, "enough")
    stage.hand_over()
    assert heard(stage) == [("Bob", 1)]
    stage.seating.unseat(bob)
    stage.push(2, 2)
    stage.hand_over()
    assert heard(stage) == [("Bob", 1)]
    assert [member.input for member in (ada, bob)] == [0, 1]


@games
def test_of_one_player_the_newest_count(game: type[Game]) -> None:
    stage = Stage(game)
    for by in range(INPUTS_PER_TICK + 2):
        stage.push(1, by, count=by + 1)
    stage.push(2, 0)
    stage.hand_over()
    assert heard(stage) == [*(("Ada", by) for by in range(2, INPUTS_PER_TICK + 2)), ("Bob", 0)]


def test_rules_that_take_all_at_once_are_not_called_for_nothing() -> None:
    stage = Stage(Shoal)
    stage.hand_over()
    stage.push(9, 1)  # of nobody
    stage.hand_over()
    assert stage.rules.game.batches == []  # type: ignore[attr-defined]


def test_a_map_becomes_an_input_with_what_it_does_not_say_left_as_it_was_declared() -> None:
    schema = Schema.of(Pond)
    hop = record(schema, {"by": 2})
    assert (type(hop), hop.by, hop.croak) == (Hop, 2, False)
    for action in ({"up": 1}, {"by": "far"}, {"self": 1}):
        with pytest.raises(Refusal, match="The input is malformed") as refused:
            record(schema, action)
        assert refused.value.code == "INPUT-001"


def test_without_an_input_class_nothing_waits() -> None:
    assert queue_for(Schema.of(Wall)) is None
    queue = queue_for(Schema.of(Pond))
    assert queue is not None
    assert (queue.per_player, queue.layout.input_class) == (INPUTS_PER_TICK, Hop)
    assert queue_for(Schema.of(Pond)) is not queue, "each room has its own"
