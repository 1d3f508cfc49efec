"""Areas against the oracle, through the naive reader: random games, every kind of reader, every kind of neglect.

Run it longer with HYPOTHESIS_PROFILE=long.
"""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.views import AreaView, area
from tests.model import FieldSpec, TableSpec
from tests.randomgames import Chaos, Order, examples, fields, schedules
from tests.twin import Twin
from tests.watchers import Ground, Watcher

FIRST_TICKS = st.sampled_from([1, 250, 2**32 - 3, 2**40])
STRIDES = (1, 1, 2, 3, 7)


@st.composite
def placed(draw: st.DrawFn) -> list[FieldSpec]:
    """The x and y of a table, by any kind of number that has them."""
    linear = draw(st.booleans())
    kind = draw(st.sampled_from(["fixed", "fixed", "sint", "uint"]))
    if kind == "fixed":
        low, high, step = draw(st.sampled_from([(0.0, 100.0, 0.5), (-50.0, 50.0, 1 / 16), (0.0, 10.0, 3.0)]))
        return [FieldSpec(axis, "fixed", lo=low, hi=high, step=step, linear=linear) for axis in "xy"]
    return [FieldSpec(axis, kind, bits=bits, linear=linear) for axis, bits in (("x", 7), ("y", 5))]


@st.composite
def divided(draw: st.DrawFn) -> tuple[tuple[TableSpec, ...], AreaView]:
    """A game that is seen by area: one to three tables, of which one or two are divided."""
    names = [f"table{place}" for place in range(draw(st.integers(1, 3)))]
    inside = [name for name in names if name == "table0" or draw(st.integers(0, 2)) == 0]
    if len(names) > 1 and draw(st.booleans()):
        inside = [name for name in names if name != "table0"][:2]
    specs = []
    for name in names:
        columns = [draw(fields(f"f{place}", names, 5)) for place in range(draw(st.integers(0, 3)))]
        single = name not in inside and draw(st.integers(0, 3)) == 0
        if name in inside:
            columns = [*draw(placed()), *columns]
        elif not columns:
            columns = [FieldSpec("f", "uint", bits=8)]
        capacity = 1 if single else draw(st.sampled_from([40, 40, 9, 3]))
        specs.append(TableSpec(name, tuple(columns), capacity, single))
    radius = draw(st.sampled_from([4.0, 12.0, 30.0]))
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        more = {"far": radius * draw(st.sampled_from([1.1, 2.0, 4.0])), "far_every": draw(st.integers(2, 5))}
    if draw(st.booleans()):
        more["cell"] = radius * draw(st.sampled_from([0.3, 0.8, 3.0]))
    return tuple(specs), area(radius, *inside, **more)


@examples(400)
@given(game=divided(), schedule=schedules(25), first_tick=FIRST_TICKS, seed=st.integers(0, 2**32 - 1))
def test_every_reader_has_what_is_in_its_cells(
    game: tuple[tuple[TableSpec, ...], AreaView], schedule: list[list[Order]], first_tick: int, seed: int
) -> None:
    specs, view = game
    chaos = Chaos(specs, first_tick, view)
    ground = Ground(chaos.twin, view)
    watchers = [Watcher(ground, seed + place, stride) for place, stride in enumerate(STRIDES)]
    for tick, orders in enumerate(schedule):
        chaos.tick(orders)
        ground.follow()
        for watcher in watchers:
            watcher.wander()
            if tick % watcher.stride == 0:
                watcher.read(anew=watcher.random.random() < 0.03)


X = FieldSpec("x", "fixed", lo=0.0, hi=1000.0, step=1 / 16, linear=True)
Y = FieldSpec("y", "fixed", lo=0.0, hi=1000.0, step=1 / 16, linear=True)
CROWD = (
    TableSpec("things", (X, Y, FieldSpec("turned", "angle", bits=8), FieldSpec("label", "text", max=8)), 600),
    TableSpec("board", (FieldSpec("n", "uint", bits=16),), 1, True),
)


@pytest.mark.parametrize(
    ("view", "restless"),
    [
        (area(100, "things"), 0.02),
        (area(60, "things", far=220, far_every=3, cell=60), 0.02),
        (area(60, "things", far=150, far_every=4), 0.7),  # so many teleports that departures are forgotten
    ],
    ids=["near", "far", "restless"],
)
def test_a_crowd(view: AreaView, restless: float) -> None:
    random = Random(1)
    twin = Twin(CROWD, 2**32 - 30, view=view)
    ground = Ground(twin, view)
    headings = {}
    for _ in range(500):
        id = twin.spawn("things", x=random.uniform(0, 1000), y=random.uniform(0, 1000))
        headings[id] = (random.uniform(-9, 9), random.uniform(-9, 9))
    strides = [*[1] * 18, *[2] * 6, *[3] * 5, *[9] * 4, *[22] * 4, *[27] * 3]
    watchers = [Watcher(ground, place, stride) for place, stride in enumerate(strides)]
    for watcher in watchers:
        watcher.look_at(random.uniform(0, 1000), random.uniform(0, 1000))
    for tick in range(60):
        for id, (x, y) in list(headings.items()):
            if random.random() < 0.3:
                headings[id] = (x + random.uniform(-1, 1), y + random.uniform(-1, 1))
            if random.random() < restless:
                twin.assign("things", id, "x", random.uniform(0, 1000))
                twin.assign("things", id, "label", f"{tick}")
            else:
                twin.assign("things", id, "x", twin.held("things", id, "x") + x)
                twin.assign("things", id, "y", twin.held("things", id, "y") + y)
            if random.random() < 0.01:
                twin.despawn("things", id)
                del headings[id]
        for _ in range(random.randrange(10)):
            id = twin.spawn(
                "things", x=random.uniform(0, 1000), y=random.uniform(0, 1000), turned=random.random()
            )
            headings[id] = (random.uniform(-9, 9), random.uniform(-9, 9))
        twin.assign("board", twin.ids("board")[0], "n", tick // 7)
        twin.commit()
        ground.follow()
        for watcher in watchers:
            if tick % watcher.stride == 0:
                watcher.wander()
                watcher.read()
    renewed = sum(watcher.renewed for watcher in watchers)
    assert (renewed > 10) == (restless > 0.5)
