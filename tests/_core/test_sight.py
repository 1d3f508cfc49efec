"""What one reader of an area sees: whom it follows, how far it sees, and what it costs one who is told in another form."""

from itertools import pairwise

import pytest

from monkeytown import Entity, Game, area, fixed, table, uint
from monkeytown._core import state, values
from monkeytown._core.sight import Sight
from monkeytown.schema import Schema

RATE = 3


class Bee(Entity):
    x = fixed(0, 1000)
    y = fixed(0, 1000)
    honey = uint(8, owner_only=True)


class Sun(Entity):
    height = uint(16)


class Garden(Game):
    bees = table(Bee, capacity=4000)
    sun = table(Sun, capacity=4)
    view = area(40, bees, far=200, far_every=RATE)


class Whole(Garden):
    """One sees further than any world is wide."""

    view = area(40, Garden.bees, far=1e12, far_every=RATE)


class World:
    def __init__(self, game: type[Game]) -> None:
        schema = Schema(game)
        tables = schema.build()
        self.tables = tuple(tables.values())
        self.bees, self.sun = tables["bees"], tables["sun"]
        divided = schema.divide(tables)
        assert divided is not None
        self.area = divided
        self.tick = 0

    def commit(self) -> None:
        self.tick += 1
        state.commit(self.tables, self.tick)
        self.area.follow(self.tick)

    def sight(self, x: float, y: float) -> Sight:
        sight = Sight(self.area)
        sight.look_at(x, y)
        return sight


@pytest.fixture
def world() -> World:
    return World(Garden)


def far_cells(sight: Sight) -> set[int]:
    return {cell for cell, is_far in sight.cells if is_far}


def test_who_is_told_in_another_form_has_nothing_encoded(world: World) -> None:
    world.sun.spawn(height=7)
    world.bees.spawn(x=500, y=500)
    world.commit()
    found = values.look(world.tables, world.sight(500, 500), None)
    assert set(found) == {"bees", "sun"}
    assert world.area.encoded == world.bees.bytes_encoded == world.sun.bytes_encoded == 0


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "values"])
def test_the_far_ring_moves_only_as_often_as_is_said(world: World, binary: bool) -> None:
    """Also for one who walks, and for one who had nothing to be told."""
    bee = world.bees.spawn(x=20, y=500)
    world.commit()
    sight = Sight(world.area)
    sight.follow(bee)
    base: int | None = None
    moved = []
    before: set[int] = set()
    for _ in range(4 * RATE):
        if binary:
            if sight.read(1, base) is not None:
                base = world.tick
        elif values.look(world.tables, sight, base) or base is None:
            sight.arrive()
            base = world.tick
        if far_cells(sight) - before:
            moved.append(world.tick)
        before = far_cells(sight)
        bee.x += 75
        world.commit()
    assert moved[0] == 1
    assert all(later - earlier >= RATE for earlier, later in pairwise(moved))
    assert len(moved) >= 3


def test_nobody_sees_further_than_the_area_is_wide() -> None:
    """However far the ring: more than a world there is not to see, nor to keep."""
    world = World(Whole)
    world.bees.spawn(x=999, y=999)
    world.commit()
    for place in (0, 500, 1000):
        sight = world.sight(place, 1000 - place)
        assert sight.read(1, None) is not None
        assert [cell for cell, _ in sight.cells] == list(range(world.area.columns * world.area.rows))


def test_a_row_that_is_gone_is_not_followed(world: World) -> None:
    bee = world.bees.spawn(x=500, y=500)
    world.commit()
    world.bees.despawn(bee)
    newcomer = world.bees.spawn(x=900, y=900)
    assert newcomer.slot == bee.slot
    sight = world.sight(100, 100)
    sight.follow(bee)
    world.commit()
    sight.read(1, None)
    assert len(sight.cells) > 0
    near = [cell for cell, is_far in sight.cells if not is_far]
    assert max(near) < world.area.columns * world.area.rows / 2


def test_it_knows_where_it_looked_from_last(world: World) -> None:
    bee = world.bees.spawn(x=500, y=600)
    sight = Sight(world.area)
    sight.follow(bee)
    assert sight.place is None
    world.commit()
    sight.read(1, None)
    assert sight.place == (500, 600)
    world.bees.despawn(bee)
    world.commit()
    sight.read(1, None)
    assert sight.place == (500, 600)
    sight.look_at(7, 8)
    assert sight.place == (7, 8)


def test_what_came_since_the_commit_is_in_no_cell(world: World) -> None:
    sight = world.sight(500, 500)
    assert values.private(world.tables, 1, None, sight) is not None
    world.commit()
    sight.read(1, None)
    for _ in range(3000):
        world.bees.spawn(owner=1, x=500, y=500, honey=1)
    reset, sections = values.private(world.tables, 1, None, sight)
    assert (reset, sections) == values.private(World(Garden).tables, 1, None, None)
