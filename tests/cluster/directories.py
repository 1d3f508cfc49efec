"""The same directory in memory, in a Redis and in a Redis Cluster: each seen by two instances, with a time that passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monkeytown.cluster.directory import Directory, LocalDirectory
from monkeytown.cluster.redisdirectory import RedisDirectory
from tests.cluster.servers_for_directory import Cluster, Server

__all__ = ["LEASE_SECONDS", "LocalTown", "RedisTown", "Town"]

LEASE_SECONDS = 0.6


class LocalTown:
    def __init__(self) -> None:
        self._now = 1000.0
        self.one: Directory = LocalDirectory(lease_seconds=LEASE_SECONDS, clock=lambda: self._now)
        self.two: Directory = self.one

    async def passes(self, seconds: float) -> None:
        self._now += seconds


class RedisTown:
    def __init__(self, server: Server | Cluster) -> None:
        self.server = server
        self.one: Directory = RedisDirectory(server.url, lease_seconds=LEASE_SECONDS)
        self.two: Directory = RedisDirectory(server.url, lease_seconds=LEASE_SECONDS)

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


Town = LocalTown | RedisTown


@asynccontextmanager
async def redis_town(server: Server | Cluster) -> AsyncIterator[RedisTown]:
    server.do("FLUSHALL")
    town = RedisTown(server)
    await town.one.start()
    await town.two.start()
    try:
        yield town
    finally:
        await town.one.close()
        await town.two.close()
