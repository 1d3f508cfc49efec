"""Sessions that outlive their connections: who comes back, to what, and who does not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from monkeytown import Player, everything
from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode
from monkeytown.readers.handshake import Addresses
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.outbox import MAX_NEWS
from monkeytown.runtime.sessions import Sessions
from tests.runtime.stage import Client, Clock, Dots, Turns, make_host

Make = Callable[..., Client]


def come_back(client: Client, make: Make, **has: Any) -> Client:
    """A new connection that shows what the client has, which is all that it was sent unless `has` says otherwise."""
    about = {"session": client.welcome["session"], "number": max(client.numbers, default=client.acked_number)}
    back = make()
    back.say("hello", resume=about | has)
    return back


class Watched(Turns):
    """Writes down who comes and goes."""

    def on_create(self) -> None:
        super().on_create()
        self.diary: list[tuple[str, bool]] = []

    def on_drop(self, player: Player) -> None:
        self.diary.append(("drop", player.connected))

    def on_resume(self, player: Player) -> None:
        self.diary.append(("resume", player.connected))

    def on_leave(self, player: Player) -> None:
        self.diary.append(("leave", player.connected))


class Brief(Watched):
    seat_seconds = 10


class Fleeting(Watched):
    seat_seconds = 0


@pytest.fixture
def host(clock: Clock) -> Host:
    return make_host(clock, Dots, Turns, Watched, Brief, Fleeting)


class TestSeats:
    def test_a_seat_is_kept_and_taken_again(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("watched")
        player_id = ada.session.id
        ada.lose()
        assert hosted.room.game.diary == [("drop", False)]
        assert player_id in hosted.room.members
        back = come_back(ada, client)
        assert hosted.room.game.diary == [("drop", False), ("resume", True)]
        assert back.session is hosted.sessions[player_id]
        assert back.welcome["playerId"] == player_id
        assert back.welcome["gameId"] == hosted.room.id
        assert back.welcome["recovered"] is True
        assert back.entered is hosted

    def test_a_seat_is_kept_for_so_long_and_no_longer(
        self, client: Make, clock: Clock, sessions: Sessions
    ) -> None:
        ada, bob = client(), client()
        room = ada.join("watched")
        bob.join("watched")
        ada.lose()
        bob.lose()
        clock.run(299.9)
        sessions.sweep(clock.seconds())
        assert come_back(ada, client).welcome["recovered"] is True
        clock.run(0.1)
        late = come_back(bob, client)  # nobody has swept since
        assert late.welcome["recovered"] is False
        assert late.welcome["playerId"] != bob.welcome["playerId"]
        assert late.errors == ["AUTH-003"]
        assert room.room.game.diary[-1] == ("leave", False)

    @pytest.mark.parametrize(("game", "seconds"), [("brief", 10), ("watched", 300)])
    def test_a_game_says_how_long(
        self, client: Make, clock: Clock, sessions: Sessions, game: str, seconds: float
    ) -> None:
        ada = client()
        room = ada.join(game).room
        ada.lose()
        clock.run(seconds - 0.01)
        sessions.sweep(clock.seconds())
        assert room.members
        clock.run(0.02)
        sessions.sweep(clock.seconds())
        assert not room.members
        assert len(sessions) == sessions.away == 0

    def test_a_game_may_keep_none(self, client: Make, sessions: Sessions) -> None:
        ada = client()
        room = ada.join("fleeting").room
        ada.lose()
        assert room.game.diary == [("leave", True)]
        assert len(sessions) == 0
        assert come_back(ada, client).errors == ["AUTH-003"]

    def test_who_leaves_for_good_has_left(self, client: Make, sessions: Sessions) -> None:
        ada = client()
        room = ada.join("watched").room
        ada.session.lost(ada, for_good=True)
        assert room.game.diary == [("leave", True)]
        assert len(sessions) == 0

    def test_who_is_in_no_room_has_nothing_to_come_back_to(self, client: Make, sessions: Sessions) -> None:
        ada = client()
        ada.say("hello")
        ada.lose()
        assert len(sessions) == 0

    def test_who_was_too_slow_comes_back(self, client: Make) -> None:
        ada = client()
        room = ada.join("watched").room
        ada.session.end(CloseCode.TOO_SLOW)
        assert ada.closed == (CloseCode.TOO_SLOW, CloseCode.TOO_SLOW.reason)
        assert room.game.diary == [("drop", False)]
        ada.lose()  # the connection ends once it is closed
        assert come_back(ada, client).welcome["recovered"] is True

    def test_who_floods_does_not(self, client: Make) -> None:
        ada = client()
        room = ada.join("watched").room
        ada.session.end(CloseCode.FLOODING)
        assert room.game.diary == [("leave", True)]
        assert come_back(ada, client).errors == ["AUTH-003"]

    def test_who_was_kicked_meanwhile_is_told(self, client: Make) -> None:
        ada = client()
        room = ada.join("turns")
        ada.lose()
        room.room.members[ada.session.id].player.kick("gone too long")
        room.room.chat(ada.session.id, "nothing")  # any event lets the room act on it
        room.disturbed()
        back = come_back(ada, client)
        assert back.closed == (CloseCode.KICKED, "gone too long")
        assert back.got("welcome") == []
        assert come_back(ada, client).errors == ["AUTH-003"]

    def test_who_was_away_when_the_room_closed_is_told(self, client: Make) -> None:
        ada, bob = client(), client()
        ada.join("turns")
        bob.join("turns")
        ada.lose()
        bob.say("player_input", action={"do": "close"})
        back = come_back(ada, client)
        assert back.closed == (CloseCode.ROOM_CLOSED, "that was all")

    def test_too_many_seats_push_out_the_oldest(self, host: Host, clock: Clock) -> None:
        limits = Limits(kept_sessions=2)
        sessions = Sessions(host, limits, now=clock.seconds)
        players = [Client(host, clock, limits=limits, sessions=sessions) for _ in range(3)]
        for player in players:
            room = player.join("watched").room
        for player in players:
            player.lose()
        assert list(room.members) == [player.session.id for player in players[1:]]
        assert host.metrics.sessions_pushed_out == 1

    def test_an_address_has_so_many_seats(self, host: Host, clock: Clock) -> None:
        addresses = Addresses(2, free_loopback=True)
        sessions = Sessions(host, Limits(), may_keep=addresses.may_keep, now=clock.seconds)

        def make(address: str) -> Client:
            return Client(host, clock, sessions=sessions, address=address)

        honest = make("10.0.0.1")
        room = honest.join("watched").room
        honest.lose()
        ghosts = []
        for _ in range(5):  # who joins and is gone, again and again
            ghosts.append(make("10.0.0.2"))
            ghosts[-1].join("watched")
            ghosts[-1].lose()
        assert list(room.members) == [one.session.id for one in (honest, *ghosts[-2:])]
        assert host.metrics.sessions_pushed_out == 3
        back = make("10.0.0.3")  # a phone elsewhere
        back.say("hello", resume={"session": honest.welcome["session"], "number": 1})
        assert back.welcome["recovered"] is True
        for _ in range(5):
            one = make("127.0.0.1")
            one.join("watched")
            one.lose()
        assert sessions.away == 7


class TestSecrets:
    @pytest.mark.parametrize("token", ["", ".", "x", "x.y", "ä.ö", "\x00", "a" * 256])
    def test_a_guess_opens_nothing(self, client: Make, token: str) -> None:
        ada = client()
        ada.join("watched")
        thief = client()
        thief.say("hello", resume={"session": token})
        assert thief.errors == ["AUTH-003"]
        assert thief.welcome["recovered"] is False
        assert thief.session.hosted is None

    def test_another_players_secret_opens_that_players_session_alone(self, client: Make) -> None:
        ada, bob = client(), client()
        ada.join("watched")
        bob.join("watched")
        mixed = f"{ada.session.id}.{bob.welcome['session'].partition('.')[2]}"
        thief = client()
        thief.say("hello", resume={"session": mixed})
        assert thief.errors == ["AUTH-003"]
        assert ada.closed is None

    def test_an_old_secret_is_dead_once_the_new_one_was_read(self, client: Make, clock: Clock) -> None:
        ada = client()
        ada.join("watched")
        old = ada.welcome["session"]
        clock.run(1)
        ada.lose()
        back = come_back(ada, client)
        assert back.welcome["session"] != old
        clock.run(1)
        back.say("heartbeat", timestamp=1)
        thief = client()
        thief.say("hello", resume={"session": old})
        assert thief.errors == ["AUTH-003"]
        assert back.closed is None

    def test_an_old_secret_is_dead_also_after_a_loss(self, client: Make, clock: Clock) -> None:
        ada = client()
        ada.join("watched")
        old = ada.welcome["session"]
        ada.lose()
        back = come_back(ada, client)
        clock.run(1)
        back.say("heartbeat", timestamp=1)
        back.lose()
        assert come_back(ada, client, session=old).errors == ["AUTH-003"]
        assert come_back(back, client).errors == []

    def test_a_welcome_that_never_came_locks_nobody_out(self, client: Make, clock: Clock) -> None:
        ada = client()
        ada.join("watched")
        ada.lose()
        for _ in range(3):
            lost = come_back(ada, client)
            assert lost.welcome["recovered"] is True
            lost.lose()
            clock.run(1)
        assert come_back(ada, client).welcome["recovered"] is True

    def test_the_newest_connection_wins(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("watched")
        back = come_back(ada, client)
        assert ada.closed == (CloseCode.REPLACED, CloseCode.REPLACED.reason)
        assert ada.entered is None
        ada.say("chat_message", text="still me?")
        ada.lose()
        assert back.entered is hosted
        assert hosted.room.game.diary == []
        assert back.got("game_event") == []
        assert hosted.room.members[back.session.id].player.connected

    def test_of_many_who_race_one_wins(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("watched")
        racers = [client() for _ in range(20)]
        for racer in racers:
            racer.say("hello", resume={"session": ada.welcome["session"], "number": 1})
        assert [racer.entered is hosted for racer in racers].count(True) == 1
        assert len(hosted.sessions) == 1

    def test_a_connection_that_has_a_session_cannot_take_another(self, client: Make) -> None:
        ada, bob = client(), client()
        ada.join("watched")
        bob.join("watched")
        bob.say("hello", resume={"session": ada.welcome["session"]})
        assert bob.errors == ["AUTH-003"]
        assert ada.closed is None
        assert bob.session.id != ada.session.id


class TestStreams:
    def test_what_was_missed_comes_with_its_numbers(self, client: Make) -> None:
        ada, bob = client(), client()
        ada.join("turns")
        bob.join("turns")
        numbers = list(ada.numbers)
        ada.lose()
        bob.say("chat_message", text="one")
        bob.say("chat_message", text="two")
        back = come_back(ada, client)
        assert [event["data"]["text"] for event in back.got("game_event")] == ["one", "two"]
        assert back.numbers == [numbers[-1] + 1, numbers[-1] + 2]
        assert back.welcome["number"] == numbers[-1]
        assert back.got("player_joined") == []

    def test_what_was_sent_and_did_not_arrive_comes_again(self, client: Make) -> None:
        ada, bob = client(), client()
        ada.join("turns")
        bob.join("turns")
        bob.say("chat_message", text="lost")
        assert ada.got("game_event")
        ada.lose()
        back = come_back(ada, client, number=ada.numbers[-2])
        assert [event["data"]["text"] for event in back.got("game_event")] == ["lost"]

    def test_more_than_is_kept_is_not_recovered(self, client: Make, host: Host) -> None:
        ada, bob = client(), client()
        hosted = ada.join("turns")
        bob.join("turns")
        ada.lose()
        for n in range(MAX_NEWS + 1):
            hosted.room.game.broadcast("count", n)
            hosted.disturbed()
        back = come_back(ada, client)
        assert back.welcome["recovered"] is False
        assert back.welcome["resumed"] == "snapshot"
        assert back.got("game_event") == []
        assert {joined["id"] for joined in back.got("player_joined")} == {ada.session.id, bob.session.id}
        assert back.numbers[0] == back.welcome["number"] + 1
        assert host.metrics.unrecovered == 1

    @pytest.mark.parametrize("number", [99, 2**32 - 1])
    def test_a_number_that_was_never_sent_recovers_nothing(self, client: Make, number: int) -> None:
        ada = client()
        ada.join("turns")
        ada.lose()
        assert come_back(ada, client, number=number).welcome["recovered"] is False

    def test_what_is_acknowledged_is_not_kept(self, client: Make, sessions: Sessions, clock: Clock) -> None:
        ada = client()
        hosted = ada.join("turns")
        for _ in range(10):
            hosted.room.game.broadcast("drum")
            hosted.disturbed()
        ada.say("ack", epoch=1, tick=1, number=ada.numbers[-1])
        for _ in range(2):
            sessions.sweep(clock.seconds())
        ada.lose()
        assert come_back(ada, client, number=ada.numbers[-2]).welcome["recovered"] is False

    def test_what_cannot_have_come_is_not_acknowledged(
        self, client: Make, sessions: Sessions, clock: Clock
    ) -> None:
        ada = client()
        ada.join("turns")
        ada.say("ack", epoch=1, tick=1, number=77)
        assert ada.errors == ["WS-010"]
        sessions.sweep(clock.seconds())
        ada.lose()
        assert come_back(ada, client, number=0).welcome["recovered"] is True

    def test_a_clients_numbered_messages_count_once(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("turns")
        for seq in (1, 2, 2, 1):
            ada.say("player_input", seq=seq, action={"do": "up"})
        assert hosted.room.game.dot.x == 2
        ada.say("heartbeat", timestamp=1)
        assert ada.got("heartbeat")[-1]["received"] == 2
        ada.lose()
        back = come_back(ada, client)
        assert back.welcome["received"] == 2
        for seq in (2, 3):
            back.say("player_input", seq=seq, action={"do": "up"})
        assert hosted.room.game.dot.x == 3

    def test_a_gap_is_refused(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("turns")
        ada.say("player_input", seq=2, action={"do": "up"})
        assert ada.errors == ["WS-011"]
        assert hosted.room.game.dot.x == 0

    def test_what_is_refused_was_taken_all_the_same(self, client: Make) -> None:
        ada = client()
        ada.join("turns")
        ada.say("player_input", seq=1, action={"do": "no"})
        ada.say("player_input", seq=1, action={"do": "no"})
        assert ada.errors == ["GAME-100"]

    def test_what_makes_no_sense_was_taken_as_well(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("turns")
        ada.session.receive(b'{"type": "chat_message", "seq": 1, "payload": {"text": 5}}')
        ada.say("player_input", seq=2, action={"do": "up"})
        assert ada.errors == ["WS-003"]
        assert hosted.room.game.dot.x == 1  # type: ignore[attr-defined]

    def test_what_was_to_be_said_while_away_is_no_flood(self, client: Make, clock: Clock) -> None:
        ada, bob = client(), client()
        ada.join("turns")
        bob.join("turns")
        ada.lose()
        clock.run(40)
        back = come_back(ada, client)
        for seq in range(1, 46):
            back.say("chat_message", seq=seq, text=f"{seq}")
        said = [event["data"]["text"] for event in bob.got("game_event")]
        assert said == [str(seq) for seq in range(1, 46)]  # one a second, and a burst of five
        assert back.closed is None
        for seq in range(46, 60):
            back.say("chat_message", seq=seq, text="too many")
        assert set(back.errors) == {"INPUT-005"}
        assert back.closed is None

    @pytest.mark.parametrize("trial", range(50))
    def test_nothing_is_lost_doubled_or_out_of_order(self, client: Make, clock: Clock, trial: int) -> None:
        """A player and a connection that is cut at any moment, with whatever was under way lost in both directions."""
        random = Random(trial)
        bob, ada = client(), client()
        hosted = bob.join("turns")
        ada.join("turns")
        sent, acknowledged, number = 0, 0, max(ada.numbers)
        heard: list[int] = []
        for _ in range(300):
            clock.run(random.choice([0.01, 1.5]))
            match random.randrange(6):
                case 0 | 1:
                    hosted.room.game.broadcast("count", sent)
                    hosted.disturbed()
                    sent += 1
                case 2:
                    acknowledged += 1
                    for _ in range(random.randrange(1, 3)):  # the client may not know that it arrived
                        ada.say("player_input", seq=acknowledged, action={"do": "up"})
                case 3:
                    number, heard = _read(ada, number, heard)
                case 4:
                    if random.random() < 0.5:
                        number, heard = _read(ada, number, heard)
                    ada.lose()
                    clock.run(random.choice([0.1, 5, 100]))
                    back = client()
                    back.say("hello", resume={"session": ada.welcome["session"], "number": number})
                    assert back.welcome["recovered"] is True
                    assert back.welcome["received"] == acknowledged
                    ada = back
        number, heard = _read(ada, number, heard)
        assert heard == list(range(sent))
        assert hosted.room.game.dot.x == acknowledged


def _read(client: Client, number: int, heard: list[int]) -> tuple[int, list[int]]:
    """Reads what has come, once, as a client does: by its numbers."""
    numbered = [
        payload
        for kind, payload in client.sent
        if kind in ("player_joined", "player_left", "game_event", "error")
    ]
    for of, payload in zip(client.numbers, numbered, strict=True):
        if of <= number:
            continue
        assert of == number + 1
        number = of
        if payload.get("event") == "count":
            heard = [*heard, payload["data"]]
    return number, heard


class TestStates:
    def where(self, client: Client) -> dict[str, Any]:
        hosted = client.session.hosted
        assert hosted is not None
        return {"gameId": hosted.room.id, "epoch": hosted.room.epoch, "tick": hosted.room.tick}

    def test_a_position_goes_on_as_a_delta(self, client: Make) -> None:
        ada = client()
        hosted = ada.join("turns")
        has = self.where(ada)
        ada.lose()
        hosted.room.game.dot.x = 5
        hosted.disturbed()
        back = come_back(ada, client, **has)
        assert back.welcome["resumed"] == "delta"
        assert back.position == Position(has["epoch"], has["tick"])

    @pytest.mark.parametrize(
        "wrong", [{"tick": 10**9}, {"epoch": 7}, {"gameId": "another"}, {"gameId": None}, {"tick": None}]
    )
    def test_any_other_position_begins_with_a_snapshot(self, client: Make, wrong: dict[str, Any]) -> None:
        ada = client()
        ada.join("turns")
        has = self.where(ada) | wrong
        ada.lose()
        back = come_back(ada, client, **has)
        assert back.welcome["resumed"] == "snapshot"
        assert back.welcome["recovered"] is True
        assert back.position is None

    def test_a_view_that_has_changed_begins_with_a_snapshot(self, clock: Clock) -> None:
        host = make_host(clock, Dots)
        sessions = Sessions(host, Limits(), now=clock.seconds)

        def make() -> Client:
            return Client(host, clock, sessions=sessions)

        ada = make()
        hosted = ada.join("dots")
        has = self.where(ada)
        ada.lose()
        hosted.room.members[ada.session.id].player.view = everything(delay=1.0)
        assert come_back(ada, make, **has).welcome["resumed"] == "snapshot"

    def test_who_has_left_the_room_is_nowhere(self, client: Make) -> None:
        ada = client()
        ada.join("turns")
        ada.say("leave_game")
        back = come_back(ada, client)  # before the old connection is known to be lost
        assert back.welcome["resumed"] is None
        assert back.welcome["gameId"] is None
        back.join("turns")

    def test_what_became_of_those_who_came_back_is_counted(self, client: Make, host: Host) -> None:
        ada = client()
        ada.join("turns")
        has = self.where(ada)
        back = come_back(ada, client, **has)
        come_back(back, client)
        client().say("hello", resume={"session": "nobody.knows"})
        assert host.metrics.resumed == {"delta": 1, "snapshot": 1, "refused": 1}
