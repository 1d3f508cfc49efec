"""Swarm, played: flying, catching, and a thousand birds at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import pi
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from monkeytown import StartError, neighbours
from monkeytown.games import swarm
from monkeytown.games.swarm import (
    BEES,
    BIRDS,
    BODY,
    DIVE,
    EDGE,
    GLIDE,
    MEETING,
    REACH,
    SIZE,
    STEP,
    TICKS,
    Swarm,
)
from monkeytown.testing import TestedPlayer, TestedRoom, play


@pytest.fixture
def room() -> Iterator[TestedRoom]:
    with play(Swarm, seed=1) as room:
        yield room


def put(player: TestedPlayer, x: float, y: float, heading: float = 0.0) -> Any:
    """Puts a player's bird somewhere; returns it as the rules have it."""
    bird = player.player.entity
    bird.x, bird.y, bird.heading = x, y, heading
    return bird


def clear_bees(room: TestedRoom) -> None:
    """All bees in one corner, where they stay for a while."""
    room.game.x[:] = room.game.y[:] = EDGE
    room.game.speed_x[:] = room.game.speed_y[:] = 0


class TestBirds:
    def test_a_bird_flies_where_it_faces(self, room: TestedRoom) -> None:
        clear_bees(room)
        ada = room.join("Ada")
        put(ada, 1000, 1000, heading=pi / 2)
        room.step(TICKS)
        start = ada.entity.y
        room.step(30)
        assert ada.entity.x == pytest.approx(1000, abs=1)
        assert ada.entity.y - start == pytest.approx(30 * GLIDE, abs=2)

    def test_who_dives_is_faster(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 1000, 3000)
        ada.input(dive=True)
        room.step(TICKS)
        start = ada.entity.x
        room.step(30)
        assert ada.entity.diving
        assert ada.entity.x - start == pytest.approx(30 * DIVE, abs=2)

    def test_it_turns_until_told_otherwise(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        put(ada, 2000, 2000)
        ada.input(turn=-1)
        ada.input(turn=1)  # the last one counts
        room.step(15)
        assert 0 < ada.entity.heading < pi
        ada.input(turn=0)
        room.step(TICKS)
        heading = ada.entity.heading
        room.run(1)
        assert ada.entity.heading == heading

    @pytest.mark.parametrize("heading", [0, pi / 2, pi, -pi / 2, 1])
    def test_nobody_leaves_the_meadow(self, room: TestedRoom, heading: float) -> None:
        ada = room.join("Ada")
        middle = SIZE / 2
        put(ada, middle + 1900 * np.cos(heading), middle + 1900 * np.sin(heading), heading)
        room.run(3)
        assert EDGE - 1 <= ada.entity.x <= SIZE - EDGE + 1
        assert EDGE - 1 <= ada.entity.y <= SIZE - EDGE + 1

    def test_bees_within_reach_are_caught(self, room: TestedRoom) -> None:
        clear_bees(room)
        ada = room.join("Ada")
        put(ada, 2000, 2000)
        room.step()
        room.game.x[7], room.game.y[7] = ada.player.entity.x + REACH - 1, 2000
        room.game.catch()
        assert ada.player.entity.caught == 1
        assert (room.game.x[7], room.game.y[7]) in set(
            zip(room.game.flower_x, room.game.flower_y, strict=True)
        )
        room.game.catch()
        assert ada.player.entity.caught == 1
        assert len(room.game.bees) == BEES

    def test_one_bee_feeds_one_bird(self, room: TestedRoom) -> None:
        clear_bees(room)
        ada, bob, cid = (room.join(name) for name in ("Ada", "Bob", "Cid"))
        for player in (ada, bob):
            put(player, 2000, 2000)
        put(cid, 3000, 3000)
        room.game.x[7], room.game.y[7] = 2001, 2000
        room.game.catch()
        assert [player.player.entity.caught for player in (ada, bob, cid)] == [1, 0, 0]


class TestBees:
    def test_they_are_alive(self, room: TestedRoom) -> None:
        x, y = room.game.x.copy(), room.game.y.copy()
        room.run(1)
        moved = np.hypot(room.game.x - x, room.game.y - y)
        assert (moved > 10).mean() > 0.9

    def test_they_stay_in_the_meadow(self, room: TestedRoom) -> None:
        room.game.x[:] = EDGE
        room.game.speed_x[:] = -3
        room.run(1)
        for places in (room.game.x, room.game.y):
            assert places.min() >= EDGE - 2
            assert places.max() <= SIZE - EDGE + 2

    def test_who_arrives_flies_on(self, room: TestedRoom) -> None:
        game = room.game
        wanted = game.wants[:20].copy()
        game.x[:20], game.y[:20] = game.flower_x[wanted], game.flower_y[wanted]
        room.step(swarm.PARTS)
        assert (game.wants[:20] != wanted).sum() >= 15

    def test_they_move_in_whole_steps_and_so_cost_little(self, room: TestedRoom) -> None:
        room.run(1)
        for speed in (room.game.speed_x, room.game.speed_y):
            assert (speed * STEP % 1 == 0).all()
        ada = room.join("Ada")
        room.step(2)
        before = ada.bytes_read
        room.step(60)
        assert (ada.bytes_read - before) / 60 < BEES

    def test_they_make_way_for_each_other(self, room: TestedRoom) -> None:
        clear_bees(room)
        room.game.x[:3], room.game.y[:3] = (2000, 2003, 2000), 2000

        def overlaps() -> int:
            return len(neighbours(room.game.x[:3], room.game.y[:3], 2 * BODY - 1)[0])

        assert overlaps() == 3
        for _ in range(20):
            room.game.push_apart()
        assert overlaps() == 0


class TestComingAndGoing:
    def test_who_takes_a_slot_inherits_nothing(self, room: TestedRoom) -> None:
        ada = room.join("Ada")
        ada.input(turn=1, dive=True)
        room.run(1)
        ada.leave()
        bob = room.join("Bob")
        put(bob, 2000, 3000)
        room.step(TICKS)
        assert bob.player.entity.slot == 0
        assert not bob.entity.diving
        assert bob.entity.y == 3000

    def test_a_meadow_without_birds_goes_on(self, room: TestedRoom) -> None:
        room.run(0.5)
        assert room.closed is None

    def test_a_thousand_come_and_go(self) -> None:
        dice = Random(3)
        with play(Swarm, seed=2) as room:
            for number in range(BIRDS):
                room.room.join(f"p{number}")
            assert room.room.is_full
            queue = room.room.inputs
            assert queue is not None
            for number in range(1, BIRDS + 1):
                queue.put(number, 1, swarm.Steer(turn=dice.uniform(-1, 1), dive=number % 2 == 0))
            room.step(MEETING)
            assert all(member.input == 1 for member in room.room.members.values())
            assert sum(bird.diving for bird in room.game.birds) == BIRDS // 2
            for id in dice.sample(list(room.room.members), BIRDS // 2):
                room.room.leave(id)
            room.step(MEETING)
            assert len(room.game.birds) == BIRDS // 2
            for id in list(room.room.members):
                room.room.leave(id)
            room.step()
            assert len(room.game.birds) == 0


def test_the_same_seed_gives_the_same_game() -> None:
    def history() -> tuple[Any, ...]:
        with play(Swarm, seed=7) as room:
            ada, bob = room.join("Ada"), room.join("Bob")
            for turn in range(4):
                ada.input(turn=(turn % 5 - 2) / 2, dive=turn % 3 == 0)
                bob.input(turn=room.game.random.uniform(-1, 1))
                room.run(0.25)
            birds = [(bird.x, bird.y, bird.caught) for bird in ada.tables.birds]
            return birds, room.game.x.tolist(), room.game.y.tolist()

    assert history() == history()


def test_without_numpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    source = Path(swarm.__file__).read_text()
    with pytest.raises(StartError, match=r"monkeytown\[numpy\]"):
        exec(compile(source, swarm.__file__, "exec"), {"__name__": "swarm"})


class TestGoingOn:
    """After a checkpoint, with its players or without."""

    def test_elsewhere_bees_and_birds_fly_on(self) -> None:
        with play(Swarm, seed=5) as room, play(Swarm, seed=5) as never:
            for each in (room, never):
                for count in range(20):
                    each.join(f"Bird {count}").input(turn=count % 3 / 3, dive=count % 2)
                each.run(1.05)
                each.players[3].leave()
            room.fail_over()
            assert (room.game.speed_x == never.game.speed_x).all()
            assert (room.game.speed_y == never.game.speed_y).all()
            assert (room.game.wants == never.game.wants).all()
            for each in (room, never):
                each.run(1)
            birds = [
                [(bird.id, bird.x, bird.y, bird.heading, bird.diving) for bird in each.game.birds]
                for each in (room, never)
            ]
            assert birds[0] == birds[1]
            assert len(birds[0]) == 19

    def test_without_their_players_birds_are_gone(self, room: TestedRoom) -> None:
        for name in ("Ada", "Bob"):
            room.join(name)
        room.run(1)
        with play(Swarm, saved=room.checkpoint()) as again:
            assert (len(again.game.birds), len(again.game.bees)) == (0, BEES)
            ada = again.join("Ada")
            again.run(1)
            assert [bird.name for bird in ada.tables.birds] == ["Ada"]
