"""Seats are found, reserved and given to whom they were reserved for; rooms fill up, and never take more than they have."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from monkeytown import Game, Player, Refusal, table
from monkeytown.room.setup import Setup
from monkeytown.runtime.bookings import Booking, Bookings, Wish
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from tests.runtime.stage import Client, Clock, Dot, Dots, make_host


class Duel(Game):
    tick_rate = 0
    dots = table(Dot)
    max_players = 2

    def on_create(self) -> None:
        if self.options.get("map") == "none":
            raise Refusal("No such map.", "GAME-101")
        self.max_players = self.options.get("seats", self.max_players)


class Crowd(Game):
    tick_rate = 0
    dots = table(Dot)


@pytest.fixture
def host(clock: Clock) -> Host:
    return make_host(clock, Duel, Crowd, Dots)


@pytest.fixture
def bookings(host: Host, clock: Clock) -> Bookings:
    return Bookings(host, Limits(), clock=lambda: 1000 + clock.seconds())


def anyone() -> None:
    """Rooms may be opened."""


def nobody() -> None:
    raise Refusal(code="GAME-007")


def wish(*players: str, game: str = "duel", **about: Any) -> Wish:
    return Wish(game, set(players), **about)


def sit(host: Host, clock: Clock, booking: Booking, player: str) -> Client:
    client = Client(host, clock)
    client.session.id = player
    client.say("join_game", gameId=booking.hosted.room.id)
    return client


class TestRooms:
    def test_a_room_is_opened_as_it_was_wanted(self, bookings: Bookings, clock: Clock) -> None:
        setup = Setup(1, "duel", True, {"map": "ice"})
        hosted, until, opened = bookings.open("ada", "duel", setup)
        assert opened
        assert until == 1000 + clock.seconds() + 15
        assert (hosted.room.game.mode, hosted.room.game.options) == ("duel", {"map": "ice"})
        assert (hosted.listing.creator, hosted.listing.setup) == ("ada", setup)
        assert not hosted.has_seats_for(["bob"])
        assert hosted.has_seats_for(["ada"])

    def test_newer_rooms_have_higher_numbers(self, bookings: Bookings, host: Host) -> None:
        numbers = [bookings.open(str(n), "duel", Setup()).hosted.listing.number for n in range(5)]
        assert numbers == sorted(set(numbers))

    def test_rules_that_want_no_such_room_leave_none(self, bookings: Bookings, host: Host) -> None:
        with pytest.raises(Refusal, match="GAME-101"):
            bookings.open("ada", "duel", Setup(options={"map": "none"}))
        assert host.rooms == {}
        assert host.metrics.games["duel"].rooms_opened == 0

    def test_there_are_only_so_many(self, clock: Clock) -> None:
        host = make_host(clock, Duel, max_rooms=3)
        bookings = Bookings(host, Limits())
        for player in "abc":
            bookings.open(player, "duel", Setup())
        for ask in (
            lambda: bookings.open("d", "duel", Setup()),
            lambda: bookings.match("d", wish("d", mode="other"), anyone),
            lambda: host.find_seat("duel", "d") and host.open_room("duel"),
        ):
            with pytest.raises(Refusal, match="GAME-008"):
                ask()
        next(iter(host.rooms.values())).dispose()
        bookings.open("d", "duel", Setup())

    def test_an_empty_room_waits_for_whom_it_was_opened_for(
        self, bookings: Bookings, host: Host, clock: Clock
    ) -> None:
        bookings.open("ada", "duel", Setup())
        clock.run(14)
        host.sweep(clock.seconds())
        assert len(host.rooms) == 1
        clock.run(1)
        host.sweep(clock.seconds())
        assert host.rooms == {}


class TestReservedSeats:
    def test_they_are_given_to_whom_they_were_reserved_for(
        self, bookings: Bookings, host: Host, clock: Clock
    ) -> None:
        booking = bookings.match("ada", wish("ada", "bob"), anyone)
        cid = sit(host, clock, booking, "cid")
        assert cid.errors == ["GAME-001"]
        for player in ("bob", "ada"):
            assert sit(host, clock, booking, player).errors == []
        assert list(booking.hosted.sessions) == ["bob", "ada"]

    def test_whoever_comes_by_name_passes_them_by(self, bookings: Bookings, host: Host, clock: Clock) -> None:
        booking = bookings.match("ada", wish("ada", "bob"), anyone)
        assert Client(host, clock).join("duel") is not booking.hosted
        clock.run(15)
        assert Client(host, clock).join("duel") is booking.hosted

    def test_a_party_gets_all_or_none(self, bookings: Bookings, host: Host, clock: Clock) -> None:
        hosted = bookings.open("ada", "duel", Setup(3)).hosted
        bookings.reserve("bob", hosted.room.id, {"bob"})
        with pytest.raises(Refusal, match="GAME-001"):
            bookings.reserve("cid", hosted.room.id, {"cid", "dan"})
        assert hosted.seats.taken(clock.seconds()) == 2
        bookings.reserve("cid", hosted.room.id, {"cid"})

    def test_who_asks_elsewhere_gives_them_up(self, bookings: Bookings, clock: Clock) -> None:
        first = bookings.open("ada", "duel", Setup(1)).hosted
        second = bookings.open("bob", "duel", Setup()).hosted
        bookings.reserve("ada", second.room.id, {"ada"})
        assert first.seats.reserved(clock.seconds()) == 0

    def test_a_party_that_fits_nowhere_opens_nothing(self, bookings: Bookings, host: Host) -> None:
        with pytest.raises(Refusal, match="GAME-002"):
            bookings.match("ada", wish("ada", "bob", "cid"), anyone)
        assert host.rooms == {}

    @pytest.mark.parametrize("what", ["unknown", "full", "reserved", "ended"])
    def test_whatever_there_is_not_is_refused_alike(
        self, bookings: Bookings, host: Host, clock: Clock, what: str
    ) -> None:
        booking = bookings.open("ada", "duel", Setup(1))
        room = booking.hosted.room.id
        match what:
            case "unknown":
                room = "nothing"
            case "full":
                sit(host, clock, booking, "ada")
            case "ended":
                booking.hosted.dispose()
        with pytest.raises(Refusal) as refusal:
            bookings.reserve("bob", room, {"bob"})
        assert str(refusal.value) == "GAME-001: There is no such game or room."
        assert sit(host, clock, booking, "bob").errors == ["GAME-001"]

    def test_a_table_that_is_full_makes_the_room_as_one_that_is_not_there(
        self, host: Host, clock: Clock
    ) -> None:
        hosted = host.open_room("dots")
        capacity = hosted.room.tables[0].capacity
        for number in range(capacity):
            hosted.room.join(f"p{number}")
        for game_id, code in ((hosted.room.id, "GAME-001"), ("dots", "GAME-002")):
            client = Client(host, clock)
            client.say("join_game", gameId=game_id)
            assert client.errors == [code]


class TestMatches:
    def test_a_second_player_meets_the_first(self, bookings: Bookings, host: Host) -> None:
        ada = bookings.match("ada", wish("ada"), anyone)
        bob = bookings.match("bob", wish("bob"), nobody)
        assert (ada.opened, bob.opened) == (True, False)
        assert ada.hosted is bob.hosted
        with pytest.raises(Refusal, match="GAME-007"):
            bookings.match("cid", wish("cid"), nobody)

    def test_a_thousand_at_once_fill_rooms(self, bookings: Bookings, host: Host, clock: Clock) -> None:
        found = Counter(
            bookings.match(f"p{number}", wish(f"p{number}"), anyone).hosted.room.id for number in range(1000)
        )
        assert len(found) == 500
        assert set(found.values()) == {2}
        assert all(hosted.seats.taken(clock.seconds()) == 2 for hosted in host.rooms.values())

    def test_asking_again_finds_the_same_room(self, bookings: Bookings, host: Host) -> None:
        rooms = {bookings.match("ada", wish("ada"), anyone).hosted for _ in range(5)}
        assert len(rooms) == len(host.rooms) == 1

    def test_who_sits_in_a_room_wants_another(self, bookings: Bookings, host: Host, clock: Clock) -> None:
        booking = bookings.match("ada", wish("ada"), anyone)
        sit(host, clock, booking, "ada")
        assert bookings.match("ada", wish("ada"), anyone).hosted is not booking.hosted

    def test_modes_and_options_are_met(self, bookings: Bookings) -> None:
        ice = bookings.match("ada", wish("ada", mode="m", options={"map": "ice"}), anyone).hosted
        assert bookings.match("b", wish("b", mode="m", options={"map": "sand"}), anyone).hosted is not ice
        assert bookings.match("c", wish("c"), anyone).hosted is not ice
        assert bookings.match("d", wish("d", mode="m", options={"map": "ice"}), nobody).hosted is ice
        assert ice.room.game.options == {"map": "ice"}

    def test_private_rooms_are_not_found(self, bookings: Bookings) -> None:
        private = bookings.open("ada", "duel", Setup(private=True)).hosted
        assert bookings.match("bob", wish("bob"), anyone).hosted is not private

    def test_the_nearest_rank_is_chosen(self, bookings: Bookings) -> None:
        rooms = {}
        for rank in (1000.0, 1200.0, 1150.0):
            rooms[rank] = bookings.match(str(rank), wish(str(rank), game="crowd", rank=rank), anyone).hosted
            bookings.match("other", wish("other", game="crowd", mode=str(rank)), anyone)
        assert len(set(rooms.values())) == 2  # 1150 was near enough to 1200
        assert bookings.match("a", wish("a", game="crowd", rank=1060), nobody).hosted is rooms[1000.0]
        assert bookings.match("b", wish("b", game="crowd", rank=1180), nobody).hosted is rooms[1200.0]

    def test_windows_widen_while_a_room_waits(self, bookings: Bookings, clock: Clock) -> None:
        first = bookings.match("ada", wish("ada", rank=1000), anyone).hosted
        clock.run(4)
        assert bookings.match("bob", wish("bob", rank=1181), anyone).hosted is not first
        assert bookings.match("cid", wish("cid", rank=820), nobody).hosted is first

    def test_who_has_no_rank_suits_everybody(self, bookings: Bookings) -> None:
        open_to_all = bookings.match("ada", wish("ada", game="crowd"), anyone).hosted
        assert bookings.match("bob", wish("bob", game="crowd", rank=5000), nobody).hosted is open_to_all

    def test_rules_may_change_how_many_there_are(self, bookings: Bookings, host: Host, clock: Clock) -> None:
        booking = bookings.match("ada", wish("ada", options={"seats": 1}), anyone)
        sit(host, clock, booking, "ada")
        assert list(host.waiting.of("duel", "")) == []
        booking.hosted.room.game.max_players = 2
        host.sweep(clock.seconds())
        assert bookings.match("bob", wish("bob"), nobody).hosted is booking.hosted


def test_a_seat_that_is_free_again_is_found(bookings: Bookings, host: Host, clock: Clock) -> None:
    booking = bookings.match("ada", wish("ada", "bob"), anyone)
    ada, bob = (sit(host, clock, booking, player) for player in ("ada", "bob"))
    assert list(host.waiting.of("duel", "")) == []
    bob.say("leave_game")
    assert bookings.match("cid", wish("cid"), nobody).hosted is booking.hosted
    assert isinstance(ada.session.hosted and ada.session.hosted.room.game.players["ada"], Player)
