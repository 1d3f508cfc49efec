"""Rooms are listed, opened, looked at, and joined by whom their seats were reserved for."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from monkeytown.room.ledger import Kind
from monkeytown.room.setup import Setup
from monkeytown.runtime.listing import Listing
from tests.server.rest.stage import EPOCH, Api, an_api, code


async def listed(http: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await http.get("/games", params=params)
    assert answer.status_code == 200, answer.text
    return [room["gameId"] for room in answer.json()["items"]]


class TestTheList:
    async def test_it_says_what_is_going_on(self, api: Api) -> None:
        hosted = api.host.open_room("duel", Listing(Setup(mode="fast", options={"map": "ice"})))
        api.sit("ada", hosted.room.id)
        hosted.seats.reserve("bob", ["bob"], api.clock.seconds() + 15)
        [room] = (await (await api.client()).get("/games")).json()["items"]
        assert room.pop("since") == hosted.listing.opened
        assert room == {
            "gameId": hosted.room.id,
            "game": "duel",
            "mode": "fast",
            "players": 1,
            "seats": 2,
            "free": 0,
            "options": {"map": "ice"},
        }
        crowd = api.host.open_room("crowd")
        assert (await (await api.client()).get(f"/games/{crowd.room.id}")).json()["free"] is None

    async def test_private_and_ended_rooms_are_not_in_it(self, api: Api) -> None:
        public = api.host.open_room("duel")
        api.host.open_room("duel", Listing(Setup(private=True)))
        api.host.open_room("duel").dispose()
        assert await listed(await api.client()) == [public.room.id]

    async def test_it_is_filtered(self, api: Api) -> None:
        http = await api.client()
        duel, crowd = api.host.open_room("duel").room.id, api.host.open_room("crowd").room.id
        fast = api.host.open_room("duel", Listing(Setup(1, "fast"))).room.id
        api.sit("ada", fast)
        assert await listed(http, game="duel") == [fast, duel]
        assert await listed(http, mode="") == [crowd, duel]
        assert await listed(http, game="duel", mode="fast") == [fast]
        assert await listed(http, has_seats="false") == [fast]
        assert await listed(http, has_seats="true") == [crowd, duel]
        assert await listed(http, game="unknown") == []

    async def test_it_is_sorted(self, api: Api) -> None:
        http = await api.client()
        rooms = [api.host.open_room("crowd").room.id for _ in range(4)]
        for number, count in enumerate((1, 3, 0, 1)):
            for player in range(count):
                api.sit(f"p{number}-{player}", rooms[number])
        first, second, third, fourth = rooms
        assert await listed(http) == [fourth, third, second, first]
        assert await listed(http, sort="newest") == [fourth, third, second, first]
        assert await listed(http, sort="fullest") == [second, fourth, first, third]
        assert await listed(http, sort="emptiest") == [third, fourth, first, second]

    @pytest.mark.parametrize("sort", ["newest", "fullest", "emptiest"])
    async def test_pages_hold_what_does_not_change_once(self, api: Api, sort: str) -> None:
        http = await api.client()
        rooms = {api.host.open_room("crowd").room.id for _ in range(40)}
        seen: list[str] = []
        cursor: str | None = None
        for turn in range(100):
            params = {"sort": sort, "limit": 3} | ({} if cursor is None else {"cursor": cursor})
            page = (await http.get("/games", params=params)).json()
            assert len(page["items"]) <= 3
            seen += [room["gameId"] for room in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
            # Meanwhile rooms come, and some that were shown go.
            api.host.open_room("crowd")
            if turn % 3 == 0:
                api.host.rooms[seen[-1]].dispose()
        assert cursor is None
        assert len(seen) == len(set(seen))
        assert rooms <= set(seen)

    async def test_more_rooms_than_are_looked_at_at_once(self, api: Api) -> None:
        http = await api.client()
        rooms = [api.host.open_room("crowd").room.id for _ in range(600)]
        for number in (3, 251, 599):
            api.sit(f"p{number}", rooms[number])
        assert await listed(http, sort="fullest", limit=4) == [rooms[n] for n in (599, 251, 3, 598)]
        assert await listed(http, limit=100) == rooms[:-101:-1]

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({"limit": "0"}, (400, "REST-001")),
            ({"limit": "101"}, (400, "REST-001")),
            ({"limit": "1.0"}, (400, "REST-001")),
            ({"limit": "٣"}, (400, "REST-001")),
            ({"limit": ""}, (400, "REST-001")),
            ({"sort": "oldest"}, (400, "REST-001")),
            ({"has_seats": "1"}, (400, "REST-001")),
            ({"game": "a b"}, (400, "REST-001")),
            ({"game": "duel\n"}, (400, "REST-001")),
            ({"game": "d" * 65}, (400, "REST-001")),
            ({"hasSeats": "true"}, (400, "REST-001")),
            ({"cursor": "!"}, (400, "REST-001")),
            ({"cursor": "abc"}, (422, "REST-007")),
            ({"cursor": "W10"}, (422, "REST-007")),  # []
            ({"cursor": "WyJmdWxsZXN0IiwwLDBd"}, (422, "REST-007")),  # of another order
        ],
    )
    async def test_what_cannot_be_asked_for(
        self, api: Api, params: dict[str, str], expected: tuple[int, str]
    ) -> None:
        assert code(await (await api.client()).get("/games", params=params)) == expected

    @pytest.mark.parametrize("query", ["limit=1&limit=2", "game=%ff", "&".join(f"a{n}=1" for n in range(40))])
    async def test_what_cannot_be_read(self, api: Api, query: str) -> None:
        assert code(await (await api.client()).get(f"/games?{query}")) == (400, "REST-001")


class TestOpening:
    async def test_a_room_as_it_was_wanted(self, api: Api) -> None:
        ada = await api.as_player("ada")
        wanted = {"game": "duel", "mode": "fast", "options": {"map": "ice", "speed": 1.5}, "maxPlayers": 1}
        answer = await ada.post("/games", json=wanted)
        assert answer.status_code == 201
        seats = answer.json()
        assert seats.keys() == {"gameId", "until", "opened"}
        assert answer.headers["location"] == f"/api/v1/games/{seats['gameId']}"
        hosted = api.host.rooms[seats["gameId"]]
        game = hosted.room.game
        assert (game.mode, game.options, game.max_players) == ("fast", {"map": "ice", "speed": 1.5}, 1)
        assert hosted.listing.creator == "ada"
        assert api.sit("bob", seats["gameId"]).errors == ["GAME-001"]
        assert api.sit("ada", seats["gameId"]).errors == []

    async def test_a_private_room_is_joined_by_who_knows_its_id(self, api: Api) -> None:
        ada = await api.as_player("ada")
        game_id = (await ada.post("/games", json={"game": "duel", "private": True})).json()["gameId"]
        assert len(game_id) >= 22
        bob = await api.as_player("bob")
        assert (await bob.get("/games")).json()["items"] == []
        assert (await bob.post("/matches", json={"game": "duel"})).json()["gameId"] != game_id
        assert api.sit("cid", "duel").session.hosted.room.id != game_id  # type: ignore[union-attr]
        assert (await bob.post(f"/games/{game_id}/seats", json={})).status_code == 201
        assert api.sit("bob", game_id).errors == []
        shown = (await bob.get(f"/games/{game_id}")).json()
        assert (shown["private"], shown["state"], shown["players"]) == (True, "open", 1)

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({}, (400, "REST-001")),
            ({"game": "chess"}, (404, "GAME-001")),
            ({"game": "duel", "maxPlayers": 3}, (422, "REST-007")),
            ({"game": "duel", "maxPlayers": 0}, (400, "REST-001")),
            ({"game": "duel", "maxPlayers": 1.5}, (400, "REST-001")),
            ({"game": "duel", "maxPlayers": 2.0}, None),
            ({"game": "duel", "mode": "a b"}, (400, "REST-001")),
            ({"game": "duel", "private": "yes"}, (400, "REST-001")),
            ({"game": "duel", "options": {"map": "none"}}, (409, "GAME-101")),
            ({"game": "duel", "options": {"map": "broken"}}, (500, "GAME-005")),
            ({"game": "duel", "options": {"a": []}}, (400, "REST-001")),
            ({"game": "duel", "options": {"a": "x" * 65}}, (400, "REST-001")),
            ({"game": "duel", "options": {"a b": 1}}, (400, "REST-001")),
            ({"game": "duel", "options": {"a": 2**53 + 1}}, (400, "REST-001")),
            ({"game": "duel", "options": {f"o{n}": 1 for n in range(9)}}, (400, "REST-001")),
            ({"game": "duel", "more": 1}, (400, "REST-001")),
            ({"game": "crowd", "maxPlayers": 100_000}, None),
        ],
    )
    async def test_what_may_be_wanted(
        self, api: Api, wanted: dict[str, Any], expected: tuple[int, str] | None
    ) -> None:
        answer = await (await api.as_player("ada")).post("/games", json=wanted)
        if expected is None:
            assert answer.status_code == 201
        else:
            assert code(answer) == expected
            assert api.host.rooms == {}

    async def test_five_an_hour(self, tmp_path: Any) -> None:
        async with an_api(tmp_path, rooms_per_hour=5) as api:
            ada, bob = await api.as_player("ada"), await api.as_player("bob")
            answers = [await ada.post("/games", json={"game": "duel"}) for _ in range(7)]
            assert [answer.status_code for answer in answers] == [201] * 5 + [429] * 2
            assert code(answers[-1]) == (429, "GAME-007")
            assert answers[-1].headers["retry-after"] == "720"
            assert (await bob.post("/games", json={"game": "duel"})).status_code == 201
            api.clock.run(720)
            assert (await ada.post("/games", json={"game": "duel"})).status_code == 201

    async def test_only_so_many_on_an_instance(self, tmp_path: Any) -> None:
        async with an_api(tmp_path, max_rooms=3) as api:
            for number in range(3):
                player = await api.as_player(f"p{number}")
                assert (await player.post("/games", json={"game": "duel"})).status_code == 201
            assert code(await player.post("/games", json={"game": "duel"})) == (503, "GAME-008")


class TestOneRoom:
    async def test_one_that_is_open(self, api: Api) -> None:
        hosted = api.host.open_room("duel", Listing(Setup(mode="fast")))
        api.sit("ada", hosted.room.id)
        assert (await (await api.client()).get(f"/games/{hosted.room.id}")).json() == {
            "gameId": hosted.room.id,
            "game": "duel",
            "mode": "fast",
            "private": False,
            "state": "open",
            "since": hosted.listing.opened,
            "players": 1,
            "seats": 2,
            "free": 1,
            "options": {},
            "closed": None,
            "reason": None,
            "failed": None,
            "result": None,
        }

    async def test_one_that_has_ended(self, api: Api) -> None:
        await api.played("room-1", "ada")
        shown = (await (await api.client()).get("/games/room-1")).json()
        assert (shown["state"], shown["since"], shown["closed"]) == ("closed", EPOCH, EPOCH + 60)
        assert (shown["reason"], shown["failed"], shown["result"]) == (
            "It is over.",
            False,
            {"winner": "ada"},
        )
        assert shown["players"] is None

    async def test_a_private_one_that_has_ended_is_for_who_took_part(self, api: Api) -> None:
        await api.played("room-1", "ada", private=True)
        assert (await (await api.as_player("ada")).get("/games/room-1")).status_code == 200
        unknown = await (await api.client()).get("/games/nothing")
        for http in (await api.as_player("bob"), await api.client()):
            answer = await http.get("/games/room-1")
            assert code(answer) == (404, "GAME-001")
            assert answer.content == unknown.content

    async def test_without_a_store_only_open_ones_are_known(self) -> None:
        async with an_api(None) as api:
            hosted = api.host.open_room("duel")
            http = await api.client()
            assert (await http.get(f"/games/{hosted.room.id}")).status_code == 200
            assert code(await http.get("/games/room-1")) == (404, "GAME-001")


class TestSeats:
    async def test_a_party_gets_seats(self, api: Api) -> None:
        ada = await api.as_player("ada")
        game_id = api.host.open_room("duel").room.id
        answer = await ada.post(f"/games/{game_id}/seats", json={"players": ["bob", "ada"]})
        assert answer.status_code == 201
        assert answer.json()["opened"] is False
        assert api.sit("cid", game_id).errors == ["GAME-001"]
        assert api.sit("bob", game_id).errors == []
        assert api.sit("ada", game_id).errors == []

    async def test_they_run_out(self, api: Api) -> None:
        ada = await api.as_player("ada")
        game_id = api.host.open_room("duel").room.id
        await ada.post(f"/games/{game_id}/seats", json={"players": ["bob"]})
        api.clock.run(14)
        assert api.sit("cid", game_id).errors == ["GAME-001"]
        api.clock.run(1)
        assert api.sit("cid", game_id).errors == []

    async def test_a_party_that_does_not_fit_gets_none(self, api: Api) -> None:
        ada = await api.as_player("ada")
        hosted = api.host.open_room("duel")
        answer = await ada.post(f"/games/{hosted.room.id}/seats", json={"players": ["bob", "cid"]})
        assert code(answer) == (404, "GAME-001")
        assert hosted.seats.taken(api.clock.seconds()) == 0

    @pytest.mark.parametrize(
        "players", [["a b"], ["x" * 129], ["x"] * 32, "bob", [1], [None], ["bob\n"], [""]]
    )
    async def test_players_have_ids(self, api: Api, players: Any) -> None:
        game_id = api.host.open_room("crowd").room.id
        answer = await (await api.as_player("ada")).post(f"/games/{game_id}/seats", json={"players": players})
        assert code(answer) == (400, "REST-001")

    async def test_whatever_there_is_not_is_answered_alike(self, api: Api) -> None:
        """Unknown, full, reserved, private and over: nobody finds out which."""
        bob = await api.as_player("bob")
        full = api.host.open_room("duel", Listing(Setup(1)))
        api.sit("ada", full.room.id)
        reserved = api.host.open_room("duel", Listing(Setup(1, private=True)))
        reserved.seats.reserve("ada", ["ada"], api.clock.seconds() + 15)
        over = api.host.open_room("duel")
        over.dispose()
        rooms = [
            "unknown",
            full.room.id,
            reserved.room.id,
            over.room.id,
            "a" * 22,
            "x" * 65,
            "not an id",
            "'",
        ]
        answers = [await bob.post(f"/games/{room}/seats", json={}) for room in rooms]
        assert {(answer.status_code, answer.content) for answer in answers} == {
            (404, b'{"code":"GAME-001","message":"There is no such game or room."}')
        }
        headers = [{**answer.headers, "date": ""} for answer in answers]
        assert all(header == headers[0] for header in headers)
        sockets = [api.sit("bob", room).got("error") for room in rooms]
        assert all(errors == sockets[0] and len(errors) == 1 for errors in sockets)


class TestMatches:
    async def test_a_second_player_meets_the_first(self, api: Api) -> None:
        ada, bob = await api.as_player("ada"), await api.as_player("bob")
        first = (await ada.post("/matches", json={"game": "duel"})).json()
        second = (await bob.post("/matches", json={"game": "duel"})).json()
        assert (first["opened"], second["opened"]) == (True, False)
        assert first["gameId"] == second["gameId"]

    async def test_modes_options_and_ranks(self, api: Api) -> None:
        ada, bob = await api.as_player("ada"), await api.as_player("bob")
        await ada.post(
            "/matches", json={"game": "duel", "mode": "m", "rank": 1000, "options": {"map": "ice"}}
        )
        for wanted, opened in (
            ({"mode": "m", "rank": 1200}, True),
            ({"mode": "n"}, True),
            ({"mode": "m", "rank": 1050.5, "options": {}}, True),
            ({"mode": "m", "rank": 1050.5, "options": {"map": "ice"}}, False),
            ({"mode": "m", "rank": 1050.5}, False),
            ({"mode": "m"}, False),
        ):
            answer = await bob.post("/matches", json={"game": "duel", **wanted})
            assert answer.json()["opened"] is opened, wanted
            api.host.rooms[answer.json()["gameId"]].seats.release("bob")
            if opened:
                api.host.rooms[answer.json()["gameId"]].dispose()

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({"game": "chess"}, (404, "GAME-001")),
            ({"game": "duel", "party": ["b", "c"]}, (409, "GAME-002")),
            ({"game": "duel", "rank": "high"}, (400, "REST-001")),
            ({"game": "duel", "rank": 1e10}, (400, "REST-001")),
            ({"game": "duel", "options": {"map": "none"}}, (409, "GAME-101")),
            ({"game": "duel", "options": None}, (400, "REST-001")),
        ],
    )
    async def test_what_cannot_be_had(
        self, api: Api, wanted: dict[str, Any], expected: tuple[int, str]
    ) -> None:
        assert code(await (await api.as_player("ada")).post("/matches", json=wanted)) == expected
        assert api.host.rooms == {}

    async def test_who_opens_one_after_the_other_is_stopped(self, api: Api) -> None:
        ada = await api.as_player("ada")
        answers = [await ada.post("/matches", json={"game": "duel", "mode": f"m{n}"}) for n in range(21)]
        assert [answer.status_code for answer in answers] == [201] * 20 + [429]
        assert code(answers[-1]) == (429, "GAME-007")
        assert (await ada.post("/matches", json={"game": "duel", "mode": "m3"})).json()["opened"] is False


async def test_scores_of_a_game_are_not_its_rooms(api: Api) -> None:
    await api.note("room-1", Kind.CHAT, "ada", name="Ada", text="Hello")
    assert code(await (await api.client()).get("/games/room-1/chat")) == (404, "GAME-001")
