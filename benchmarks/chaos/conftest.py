"""What is broken here: a PostgreSQL, on the core of the load, since the server's is the server's alone; and instances."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests import postgres as postgresql

from benchmarks.chaos.crowd import on_the_loads_core
from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.redis_server import RedisServer
from benchmarks.chaos.wire import Wire


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgresql.Postgres]:
    programs = postgresql.find()
    if programs is None:
        pytest.fail(postgresql.HOW_TO_INSTALL)
    with on_the_loads_core(), postgresql.Postgres(tmp_path_factory.mktemp("postgres"), programs) as server:
        yield server


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, postgres: postgresql.Postgres) -> Iterator[Fleet]:
    """Three instances that share a Redis and a database; they run from the first use on."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), asyncio.run(postgres.database()))
    yield fleet
    asyncio.run(fleet.stop())


@pytest.fixture(scope="session")
def wired_fleet(
    tmp_path_factory: pytest.TempPathFactory, postgres: postgresql.Postgres
) -> Iterator[tuple[Fleet, Wire]]:
    """The same, but the first one reaches Redis by a wire that can be cut."""
    folder = tmp_path_factory.mktemp("wired")
    redis = RedisServer(folder)
    with Wire(redis.port) as wire:
        fleet = Fleet(folder, asyncio.run(postgres.database()), through={0: wire.url}, redis=redis)
        yield fleet, wire
        asyncio.run(fleet.stop())
