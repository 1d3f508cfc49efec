"""Reserved seats count as taken until they run out, and nobody counts twice."""

from __future__ import annotations

from random import Random

from monkeytown.runtime.seats import Seats

NOW, LATER, MUCH_LATER = 0.0, 15.0, 30.0


def test_a_reserved_seat_is_taken_but_for_whom_it_was_reserved() -> None:
    seats = Seats(["ada"])
    seats.reserve("bob", ["bob"], LATER)
    assert seats.taken(NOW) == 2
    assert not seats.has_for(["cid"], 2, NOW)
    assert seats.has_for(["bob"], 2, NOW)
    assert seats.has_for(["bob", "cid"], 3, NOW)
    assert not seats.has_for(["bob", "cid", "dan"], 3, NOW)
    assert seats.has_for(["x", "y", "z"], 0, NOW)


def test_it_runs_out() -> None:
    seats = Seats([])
    seats.reserve("bob", ["bob", "cid"], LATER)
    assert seats.reserved(LATER - 0.001) == 2
    assert seats.has_for(["ada", "dan"], 2, LATER)
    assert seats.reserved(LATER) == 0


def test_who_sits_needs_none_any_more() -> None:
    members: list[str] = []
    seats = Seats(members)
    seats.reserve("ada", ["ada", "bob"], LATER)
    seats.reserve("bob", ["bob"], MUCH_LATER)
    members.append("bob")
    seats.sit("bob")
    assert seats.taken(NOW) == 2
    members.remove("bob")
    assert seats.taken(NOW) == 1
    seats.reserve("cid", ["bob"], MUCH_LATER)
    assert seats.taken(LATER) == 1  # what ran out was never bob's second one


def test_members_get_none() -> None:
    seats = Seats(["ada"])
    seats.reserve("ada", ["ada", "bob"], LATER)
    assert seats.taken(NOW) == 2
    seats.release("ada")
    assert seats.taken(NOW) == 1


def test_two_may_keep_a_seat_for_one() -> None:
    seats = Seats([])
    seats.reserve("ada", ["cid"], LATER)
    seats.reserve("bob", ["cid"], MUCH_LATER)
    assert seats.taken(NOW) == 1
    seats.release("ada")
    assert seats.reserved(NOW) == 1
    assert seats.reserved(MUCH_LATER) == 0


def test_who_asks_anew_gives_the_others_up() -> None:
    seats = Seats([])
    seats.reserve("ada", ["ada", "bob"], LATER)
    seats.reserve("ada", ["cid"], LATER)
    assert seats.has_for(["bob"], 2, NOW)
    assert seats.taken(NOW) == 1
    seats.release("nobody")
    assert seats.taken(NOW) == 1


def test_it_counts_as_a_list_of_who_asked_for_whom_would() -> None:
    random, names = Random(1), "abcdefgh"
    for _ in range(300):
        members: set[str] = set()
        asked: list[tuple[str, str, float]] = []
        seats, now = Seats(members), 0.0
        for _ in range(40):
            by = random.choice(names)
            match random.randrange(5):
                case 0:
                    players = set(random.choices(names, k=3))
                    seats.reserve(by, players, now + 10)
                    asked = [entry for entry in asked if entry[0] != by]
                    asked += [(by, player, now + 10) for player in players - members]
                case 1:
                    members.add(by)
                    seats.sit(by)
                    asked = [entry for entry in asked if entry[1] != by]
                case 2:
                    members.discard(by)
                case 3:
                    seats.release(by)
                    asked = [entry for entry in asked if entry[0] != by]
                case 4:
                    now += random.random() * 8
            taken = members | {player for _, player, until in asked if now < until}
            assert seats.taken(now) == len(taken)
            assert [seats.has_for([name], len(taken), now) for name in names if taken] == [
                name in taken for name in names if taken
            ]
        assert seats.taken(now + 10) == len(members)


def test_those_who_wait_for_longer_hold_up_nobody() -> None:
    seats = Seats([])
    seats.reserve("", ["ada"], MUCH_LATER)
    seats.reserve("bob", ["bob"], LATER)
    assert seats.waits_for("ada", "")
    assert not seats.waits_for("bob", "")
    assert seats.reserved(LATER) == 1
    assert seats.reserved(MUCH_LATER) == 0
    assert not seats.waits_for("ada", "")
