"""Over HTTP and over the game's socket, against a running server: the seats, rooms and players are the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from monkeytown import Refusal
from monkeytown.client import connect
from monkeytown.protocol.close import CloseCode
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from tests.server.rest.stage import ADMIN, Crowd, Duel, code

TIMEOUT = 20


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running([Duel, Crowd], Settings(port=0, admin_token=ADMIN)) as server:  # type: ignore[arg-type]
        yield server


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1") as http:
        yield http


async def guest(http: httpx.AsyncClient, name: str) -> tuple[str, dict[str, str]]:
    token = (await http.post("/sessions", json={"name": name})).json()["token"]
    return token, {"Authorization": f"Bearer {token}"}


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    """What is kept takes a moment to be there."""
    async with asyncio.timeout(TIMEOUT):
        while not (found := await ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_seats_are_for_whom_they_were_reserved(server: RunningServer, http: httpx.AsyncClient) -> None:
    (ada, ada_asks), (bob, _), (cid, _) = [await guest(http, name) for name in ("Ada", "Bob", "Cid")]
    bobs_id = (await server.auth.identify(bob)).id
    match = await http.post("/matches", json={"game": "duel", "party": [bobs_id]}, headers=ada_asks)
    game_id = match.json()["gameId"]
    async with (
        await connect(server.url, token=ada) as adas,
        await connect(server.url, token=bob) as bobs,
        await connect(server.url, token=cid) as cids,
    ):
        with pytest.raises(Refusal, match="GAME-001"):
            await cids.join(game_id)
        for client in (bobs, adas):
            assert (await client.join(game_id)).id == game_id
        shown = (await http.get(f"/games/{game_id}")).json()
        assert (shown["players"], shown["free"]) == (2, 0)


async def test_what_was_played_is_there_afterwards(server: RunningServer, http: httpx.AsyncClient) -> None:
    token, asks = await guest(http, "Ada")
    game_id = (await http.post("/games", json={"game": "crowd", "mode": "calm"}, headers=asks)).json()[
        "gameId"
    ]
    async with await connect(server.url, token=token) as client:
        room = await client.join(game_id)
        room.chat("Hello, everybody")

        async def said() -> list[dict[str, Any]]:
            answer = await http.get(f"/games/{game_id}/chat")
            return list(answer.json()["items"]) if answer.status_code == 200 else []

        assert [(line["name"], line["text"]) for line in await until(said)] == [("Ada", "Hello, everybody")]
    server.rooms.rooms[game_id].dispose()

    async def over() -> dict[str, Any] | None:
        shown = (await http.get(f"/games/{game_id}")).json()
        return shown if shown.get("state") == "closed" else None

    shown = await until(over)
    assert (shown["mode"], shown["private"], shown["failed"]) == ("calm", False, False)
    [player] = (await http.get(f"/games/{game_id}/players")).json()["items"]
    assert player["name"] == "Ada"


async def test_who_is_forgotten_or_banned_is_out_at_once(
    server: RunningServer, http: httpx.AsyncClient
) -> None:
    admin = {"Authorization": f"Bearer {ADMIN}"}
    for method, path, body, headers, closed in (
        ("DELETE", "/players/me", None, {"Confirm": "erase"}, CloseCode.LOGGED_OUT),
        ("DELETE", "/sessions", None, {}, CloseCode.LOGGED_OUT),
        ("POST", "/players/{}/ban", {"reason": "Cheating"}, admin, CloseCode.BANNED),
    ):
        token, asks = await guest(http, "Ada")
        player = (await server.auth.identify(token)).id
        async with await connect(server.url, token=token) as client:
            room = await client.join("crowd")
            ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            client.on("close", ended.set_result)
            answer = await http.request(method, path.format(player), json=body, headers={**asks, **headers})
            assert answer.status_code == 204
            assert (await asyncio.wait_for(ended, TIMEOUT)).code == closed
        assert player not in server.rooms.rooms[room.id].room.members
        assert code(await http.get("/players/me", headers=asks))[0] in (401, 403)
