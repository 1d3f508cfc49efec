"""Inputs as columns: the same as one at a time, without the objects."""

from __future__ import annotations

import tracemalloc
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Entity, Input, angle, boolean, enum, fixed, sint, uint
from monkeytown._core.batch import Batch, Seat, Seats
from monkeytown._core.inputs import Layout, Queue
from monkeytown._core.state import Table
from monkeytown.errors import WireError
from monkeytown.schema import describe_input


class Tool(Enum):
    HAND = "h"
    STICK = "s"


class Steer(Input):
    turn = fixed(-1, 1, step=1 / 127)
    aim = angle(bits=6)
    run = boolean()
    tool = enum(Tool)
    age = uint(32)
    lean = sint(7)
    ticks = uint(3)  # a name that means something else on a batch


FORMATS = {"turn": "d", "aim": "d", "run": "?", "tool": "B", "age": "q", "lean": "q", "ticks": "q"}
LAYOUT = Layout(Steer, describe_input(Steer)["hash"])


class Dot(Entity):
    x = uint(4)


class Spot(Entity):
    x = uint(4)


steers = st.builds(
    Steer,
    turn=st.floats(-1, 1),
    aim=st.floats(-9, 9),
    run=st.booleans(),
    tool=st.sampled_from(Tool),
    age=st.integers(0, 2**32 - 1),
    lean=st.integers(-64, 63),
    ticks=st.integers(0, 7),
)
inputs = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 2**32 - 1), st.integers(0, 2**40), steers))


