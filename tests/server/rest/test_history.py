"""What is kept of games, by pages; of private rooms, for who took part alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from monkeytown.room.ledger import Kind
from monkeytown.room.setup import Setup
from monkeytown.runtime.listing import Listing
from monkeytown.stores.known import KnownReplay
from tests.server.rest.stage import EPOCH, Api, an_api, code

PARTS = ("players", "chat", "events")


async def everything(http: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(100):
        answer = await http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            break
        params["cursor"] = answer.json()["next"]
    return found


def replay(number: int, room: str = "room-1", **changes: Any) -> KnownReplay:
    known = KnownReplay(
        f"replay-{number}", room, "duel", EPOCH + number, EPOCH + number + 9, 100, 2000, "secret.file", True
    )
    return known._replace(**changes)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_who_took_part(api: Api, limit: int) -> None:
    await api.played("room-1", "ada", "bob", "cid")
    await api.note("room-1", Kind.LEFT, "bob", at=EPOCH + 30)
    found = await everything(await api.client(), "/games/room-1/players", limit=limit)
    assert [player["playerId"] for player in found] == ["ada", "bob", "cid"]
    assert found[1] == {"playerId": "bob", "name": "Bob", "joined": EPOCH, "left": EPOCH + 30}


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_what_was_said_and_what_happened(api: Api, limit: int) -> None:
    await api.played("room-1", "ada")
    for number in range(7):
        await api.note("room-1", Kind.CHAT, "ada", name="Ada", text=f"line {number}", at=EPOCH + number)
        await api.note("room-1", Kind.EVENT, event="goal", data={"number": number}, at=EPOCH + number)
    http = await api.client()
    lines = await everything(http, "/games/room-1/chat", limit=limit)
    assert [line["text"] for line in lines] == [f"line {number}" for number in range(6, -1, -1)]
    assert lines[0] == {"time": EPOCH + 6, "playerId": "ada", "name": "Ada", "text": "line 6"}
    events = await everything(http, "/games/room-1/events", limit=limit)
    assert events == [{"time": EPOCH + n, "event": "goal", "data": {"number": n}} for n in range(7)]


async def test_what_comes_meanwhile_is_neither_skipped_nor_doubled(api: Api) -> None:
    await api.played("room-1", "ada")
    http = await api.client()
    for number in range(6):
        await api.note("room-1", Kind.CHAT, "ada", name="Ada", text=f"{number}")
        await api.note("room-1", Kind.EVENT, event="goal", data=number)
    seen: dict[str, list[Any]] = {"chat": [], "events": []}
    for part, key in (("chat", "text"), ("events", "data")):
        params: dict[str, Any] = {"limit": 2}
        for turn in range(4):
            page = (await http.get(f"/games/room-1/{part}", params=params)).json()
            seen[part] += [item[key] for item in page["items"]]
            await api.note("room-1", Kind.CHAT, "ada", name="Ada", text=f"new {turn}")
            await api.note("room-1", Kind.EVENT, event="goal", data=100 + turn)
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
    assert seen["chat"] == ["5", "4", "3", "2", "1", "0"]
    assert seen["events"] == [0, 1, 2, 3, 4, 5, 100, 101]


@pytest.mark.parametrize("part", PARTS)
async def test_of_private_rooms_for_who_took_part(api: Api, part: str) -> None:
    await api.played("room-1", "ada", private=True)
    ada, bob, anybody = await api.as_player("ada"), await api.as_player("bob"), await api.client()
    assert (await ada.get(f"/games/room-1/{part}")).status_code == 200
    for http in (bob, anybody):
        refused, unknown = [await http.get(f"/games/{room}/{part}") for room in ("room-1", "nothing")]
        assert code(refused) == (404, "GAME-001")
        assert refused.content == unknown.content
        assert {**refused.headers} == {**unknown.headers}


async def test_of_a_private_room_that_is_open_for_who_sits_in_it(api: Api) -> None:
    hosted = api.host.open_room("duel", Listing(Setup(private=True)))
    room = hosted.room.id
    await api.note(room, Kind.OPENED, game="duel", mode="", private=True)
    ada = await api.as_player("ada")
    assert code(await ada.get(f"/games/{room}/chat")) == (404, "GAME-001")
    api.sit("ada", room)
    assert (await ada.get(f"/games/{room}/chat")).status_code == 200


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("cursor", ["abc", "WzFd", "WzEsMl0x", "WyJhIiwiYiJd", "Wy0xLC0xXQ", "WzFlOTksMV0"])
async def test_cursors_that_are_none(api: Api, part: str, cursor: str) -> None:
    await api.played("room-1", "ada")
    answer = await (await api.client()).get(f"/games/room-1/{part}", params={"cursor": cursor})
    assert code(answer) == (422, "REST-007")


class TestReplays:
    async def test_they_are_listed_newest_first(self, api: Api) -> None:
        assert api.store is not None
        await api.played("room-1", "ada")
        await api.played("room-2", "ada")
        for number in range(5):
            await api.store.add_replay(replay(number, f"room-{number % 2 + 1}"))
        http = await api.client()
        found = await everything(http, "/replays", limit=2)
        assert [one["replayId"] for one in found] == [f"replay-{number}" for number in (4, 3, 2, 1, 0)]
        assert found[0] == {
            "replayId": "replay-4",
            "gameId": "room-1",
            "game": "duel",
            "started": EPOCH + 4,
            "ended": EPOCH + 13,
            "ticks": 100,
            "size": 2000,
            "complete": True,
        }
        assert len(await everything(http, "/replays", room="room-2")) == 2
        assert await everything(http, "/replays", game="crowd") == []
        assert (await http.get("/replays/replay-4")).json() == found[0]
        assert code(await http.get("/replays/replay-9")) == (404, "REST-003")

    async def test_of_private_rooms_for_who_took_part(self, api: Api) -> None:
        assert api.store is not None
        await api.played("room-1", "ada")
        await api.played("room-2", "ada", private=True)
        for number in range(6):
            await api.store.add_replay(replay(number, f"room-{number % 2 + 1}"))
        ada, bob = await api.as_player("ada"), await api.as_player("bob")
        assert len(await everything(ada, "/replays", limit=2)) == 6
        assert {one["gameId"] for one in await everything(bob, "/replays", limit=2)} == {"room-1"}
        assert (await ada.get("/replays/replay-1")).status_code == 200
        refused, unknown = [await bob.get(f"/replays/replay-{number}") for number in (1, 99)]
        assert code(refused) == (404, "REST-003")
        assert refused.content == unknown.content


async def test_without_a_store_there_is_none() -> None:
    async with an_api(None) as api:
        http = await api.client()
        for path in (*(f"/games/x/{part}" for part in PARTS), "/replays", "/replays/x"):
            assert code(await http.get(path)) == (503, "SYS-003")
