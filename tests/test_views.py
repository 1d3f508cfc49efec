"""What a game declares of what its players see."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown import Entity, Game, SchemaError, area, everything, fixed, singleton, sint, table, text, uint
from monkeytown.schema import Schema


class Bee(Entity):
    x = fixed(0, 1000, step=1 / 8)
    y = fixed(-500, 500, step=1 / 8)


class Flower(Entity):
    x, y = sint(8), uint(9)


class Sun(Entity):
    height = uint(8)


def declared(view: Any, **tables: Any) -> type[Game]:
    return type("Made", (Game,), {"view": view, **(tables or {"bees": table(Bee)})})


def test_cells_cover_wherever_a_row_can_be() -> None:
    game = declared(area(100, "bees", "flowers"), bees=table(Bee), sun=singleton(Sun), flowers=table(Flower))
    told = Schema.of(game).describe()["area"]
    assert told == {"tables": [0, 2], "columns": 10, "rows": 9, "x": -128.0, "y": -500.0, "size": 125.0}
    assert 125 * 10 >= 1000 + 128
    assert 125 * 9 >= 511 + 500


def test_who_sees_everything_is_told_of_no_area() -> None:
    schema = Schema.of(declared(area(100, "bees")))
    assert "area" not in schema.describe(everything=True)
    assert schema.describe()["hash"] != schema.describe(everything=True)["hash"]
    assert schema.describe(everything=True) == Schema.of(declared(everything())).describe()


def test_a_room_is_divided_as_its_schema_says() -> None:
    tables = {"bees": table(Bee), "sun": singleton(Sun), "flowers": table(Flower)}
    schema = Schema.of(declared(area(100, "flowers", "bees", far=300, far_every=4), **tables))
    divided = schema.divide(schema.build())
    assert divided is not None
    told = schema.describe()["area"]
    assert {name: getattr(divided, name) for name in told if name != "tables"} == {
        name: value for name, value in told.items() if name != "tables"
    }
    assert divided.far_every == 4


def test_without_a_far_ring_there_is_none_to_wait_for() -> None:
    schema = Schema.of(declared(area(100, "bees", far_every=4)))
    divided = schema.divide(schema.build())
    assert divided is not None
    assert divided.far_every == 1


def test_where_everybody_sees_everything_nothing_is_divided() -> None:
    schema = Schema.of(declared(everything()))
    assert schema.divide(schema.build()) is None


def test_tables_may_be_given_as_they_are_declared() -> None:
    class Meadow(Game):
        bees = table(Bee)
        view = area(50, bees, cell=40)

    assert Schema.of(Meadow).describe()["area"]["size"] == 40.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: area(10), "at least one table"),
        (lambda: area(10, 7), "at least one table"),
        (lambda: area(0, "bees"), "the radius is above 0"),
        (lambda: area(float("nan"), "bees"), "the radius is above 0"),
        (lambda: area(10, "bees", far=10), "larger than the radius"),
        (lambda: area(10, "bees", far_every=1), "2 to 60"),
        (lambda: area(80, "bees", cell=9), "less than an eighth"),
        (lambda: everything(delay=-1), "0 to 600 seconds"),
    ],
)
def test_says_what_is_wrong_with_a_view(make: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        make()


class Moth(Entity):
    x = fixed(0, 10)
    y = fixed(0, 10, owner_only=True)


class Ghost(Entity):
    x = text(8)
    y = uint(8)


@pytest.mark.parametrize(
    ("game", "words"),
    [
        (declared(area(10, "wasps")), "wasps is no table of the game"),
        (declared(area(10, "sun"), bees=table(Bee), sun=singleton(Sun)), "sun is no table of the game"),
        (declared(area(10, "bees", "bees")), "each table once"),
        (declared(area(5, "moths"), moths=table(Moth)), "moths is seen by area: its rows need a number y"),
        (declared(area(5, "ghosts"), ghosts=table(Ghost)), "its rows need a number x"),
        (declared(area(0.5, "bees")), "2560000 cells; at most 65536"),
    ],
)
def test_says_what_is_wrong_with_a_game(game: type[Game], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        Schema.of(game)
