"""Jungle, played: running, gathering, bumping, rounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import pi
from pathlib import Path
from typing import Any

import pytest

from monkeytown import StartError
from monkeytown.games import jungle
from monkeytown.games.jungle import (
    BANANAS,
    DOWN,
    EDGE,
    LOOT,
    PATCH,
    ROUND,
    RUN,
    SAFE,
    SIZE,
    TICKS,
    WALK,
    Jungle,
)
from monkeytown.testing import TestedPlayer, TestedRoom, play


@pytest.fixture
def room() -> Iterator[TestedRoom]:
    with play(Jungle, seed=1) as room:
        yield room


def put(player: TestedPlayer, x: float, y: float, heading: float = 0.0) -> Any:
    """Puts a player's monkey somewhere; returns it as the rules have it."""
    monkey = player.player.entity
    monkey.x, monkey.y, monkey.heading = x, y, heading
    return monkey


def clear_bananas(room: TestedRoom) -> None:
    room.game.bananas.clear()
    room.game.banana_on[:] = 0


class TestMoving:
    def test_a_monkey_walks_where_it_faces(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 1000, heading=pi / 2)
        room.step(TICKS)
        start = ada.entity.y
        room.step(10)
        assert (ada.entity.x, ada.entity.y) == (1000, start + 10 * WALK)

    def test_running_is_faster(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 1000)
        ada.input(run=True)
        room.step(TICKS)
        start = ada.entity.x
        room.step(10)
        assert ada.entity.x == start + 10 * RUN
        assert ada.entity.running

    def test_turning_right_goes_clockwise_on_a_screen(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 1000)
        ada.input(turn=1)
        room.step(15)
        assert 0 < ada.entity.heading < pi
        assert ada.entity.y > 1000

    def test_an_input_holds_until_the_next(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 1000)
        ada.input(turn=1)
        room.run(1)
        ada.input(turn=0)
        room.step()
        heading = ada.entity.heading
        room.run(1)
        assert ada.entity.heading == heading

    def test_a_monkey_whose_player_is_away_walks_straight_on(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 1000)
        ada.input(turn=1, run=True)
        room.run(0.5)
        ada.drop()
        room.step(TICKS)
        heading = ada.entity.heading
        room.run(0.5)
        assert ada.entity.heading == heading
        assert not ada.entity.running

    @pytest.mark.parametrize("heading", [0, pi / 2, pi, -pi / 2, 1, -2])
    def test_nobody_leaves_the_arena(self, room: TestedRoom, heading: float) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 1000, heading)
        room.run(15)
        assert EDGE <= ada.entity.x <= SIZE - EDGE
        assert EDGE <= ada.entity.y <= SIZE - EDGE
        assert {ada.entity.x, ada.entity.y} & {EDGE, SIZE - EDGE}

    def test_who_walks_straight_on_costs_next_to_nothing(self, room: TestedRoom) -> None:
        clear_bananas(room)
        ada = room.join("Ada")
        put(ada, 300, 300, heading=0.3)
        room.run(1)
        before = ada.bytes_read
        room.run(5)
        assert ada.bytes_read - before <= 5 * 60 * 6

    def test_breath_runs_out_and_comes_back(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 200, 1000)
        ada.input(run=True)
        room.run(2)
        assert ada.entity.running
        assert 0 < ada.entity.breath < 8
        room.run(1)
        assert not ada.entity.running
        room.run(2)
        assert ada.entity.running
        ada.input(run=False)
        room.run(6)
        assert ada.entity.breath == 15