@given(inputs, st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_columns_are_what_one_at_a_time_would_be(sent: Any, here: set[int], kicked: set[int]) -> None:
    one, all = Queue(LAYOUT, 3), Queue(LAYOUT, 3)
    seats, by_number = Seats(), {number: Seat(number) for number in range(10)}
    for number in here:
        seats.add(by_number[number])
    for player, number, acknowledged, steer in sent:
        for queue in (one, all):
            queue.push_message(player, LAYOUT.pack(steer, number, acknowledged))
    batch = seats.drain(all, {by_number[number]: "out" for number in kicked})
    expected = [entry for entry in one.drain() if entry[0] in here - kicked]
    assert len(batch) == len(expected)
    assert list(zip(batch.players, batch.numbers, batch.ticks, strict=True)) == [
        entry[:3] for entry in expected
    ]
    for name, format in FORMATS.items():
        column = batch.column(name)
        assert column.format == format
        values = [getattr(record, name) for *_, record in expected]
        assert list(column) == (values if name != "tool" else [list(Tool).index(tool) for tool in values])
    newest = {entry[0]: entry[1] for entry in expected}
    saw = {entry[0]: entry[2] for entry in expected if entry[2]}
    for number, seat in by_number.items():
        assert (seat.input, seat.seen_tick) == (newest.get(number, 0), saw.get(number, 0))
    assert len(all) == 0
    all.push_message(1, LAYOUT.pack(Steer(), 1))  # nobody's count of waiting inputs is off
    assert len(seats.drain(all)) == (1 in here)


def crowd() -> tuple[Queue, Seats, list[Seat]]:
    queue, seats = Queue(LAYOUT), Seats()
    players = [Seat(number) for number in (1, 2, 3, 700)]
    for seat in players:
        seats.add(seat)
        queue.push_message(seat.number, LAYOUT.pack(Steer(age=seat.number), 1, 5))
    return queue, seats, players


def test_slots_are_those_of_the_players_entities() -> None:
    queue, seats, players = crowd()
    dots: Table[Any] = Table("dots", Dot, 10)
    spots: Table[Any] = Table("spots", Spot, 10)
    dots.spawn()
    players[0].entity = dots.spawn()
    players[1].entity = spots.spawn()
    gone = players[2].entity = dots.spawn()
    dots.despawn(gone)
    players[3].entity = dots.spawn()
    queue.push_message(1, LAYOUT.pack(Steer(age=99), 2))
    batch = seats.drain(queue)
    assert list(batch.slots) == [1, 0, -1, 2, 1]
    part = batch.of(dots)
    assert (list(part.players), list(part.slots), list(part.age)) == ([1, 700, 1], [1, 2, 1], [1, 700, 99])
    assert (list(part.ticks), list(part.numbers)) == ([5, 5, 0], [1, 1, 2])
    assert list(part.of(spots).slots) == []
    dots.clear()
    assert len(batch.of(dots)) == 0
    assert list(batch.of(spots).players) == [2]


def test_of_several_inputs_of_one_player_the_last_counts() -> None:
    queue, seats, players = crowd()
    dots: Table[Any] = Table("dots", Dot, 10)
    for seat in players:
        seat.entity = dots.spawn()
    queue.push_message(1, LAYOUT.pack(Steer(age=99, run=True), 2))
    batch = seats.drain(queue)
    ages, runs = np.zeros(4), np.zeros(4, bool)
    ages[batch.slots] = batch.age
    runs[batch.slots] = batch.run
    assert list(ages) == [99, 2, 3, 700]
    assert list(runs) == [True, False, False, False]


def test_fields_are_written_to_where_their_senders_stand() -> None:
    queue, seats, players = crowd()
    dots: Table[Any] = Table("dots", Dot, 10)
    for seat in (players[3], players[0], players[1]):
        seat.entity = dots.spawn()
    queue.push_message(1, LAYOUT.pack(Steer(age=99, turn=-1, run=True, tool=Tool.STICK), 2))
    batch = seats.drain(queue)
    ages, runs, tools = np.full(3, -5), np.zeros(4, bool), np.zeros(3, np.uint8)
    turns = np.full((4, 2), 7.0)
    batch.scatter(age=ages, run=runs, tool=tools, turn=turns[:, 1])
    assert list(ages) == [700, 99, 2]
    assert list(runs) == [False, True, False, False]
    assert list(tools) == [0, 1, 0]
    assert turns.tolist() == [[7, 0], [7, -1], [7, 0], [7, 7]]
    later = np.zeros(3, int)
    batch.of(dots).scatter(age=later)
    assert list(later) == [700, 99, 2]
    batch.scatter()
    Batch().scatter()


def test_what_cannot_take_a_field_is_told_so() -> None:
    queue, seats, players = crowd()
    dots: Table[Any] = Table("dots", Dot, 10)
    players[0].entity, players[1].entity = dots.spawn(), dots.spawn()
    batch = seats.drain(queue)
    with pytest.raises(IndexError, match="age: there is no place 1 in an array of 1"):
        batch.scatter(age=np.zeros(1, int))
    with pytest.raises(TypeError, match="no field 'jump'"):
        batch.scatter(jump=np.zeros(2))
    readonly = np.zeros(2)
    readonly.flags.writeable = False
    for odd in (
        np.zeros(2, int),
        np.zeros(2, np.float32),
        np.zeros((2, 2)),
        readonly,
        [0.0, 0.0],
        np.zeros(2, "c16"),
    ):
        with pytest.raises(TypeError):
            batch.scatter(turn=odd)
    with pytest.raises(TypeError, match="of booleans"):
        batch.scatter(run=np.zeros(2, np.uint8))
    with pytest.raises(TypeError, match="of bytes"):
        batch.scatter(tool=np.zeros(2, bool))
    with pytest.raises(TypeError, match="no field"):
        Batch().scatter(turn=np.zeros(2))


def test_what_a_game_keeps_is_never_overwritten() -> None:
    queue, seats, _ = crowd()
    kept = np.asarray(seats.drain(queue).age)
    assert np.shares_memory(kept, np.asarray(kept.base))
    for _ in range(50):
        for number in (1, 2, 3, 700):
            queue.push_message(number, LAYOUT.pack(Steer(age=12345), 9))
        seats.drain(queue)
    assert list(kept) == [1, 2, 3, 700]


def test_who_has_no_seat_is_not_heard() -> None:
    queue, seats, players = crowd()
    seats.remove(players[1])
    seats.remove(Seat(9999))
    queue.push_message(9999, LAYOUT.pack(Steer(), 1))
    assert list(seats.drain(queue).players) == [1, 3, 700]
    with pytest.raises(ValueError, match="not negative"):
        Seat(-1)


@given(st.lists(st.integers(0, 40)))
def test_seats_are_as_many_as_there_are_players(numbers: list[int]) -> None:
    """Each number sits down, or gets up if it sits."""
    seats, here = Seats(), dict[int, Seat]()
    for number in numbers:
        if number in here:
            seats.remove(here.pop(number))
        else:
            here[number] = Seat(number)
            seats.add(here[number])
        assert len(seats) == len(here)
        queue = Queue(LAYOUT)
        for player in range(42):
            queue.push_message(player, LAYOUT.pack(Steer(), player + 1))
        assert list(seats.drain(queue).players) == sorted(here)
        assert all(seat.input == player + 1 for player, seat in here.items())


def test_who_comes_and_goes_leaves_nothing_behind() -> None:
    seats = Seats()
    seats.add(Seat(2**31 - 1))
    tracemalloc.start()
    try:
        for number in range(50_000):
            seat = Seat(number)
            seats.add(seat)
            seats.remove(seat)
        assert tracemalloc.get_traced_memory()[0] < 10_000
    finally:
        tracemalloc.stop()
    assert len(seats) == 1


def test_of_two_with_one_number_the_later_has_the_seat() -> None:
    queue, seats, players = crowd()
    later = Seat(2)
    seats.add(later)
    seats.drain(queue)
    assert (len(seats), later.input, players[1].input) == (4, 1, 0)


def test_what_is_no_field_is_no_column() -> None:
    queue, seats, _ = crowd()
    batch = seats.drain(queue)
    for odd in ("jump", "fields"):
        with pytest.raises(AttributeError, match="no field"):
            getattr(batch, odd)
    assert list(batch.column("ticks")) == [0] * 4
    assert list(batch.ticks) == [5] * 4
    assert repr(batch) == "<4 inputs>"
    empty: Any = Batch()
    assert (len(empty), list(empty.slots), len(empty.of(Table("dots", Dot, 1)))) == (0, [], 0)
    with pytest.raises(KeyError):
        empty.column("turn")


@given(
    numbers=st.sets(st.integers(0, 2**31 - 1), min_size=1, max_size=6),
    turns=st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**32 - 1)), max_size=4), max_size=8),
    lost=st.sets(st.integers(0, 8)),
)
def test_newest_inputs_are_learned_elsewhere_from_wherever_one_stands(
    numbers: set[int], turns: list[list[tuple[int, int]]], lost: set[int]
) -> None:
    seats, elsewhere = Seats(), Seats()
    order = sorted(numbers)
    for number in order:
        seats.add(Seat(number))
    stands = 0
    for now, turn in enumerate(turns, 1):
        before = {number: found.input for number in order if (found := seats.get(number))}
        for place, input in turn:
            seat = seats.get(order[place % len(order)])
            assert seat is not None
            seat.input = input
        after = {number: found.input for number in order if (found := seats.get(number))}
        assert seats.note(now) is (now == 1 or before != after)
        assert seats.note(now) is False
        if now not in lost:
            elsewhere.learn(seats.noted(stands))
            stands = now
            assert seats.noted(stands) == b""
        everything = Seats()
        everything.learn(seats.noted(0))
        for number in order:
            for other in (everything, *([elsewhere] if stands == now else [])):
                known = other.get(number)
                assert known is not None
                assert known.input == after[number]


def test_who_is_seated_anew_is_told_of_anew() -> None:
    seats, seat = Seats(), Seat(5)
    seats.add(seat)
    seats.note(1)
    assert not seats.note(2)
    seats.add(seat)
    assert seats.note(3)
    assert seats.noted(2) == bytes((6, 0))
    seats.remove(seat)
    assert not seats.note(4)
    assert seats.noted(0) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01",
        b"\x01",
        b"\x81",
        b"\x01\xff\xff\xff\xff\x10",
        b"\xff\xff\xff\xff\x0f\x01",
        b"\x05\x01\x00\x02",
    ],
)
def test_what_seats_have_not_noted_they_do_not_learn(data: bytes) -> None:
    with pytest.raises(WireError):
        Seats().learn(data)
