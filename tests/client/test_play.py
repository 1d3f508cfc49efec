"""The client and the bots against the real server, in the games that come along."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from monkeytown import Entity, Game, Refusal, fixed, table, text
from monkeytown.client import connect
from monkeytown.client.bots import Bots
from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from tests.conftest import Serve

TIMEOUT = 20


class Diary(Entity):
    mood = fixed(0, 10)
    secret = text(20, owner_only=True)


class Diaries(Game):
    tick_rate = 20
    diaries = table(Diary)

    def on_join(self, player: Any) -> None:
        player.entity = self.diaries.spawn(secret=f"I am {player.name}")

    def on_message(self, player: Any, action: dict[str, Any]) -> None:
        match action:
            case {"write": str(secret)}:
                player.entity.secret = secret
                self.broadcast("written", {"by": player.name})
            case {"fail": True}:
                raise RuntimeError("torn")
            case {"kick": str(id)}:
                self.players[id].kick("out")
            case _:
                raise Refusal("Only writing.")


async def settled(condition: Any) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - conditions of others, who set no events
            await asyncio.sleep(0.01)


async def test_two_players_see_each_other_move(server: Serve):
    url = (await server(Jungle)).url
    async with await connect(url, name="Ada") as ada, await connect(url, name="Bo") as bo:
        here, there = await ada.join("jungle"), await bo.join("jungle")
        assert here.id == there.id
        await settled(lambda: here.entity is not None and len(here.players) == 2)
        assert {player.name for player in here.players.values()} == {"Ada", "Bo"}
        before = here.entity.x, here.entity.y
        number = here.input(turn=0, run=True)
        await settled(lambda: here.input_seen == number and (here.entity.x, here.entity.y) != before)
        ticks = await here.wait("state"), await there.wait("state")
        assert all(state.tick > 0 for state in ticks)
        seen = there.tables["monkeys"].get(here.entity.id)
        await settled(lambda: seen.name == "Ada" and seen.running)


async def test_states_go_on_for_longer_than_the_window(server: Serve):
    url = (await server(Jungle, ack_window=0.3)).url
    async with await connect(url) as client:
        room = await client.join("jungle")
        first = room.tick
        await settled(lambda: room.tick > first + 60)


async def test_chat_reaches_everyone(server: Serve):
    url = (await server(TicTacToe)).url
    async with await connect(url, name="Ada") as ada, await connect(url, name="Bo") as bo:
        here, there = await ada.join("tictactoe"), await bo.join("tictactoe")
        hearing = asyncio.create_task(there.wait("chat"))
        await asyncio.sleep(0)
        here.chat("good luck")
        assert await hearing == {"playerId": ada.id, "name": "Ada", "text": "good luck"}


async def test_secrets_are_the_owners(server: Serve):
    url = (await server(Diaries)).url
    async with await connect(url, name="Ada") as ada, await connect(url, name="Bo") as bo:
        here, there = await ada.join("diaries"), await bo.join("diaries")
        await settled(lambda: here.entity is not None and here.entity.secret == "I am Ada")
        written = asyncio.create_task(there.wait("written"))
        await asyncio.sleep(0)
        here.input(write="I won")
        assert await written == {"by": "Ada"}
        await settled(lambda: here.entity.secret == "I won")
        assert there.tables["diaries"].get(here.entity.id).secret == ""


async def test_refusals_failures_and_kicks_are_told(server: Serve):
    url = (await server(Diaries)).url
    async with await connect(url, name="Ada") as ada, await connect(url, name="Bo") as bo:
        here, there = await ada.join("diaries"), await bo.join("diaries")
        async with await connect(url) as other:
            with pytest.raises(Refusal, match="GAME-001"):
                await other.join("chess")
        refused = asyncio.create_task(here.wait("error"))
        await asyncio.sleep(0)
        here.input(dance=1)
        assert (await refused).message == "Only writing."
        kicked = asyncio.create_task(there.wait("close"))
        await asyncio.sleep(0)
        here.input(kick=bo.id)
        assert (await kicked).code == 4504
        failed = asyncio.create_task(here.wait("close"))
        await asyncio.sleep(0)
        here.input(fail=True)
        assert (await failed).code == 4505
        assert ada.state == "closed"


async def test_bots_gather_bananas(server: Serve):
    url = (await server(Jungle)).url
    bots = Bots(url.replace("http", "ws") + "/ws", "jungle", 12, rate=20, seed=1)
    playing = asyncio.create_task(bots.run())
    async with await connect(url) as client:
        room = await client.join("jungle")
        await settled(lambda: bots.playing == 12)
        await settled(lambda: sum(monkey.bananas for monkey in room.tables["monkeys"]) >= 5)
        mirrors = {id(bot.room.mirror) for bot in bots.clients if bot.room}
        assert len(mirrors) == 1
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing
        await settled(lambda: len(room.players) == 1)


async def test_bots_finish_a_game_of_tic_tac_toe(server: Serve):
    url = (await server(TicTacToe)).url
    bots = Bots(url.replace("http", "ws") + "/ws", "tictactoe", 2, rate=15, seed=1)
    async with await connect(url) as client, asyncio.TaskGroup() as group:
        playing = group.create_task(bots.run())
        await settled(lambda: bots.playing == 2)
        room = await client.join("tictactoe")
        async with asyncio.timeout(TIMEOUT):
            assert (await room.wait("finished"))["winner"] in ("X", "O", "draw")
        playing.cancel()


async def test_a_full_room_opens_the_next(server: Serve):
    url = (await server(Diaries, max_players=1)).url
    async with await connect(url) as ada, await connect(url) as bo:
        here, there = await ada.join("diaries"), await bo.join("diaries")
        assert here.id != there.id
        there.leave()
        with pytest.raises(Refusal, match="GAME-001"):
            await bo.join(here.id)
        assert (await bo.join("diaries")).id != here.id


async def test_many_players_come_and_go_while_threads_share_the_sends(server: Serve):
    running = await server(Jungle, send_threads=2)
    async with AsyncExitStack() as stack:

        async def come(number: int) -> Any:
            client = await stack.enter_async_context(await connect(running.url, name=f"Monkey {number}"))
            return await client.join("jungle")

        rooms = await asyncio.gather(*(come(number) for number in range(36)))
        assert len({room.id for room in rooms}) == 1
        for turn in range(1, 5):
            for room in rooms[:6]:
                room.leave()
            rooms = rooms[6:] + await asyncio.gather(*(come(100 * turn + number) for number in range(6)))
            tick = max(room.tick for room in rooms)
            await settled(lambda tick=tick, rooms=rooms: all(room.tick > tick + 5 for room in rooms))
        await settled(lambda: all(len(room.players) == 36 for room in rooms))
        seen: dict[int, Any] = {}
        for room in rooms:
            monkeys = {monkey.id: (monkey.name, monkey.x, monkey.y) for monkey in room.tables["monkeys"]}
            assert seen.setdefault(room.tick, monkeys) == monkeys
        assert running.front.senders.barriers > 20
    assert running.front.senders.threads == 2
