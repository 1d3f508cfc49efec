"""Seats: a number that nobody has had, and the same players for the rules, for the room and for compiled code."""

from __future__ import annotations

from monkeytown._core.area import Area
from monkeytown._core.batch import Batch
from monkeytown._core.inputs import Queue
from monkeytown.room.inputs import queue_for
from monkeytown.room.seating import Seating
from monkeytown.room.stage import RoomStage
from monkeytown.schema import Schema

from .meadow import Meadow
from .pond import Hop, Pond


def seating(area: Area | None = None) -> tuple[Seating, RoomStage]:
    stage = RoomStage()
    return Seating(stage, area), stage


def batch(seats: Seating, *numbers: int) -> Batch:
    """The inputs of players of these numbers, as the rules would get them."""
    queue = queue_for(Schema.of(Pond))
    assert isinstance(queue, Queue)
    for number in numbers:
        queue.push_message(number, queue.layout.pack(Hop(), 1))
    return seats.seats.drain(queue)


def test_who_is_seated_is_known_to_everyone() -> None:
    seats, stage = seating()
    ada = seats.seat("a", "Ada")
    assert (ada.number, ada.id, ada.player.name) == (1, "a", "Ada")
    assert seats.by_number == {1: ada}
    assert stage.members == {"a": ada}
    assert seats.players == {"a": ada.player}
    assert list(batch(seats, 1, 2).players) == [1]
    assert ada.input == 1


def test_numbers_are_not_given_twice() -> None:
    seats, _ = seating()
    seats.unseat(seats.seat("a", None))
    again = seats.seat("a", None)
    assert (again.number, again.player.name) == (2, "Monkey 2")
    assert list(batch(seats, 1, 2).players) == [2]


def test_whose_seat_is_gone_is_known_to_the_stage_alone() -> None:
    seats, stage = seating()
    ada, bob = seats.seat("a", "Ada"), seats.seat("b", "Bob")
    seats.unseat(ada)
    assert seats.by_number == {2: bob}
    assert seats.players == {"b": bob.player}
    assert list(batch(seats, 1, 2).players) == [2]
    assert stage.members == {"a": ada, "b": bob}, "events may still be on their way to it"


def test_numbers_of_who_is_not_here_are_passed_over() -> None:
    seats, _ = seating()
    ada, bob = seats.seat("a", "Ada"), seats.seat("b", "Bob")
    assert seats.numbered([2, 0, 9, 2]) == {bob}
    seats.unseat(bob)
    assert seats.numbered([1, 2]) == {ada}
    assert seats.numbered([]) == set()


def test_only_where_an_area_is_seen_has_a_player_a_sight() -> None:
    schema = Schema.of(Meadow)
    area = schema.divide(schema.build())
    ada = seating(area)[0].seat("a", "Ada")
    assert ada.sight is not None
    assert ada.sight.area is area
    assert seating()[0].seat("a", "Ada").sight is None
