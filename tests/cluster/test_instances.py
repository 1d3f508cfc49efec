"""Several instances as players see them: one address, one room, whatever instance they are connected to."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from monkeytown.client import Client, Room, connect
from monkeytown.errors import Refusal
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from tests.cluster.square import Square
from tests.instances import SECRET

PATIENCE = 10.0


async def until(true: Any, seconds: float = PATIENCE) -> None:
    """Returns once it is so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - there is nobody who would set an event
            await asyncio.sleep(0.01)


class Town:
    """Servers in this process that meet at one Redis, and players anywhere."""

    def __init__(self, redis_url: str, folder: Path, stack: AsyncExitStack) -> None:
        self._url = redis_url
        self._folder = folder
        self._prefix = f"{secrets.token_hex(4)}:"
        self._stack = stack
        self.servers: list[RunningServer] = []

    async def server(self, *games: type, **settings: Any) -> RunningServer:
        number = len(self.servers)
        given = Settings(
            port=0,
            secret=SECRET,
            redis_url=self._url,
            redis_prefix=self._prefix,
            instance_name=f"i{number}",
            data_folder=str(self._folder / str(number)),
            database_url="none",
            **settings,
        )
        server = await self._stack.enter_async_context(running(games or [Square], given))
        self.servers.append(server)
        return server

    async def player(self, server: RunningServer, **about: Any) -> Client:
        client = await connect(f"ws://127.0.0.1:{server.port}/ws", **about)
        self._stack.push_async_callback(client.close)
        return client


@pytest_asyncio.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        yield Town(redis_url, tmp_path, stack)


def dot(room: Room, name: str) -> Any:
    return next(one for one in room.tables["dots"] if one.name == name)


def names(room: Room) -> set[str]:
    return {one.name for one in room.tables["dots"]}


