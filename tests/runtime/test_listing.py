"""Rooms that look for players are found in the order in which they began to."""

from __future__ import annotations

from dataclasses import dataclass, field

from monkeytown.room.setup import Setup
from monkeytown.runtime.listing import MOST_LOOKED_AT, Listing, Waiting


@dataclass(eq=False)
class Table:
    game_name: str = "ludo"
    is_full: bool = False
    listing: Listing = field(default_factory=Listing)


def found(waiting: Waiting[Table], game: str = "ludo", mode: str = "") -> list[Table]:
    return list(waiting.of(game, mode))


def test_who_waits_longest_comes_first() -> None:
    waiting: Waiting[Table] = Waiting()
    one, two = Table(), Table()
    for now, table in ((1.0, one), (2.0, two), (3.0, one)):
        waiting.add(table, now)
    assert found(waiting) == [one, two]
    assert (one.listing.waiting_since, two.listing.waiting_since) == (1, 2)


def test_games_and_modes_are_apart_and_private_rooms_are_not_found() -> None:
    waiting: Waiting[Table] = Waiting()
    plain, duel = Table(), Table(listing=Listing(Setup(mode="duel")))
    for table in (plain, duel, Table("chess"), Table(listing=Listing(Setup(private=True)))):
        waiting.add(table, 0)
    assert found(waiting) == [plain]
    assert found(waiting, mode="duel") == [duel]
    assert found(waiting, "go") == []


def test_who_was_full_waits_from_when_it_is_not_any_more() -> None:
    waiting: Waiting[Table] = Waiting()
    one, two = Table(), Table()
    waiting.add(one, 1)
    waiting.add(two, 2)
    one.is_full = True
    assert found(waiting) == [two]
    waiting.add(one, 5)
    assert found(waiting) == [two]
    one.is_full = False
    waiting.add(one, 6)
    assert found(waiting) == [two, one]
    assert one.listing.waiting_since == 6


def test_who_has_ended_is_forgotten() -> None:
    waiting: Waiting[Table] = Waiting()
    one = Table()
    waiting.add(one, 1)
    waiting.remove(one)
    waiting.remove(one)
    assert found(waiting) == []


def test_a_search_is_bounded() -> None:
    waiting: Waiting[Table] = Waiting()
    for number in range(MOST_LOOKED_AT + 10):
        waiting.add(Table(), number)
    assert len(found(waiting)) == MOST_LOOKED_AT
