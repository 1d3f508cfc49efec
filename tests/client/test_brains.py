"""Bots do what a player could do."""

from itertools import pairwise
from math import atan2, cos, hypot, pi, sin
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from monkeytown.client.brains import Crosser, Gatherer, Wanderer, brain_for
from monkeytown.fields import angle, enum, fixed, sint, uint
from monkeytown.schema import Entity, Input, Schema, table


class Everything(Input):
    turn = fixed(-3, 7, step=0.25)
    aim = angle(bits=10)
    slot = uint(5)
    lean = sint(4)
    gear = enum("low", "high")
    fire = bool


class Dot(Entity):
    x = fixed(0, 1)


class Rules:
    input = Everything
    view = None
    tick_rate = 60
    dots = table(Dot)


def room_of(**parts: Any) -> Any:
    return SimpleNamespace(schema=Schema(Rules).describe(), game="rules", **parts)


def test_a_wanderer_draws_values_that_every_field_can_hold():
    brain, room = Wanderer(Random(1)), room_of()
    drawn = [dict(brain.decide(room) or {}) for _ in range(2000)]
    for fields in drawn:
        Everything(**fields)
    assert {fields["gear"] for fields in drawn} == {"low", "high"}
    assert {fields["fire"] for fields in drawn} == {True, False}
    assert {fields["slot"] for fields in drawn} == set(range(32))
    assert {fields["lean"] for fields in drawn} == set(range(-8, 8))
    assert min(fields["turn"] for fields in drawn) < -2 < 6 < max(fields["turn"] for fields in drawn)


def test_a_wanderer_holds_on_to_what_it_does():
    brain, room = Wanderer(Random(2)), room_of()
    gears = [(brain.decide(room) or {})["aim"] for _ in range(1200)]
    changes = sum(a != b for a, b in pairwise(gears))
    assert 60 < changes < 140


def test_a_wanderer_does_nothing_where_inputs_have_no_layout():
    assert Wanderer(Random(1)).decide(SimpleNamespace(schema={"input": None})) is None  # type: ignore[arg-type]


class Bananas(dict[int, Any]):
    """As much of a table as a brain looks at."""

    def __iter__(self) -> Any:
        return iter(self.values())


def jungle(bananas: list[tuple[float, float]], heading: float = 0.0) -> Any:
    return SimpleNamespace(
        game="jungle",
        entity=SimpleNamespace(x=0.0, y=0.0, heading=heading, alive=True, breath=15),
        tables={
            "bananas": Bananas({n: SimpleNamespace(id=n, x=x, y=y) for n, (x, y) in enumerate(bananas, 1)})
        },
    )


@pytest.mark.parametrize("heading", [0.0, 2.0, -3.0, 9 * pi])
def test_a_gatherer_arrives_at_its_banana(heading: float):
    room = jungle([(300.0, -200.0)], heading)
    brain = brain_for(room, Random(1))
    assert isinstance(brain, Gatherer)
    monkey = room.entity
    for _ in range(400):
        steer = brain.decide(room)
        assert steer is not None
        monkey.heading += steer["turn"] * 0.2
        monkey.x += cos(monkey.heading) * (4 if steer["run"] else 2)
        monkey.y += sin(monkey.heading) * (4 if steer["run"] else 2)
        if hypot(monkey.x - 300, monkey.y + 200) < 10:
            break
    assert hypot(monkey.x - 300, monkey.y + 200) < 10


def test_a_gatherer_prefers_what_is_near_and_looks_again_when_it_is_gone():
    room = jungle([(10.0, 0.0), (500.0, 0.0)], heading=atan2(0, 1))
    brain = Gatherer(Random(1))
    brain.decide(room)
    assert brain.banana == 1
    del room.tables["bananas"][1]
    brain.decide(room)
    assert brain.banana == 2
    room.tables["bananas"].clear()
    assert brain.decide(room) is not None


def test_a_gatherer_without_a_monkey_waits():
    room = jungle([(10.0, 0.0)])
    room.entity = None
    assert Gatherer(Random(1)).decide(room) is None


def test_a_gatherer_rests_before_it_is_out_of_breath():
    room = jungle([(900.0, 0.0)])
    brain, monkey = Gatherer(Random(1)), room.entity
    runs = []
    for breath in (15, 8, 3, 2, 5, 11, 12, 5):
        monkey.breath = breath
        runs.append((brain.decide(room) or {})["run"])
    assert runs == [True, True, True, False, False, False, True, True]


def tictactoe(cells: str, *, turn: str, mark: str = "X", winner: str = "", rematch: bool = False) -> Any:
    board = SimpleNamespace(cells=[cell.strip() for cell in cells], turn=turn, winner=winner)
    table = SimpleNamespace(row=lambda slot: board)
    return SimpleNamespace(
        game="tictactoe", entity=SimpleNamespace(mark=mark, rematch=rematch), tables={"board": table}
    )


def decisions(room: Any) -> set[str]:
    brain = brain_for(room, Random(3))
    assert isinstance(brain, Crosser)
    return {str(brain.decide(room)) for _ in range(400)}


def test_a_crosser_places_its_mark_in_a_free_cell_when_it_is_its_turn():
    assert decisions(tictactoe("XO XO  XO", turn="X")) == {
        "None",
        *(str({"place": cell}) for cell in (2, 5, 6)),
    }
    assert decisions(tictactoe("XO XO  XO", turn="O")) == {"None"}
    assert decisions(tictactoe("         ", turn="X", mark="")) == {"None"}


def test_a_crosser_asks_for_a_rematch_once():
    assert decisions(tictactoe("XXX OO   ", turn="", winner="X")) == {"None", str({"rematch": True})}
    assert decisions(tictactoe("XXX OO   ", turn="", winner="X", rematch=True)) == {"None"}
