"""What tests ask for: servers, a database, a browser, a Node. What is missing fails with the line that installs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from monkeytown.game import Game
from tests import browser, node
from tests import postgres as postgresql
from tests import redis as redises

Serve = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What servers keep, also those that are processes of their own: of each test alone."""
    folder = tmp_path / "data"
    monkeypatch.setenv("MONKEYTOWN_DATA_FOLDER", str(folder))
    return folder


@pytest.fixture
async def server() -> AsyncIterator[Serve]:
    """`await server(Jungle, ack_window=0)`: a running server of these games, with `.url`, `.host` and `.port`."""
    from monkeytown.server.app import running
    from monkeytown.server.settings import Settings

    async with AsyncExitStack() as stack:

        async def serve(*games: type[Game], **settings: Any) -> Any:
            return await stack.enter_async_context(running(list(games), Settings(port=0, **settings)))

        yield serve


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgresql.Postgres]:
    """A PostgreSQL server; whoever stops or pauses it sees to it that it runs again."""
    programs = postgresql.find()
    if programs is None:
        pytest.fail(postgresql.HOW_TO_INSTALL)
    with postgresql.Postgres(tmp_path_factory.mktemp("postgres"), programs) as server:
        yield server


@pytest.fixture
async def postgres_url(postgres: postgresql.Postgres) -> str:
    """The address of a database of a test's own, with nothing in it."""
    return await postgres.database()


@pytest.fixture(scope="session")
def redis_program() -> Path:
    """The path of a Redis server."""
    program = redises.find()
    if program is None:
        pytest.fail(redises.HOW_TO_INSTALL)
    return program


@pytest.fixture(scope="session")
def redis_server(
    redis_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[redises.RedisServer]:
    """A Redis that all tests share; nobody stops it, pauses it or changes its settings."""
    with redises.RedisServer(tmp_path_factory.mktemp("redis"), redis_program) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: redises.RedisServer) -> str:
    """Its address. Instances that are to meet nobody else's have a `redis_prefix` of their own."""
    return redis_server.url(database=0)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    path = browser.find()
    if path is None:
        pytest.fail(browser.HOW_TO_INSTALL)
    return path


@pytest.fixture(scope="session")
def node_path() -> str:
    """The path of a Node that runs the JavaScript tests."""
    path = node.find()
    if path is None:
        pytest.fail(node.HOW_TO_INSTALL)
    return path


@pytest.fixture
async def browser_context(chromium: str) -> AsyncIterator[Any]:
    """A fresh browser context of Playwright; pages of it are players of their own."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=browser.ARGUMENTS)
        yield await launched.new_context()
        await launched.close()
