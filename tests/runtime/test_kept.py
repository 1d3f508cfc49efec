"""Rooms that go away: handed over, brought back to life, let go of, or in doubt."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monkeytown.room.closing import HANDED_OVER
from monkeytown.runtime.host import Host
from monkeytown.runtime.hosted import HostedRoom
from tests.runtime.stage import Client, Clock

Make = Callable[..., Client]


def seated(client: Make, game: str = "dots") -> tuple[Client, HostedRoom]:
    one = client()
    one.say("hello", client="test")
    return one, one.join(game)


class TestHandedOver:
    def test_time_stands_still_and_goes_on_where_it_was(self, clock: Clock, client: Make) -> None:
        _, hosted = seated(client)
        clock.run(0.2)
        assert hosted.hand_over() is not None
        assert hosted.room.closed is HANDED_OVER
        tick = hosted.room.tick
        clock.run(1.0)
        assert hosted.room.tick == tick
        hosted.go_on()
        assert hosted.room.closed is None
        clock.run(0.1)
        assert hosted.room.tick == tick + 5

    @pytest.mark.parametrize("game", ["dots", "turns"])
    def test_who_loses_the_connection_meanwhile_ends_nothing(self, client: Make, game: str) -> None:
        (ada, hosted), (ben, _) = seated(client, game), seated(client, game)
        assert ada.session.hosted is ben.session.hosted
        hosted.hand_over()
        ada.lose()
        assert ben.closed is None
        assert hosted.room.closed is HANDED_OVER
        hosted.go_on()
        assert set(hosted.room.members) == {ada.session.id, ben.session.id}

    @pytest.mark.parametrize("game", ["dots", "turns"])
    def test_who_leaves_meanwhile_is_gone_when_it_goes_on(self, client: Make, game: str) -> None:
        (ada, hosted), (ben, _) = seated(client, game), seated(client, game)
        hosted.hand_over()
        ada.session.lost(ada, for_good=True)
        assert ben.closed is None
        hosted.go_on()
        assert set(hosted.room.members) == {ben.session.id}
        assert ben.got("player_left") == [{"playerId": ada.session.id}]

    def test_one_that_is_let_go_of_is_forgotten_and_tells_nobody(self, host: Host, client: Make) -> None:
        ada, hosted = seated(client)
        forgotten: list[HostedRoom] = []
        host.forgotten = forgotten.append
        hosted.hand_over()
        hosted.let_go()
        assert forgotten == [hosted]
        assert hosted.room.id not in host.rooms
        assert ada.closed is None
        assert hosted.hand_over() is None
        assert hosted.checkpoint() is None


class TestClaim:
    def test_the_same_session_elsewhere_goes_on_without_a_word(self, client: Make) -> None:
        ada, hosted = seated(client)
        member = hosted.room.members[ada.session.id]
        assert hosted.claim(ada.session) is member
        assert ada.closed is None
        assert hosted.sessions[ada.session.id] is ada.session

    def test_another_session_of_the_player_replaces_it(self, client: Make) -> None:
        ada, hosted = seated(client)
        other = client()
        other.say("hello", client="test")
        other.session.id = ada.session.id
        assert hosted.claim(other.session) is hosted.room.members[ada.session.id]
        assert hosted.sessions[ada.session.id] is other.session
        assert ada.closed is not None
        assert ada.session.hosted is None

    def test_who_has_no_seat_gets_none(self, client: Make) -> None:
        _, hosted = seated(client)
        other = client()
        assert hosted.claim(other.session) is None
        assert other.session.id not in hosted.sessions

    def test_nobody_has_a_seat_in_a_room_that_is_handed_over(self, client: Make) -> None:
        ada, hosted = seated(client)
        hosted.hand_over()
        assert hosted.claim(ada.session) is None


class TestInDoubt:
    def test_nothing_happens_and_nobody_is_told_anything(self, clock: Clock, client: Make) -> None:
        ada, hosted = seated(client)
        clock.run(0.1)
        audience = hosted.audiences[0]
        hosted.in_doubt = True
        tick, sent, shown = hosted.room.tick, len(ada.sent), list(audience.ticks)  # type: ignore[attr-defined]
        clock.run(1.0)
        hosted.disturbed()
        assert hosted.room.tick == tick
        assert len(ada.sent) == sent
        assert audience.ticks == shown  # type: ignore[attr-defined]
        hosted.in_doubt = False
        clock.run(0.1)
        assert hosted.room.tick > tick
