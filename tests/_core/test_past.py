"""The past of a table, held against full copies of it, one a tick."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monkeytown import Entity, NoSuchTick, angle, array, boolean, enum, fixed, ref, sint, text, uint
from monkeytown._core.past import Ghost, Moment, Past
from monkeytown._core.state import Table, commit


class Duck(Entity):
    x = fixed(-100, 100, step=1 / 4, predict="linear")
    heading = angle(bits=4)
    age = uint(32)
    mood = sint(5)
    wet = boolean()
    kind = enum("mallard", "teal", "goose")
    friend: Any = ref("Duck")
    name = text(8)
    feathers = array(uint(4), 2)
    secret = uint(8, owner_only=True)


KEPT = ("x", "heading", "age", "mood", "wet", "kind")
NUMBERS = {"x": "d", "heading": "d", "age": "q", "mood": "q", "wet": "?", "kind": "B"}
REWIND = 5


def ducks(capacity: int = 100, rewind: int = REWIND) -> Table[Any]:
    table: Table[Any] = Table("ducks", Duck, capacity, False, rewind)
    table.bind_ref("friend", table)
    return table


def seen(table: Table[Any]) -> dict[int, tuple[Any, ...]]:
    """The table as a reader of the wire has it, by id."""
    per_radian = 16 / (2 * np.pi)
    return {
        duck.id: (
            duck.slot,
            round(duck.x * 4) / 4,
            round(duck.heading * per_radian) % 16 / per_radian,
            duck.age,
            duck.mood,
            duck.wet,
            duck.kind,
        )
        for duck in table
    }


steps = st.lists(
    st.tuples(
        st.sampled_from(["spawn", "spawn", "despawn", "move", "crowd", "clear", "commit", "commit", "skip"]),
        st.integers(0, 2**32 - 1),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(steps, st.sampled_from([0, 2**30 - 3, 2**40]))
def test_the_past_is_what_a_full_copy_per_tick_would_be(doing: list[tuple[str, int]], tick: int) -> None:
    table = ducks()
    copies: dict[int, Any] = {}
    held: list[tuple[Any, Any]] = []
    for what, number in doing:
        there = list(table)
        if what == "crowd":
            for _ in range(min(number % 30, 100 - len(table))):
                table.spawn(x=number % 100)
        elif what == "clear":
            table.clear()
        elif what == "spawn" and len(table) < 100:
            table.spawn(x=number % 77 / 4, age=number, kind=("teal", "goose")[number % 2])
        elif what in ("commit", "skip"):
            tick += 1 if what == "commit" else 1 + number % 3
            commit((table,), tick)
            copies[tick] = copy.deepcopy(seen(table))
        elif there and what == "despawn":
            table.despawn(there[number % len(there)])
        elif there:
            duck = there[number % len(there)]
            duck.x += number % 9 - 4
            duck.heading = (number % 64) / 10
            duck.mood, duck.wet = number % 32 - 16, number % 3 == 0
        check(table, copies)
        if copies and number % 4 == 0:
            held.append((table.at(max(copies)), copies[max(copies)]))
    for moment, copied in held:  # what is kept stays as it was, however long ago
        assert contents(moment) == copied


def contents(moment: Any) -> dict[int, tuple[Any, ...]]:
    alive, ids = list(moment.alive), list(moment.ids)
    found = {}
    for slot in range(len(moment)):
        assert alive[slot] == (ids[slot] != 0)
        if alive[slot]:
            ghost = moment.row(slot)
            assert (ghost.id, ghost.slot) == (ids[slot], slot)
            found[ids[slot]] = (slot, *(getattr(ghost, name) for name in KEPT))
            numbers = [moment.column(name)[slot] for name in KEPT]
            assert numbers == [*found[ids[slot]][1:-1], Duck.kind.values.index(ghost.kind)]
    return found


def check(table: Table[Any], copies: dict[int, Any]) -> None:
    kept = sorted(copies)[-REWIND - 1 :]
    if not kept:
        with pytest.raises(NoSuchTick, match="not been committed"):
            table.at(0, clamp=True)
        return
    for tick in kept:
        assert contents(table.at(tick)) == copies[tick]
    for tick in range(kept[0], kept[-1] + 1):  # between two commits the earlier one holds
        assert contents(table.at(tick)) == copies[max(one for one in kept if one <= tick)]
    for tick, nearest in ((kept[0] - 1, kept[0]), (kept[-1] + 1, kept[-1])):
        with pytest.raises(NoSuchTick, match=f"keeps ticks {kept[0]} to {kept[-1]}, not {tick}"):
            table.at(tick)
        assert table.at(tick, clamp=True).tick == nearest


def test_columns_are_read_only_views_by_slot() -> None:
    table = ducks()
    first, second = table.spawn(x=1.3), table.spawn(x=-3)
    commit((table,), 1)
    table.despawn(first)
    second.x = 50
    commit((table,), 2)
    moment = table.at(1)
    assert {name: moment.column(name).format for name in KEPT} == NUMBERS
    x = np.asarray(moment.x)
    assert list(x) == [1.25, -3]  # as the wire had it
    assert np.shares_memory(x, np.asarray(moment.x))
    assert not x.flags.writeable
    assert moment.get(second).x == -3
    assert moment.get(second.id).kind == "mallard"
    assert table.at(2).get(second).x == 50
    assert repr(moment) == "<2 slots at tick 1>"
    assert repr(moment.row(1)) == f"<{second.id} as it was>"


def test_who_was_not_there_is_nobody() -> None:
    table = ducks()
    old = table.spawn()
    id = old.id
    commit((table,), 1)
    table.despawn(old)
    new = table.spawn()
    commit((table,), 2)
    assert new.slot == 0
    assert table.at(1).get(new) is None
    assert table.at(2).get(id) is None
    assert table.at(1).get(id).id == id
    assert [table.at(2).get(odd, "nobody") for odd in (0, -1, 2**40, 5)] == ["nobody"] * 4
    for slot in (-1, 1, 2**31 - 1):
        with pytest.raises(KeyError):
            table.at(1).row(slot)


@pytest.mark.parametrize("name", ["name", "feathers", "secret", "nothing", "fields"])
def test_what_is_not_kept_is_not_there(name: str) -> None:
    table = ducks()
    table.spawn()
    commit((table,), 1)
    with pytest.raises(AttributeError):
        getattr(table.at(1), name)
    with pytest.raises(AttributeError):
        getattr(table.at(1).row(0), name)
    with pytest.raises(KeyError):
        table.at(1).column(name)


def test_a_ref_is_the_id_it_was() -> None:
    table = ducks()
    one = table.spawn()
    two = table.spawn(friend=one)
    commit((table,), 1)
    assert table.at(1).get(two).friend == one.id
    assert list(table.at(1).friend) == [0, one.id]


def test_a_table_that_keeps_nothing_says_how_to_keep_it() -> None:
    table = ducks(rewind=0)
    commit((table,), 1)
    with pytest.raises(NoSuchTick, match="rewind=seconds"):
        table.at(1)
    with pytest.raises(LookupError):
        table.at(1, clamp=True)


def test_made_by_hand_they_hold_nothing() -> None:
    assert len(Moment.__new__(Moment)) == 0
    assert list(Moment.__new__(Moment).ids) == []
    with pytest.raises(AttributeError):
        _ = Moment.__new__(Moment).x
    with pytest.raises(AttributeError):
        _ = Ghost.__new__(Ghost).x
    with pytest.raises(ValueError, match="at least one tick"):
        Past("ducks", Duck, (), 0)
