"""Instances with players in them, and what each of their processes and their Redis took meanwhile.

Knows processes, players and /proc. CPU time is compared and not latency, so several instances may share a core.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.instances import Instance, Instances, free_port
from tests.redis import HOW_TO_INSTALL, find

import redis
from benchmarks.load_run import answers, cpu_seconds
from monkeytown.client.bots import Bots

__all__ = ["INPUTS", "RedisCosts", "Run", "Seen", "play", "redis_costs", "redis_server"]

INPUTS = 10.0
"""A second, of each player."""
SECONDS = 6.0
SETTLING = 2.5
HEARD = 1.2
MESSAGES = 10_000
PAYLOAD = 256


@dataclass(frozen=True)
class Run:
    """`rooms`: for each room, how many of its players are connected to which instance; `owners`: where its rules run."""

    name: str
    instances: int
    rooms: tuple[tuple[int, ...], ...]
    owners: tuple[int, ...]

    def uses(self, instance: int) -> list[float]:
        """Of one instance, in the order of `benchmarks.scale.NAMES`."""
        rooms = own = mirrors = relayed = here = visitors = 0
        for room, owner in zip(self.rooms, self.owners, strict=True):
            if owner == instance:
                rooms, own = rooms + 1, own + room[owner]
                mirrors += sum(1 for at, players in enumerate(room) if players and at != owner)
                relayed += sum(room) - room[owner]
            elif room[instance]:
                here, visitors = here + 1, visitors + room[instance]
        return [1, rooms, own, mirrors, relayed, here > 0, here, visitors]


@dataclass(frozen=True)
class Seen:
    """A second: CPU seconds of each instance and of Redis, its commands, and bytes."""

    cpu: list[float]
    redis_cpu: float
    commands: dict[str, float]
    bus_bytes: list[float]
    player_bytes: float
    players: int


@dataclass(frozen=True)
class RedisCosts:
    """CPU seconds of Redis for one of each."""

    publish: float
    delivery: float
    get: float
    set: float


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[int, int]]:
    """One that keeps nothing: gives (port, process id)."""
    port = free_port()
    program = find()
    assert program is not None, HOW_TO_INSTALL
    command = [str(program), "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        deadline = time.monotonic() + 10
        while not answers(port):
            assert time.monotonic() < deadline, "redis-server does not listen"
            time.sleep(0.05)
        yield port, running.pid
    finally:
        running.kill()
        running.wait()


def redis_costs(port: int, pid: int) -> RedisCosts:
    """What this Redis takes for one message, to nobody and to one who listens, and for one small value."""
    client = redis.Redis(port=port)

    def cost(*command: object) -> float:
        before = cpu_seconds(pid)
        for _ in range(MESSAGES):  # one by one: instances seldom have several to send at once
            client.execute_command(*command)
        return (cpu_seconds(pid) - before) / MESSAGES

    said = b"x" * PAYLOAD
    alone = cost("PUBLISH", "scale", said)
    listener = subprocess.Popen(
        ["redis-cli", "-p", str(port), "SUBSCRIBE", "scale"],
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        while not client.pubsub_numsub("scale")[0][1]:
            time.sleep(0.02)
        heard = cost("PUBLISH", "scale", said)
    finally:
        listener.kill()
        listener.wait()
    put = cost("SET", "scale", said, "PX", 60_000)
    return RedisCosts(alone, max(heard - alone, 0.0), cost("GET", "scale"), put)


async def _room(stack: AsyncExitStack, instances: Instances, room: Sequence[int], owner: int) -> list[Bots]:
    """Its players, where they are to be."""
    crowds: list[Bots] = []

    async def crowd(instance: int, game: str, count: int) -> Bots:
        bots = Bots(instances[instance].url, game, count, rate=INPUTS, seed=len(crowds))
        task = asyncio.create_task(bots.run())
        stack.callback(task.cancel)
        async with asyncio.timeout(20):
            while bots.playing < count:
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
        crowds.append(bots)
        return bots

    first = await crowd(owner, "jungle", 1)
    opened = first.clients[0].room
    assert opened is not None
    for instance, count in enumerate(room):
        others = count - (instance == owner)
        if others:
            await crowd(instance, opened.id, others)
    return crowds


def _commands(client: redis.Redis) -> dict[str, float]:
    return {
        name.removeprefix("cmdstat_"): float(about["calls"])
        for name, about in client.info("commandstats").items()
    }


async def play(run: Run, redis_at: tuple[int, int], folder: Path) -> Seen:
    """Plays for some seconds. Whoever was to play must have played throughout."""
    port, redis_pid = redis_at
    client = redis.Redis(port=port)
    client.flushall()
    size = max((sum(room) for room in run.rooms), default=1)
    settings = {"max_players": size, "log_level": "warning", "max_stride": 1}
    settings |= {"connections_per_address": 0, "requests_per_second": 1000}
    with Instances(run.instances, ["jungle"], f"redis://127.0.0.1:{port}", folder, **settings) as instances:
        async with AsyncExitStack() as stack:
            crowds: list[Bots] = []
            for room, owner in zip(run.rooms, run.owners, strict=True):
                crowds += await _room(stack, instances, room, owner)
                await asyncio.sleep(HEARD)  # others still think that the room has seats
            await asyncio.sleep(SETTLING)
            one = await asyncio.to_thread(_read, instances, client, redis_pid)
            await asyncio.sleep(SECONDS)
            two = await asyncio.to_thread(_read, instances, client, redis_pid)
            playing = sum(bots.playing for bots in crowds)
            assert playing == sum(map(sum, run.rooms)), f"{run.name}: {playing} are still playing"
    return _between(one, two, playing)


@dataclass(frozen=True)
class _Reading:
    at: float
    cpu: list[float]
    redis_cpu: float
    commands: dict[str, float]
    bus: list[float]
    sent: float


def _read(instances: Instances, client: redis.Redis, redis_pid: int) -> _Reading:
    every: list[Instance] = instances.all
    cpu = [cpu_seconds(one.pid) for one in every]
    at, redis_cpu, commands = time.monotonic(), cpu_seconds(redis_pid), _commands(client)
    bus = [one.metric("bus_bytes_sent_total") for one in every]
    sent = sum(one.metric("sent_bytes_total") for one in every)
    return _Reading(at, cpu, redis_cpu, commands, bus, sent)


def _between(one: _Reading, two: _Reading, players: int) -> Seen:
    took = two.at - one.at
    return Seen(
        [(after - before) / took for before, after in zip(one.cpu, two.cpu, strict=True)],
        (two.redis_cpu - one.redis_cpu) / took,
        {name: (calls - one.commands.get(name, 0)) / took for name, calls in two.commands.items()},
        [(after - before) / took for before, after in zip(one.bus, two.bus, strict=True)],
        (two.sent - one.sent) / took,
        players,
    )
