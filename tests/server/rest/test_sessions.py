"""Tokens: a guest gets one, whoever has one gets another, and logging out ends them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.rest.stage import Api, an_api, code


async def test_a_guest_gets_a_token(api: Api) -> None:
    answer = await (await api.client()).post("/sessions", json={"name": "  Ada\n\x00 "})
    assert answer.status_code == 201
    session = answer.json()
    assert session.keys() == {"token", "expires", "playerId", "name", "guest"}
    assert (session["name"], session["guest"], len(session["playerId"])) == ("Ada", True, 22)
    identity = await api.auth.identify(session["token"])
    assert (identity.id, identity.name, identity.guest) == (session["playerId"], "Ada", True)
    assert identity.expires == session["expires"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"name": null}', b'{"name": "\\u200b\\u0007"}'])
async def test_a_name_is_not_needed(api: Api, content: bytes) -> None:
    http = await api.client()
    answer = await http.post("/sessions", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["name"]) == (201, None)


async def test_every_guest_is_another_player(api: Api) -> None:
    http = await api.client()
    ids = {(await http.post("/sessions", json={})).json()["playerId"] for _ in range(10)}
    assert len(ids) == 10


async def test_where_guests_are_not_let_in_there_are_no_tokens_for_them(tmp_path: Path) -> None:
    async with an_api(tmp_path, guests=False) as api:
        answer = await (await api.client()).post("/sessions", json={})
        assert code(answer) == (403, "AUTH-006")
        ada = await api.as_player("ada", guest=False)
        assert (await ada.get("/sessions/current")).status_code == 200


async def test_who_one_is(api: Api) -> None:
    ada = await api.as_player("ada", "Ada", guest=False)
    answer = (await ada.get("/sessions/current")).json()
    assert answer.keys() == {"playerId", "name", "guest", "issued", "expires"}
    assert (answer["playerId"], answer["name"], answer["guest"]) == ("ada", "Ada", False)
    assert answer["expires"] > answer["issued"]


async def test_a_new_token_is_the_same_players(api: Api) -> None:
    ada = await api.as_player("ada", "Ada", guest=False)
    answer = await ada.post("/sessions/refresh")
    assert answer.status_code == 201
    assert (await api.auth.identify(answer.json()["token"])).id == "ada"
    assert not answer.json()["guest"]
    assert (await ada.get("/sessions/current")).status_code == 200  # the one before is good as well


async def test_logging_out_ends_all_tokens_and_connections(api: Api) -> None:
    ada, elsewhere = await api.as_player("ada"), await api.as_player("ada")
    sent_away: list[str] = []
    api.auth.send_away = lambda player, code: sent_away.append(player)
    answer = await ada.delete("/sessions")
    assert (answer.status_code, answer.content) == (204, b"")
    assert sent_away == ["ada"]
    for http in (ada, elsewhere):
        assert code(await http.get("/sessions/current")) == (401, "AUTH-001")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/sessions/current"),
        ("POST", "/sessions/refresh"),
        ("DELETE", "/sessions"),
        ("POST", "/games"),
        ("POST", "/games/x/seats"),
        ("POST", "/matches"),
        ("GET", "/players/me"),
        ("PATCH", "/players/me"),
        ("DELETE", "/players/me"),
        ("GET", "/players/me/data"),
        ("GET", "/players/me/export"),
        ("POST", "/players/ada/ban"),
        ("DELETE", "/players/ada/ban"),
    ],
)
async def test_what_needs_a_token_says_so(api: Api, method: str, path: str) -> None:
    answer = await (await api.client()).request(method, path, json={})
    assert code(answer) == (401, "AUTH-006")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Basic YTpi", "Bearer", "", "Bearer a.b.c", "Bearer é"]
)
@pytest.mark.parametrize("path", ["/sessions/current", "/games", "/leaderboards/duel"])
async def test_a_token_that_is_none_is_refused_wherever_it_comes(api: Api, header: str, path: str) -> None:
    http = await api.client()
    answer = await http.get(path, headers={"authorization": header.encode("latin-1")})
    assert code(answer) == (401, "AUTH-001")


async def test_a_token_stands_in_no_address(api: Api) -> None:
    token, _ = api.auth.issue("ada", None, guest=True)
    http = await api.client()
    for name in ("token", "access_token", "authorization"):
        assert code(await http.get("/sessions/current", params={name: token})) == (401, "AUTH-006")
