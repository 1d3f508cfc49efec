"""Three instances at one Redis, with players who are to notice nothing: to be broken, mended, and broken again.

Knows processes, and which of them a room is at. Every process is started by one thread that lasts, since it ends with the
thread that has started it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from tests.instances import Instance

from benchmarks.chaos import accounts
from benchmarks.chaos.outages import KEEPER
from benchmarks.chaos.redis_server import RedisServer
from benchmarks.chaos.witness import MANY, Crowd, Witness

__all__ = ["Fleet", "kept", "until", "with_fleet"]

GAMES = [f"{Path(__file__).with_name('plaza.py')}:{name}" for name in ("Plaza", "Brittle", "Quartet")]
PATIENCE = 15.0
IDLE_SECONDS = 15.0
SETTINGS = {
    "chat_per_second": 1000,
    "chat_burst": 1000,
    "connections_per_address": 0,
    "empty_room_seconds": 0.3,
    "log_level": "warning",
    "max_stride": 1,
}

ANYWHERE = ("taskset", "-c", f"0-{(os.cpu_count() or 1) - 1}")
"""On any core, wherever this process may run itself."""

R = TypeVar("R")


def with_fleet(fleet: Fleet, run: Callable[[Fleet], Coroutine[Any, Any, R]]) -> R:
    """Runs players against a fleet that is whole, whatever was done to it before."""

    async def all_of_it() -> R:
        await fleet.mend()
        return await run(fleet)

    return uvloop.run(all_of_it())


async def kept(call: Callable[..., R], *arguments: Any) -> R:
    """A call that blocks, in the thread that lasts."""
    return await asyncio.get_running_loop().run_in_executor(KEEPER, call, *arguments)


async def until(true: Callable[[], Any], seconds: float = PATIENCE, why: str = "") -> float:
    """Returns once it is so, with the time. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why or "it has not come true"
        await asyncio.sleep(0.005)
    return time.monotonic()


class Fleet:
    """Instances with a Redis of their own. `through` has the address of Redis for those that reach it another way."""

    def __init__(
        self,
        folder: Path,
        database_url: str = "none",
        *,
        count: int = 3,
        through: Mapping[int, str] | None = None,
        redis: RedisServer | None = None,
        **settings: object,
    ) -> None:
        self.redis = redis or RedisServer(folder)
        self.database_url = database_url
        given = {**SETTINGS, "database_url": database_url, **settings}
        addresses = through or {}
        self.instances = [
            Instance(
                GAMES,
                folder / str(number),
                redis_url=addresses.get(number, self.redis.url),
                instance_name=f"i{number}",
                before=ANYWHERE,
                **given,
            )
            for number in range(count)
        ]

    def __getitem__(self, number: int) -> Instance:
        return self.instances[number % len(self.instances)]

    async def start(self) -> None:
        """Whatever does not run; returns once all are ready."""
        if not self.redis.runs:
            await kept(self.redis.start)
        for one in self.instances:
            if not one.runs:
                await kept(one.launch)
        for one in self.instances:
            await kept(one.wait)

    async def mend(self) -> None:
        """Whatever the last one has left behind: all run, nothing is frozen, no room is left."""
        for one in self.instances:
            if one.runs:
                one.resume()
        if self.redis.runs:
            self.redis.resume()
        try:
            await self.start()
            await self.idle()
        except AssertionError:
            await self.stop()
            await self.start()

    async def stop(self) -> None:
        for one in self.instances:
            if one.runs:
                await kept(one.kill)
        await kept(self.redis.kill)

    async def idle(self) -> None:
        """Returns once no room is left anywhere."""
        deadline = time.monotonic() + IDLE_SECONDS
        while await self.total("leases"):
            assert time.monotonic() < deadline, "a room does not end"
            await asyncio.sleep(0.1)

    async def settle(self, crowd: Crowd, seconds: float = 5.0) -> list[str]:
        """Lets all come to rest. Who sees something else then, or has not heard something and was not told so."""
        await crowd.rest()
        deadline = time.monotonic() + seconds
        while True:
            found = accounts.differing(crowd.witnesses) + accounts.silent_gaps(crowd.witnesses)
            if not found or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.1)

    async def records(self, room: str, crowd: Crowd) -> list[accounts.Record]:
        """What is kept of a room, once the last that was said is."""
        last = {(one.name, len(one.said)) for one in crowd.speakers if one.said}
        deadline = time.monotonic() + PATIENCE
        while True:
            found = await accounts.records(self.database_url, room)
            if last <= {(record.who, record.number) for record in found}:
                return found
            assert time.monotonic() < deadline, "the database does not get the last records"
            await asyncio.sleep(0.1)

    async def failovers(self) -> float:
        return await self.total("rooms_taken_over_total")

    async def total(self, metric: str) -> float:
        """Of all that run."""
        return sum([await kept(one.metric, metric) for one in self.instances if one.runs])

    def elsewhere(self, first: Instance) -> Callable[[], str]:
        """An address for a player: this instance, or the next that runs."""
        start = self.instances.index(first)

        def url() -> str:
            for step in range(len(self.instances)):
                if self[start + step].runs:
                    return self[start + step].url
            return first.url

        return url

    @asynccontextmanager
    async def crowd(
        self, owner: Instance, where: Mapping[Instance, int], *, game: str = "plaza", speakers: int = 100
    ) -> AsyncIterator[Crowd]:
        """A room of `owner` and so many players at each instance, who are in and know each other."""
        await self.idle()
        total = sum(where.values())
        opener = Witness("opener", self.elsewhere(owner), looks=False)
        await opener.join(game)
        witnesses = []
        for instance, count in where.items():
            for _ in range(count):
                witnesses.append(Witness(f"p{len(witnesses)}", self.elsewhere(instance), looks=total <= MANY))
        await asyncio.gather(*(one.join(opener.room.id) for one in witnesses))
        await opener.close()
        leases = await kept(owner.metric, "leases")
        assert leases == 1, f"the room is not where it was opened: {leases} leases"
        await until(lambda: all(len(one.room.tables["dots"]) == total for one in witnesses))
        async with Crowd(witnesses, speakers) as crowd:
            await until(lambda: all(one.heard or not speakers for one in witnesses))
            yield crowd
