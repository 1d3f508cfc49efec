"""Instances that die, freeze and stop, as their players see it: real processes, one Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from monkeytown.client import Client, Room, connect
from tests.cluster.test_instances import dot, names, until
from tests.instances import Instance, Instances

GAME = Path(__file__).with_name("square.py")
CHECKPOINTED = 1.5
"""Seconds after which what has happened is in a checkpoint."""


class Players:
    """Clients, closed in the end."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.closed: list[Any] = []
        self.reconnected: dict[str, list[Any]] = {}

    async def join(self, instance: Instance, name: str) -> tuple[Client, Room]:
        client = await connect(instance.url, name=name)
        self._stack.push_async_callback(client.close)
        room = await client.join("square")
        self.reconnected[name] = []
        client.on("close", self.closed.append)
        client.on("reconnecting", self.reconnected[name].append)
        client.on("reconnected", self.reconnected[name].append)
        return client, room


@pytest_asyncio.fixture
async def players() -> AsyncIterator[Players]:
    async with AsyncExitStack() as stack:
        yield Players(stack)


async def in_thread(call: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


async def steer(*rooms: Room, count: int = 10) -> None:
    for _ in range(count):
        for room in rooms:
            room.input(dx=1)
        await asyncio.sleep(1 / 60)


@pytest.fixture
def three(redis_url: str, tmp_path: Path) -> Any:
    with Instances(3, [GAME], redis_url, tmp_path) as instances:
        yield instances


class TestAnOwnerThatDies:
    async def test_players_elsewhere_go_on(self, three: Instances, players: Players) -> None:
        owner, second, third = three
        _, room = await players.join(owner, "Ada")
        _, ben = await players.join(second, "Ben")
        _, eve = await players.join(third, "Eve")
        await steer(room, ben, eve)
        await until(lambda: dot(eve, "Ben").steps == 10)
        await asyncio.sleep(CHECKPOINTED)
        await in_thread(owner.kill)
        died = time.monotonic()
        before = dot(ben, "Ben").steps
        while dot(eve, "Ben").steps < before + 3:
            await steer(ben, eve, count=1)
            assert time.monotonic() - died < 8
        assert not players.reconnected["Ben"]
        assert not players.reconnected["Eve"]
        assert names(ben) == {"Ada", "Ben", "Eve"}
        ben.chat("still here")
        await until(lambda: eve.chat_lines and eve.chat_lines[-1]["text"] == "still here")
        await until(lambda: dot(eve, "Eve").x == dot(ben, "Eve").x)

    async def test_its_own_players_come_back_elsewhere(self, three: Instances, players: Players) -> None:
        owner, second, third = three
        ada, room = await players.join(owner, "Ada")
        await steer(room)
        await until(lambda: dot(room, "Ada").steps == 10)
        entity = dot(room, "Ada").id
        await asyncio.sleep(CHECKPOINTED)
        ada.url = second.url
        await in_thread(owner.kill)
        await until(lambda: len(players.reconnected["Ada"]) == 2, seconds=15)
        assert dot(room, "Ada").id == entity
        assert dot(room, "Ada").steps == 10
        await steer(room, count=5)
        await until(lambda: dot(room, "Ada").steps == 15)
        _, ben = await players.join(third, "Ben")
        await until(lambda: names(ben) == names(room) == {"Ada", "Ben"})
        assert not players.closed


class TestAnInstanceThatDies:
    async def test_its_players_come_back_to_the_same_room(self, three: Instances, players: Players) -> None:
        owner, second, third = three
        _, room = await players.join(owner, "Ada")
        ben, bens = await players.join(second, "Ben")
        await steer(room, bens)
        await until(lambda: dot(room, "Ben").steps == 10)
        await asyncio.sleep(1.2)
        ben.url = third.url
        await in_thread(second.kill)
        await until(lambda: len(players.reconnected["Ben"]) == 2, seconds=15)
        assert players.reconnected["Ben"][-1].recovered
        await steer(bens, count=5)
        await until(lambda: dot(room, "Ben").steps == 15)
        assert names(room) == {"Ada", "Ben"}


class TestAnOwnerThatFreezes:
    async def test_for_long_is_fenced_when_it_wakes_up(self, three: Instances, players: Players) -> None:
        owner, second, _ = three
        _, room = await players.join(owner, "Ada")
        _, ben = await players.join(second, "Ben")
        await steer(room, ben)
        await asyncio.sleep(CHECKPOINTED)
        owner.pause()
        before = dot(ben, "Ben").steps
        await until(lambda: ben.input(dx=1) or dot(ben, "Ben").steps > before + 3, seconds=8)
        await asyncio.sleep(3)
        owner.resume()
        steps = dot(ben, "Ben").steps
        await until(lambda: dot(room, "Ben").steps >= steps, seconds=8)
        await steer(room, count=5)
        await until(lambda: dot(ben, "Ada").steps == dot(room, "Ada").steps >= 10)
        assert not players.closed
        assert await in_thread(owner.metric, "rooms_fenced_total") == 1

    async def test_for_a_moment_stays_owner(self, three: Instances, players: Players) -> None:
        owner, second, _ = three
        _, room = await players.join(owner, "Ada")
        _, ben = await players.join(second, "Ben")
        for _ in range(5):
            owner.pause()
            await asyncio.sleep(1)
            owner.resume()
            await steer(room, ben, count=30)
        await until(lambda: dot(ben, "Ada").steps == dot(room, "Ada").steps)
        taken = [await in_thread(one.metric, "rooms_taken_over_total") for one in three]
        assert taken == [0, 0, 0]
        assert not players.reconnected["Ben"]


class TestAnInstanceThatStops:
    async def test_hands_over_its_rooms_and_players(self, three: Instances, players: Players) -> None:
        owner, second, _ = three
        ada, room = await players.join(owner, "Ada")
        _, ben = await players.join(second, "Ben")
        await steer(room, ben)
        await until(lambda: dot(ben, "Ada").steps == 10)
        ada.url = second.url
        owner.terminate()
        steering = asyncio.create_task(steer(ben, count=120))
        assert await in_thread(owner.ended) == 0
        await steering
        await until(lambda: len(players.reconnected["Ada"]) == 2)
        assert players.reconnected["Ada"][-1].recovered
        await until(lambda: dot(room, "Ben").steps == dot(ben, "Ben").steps >= 120)
        assert dot(room, "Ada").steps == 10
        assert not players.reconnected["Ben"]
        assert not players.closed

    async def test_alone_leaves_its_rooms_to_whoever_comes_next(
        self, redis_url: str, tmp_path: Path, players: Players
    ) -> None:
        with Instances(1, [GAME], redis_url, tmp_path / "first", redis_prefix="alone:") as (one,):
            ada, room = await players.join(one, "Ada")
            await steer(room)
            await until(lambda: dot(room, "Ada").steps == 10)
            with Instances(1, [GAME], redis_url, tmp_path / "next", redis_prefix="alone:") as (other,):
                ada.url = other.url
                assert await in_thread(one.stop) == 0
                await until(lambda: len(players.reconnected["Ada"]) == 2, seconds=15)
                await until(lambda: dot(room, "Ada").steps == 10)