class TestOneRoom:
    async def test_players_of_two_instances_meet(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        ben = await (await town.player(there, name="Ben")).join("square")
        assert ada.id == ben.id
        await until(lambda: names(ada) == names(ben) == {"Ada", "Ben"})
        assert {one.name for one in ben.players.values()} == {"Ada", "Ben"}

    async def test_inputs_travel_and_are_acknowledged(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        ben = await (await town.player(there, name="Ben")).join("square")
        for _ in range(30):
            ben.input(dx=1)
            await asyncio.sleep(1 / 60)
        await until(lambda: ben.input_seen == 30)
        await until(lambda: dot(ada, "Ben").steps == 30 and dot(ben, "Ben").steps == 30)
        assert dot(ada, "Ben").x == dot(ben, "Ben").x

    async def test_news_travel_in_order(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        ben = await (await town.player(there, name="Ben")).join("square")
        heard: list[str] = []
        ben.on("chat", lambda said: heard.append(said["text"]))
        for number in range(5):
            ada.chat(f"line {number}")
        await until(lambda: len(heard) == 5)
        assert heard == [f"line {number}" for number in range(5)]
        ben.chat("hello")
        await until(lambda: ada.chat_lines and ada.chat_lines[-1]["text"] == "hello")

    async def test_what_is_private_stays_so(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        await (await town.player(here, name="Ada")).join("square")
        ben = await (await town.player(there, name="Ben")).join("square")
        ben.input(dx=1)
        await until(lambda: dot(ben, "Ben").secret == 15)
        assert dot(ben, "Ada").secret == 0

    async def test_kicked_from_afar(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        client = await town.player(there, name="Ben")
        await client.join("square")
        closed: list[Any] = []
        client.on("close", closed.append)
        ada.chat(f"/kick {client.id}")
        await until(lambda: closed)
        assert closed[0].code == 4504
        await until(lambda: names(ada) == {"Ada"})

    async def test_who_leaves_is_gone_everywhere(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        ben = await town.player(there, name="Ben")
        await ben.join("square")
        await ben.close()
        await until(lambda: names(ada) == {"Ada"})

    async def test_a_room_by_its_id(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        ben = await (await town.player(there, name="Ben")).join(ada.id)
        assert ben.id == ada.id

    @pytest.mark.parametrize("id", ["nowhere", "*", "mt:room:{x}", "../../etc", "a" * 64, "{}", "\x00"])
    async def test_no_such_room(self, town: Town, id: str) -> None:
        server = await town.server()
        client = await town.player(server)
        with pytest.raises(Refusal) as refused:
            await client.join(id)
        assert refused.value.code == "GAME-001"

    async def test_a_room_that_ends_ends_for_all(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await town.player(here, name="Ada")
        ben = await town.player(there, name="Ben")
        room = await ada.join("square")
        await ben.join("square")
        closed: list[Any] = []
        ada.on("close", closed.append)
        ben.on("close", closed.append)
        room.chat("/close enough")
        await until(lambda: len(closed) == 2)
        assert [one.code for one in closed] == [4506, 4506]

    async def test_three_mirrors_and_a_late_spectator(self, town: Town) -> None:
        servers = [await town.server() for _ in range(4)]
        rooms = []
        for number, server in enumerate(servers):
            rooms.append(await (await town.player(server, name=f"P{number}")).join("square"))
        await until(lambda: all(names(room) == {"P0", "P1", "P2", "P3"} for room in rooms))
        for _ in range(20):
            for room in rooms:
                room.input(dx=0.5)
            await asyncio.sleep(1 / 60)
        await until(lambda: all(dot(room, f"P{n}").steps == 20 for room in rooms for n in range(4)))


class TestRoaming:
    async def test_a_session_goes_on_at_another_instance(self, town: Town) -> None:
        here, there = await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        client = await town.player(there, name="Ben")
        ben = await client.join("square")
        number = dot(ben, "Ben").id
        resumed: list[Any] = []
        client.on("reconnected", resumed.append)
        client.url = f"ws://127.0.0.1:{here.port}/ws"
        await cut(client)
        await until(lambda: resumed)
        assert resumed[0].recovered
        assert dot(ben, "Ben").id == number
        ben.input(dx=1)
        await until(lambda: dot(ada, "Ben").steps == 1)
        assert names(ada) == {"Ada", "Ben"}

    async def test_nothing_is_missed_on_the_way(self, town: Town) -> None:
        here, there, third = await town.server(), await town.server(), await town.server()
        ada = await (await town.player(here, name="Ada")).join("square")
        client = await town.player(there, name="Ben")
        ben = await client.join("square")
        heard: list[int] = []
        ben.on("happened", lambda data: heard.append(int(data["what"])))
        said = 0
        for server in (third, there, here, third):
            client.url = f"ws://127.0.0.1:{server.port}/ws"
            resumed: list[Any] = []
            client.on("reconnected", resumed.append)
            cutting = asyncio.create_task(cut(client))
            while not resumed:
                ada.chat(f"/emit {said}")
                said += 1
                await asyncio.sleep(0.25)
            await cutting
            assert resumed[0].recovered
        await until(lambda: len(heard) == said)
        assert heard == list(range(said))


class TestBeyondTheRoom:
    async def test_topics_and_players(self, town: Town) -> None:
        here, there = await town.server(), await town.server(max_players=1)
        ada = await (await town.player(here, name="Ada")).join("square")
        client = await town.player(there, name="Ben")
        room_id = there.rooms.open_room("square").room.id
        ben = await client.join(room_id)
        assert ben.id != ada.id
        heard: list[Any] = []
        ben.on("heard", heard.append)
        ben.on("told", heard.append)
        await asyncio.sleep(1.2)
        ada.chat("/publish good")
        await until(lambda: heard)
        assert heard == [{"topic": "square", "event": "news", "data": "good"}]
        ada.chat(f"/tell {client.id} in secret")
        await until(lambda: len(heard) == 2)
        assert heard[1] == "in secret"


async def cut(client: Client) -> None:
    """The connection is lost, without a word."""
    link = client._link
    assert link is not None
    link._socket.transport.abort()
