"""The same store over both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monkeytown.stores.address import database_at
from monkeytown.stores.database import Database
from monkeytown.stores.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'town.db'}"
    fixture = request.getfixturevalue("postgres")
    return str(await fixture.database())


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database, open."""
    database = database_at(url, tmp_path)
    assert database is not None
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def store(url: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A store with nothing in it, over either database."""
    database = database_at(url, tmp_path)
    assert database is not None
    store = Store(database)
    await store.open(migrate=True)
    yield store
    await store.close()


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Store]:
    """Another store, always of SQLite: what was written into both has to be the same in both."""
    database = database_at(f"sqlite:///{tmp_path / 'other.db'}", tmp_path)
    assert database is not None
    store = Store(database)
    await store.open(migrate=True)
    yield store
    await store.close()
