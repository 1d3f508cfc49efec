"""SQLite: what can be wrong with a file, said in words; and nothing half-written, whatever happens to the process."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from monkeytown.errors import RecordRefused, StartError, StoreDown
from monkeytown.stores.sqlite import SQLite
from monkeytown.stores.store import Store
from tests.stores.records import Diary

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "town.db"


async def test_a_new_file_is_for_its_owner_alone(path: Path) -> None:
    store = Store(SQLite(path))
    await store.open(migrate=False)  # an own file is brought up to date in any case
    await store.rename("ann", "Ann")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["town.db", "town.db-shm", "town.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    await store.close()
    await store.close()


async def test_what_was_committed_is_on_the_disk(path: Path) -> None:
    database = SQLite(path)
    await database.open()
    async with database.transaction() as transaction:
        assert await transaction.fetch("PRAGMA synchronous") == [(2,)]
        assert await transaction.fetch("PRAGMA journal_mode") == [("wal",)]
    await database.close()


async def test_what_is_erased_is_gone_from_the_file(path: Path) -> None:
    store = Store(SQLite(path))
    await store.open(migrate=True)
    diary = Diary()
    diary.joined("ann", "Annabella")
    for _ in range(100):
        diary.chat("ann", "what nobody should read")
    await store.write(diary.records)
    await store.erase("ann", 1.0)
    await store.close()
    left = everything_in(path.parent)
    assert b"room-1" in left
    assert b"Annabella" not in left
    assert b"what nobody should read" not in left


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


# ---- opening ----


async def refused(path: Path) -> str:
    database = SQLite(path)
    with pytest.raises(StartError) as refusal:
        await database.open()
    with pytest.raises(StoreDown, match="not open"):
        await database.ping()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


async def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "town.db"
    assert await refused(path) == f"{path}: No such file or directory"
    assert not path.parent.exists()


async def test_a_folder_in_its_place(tmp_path: Path) -> None:
    assert await refused(tmp_path) == f"{tmp_path}: Is a directory"


@pytest.fixture
def essay(path: Path) -> Path:
    path.write_text("not a database, but long enough to be taken for one. " * 50)
    return path


async def test_a_file_of_another_kind(essay: Path) -> None:
    assert await refused(essay) == f"{essay}: it is not an SQLite database"


@contextmanager
def somebody_else() -> Iterator[None]:
    """Whom permissions bind, also if the tests run as the superuser."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture(params=["the file", "its folder"])
def locked(request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database that may only be read, or a folder in which nothing may be made; named as seen from that folder."""
    monkeypatch.chdir(path.parent)
    if request.param == "the file":
        sqlite3.connect(path).close()
        path.touch(mode=0o444)
        path.chmod(0o444)
    else:
        path.parent.chmod(0o555)
    return Path(path.name)


async def test_what_may_not_be_written_to(locked: Path) -> None:
    with somebody_else():
        assert await refused(locked) == "town.db: Permission denied"


async def test_many_open_a_new_file_at_once(path: Path) -> None:
    stores = [Store(SQLite(path)) for _ in range(8)]
    await asyncio.gather(*(store.open(migrate=True) for store in stores))
    await asyncio.gather(*(store.rename("ann", "Ann") for store in stores))
    await asyncio.gather(*(store.close() for store in stores))


# ---- in use ----


async def test_a_disk_that_is_full(path: Path) -> None:
    database = SQLite(path)
    store = Store(database)
    await store.open(migrate=True)
    small = Diary("small")
    small.chat("ann", "hello")
    assert await store.write(small.records) == 1
    async with database.transaction() as transaction:
        ((pages,),) = await transaction.fetch("PRAGMA page_count")
    limit = int(pages) + 4
    await database._run(
        database._writer, lambda it: it.execute(f"PRAGMA max_page_count = {limit}").fetchall()
    )
    large = Diary("large")
    for _ in range(20):
        large.chat("ann", "x" * 10_000)
    with pytest.raises(StoreDown, match=r"town\.db: the disk is full$"):
        await store.write(large.records)
    assert await store.chat("large", limit=1) == []
    assert [line.text for line in await store.chat("small", limit=9)] == ["hello"]
    await database._run(database._writer, lambda it: it.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert await store.write(large.records) == 20
    await store.close()


async def test_another_program_that_writes_is_waited_for_and_no_longer(path: Path) -> None:
    store = Store(SQLite(path, seconds=0.05))
    await store.open(migrate=True)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    diary = Diary()
    diary.chat("ann", "hello")
    with pytest.raises(StoreDown, match="another program is writing to it"):
        await store.write(diary.records)
    assert await store.chat("room-1", limit=9) == []  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert await store.write(diary.records) == 1
    await store.close()


async def test_a_file_that_is_damaged(path: Path) -> None:
    store = Store(SQLite(path))
    await store.open(migrate=True)
    diary = Diary()
    for _ in range(200):
        diary.chat("ann", "x" * 1000)
    await store.write(diary.records)
    await store.close()
    damage(path)
    with pytest.raises(StartError, match="it is damaged"):
        await store.open(migrate=True)


def damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


async def test_a_value_that_it_cannot_hold(path: Path) -> None:
    database = SQLite(path)
    await database.open()
    for value in (2**63, "\ud800"):
        with pytest.raises(RecordRefused, match=r"town\.db: "):
            await database.fetch("SELECT $1", value)
    await database.ping()
    await database.close()


async def test_whoever_reads_cannot_write(path: Path) -> None:
    database = SQLite(path)
    await database.open()
    with pytest.raises(StoreDown, match="it may not be written to"):
        await database.fetch("CREATE TABLE t (x)")
    await database.close()


async def test_readers_do_not_wait_for_who_writes(path: Path) -> None:
    database = SQLite(path)
    await database.open()
    async with database.transaction() as transaction:
        await transaction.execute("CREATE TABLE t (x)")
        assert await database.fetch("SELECT count(*) FROM sqlite_master") == [(0,)]
    assert await database.fetch("SELECT count(*) FROM sqlite_master") == [(1,)]
    await database.close()


WRITE_FOR_EVER = """
    import asyncio, sys
    from pathlib import Path
    from monkeytown.stores.sqlite import SQLite
    from monkeytown.stores.store import Store
    from tests.stores.records import Diary

    async def main():
        store = Store(SQLite(Path(sys.argv[1])))
        await store.open(migrate=True)
        for number in range(1_000_000):
            diary = Diary(f"room-{number}")
            for line in range(50):
                diary.chat("ann", str(line))
            await store.write(diary.records)
            print(number, flush=True)

    asyncio.run(main())
"""


def batches_until_killed(path: Path, count: int) -> int:
    """How many batches a process says it has written; it is killed once it has said so of `count`."""
    command = [sys.executable, "-c", dedent(WRITE_FOR_EVER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = [next(process.stdout) for _ in range(count)]
        process.kill()
        told += process.stdout
    return len(told)


@pytest.mark.parametrize("count", [1, 5, 20])
async def test_a_process_that_is_killed_leaves_whole_batches(path: Path, count: int) -> None:
    """All that it said it had written, and perhaps one more, with all its records."""
    told = batches_until_killed(path, count)
    store = Store(SQLite(path))
    await store.open(migrate=True)
    rooms = await store.database.fetch("SELECT room, count(*) FROM chat GROUP BY room")
    assert {lines for _, lines in rooms} == {50}
    assert told <= len(rooms) <= told + 1
    await store.close()
