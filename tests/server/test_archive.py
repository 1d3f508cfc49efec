"""What a running server keeps: from the rules to the database, across stops, and while the database is away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from monkeytown import Entity, Game, Player, StartError, singleton, uint
from monkeytown.client import Room, connect
from monkeytown.protocol.replayfile import open_recording
from monkeytown.server.app import RunningServer, running
from monkeytown.server.archive import Archive
from monkeytown.server.settings import Settings
from monkeytown.stores.store import Store
from tests.conftest import Serve
from tests.postgres import Postgres
from tests.readers.clients import eventually


class Board(Entity):
    moves = uint(16)
    visits = uint(16)


class Tally(Game):
    tick_rate = 0
    leaderboard = "total"
    board = singleton(Board)

    def on_join(self, player: Player) -> None:
        player.data["visits"] = player.data.get("visits", 0) + 1
        self.board.visits = player.data["visits"]

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        self.board.moves += 1
        self.emit("moved", action)
        self.score(player, 2)
        self.finish({"moves": self.board.moves})


class Filmed(Tally):
    record = True


def store_of(server: RunningServer) -> Store:
    store = server.archive.store
    assert store is not None
    return store


async def stored(server: RunningServer) -> None:
    """Until the database has all that has happened so far."""
    shipper = server.archive.shipper
    assert shipper is not None
    await eventually(lambda: server.archive.spools and server.archive.spools.own.last > 0)
    await asyncio.wait_for(shipper.caught_up(), 20)


async def stored_once(server: RunningServer) -> None:
    """Somebody has played, and the database has it."""
    async with await connect(server.url) as client:
        await client.join("filmed")
    await stored(server)


async def gone(server: RunningServer) -> None:
    """Until the rules know that everybody has left."""
    await eventually(lambda: not any(hosted.sessions for hosted in server.rooms.rooms.values()))


async def moved(room: Room, moves: int) -> None:
    await eventually(lambda: room.tables["board"].row(0).moves == moves)


def token_for(server: RunningServer, id: str) -> str:
    return server.auth.issue(id, id.title(), guest=False)[0]


async def visits(server: RunningServer, token: str) -> int:
    """Joins once, and says the how-manieth time that is."""
    async with await connect(server.url, token=token) as client:
        room = await client.join("tally")
        count = int(room.tables["board"].row(0).visits)
    await gone(server)
    return count


async def test_what_happens_is_in_the_database(server: Serve) -> None:
    town = await server(Tally)
    async with await connect(town.url, token=token_for(town, "ann")) as ann:
        room = await ann.join("tally")
        room.chat("hello")
        room.input(to=7)
        await moved(room, 1)
        await stored(town)
        store = store_of(town)
        game = await store.game(room.id)
        assert game is not None
        assert (game.game, game.closed, json.loads(game.result or b"")) == ("tally", None, {"moves": 1})
        assert [line.text for line in await store.chat(room.id, limit=10)] == ["hello"]
        events = await store.events(room.id, limit=10)
        assert [(event.event, json.loads(event.data or b"")) for event in events] == [("moved", {"to": 7})]
        (best,) = await store.leaderboard("tally", "", limit=10)
        assert (best.rank, best.player, best.name, best.score) == (1, "ann", "Ann", 2)
        assert [who.player for who in await store.participants(room.id)] == ["ann"]


async def test_a_document_is_there_again(server: Serve) -> None:
    town = await server(Tally)
    token = token_for(town, "ann")
    # The second time the database need not have it yet.
    assert [await visits(town, token) for _ in range(3)] == [1, 2, 3]
    await stored(town)
    assert await visits(town, token) == 4
    assert await visits(town, token_for(town, "bob")) == 1


async def test_after_a_stop_all_is_there(tmp_path: Path) -> None:
    settings = Settings(port=0, secret="s" * 32)  # type: ignore[arg-type]
    async with running([Tally], settings) as town:
        token = token_for(town, "ann")
        assert await visits(town, token) == 1
    async with running([Tally], settings) as town:
        assert await visits(town, token) == 2
        await stored(town)
        (newer, older) = await store_of(town).games(limit=10)
        assert older.closed is not None
        assert newer.closed is None


async def test_play_goes_on_while_the_database_is_away(
    server: Serve, postgres: Postgres, postgres_url: str
) -> None:
    town = await server(Tally, database_url=postgres_url, database_seconds=2)
    token = token_for(town, "ann")
    assert await visits(town, token) == 1
    await stored(town)
    async with httpx.AsyncClient(base_url=town.url) as http:

        async def status() -> int:
            assert (await http.get("/health/live")).status_code == 200
            return (await http.get("/health/ready")).status_code

        assert await status() == 200
        for leave, come_back in ((postgres.stop, postgres.start), (postgres.pause, postgres.resume)):
            leave()
            try:
                await eventually(lambda: town.archive.down_since is not None)
                assert await status() == 503
                async with await connect(town.url, token=token) as ann:
                    room = await ann.join("tally")
                    moves = room.tables["board"].row(0).moves
                    room.input(to=1)
                    room.chat("anybody?")
                    await moved(room, moves + 1)
                await gone(town)
            finally:
                come_back()
            await eventually(lambda: town.archive.down_since is None)
            assert await status() == 200
            await stored(town)
    texts = [line.text for line in await store_of(town).chat(room.id, limit=10)]
    assert texts[:1] == ["anybody?"]
    # A document that could not be read was not written over.
    assert await visits(town, token) == 2
    (best,) = await store_of(town).leaderboard("tally", "", limit=10)
    assert best.score == 4


async def test_a_server_stops_while_the_database_is_away(postgres: Postgres, postgres_url: str) -> None:
    settings = Settings(port=0, database_url=postgres_url)  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        async with running([Filmed], settings) as town:
            await stored_once(town)
            postgres.stop()
            try:
                await eventually(lambda: town.archive.down_since is not None)
                async with await connect(town.url) as ann:
                    await ann.join("filmed")
            except BaseException:
                postgres.start()
                raise
        postgres.start()
        async with running([Filmed], settings) as town:
            await stored(town)
            (game,) = await store_of(town).games(limit=10)
            assert game.closed is not None
            assert len(await store_of(town).participants(game.room, limit=10)) == 2


async def test_nothing_need_be_kept(server: Serve, data_folder: Path) -> None:
    town = await server(Tally, database_url="none")
    token = token_for(town, "ann")
    assert [await visits(town, token) for _ in range(2)] == [1, 1]
    assert not await asyncio.to_thread(data_folder.exists)
    async with httpx.AsyncClient(base_url=town.url) as http:
        assert (await http.get("/health/ready")).status_code == 200
        assert "monkeytown_spool" not in (await http.get("/metrics")).text


async def test_what_is_kept_is_counted(server: Serve) -> None:
    town = await server(Tally)
    await visits(town, token_for(town, "ann"))
    await stored(town)
    async with httpx.AsyncClient(base_url=town.url) as http:
        page = (await http.get("/metrics")).text
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert (
        float(lines["monkeytown_records_stored_total"])
        == float(lines["monkeytown_records_appended_total"])
        >= 4
    )
    assert lines["monkeytown_spool_records"] == "0.0"
    assert lines["monkeytown_database_up"] == "1.0"


async def test_a_recording_is_in_the_index(server: Serve) -> None:
    town = await server(Filmed, empty_room_seconds=0)
    async with await connect(town.url, token=token_for(town, "ann")) as ann:
        room = await ann.join("filmed")
        room.input(to=1)
        await moved(room, 1)
    async with httpx.AsyncClient(base_url=f"{town.url}/api/v1") as http:

        async def listed() -> Any:
            return (await http.get("/replays", params={"room": room.id})).json()["items"]

        async with asyncio.timeout(10):
            while not (items := await listed()):  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.01)
        (item,) = items
        assert (item["game"], item["complete"]) == ("filmed", True)
        file = await http.get(f"/replays/{item['replayId']}/file")
        assert len(file.content) == item["size"]
    town.archive.unindex(item["replayId"])
    await eventually(lambda: not town.archive._to_index)
    assert await store_of(town).replays(limit=10) == []


async def test_a_recording_of_a_private_room_is_not_listed(server: Serve) -> None:
    town = await server(Filmed, empty_room_seconds=0)
    token = token_for(town, "ann")
    async with httpx.AsyncClient(base_url=f"{town.url}/api/v1") as http:
        headers = {"Authorization": f"Bearer {token}"}
        made = await http.post("/games", json={"game": "filmed", "private": True}, headers=headers)
        assert made.status_code == 201, made.text
        room_id = made.json()["gameId"]
        async with await connect(town.url, token=token) as ann:
            room = await ann.join(room_id)
            room.input(to=1)
            await moved(room, 1)
        async with asyncio.timeout(10):
            while not (found := await store_of(town).replays(limit=10)):  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.01)
        await stored(town)
        (kept,) = found
        assert kept.room == room_id
        assert (await http.get("/replays")).json()["items"] == []
        mine = await http.get("/replays", params={"room": room_id}, headers=headers)
        assert [item["gameId"] for item in mine.json()["items"]] == [room_id]
        content = (await http.get(f"/replays/{kept.id}/file")).content
        assert open_recording(lambda at, length: content[at : at + length], len(content)).header.private


async def test_a_ban_and_a_logout_reach_everybody(server: Serve) -> None:
    town = await server(Tally)
    async with await connect(town.url, token=token_for(town, "ann")) as ann:
        closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        ann.on("close", closed.set_result)
        await town.auth.ban("ann", None, "spam")
        assert (await asyncio.wait_for(closed, 2)).code == 4510
    known = await store_of(town).player("ann")
    assert known is not None
    assert known.ban_reason == "spam"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database_url": "mysql://here"}, "has one of these forms"),
        ({"database_url": "sqlite:////proc/no/such.db"}, "such.db"),
        ({"data_folder": "/proc/nothing"}, "/proc/nothing"),
    ],
)
async def test_what_cannot_be_kept_is_no_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(StartError, match=words):
        await Archive.open(Settings(port=0, **settings))
