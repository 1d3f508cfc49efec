"""Who somebody is, what they may take away, how they are forgotten, and how they are kept out."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from monkeytown.room.ledger import Kind
from monkeytown.server.rest.answers import encode
from tests.server.rest.stage import ADMIN, EPOCH, Api, an_api, code


async def admin(api: Api, token: str = ADMIN, address: str = "203.0.113.9") -> httpx.AsyncClient:
    return await api.client(address, Authorization=f"Bearer {token}")


class TestWhoSomebodyIs:
    async def test_everybody_may_know(self, api: Api) -> None:
        await api.played("room-1", "ada")
        shown = (await (await api.client()).get("/players/ada")).json()
        assert shown["created"] > 0
        assert shown == {
            "playerId": "ada",
            "name": "Ada",
            "guest": False,
            "created": shown["created"],
            "seen": EPOCH,
        }

    @pytest.mark.parametrize("player", ["nobody", "a b", "x" * 129, "a%00b", "%27%20OR%201=1", "%C3%A9"])
    async def test_who_is_unknown(self, api: Api, player: str) -> None:
        answer = await (await api.client()).get(f"/players/{player}")
        assert code(answer) == (404, "REST-003")

    async def test_oneself(self, api: Api) -> None:
        ada = await api.as_player("ada", "Ada")
        assert (await ada.get("/players/me")).json() == {
            "playerId": "ada",
            "name": "Ada",
            "guest": True,
            "created": None,
            "seen": None,
        }

    async def test_any_id_that_a_token_may_have(self, api: Api) -> None:
        player = "google|ada.l-1:x@y_Z"
        await api.played("room-1", player)
        assert (await (await api.client()).get(f"/players/{player}")).json()["playerId"] == player
        http = await api.as_player(player)
        assert (await http.get("/players/me")).json()["playerId"] == player


class TestNames:
    async def test_another_name_is_there_at_once_and_in_the_next_token(self, api: Api) -> None:
        ada = await api.as_player("ada", "Ada")
        answer = await ada.patch("/players/me", json={"name": " Countess\t "})
        assert (answer.status_code, answer.json()["name"]) == (200, "Countess")
        assert (await ada.get("/players/me")).json()["name"] == "Countess"
        assert (await (await api.client()).get("/players/ada")).json()["name"] == "Countess"
        assert (await ada.post("/sessions/refresh")).json()["name"] == "Countess"

    @pytest.mark.parametrize(
        "body", [{}, {"name": None}, {"name": "x" * 65}, {"name": 1}, {"name": "A", "id": "b"}]
    )
    async def test_what_is_none(self, api: Api, body: dict[str, object]) -> None:
        answer = await (await api.as_player("ada")).patch("/players/me", json=body)
        assert code(answer) == (400, "REST-001")


class TestTheDocument:
    async def test_it_is_the_players_own(self, api: Api) -> None:
        ada = await api.as_player("ada")
        assert (await ada.get("/players/me/data")).json() == {"data": {}}
        await api.note("room-1", Kind.DATA, "ada", data={"coins": 3, "text": "\x00"})
        assert (await ada.get("/players/me/data")).json() == {"data": {"coins": 3, "text": "\x00"}}
        assert (await (await api.as_player("bob")).get("/players/me/data")).json() == {"data": {}}

    async def test_all_that_is_stored(self, api: Api) -> None:
        await api.played("room-1", "ada", "bob")
        await api.note("room-1", Kind.CHAT, "ada", name="Ada", text="Hello")
        await api.note("room-1", Kind.CHAT, "bob", name="Bob", text="Secret")
        answer = await (await api.as_player("ada")).get("/players/me/export")
        everything = answer.json()
        assert everything["player"]["id"] == "ada"
        assert [game["room"] for game in everything["games"]] == ["room-1"]
        assert [line["text"] for line in everything["chat"]] == ["Hello"]
        assert "Secret" not in answer.text

    @pytest.mark.parametrize("lines", [0, 1, 500, 501, 1203])
    async def test_much_that_is_stored(self, api: Api, lines: int) -> None:
        await api.played("room-1", "ada")
        for number in range(lines):
            api.pending("room-1", Kind.CHAT, "ada", name="Ada", text=f"{number}")
        await api.write()
        everything = (await (await api.as_player("ada")).get("/players/me/export")).json()
        assert sorted(int(line["text"]) for line in everything["chat"]) == list(range(lines))
        assert everything.keys() == (await api.store.export("ada")).keys()  # type: ignore[union-attr]

    async def test_all_of_it_is_not_asked_for_often(self, api: Api) -> None:
        ada = await api.as_player("ada")
        answers = [await ada.get("/players/me/export") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


class TestForgetting:
    async def test_nothing_is_left_but_that_somebody_played(self, api: Api) -> None:
        await api.played("room-1", "ada", "bob")
        await api.note("room-1", Kind.CHAT, "ada", name="Ada", text="My secret")
        await api.note("room-1", Kind.SCORE, "ada", score=9, name="Ada", guest=False, order="best")
        ada, bob = await api.as_player("ada", guest=False), await api.as_player("bob")
        sent_away: list[str] = []
        api.auth.send_away = lambda player, code: sent_away.append(player)
        answer = await ada.delete("/players/me", headers={"Confirm": "erase"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert sent_away == ["ada"]
        assert code(await ada.get("/players/me")) == (401, "AUTH-001")
        assert code(await bob.get("/players/ada")) == (404, "REST-003")
        assert (await bob.get("/leaderboards/duel")).json()["items"] == []
        assert "secret" not in (await bob.get("/games/room-1/chat")).text
        assert "Ada" not in (await bob.get("/games/room-1/players")).text
        assert "bob" in (await bob.get("/games/room-1/players")).text

    @pytest.mark.parametrize("headers", [{}, {"Confirm": ""}, {"Confirm": "yes"}, {"Confirm": "Erase"}])
    async def test_it_is_confirmed(self, api: Api, headers: dict[str, str]) -> None:
        ada = await api.as_player("ada")
        assert code(await ada.delete("/players/me", headers=headers)) == (400, "REST-001")
        assert (await ada.get("/players/me")).status_code == 200


class TestKeepingOut:
    async def test_a_ban_and_its_end(self, api: Api) -> None:
        ada, http = await api.as_player("ada"), await admin(api)
        sent_away: list[str] = []
        api.auth.send_away = lambda player, code: sent_away.append(player)
        assert (await http.post("/players/ada/ban", json={"reason": "Cheating"})).status_code == 204
        assert sent_away == ["ada"]
        assert code(await ada.get("/players/me")) == (403, "AUTH-005")
        assert code(await ada.get("/games")) == (403, "AUTH-005")
        assert (await http.delete("/players/ada/ban")).status_code == 204
        assert (await ada.get("/players/me")).status_code == 200

    async def test_a_ban_that_ends_by_itself(self, api: Api) -> None:
        ada, http = await api.as_player("ada"), await admin(api)
        await http.post("/players/ada/ban", json={"reason": "x", "until": time.time() + 3600})
        assert code(await ada.get("/players/me")) == (403, "AUTH-005")
        await http.post("/players/ada/ban", json={"reason": "x", "until": time.time() - 1})
        assert (await ada.get("/players/me")).status_code == 200

    @pytest.mark.parametrize(
        "body", [{}, {"reason": ""}, {"reason": "x" * 201}, {"reason": "x", "until": -1}]
    )
    async def test_it_has_a_reason(self, api: Api, body: dict[str, object]) -> None:
        assert code(await (await admin(api)).post("/players/ada/ban", json=body)) == (400, "REST-001")

    @pytest.mark.parametrize("token", ["", "x", ADMIN[:-1], ADMIN + "x", ADMIN.upper()])
    async def test_it_is_the_administrators(self, api: Api, token: str) -> None:
        answer = await (await admin(api, token)).post("/players/ada/ban", json={"reason": "x"})
        assert code(answer) == (401, "AUTH-001")
        player = await api.as_player("bob")
        assert code(await player.post("/players/ada/ban", json={"reason": "x"})) == (401, "AUTH-001")

    async def test_the_administrators_token_is_not_a_players(self, api: Api) -> None:
        assert code(await (await admin(api)).get("/players/me")) == (401, "AUTH-001")

    async def test_where_there_is_no_administrator_there_is_nothing(self, tmp_path: Path) -> None:
        async with an_api(tmp_path, admin=None) as api:
            for token in ("", ADMIN, "None"):
                http = await admin(api, token)
                for method in ("POST", "DELETE", "GET"):
                    answer = await http.request(method, "/players/ada/ban", json={"reason": "x"})
                    assert code(answer) == (404, "REST-003")


async def test_without_a_store_nobody_is_known() -> None:
    async with an_api(None) as api:
        ada = await api.as_player("ada")
        for method, path in (
            ("GET", "/players/me"),
            ("GET", "/players/bob"),
            ("GET", "/players/me/data"),
            ("GET", "/players/me/export"),
            ("PATCH", "/players/me"),
            ("DELETE", "/players/me"),
        ):
            answer = await ada.request(
                method,
                path,
                content=encode({"name": "A"}),
                headers={"content-type": "application/json", "confirm": "erase"},
            )
            assert code(answer) == (503, "SYS-003")
            assert answer.headers["retry-after"] == "5"
        assert (await (await admin(api)).post("/players/bob/ban", json={"reason": "x"})).status_code == 204