class TestBananas:
    def test_there_are_always_as_many(self, room: TestedRoom) -> None:
        for name in "abcdefgh":
            room.join(name).input(turn=0.2, run=True)
        room.run(20)
        assert sum(monkey.bananas for monkey in room.game.monkeys) > 0
        assert len(room.game.bananas) == BANANAS

    def test_each_lies_on_a_patch_of_its_own(self, room: TestedRoom) -> None:
        places = {(banana.x, banana.y) for banana in room.game.bananas}
        assert len(places) == BANANAS
        assert all(x % PATCH == y % PATCH == PATCH // 2 for x, y in places)

    def test_who_steps_on_its_patch_eats_it(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        banana = next(iter(room.game.bananas))
        id = banana.id
        put(ada, banana.x, banana.y)
        room.run(0.2)
        assert ada.entity.bananas >= 1
        assert id not in ada.tables.bananas

    def test_one_banana_feeds_one_monkey(self, room: TestedRoom) -> None:
        ada, bob = room.join("Ada"), room.join("Bob")
        room.step()
        clear_bananas(room)
        banana = room.game.bananas.spawn(x=PATCH // 2, y=PATCH // 2)
        room.game.banana_on[0] = banana.id
        put(ada, 20, 20)
        put(bob, 22, 20)
        room.game.meet()
        assert (ada.player.entity.bananas, bob.player.entity.bananas) == (1, 0)


class TestBumps:
    @pytest.fixture
    def pair(self, room: TestedRoom) -> tuple[TestedPlayer, TestedPlayer]:
        """Ada runs at Bob, who walks ahead of her with five bananas."""
        clear_bananas(room)
        ada, bob = room.join("Ada"), room.join("Bob")
        put(ada, 1000, 1000)
        put(bob, 1050, 1000).bananas = 5
        ada.input(run=True)
        return ada, bob

    def test_a_runner_knocks_a_walker_down_and_takes_bananas(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        ada, bob = pair
        room.run(0.5)
        assert bob.entity.stunned
        assert (ada.entity.bananas, bob.entity.bananas) == (LOOT, 5 - LOOT)
        assert bob.events == [("bumped", {"by": "Ada", "lost": LOOT})]
        place = bob.entity.x
        bob.input(run=True)
        room.run(0.3)
        assert bob.entity.x == place
        assert not bob.entity.running

    def test_who_fell_gets_up_and_is_safe_for_a_while(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        ada, bob = pair
        room.run(0.5)
        for _ in range(20):
            room.run((DOWN + SAFE - 0.5) / 20)
            put(ada, bob.player.entity.x, bob.player.entity.y)
        assert not bob.entity.stunned
        assert bob.player.entity.bananas == 5 - LOOT
        room.run(0.5)
        room.game.breath[ada.player.entity.slot] = 1
        room.game.winded[:] = False
        put(ada, bob.player.entity.x, bob.player.entity.y)
        room.run(0.2)
        assert bob.entity.stunned
        assert bob.entity.bananas == 0

    def test_two_runners_do_each_other_no_harm(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        ada, bob = pair
        bob.input(run=True)
        put(bob, 1020, 1000)
        room.run(1)
        assert not bob.entity.stunned
        assert not ada.entity.stunned

    def test_two_runners_rob_a_walker_once(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        _, bob = pair
        cid = room.join("Cid")
        put(cid, 1000, 1005)
        cid.input(run=True)
        room.run(0.6)
        assert bob.entity.bananas == 5 - LOOT
        assert len(bob.events) == 1


class TestRounds:
    def test_a_round_ends_with_its_best_and_begins_anew(self, room: TestedRoom) -> None:
        clear_bananas(room)
        players = [room.join(name) for name in ("Ada", "Bob", "Cid", "Dee")]
        for count, player in enumerate(players):
            put(player, 100 + 500 * count, 100).bananas = count
        room.run(ROUND)
        best = [{"name": name, "bananas": count} for name, count in (("Dee", 3), ("Cid", 2), ("Bob", 1))]
        assert players[0].events[-1] == ("round", {"best": best})
        assert all(monkey.bananas == 0 for monkey in players[0].tables.monkeys)


class TestComingAndGoing:
    def test_a_monkey_comes_and_goes_with_its_player(self, room: TestedRoom) -> None:
        ada, bob = room.join("Ada"), room.join("Bob")
        room.step()
        assert {monkey.name for monkey in bob.tables.monkeys} == {"Ada", "Bob"}
        ada.leave()
        room.step()
        assert [monkey.name for monkey in bob.tables.monkeys] == ["Bob"]

    def test_who_takes_a_slot_inherits_nothing(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        ada.input(turn=1, run=True)
        room.run(3)
        ada.leave()
        bob = room.join("Bob")
        put(bob, 1000, 1000)
        room.step(10)
        assert 1000 + 8 * WALK <= bob.entity.x <= 1000 + 10 * WALK
        assert not bob.entity.running
        assert bob.entity.breath == 15

    def test_hundreds_fit(self) -> None:
        with play(Jungle, seed=2) as room:
            for number in range(Jungle.max_players):
                room.room.join(f"p{number}")
            room.run(1)
            assert len(room.game.monkeys) == Jungle.max_players
            assert len({(monkey.x, monkey.y) for monkey in room.game.monkeys}) > 190

    def test_an_empty_jungle_goes_on(self, room: TestedRoom) -> None:
        room.run(2)
        assert room.closed is None


def test_the_same_seed_gives_the_same_game() -> None:
    def history() -> list[tuple[float, ...]]:
        with play(Jungle, seed=7) as room:
            ada, bob = room.join("Ada"), room.join("Bob")
            for turn in range(20):
                ada.input(turn=(turn % 5 - 2) / 2, run=turn % 3 == 0)
                bob.input(turn=room.game.random.uniform(-1, 1))
                room.run(0.5)
            return [(monkey.x, monkey.y, monkey.bananas) for monkey in ada.tables.monkeys]

    assert history() == history()


def test_without_numpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    source = Path(jungle.__file__).read_text()
    with pytest.raises(StartError, match=r"monkeytown\[numpy\]"):
        exec(compile(source, jungle.__file__, "exec"), {"__name__": "jungle"})


class TestGoingOn:
    """After a checkpoint, with its players or without."""

    def test_elsewhere_everything_goes_on_as_it_would_have(self) -> None:
        with play(Jungle, seed=5) as room, play(Jungle, seed=5) as never:
            for each in (room, never):
                for count in range(30):
                    player = each.join(f"Monkey {count}")
                    put(player, 900 + count * 8 % 90, 900 + count * 31 % 90, heading=count)
                    player.input(turn=count % 3 / 9, run=count % 2)
                each.run(2.1)
                each.players[3].leave()
            room.fail_over()
            for count in range(4):
                for each in (room, never):
                    each.players[count].input(turn=-1, run=True)
                    each.run(1.3)
                assert seen(room.players[0]) == seen(never.players[0])
            assert (room.game.banana_on == never.game.banana_on).all()
            bumped = [len(player.events) for player in never.players]
            assert [len(player.events) for player in room.players] == bumped
            assert sum(bumped) > 0

    def test_a_round_is_not_longer_for_it(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        room.run(ROUND / 2)
        room.fail_over()
        room.run(ROUND / 2)
        assert [event.event for event in ada.events] == ["round"]

    def test_without_their_players_monkeys_are_gone(self, room: TestedRoom) -> None:
        for name in ("Ada", "Bob"):
            room.join(name)
        room.run(3)
        with play(Jungle, saved=room.checkpoint()) as again:
            assert len(again.game.monkeys) == 0
            assert len(again.game.bananas) == BANANAS
            ada = again.join("Ada")
            again.run(1)
            assert [monkey.name for monkey in ada.tables.monkeys] == ["Ada"]
            ada.leave()


def seen(player: TestedPlayer) -> Any:
    monkeys = [
        (
            monkey.id,
            monkey.x,
            monkey.y,
            monkey.heading,
            monkey.running,
            monkey.stunned,
            monkey.breath,
            monkey.bananas,
        )
        for monkey in player.tables.monkeys
    ]
    return monkeys, [(banana.id, banana.x, banana.y) for banana in player.tables.bananas]
