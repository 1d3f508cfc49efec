"""Real servers of Redis, and buses over each kind of way there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from monkeytown.cluster.bus import Bus, Hub
from monkeytown.cluster.redisbus import RedisBus
from tests.redis import RedisCluster, RedisServer


@pytest.fixture(scope="session")
def redis_cluster(redis_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Three servers as one, which nobody stops, pauses or changes either."""
    with RedisCluster(tmp_path_factory.mktemp("cluster"), redis_program) as cluster:
        yield cluster


@pytest.fixture
def own_redis(redis_program: Path, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test alone, to be broken."""
    with RedisServer(tmp_path / "redis", redis_program) as server:
        yield server


@pytest.fixture
def own_cluster(redis_program: Path, tmp_path: Path) -> Iterator[RedisCluster]:
    """A cluster of this test alone, to be broken."""
    with RedisCluster(tmp_path / "cluster", redis_program) as cluster:
        yield cluster


@pytest.fixture
async def redis_bus() -> AsyncIterator[Callable[..., Awaitable[RedisBus]]]:
    """`await redis_bus(url, prefix=…)`: a bus that has started and will be closed."""
    buses: list[RedisBus] = []

    async def start(url: str, **options: object) -> RedisBus:
        bus = RedisBus(url, **options)  # type: ignore[arg-type]
        buses.append(bus)
        await bus.start()
        return bus

    yield start
    for bus in buses:
        await bus.close()


@pytest.fixture(params=["hub", "redis", "cluster"])
async def new_bus(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Bus]]:
    """Another bus of the same kind at each call, not yet started."""
    if request.param == "hub":
        yield Hub().bus
        return
    server = request.getfixturevalue("redis_server" if request.param == "redis" else "redis_cluster")
    buses: list[RedisBus] = []

    def make() -> Bus:
        buses.append(RedisBus(server.url()))
        return buses[-1]

    yield make
    for bus in buses:
        await bus.close()
