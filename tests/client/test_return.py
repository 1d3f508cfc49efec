"""The client and the real server, with a line between them that breaks: who comes back, to what, and what was heard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NamedTuple

from monkeytown import Entity, Game, area, fixed, table, uint
from monkeytown.client import Client, Reconnected, Room, connect
from monkeytown.client.bots import Bots
from monkeytown.games.jungle import Jungle
from tests.chaos.proxy import Proxy
from tests.conftest import Serve

TIMEOUT = 20
UNLIMITED = {"chat_per_second": 1000, "chat_burst": 1000, "inputs_per_tick": 100}


class Count(Entity):
    total = uint(32)
    secret = uint(32, owner_only=True)


class Counting(Game):
    """Writes down every action in the order in which it comes."""

    tick_rate = 20
    counts = table(Count)
    taken: list[int]

    def on_create(self) -> None:
        type(self).taken = []

    def on_join(self, player: Any) -> None:
        player.entity = self.counts.spawn()

    def on_message(self, player: Any, action: dict[str, Any]) -> None:
        self.taken.append(action["count"])
        player.entity.total = player.entity.secret = action["count"]
        self.broadcast("counted", action["count"])


class Brief(Counting):
    seat_seconds = 0.05


class Dot(Entity):
    x = fixed(0, 1000)
    y = fixed(0, 1000)


class Fog(Game):
    tick_rate = 30
    view = area(100, "dots")
    dots = table(Dot)

    def on_create(self) -> None:
        for place in range(0, 1000, 20):
            self.dots.spawn(x=place, y=500)

    def on_join(self, player: Any) -> None:
        player.entity = self.dots.spawn(x=500, y=500)

    def on_tick(self, dt: float) -> None:
        for dot in self.dots:
            dot.x = (dot.x + 1) % 1000


class Playing(NamedTuple):
    client: Client
    room: Room
    proxy: Proxy
    running: Any

    async def lose(self) -> Reconnected:
        """Cut the line, and wait until the client is back."""
        back = asyncio.create_task(self.client.wait("reconnected"))
        await asyncio.sleep(0)
        await self.proxy.cut()
        async with asyncio.timeout(TIMEOUT):
            reconnected: Reconnected = await back
        return reconnected


@asynccontextmanager
async def playing(server: Serve, game: type[Game], **settings: Any) -> AsyncIterator[Playing]:
    running = await server(game, **settings)
    async with (
        Proxy(running.host, running.port, seed=1) as proxy,
        await connect(proxy.url, name="Ada", random=Random(1)) as client,
    ):
        yield Playing(client, await client.join(game.name), proxy, running)


async def settled(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - conditions of others, who set no events
            await asyncio.sleep(0.01)


async def test_the_state_goes_on_as_a_delta_with_the_same_rows(server: Serve):
    async with playing(server, Jungle) as ada:
        await settled(lambda: ada.room.entity is not None and ada.room.players)
        id_, monkey, tables = ada.client.id, ada.room.entity, ada.room.tables
        number = ada.room.input(turn=1)
        for _ in range(3):
            assert await ada.lose() == Reconnected(True, True, "delta", True, 0)
        tick = ada.room.tick
        await settled(lambda: ada.room.tick > tick + 5)
        assert (ada.client.id, ada.room.entity, ada.room.tables) == (id_, monkey, tables)
        assert list(ada.room.players) == [id_]
        assert ada.room.input(turn=1) == number + 1
        await settled(lambda: ada.room.input_seen == number + 1)
        assert ada.running.metrics.resumed == {"delta": 3}


async def test_tables_of_which_a_part_is_seen_go_on_too(server: Serve):
    async with playing(server, Fog) as ada:
        await settled(lambda: ada.room.entity is not None and len(ada.room.tables["dots"]) > 3)
        assert (await ada.lose()).resumed == "delta"
        tick = ada.room.tick
        await settled(lambda: ada.room.tick > tick + 5)
        async with await connect(ada.running.url) as bo:
            there = await bo.join("fog")
            await settled(lambda: there.entity is not None and there.tick <= ada.room.tick)
            mine = {dot.id: dot for dot in ada.room.tables["dots"]}
            assert len([dot for dot in there.tables["dots"] if dot.id in mine]) > 3


async def test_actions_and_chat_are_taken_once_and_in_order_whatever_breaks(server: Serve):
    async with playing(server, Counting, **UNLIMITED) as ada:
        heard: list[int] = []
        said: list[str] = []
        ada.room.on("counted", heard.append)
        ada.room.on("chat", lambda chat: said.append(chat["text"]))
        random = Random(7)
        ada.proxy.up.delay = ada.proxy.down.delay = 0.005
        for count in range(1, 61):
            assert ada.room.input(count=count) == count
            assert ada.room.chat(str(count))
            await asyncio.sleep(random.uniform(0, 0.03))
            if random.random() < 0.15:
                await ada.proxy.cut(reset=random.random() < 0.5)
        everything = list(range(1, 61))
        await settled(lambda: Counting.taken == heard == everything)
        await settled(lambda: said == [str(count) for count in everything])
        await settled(lambda: ada.room.entity.secret == 60 and not ada.client._session.outbox)


async def test_who_is_too_late_joins_anew(server: Serve):
    async with playing(server, Brief) as ada:
        id_, errors = ada.client.id, []
        ada.client.on("error", errors.append)
        ada.proxy.accepting = False
        back = asyncio.create_task(ada.client.wait("reconnected"))
        await asyncio.sleep(0)
        await ada.proxy.cut()
        assert ada.room.chat("hello?")
        async with await connect(ada.running.url) as bo:
            there = await bo.join("brief")
            await settled(lambda: list(there.players) == [bo.id])
            ada.proxy.accepting = True
            assert await back == Reconnected(True, True, None, False, 1)
            await settled(lambda: len(there.players) == len(ada.room.players) == 2)
        assert ada.client.id != id_
        assert errors == []
        assert ada.room.input(count=1) == 1
        await settled(lambda: ada.room.entity is not None and ada.room.entity.total == 1)


async def test_a_seat_is_kept_unless_the_player_leaves_for_good(server: Serve):
    async with playing(server, Counting) as ada, await connect(ada.running.url) as bo:
        there = await bo.join("counting")
        await settled(lambda: len(there.players) == 2)
        ada.proxy.accepting = False
        await ada.proxy.cut()
        await settled(lambda: ada.running.sessions.away == 1)
        there.chat("anybody here?")
        await there.wait("chat")  # behind whatever the server has said of others
        assert len(there.players) == 2
        ada.proxy.accepting = True
        await settled(lambda: ada.client.state == "open")
        await ada.client.close()
        await settled(lambda: list(there.players) == [bo.id])


async def test_a_room_that_was_left_while_away_is_left(server: Serve):
    async with playing(server, Counting) as ada, await connect(ada.running.url) as bo:
        there = await bo.join("counting")
        await settled(lambda: len(there.players) == 2)
        back = asyncio.create_task(ada.client.wait("reconnected"))
        gone = asyncio.create_task(ada.client.wait("reconnecting"))
        await asyncio.sleep(0)
        await ada.proxy.cut()
        await gone
        ada.room.leave()
        await back
        await settled(lambda: list(there.players) == [bo.id])
        again = await ada.client.join("counting")
        await settled(lambda: len(again.players) == 2)
        assert again.input(count=5) == 1
        await settled(lambda: again.entity is not None and again.entity.total == 5)


async def test_bots_with_shared_tables_come_back_with_snapshots(server: Serve):
    running = await server(Jungle)
    async with Proxy(running.host, running.port, seed=1) as proxy:
        bots = Bots(proxy.url.replace("http", "ws") + "/ws", "jungle", 6, rate=20, seed=1)
        task = asyncio.create_task(bots.run())
        await settled(lambda: bots.playing == 6)
        ids = {bot.id for bot in bots.clients}
        for passage in proxy.passages[:3]:
            await passage.cut()
        await settled(lambda: running.metrics.resumed["snapshot"] == 3)
        await settled(lambda: all(bot.state == "open" for bot in bots.clients))
        await proxy.cut()
        await settled(lambda: running.metrics.resumed["snapshot"] == 9)
        await settled(lambda: all(bot.state == "open" for bot in bots.clients))
        assert {bot.id for bot in bots.clients} == ids
        assert len({id(bot.room.mirror) for bot in bots.clients if bot.room}) == 1
        ticks = [bot.room.tick for bot in bots.clients if bot.room]
        await settled(lambda: all(bot.room and bot.room.tick > max(ticks) + 5 for bot in bots.clients))
        assert running.metrics.resumed["delta"] == running.metrics.resumed["refused"] == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await settled(lambda: not running.sessions)
