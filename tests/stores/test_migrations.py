"""The tables are made once, whoever else makes them at the same moment, and never by who does not know them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from monkeytown.errors import StartError, StoreDown
from monkeytown.stores import migrations
from monkeytown.stores.address import database_at
from monkeytown.stores.database import Database
from monkeytown.stores.migrations import NEWEST, Step, check, steps, upgrade, version
from monkeytown.stores.store import Store
from tests.stores.dump import contents
from tests.stores.records import Diary


@pytest.fixture
def more(monkeypatch: pytest.MonkeyPatch) -> Step:
    """A Monkeytown that knows one step more."""
    step = Step(
        NEWEST + 1, "more.sql", ("ALTER TABLE players ADD COLUMN mood TEXT", "CREATE TABLE moods (mood TEXT)")
    )
    known = steps
    monkeypatch.setattr(migrations, "steps", lambda dialect: (*known(dialect), step))
    monkeypatch.setattr(migrations, "NEWEST", NEWEST + 1)
    return step


def test_steps_are_numbered_without_gaps() -> None:
    for dialect in ("sqlite", "postgresql"):
        found = steps(dialect)  # type: ignore[arg-type]
        assert [step.number for step in found] == list(range(1, NEWEST + 1))
        assert all(step.statements for step in found)


async def test_an_empty_database_gets_all_of_them_once(database: Database) -> None:
    assert await version(database) == 0
    with pytest.raises(
        StartError, match=rf"has schema 0 and {NEWEST} is needed: run `monkeytown db upgrade`"
    ):
        await check(database)
    applied = await upgrade(database)
    assert [step.number for step in applied] == list(range(1, NEWEST + 1))
    assert await version(database) == NEWEST
    await check(database)
    assert await upgrade(database) == []
    ((count, newest),) = await database.fetch("SELECT count(*), max(applied) FROM monkeytown_schema")
    assert count == NEWEST
    assert newest > 1e9


async def test_what_is_there_stays_when_a_step_is_added(store: Store, more: Step) -> None:
    diary = Diary()
    diary.joined("ann")
    await store.write(diary.records)
    before = await contents(store)
    database = store.database
    with pytest.raises(StartError, match=f"has schema {NEWEST} and {NEWEST + 1} is needed"):
        await check(database)
    assert await upgrade(database) == [more]
    await check(database)
    after = await contents(store)
    assert after == {**before, "players": [(*player, None) for player in before["players"]]}


async def test_a_step_that_fails_leaves_nothing_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Step(
        NEWEST + 1, "broken.sql", ("CREATE TABLE moods (mood TEXT)", "CREATE TABLE moods (mood TEXT)")
    )
    known = steps
    monkeypatch.setattr(migrations, "steps", lambda dialect: (*known(dialect), broken))
    with pytest.raises(StoreDown, match="already exists"):
        await upgrade(database)
    assert await version(database) == 0
    monkeypatch.setattr(migrations, "steps", known)
    await upgrade(database)
    assert await version(database) == NEWEST


async def test_a_newer_schema_is_left_alone(url: str, tmp_path: Path, database: Database) -> None:
    await upgrade(database)
    await database.execute("INSERT INTO monkeytown_schema VALUES ($1, 0)", NEWEST + 7)
    why = f"has schema {NEWEST + 7}, made by a newer Monkeytown; this one knows up to {NEWEST}"
    for migrate in (False, True):
        own = database_at(url, tmp_path)
        assert own is not None
        store = Store(own)
        with pytest.raises(StartError, match=why):
            await store.open(migrate=migrate)
        with pytest.raises(StoreDown, match=why):
            await store.write(Diary().records)
        await store.close()


async def test_many_tasks_upgrade_at_once(url: str, tmp_path: Path) -> None:
    databases = [database_at(url, tmp_path) for _ in range(6)]

    async def one(database: Database | None) -> int:
        assert database is not None
        await database.open()
        applied = await upgrade(database)
        await check(database)
        await database.close()
        return len(applied)

    assert sum(await asyncio.gather(*map(one, databases))) == NEWEST


UPGRADE = """
    import asyncio, sys
    from pathlib import Path
    from monkeytown.stores.address import database_at
    from monkeytown.stores.store import Store

    async def main():
        store = Store(database_at(sys.argv[1], Path()))
        sys.stdin.readline()
        await store.open(migrate=True)
        await store.rename("ann", "Ann")
        await store.close()

    asyncio.run(main())
"""


def in_processes(url: str, count: int) -> list[int]:
    """The exit codes of processes that open a store at the same moment."""
    command = [sys.executable, "-c", dedent(UPGRADE), url]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(count)]
    for process in processes:
        assert process.stdin
        process.stdin.write("now\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    return [process.returncode for process in processes]


async def test_many_processes_upgrade_at_once(url: str, database: Database) -> None:
    assert await asyncio.to_thread(in_processes, url, 4) == [0, 0, 0, 0]
    await check(database)
    ((count,),) = await database.fetch("SELECT count(*) FROM monkeytown_schema")
    assert count == NEWEST
