"""SQLite: a file, and two threads that the event loop never waits for; one writes, the other reads.

Knows SQLite's errors and what to tell a person about them; no table.

A transaction that was committed survives a loss of power (synchronous=FULL): the spool is trimmed once the store has its
records, so nothing else has them any more. In WAL mode that is one fsync for each transaction, and readers do not wait for
it.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from monkeytown.errors import MonkeytownError, RecordRefused, StartError, StoreDown
from monkeytown.stores.database import Dialect, Insert, Row

__all__ = ["SQLite"]

OLDEST = (3, 35, 0)  # RETURNING
# So that nobody else on the machine reads what players said; the files of the log beside it get the same.
MODE = 0o600
# SQLite does not wait for a lock when the mode of the journal changes: whoever opens the file at the same moment tries again.
OPENING_TRIES = 50
OPENING_PAUSE = 0.02
T = TypeVar("T")

# What is not the file's or the machine's fault, but that of the values.
OF_THE_VALUES = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeEncodeError,
)
TOO_BIG = sqlite3.SQLITE_TOOBIG
IN_OTHER_WORDS = {
    sqlite3.SQLITE_BUSY: "another program is writing to it",
    sqlite3.SQLITE_LOCKED: "another program is writing to it",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it may not be written to",
    sqlite3.SQLITE_PERM: "it may not be opened",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database",
}


class SQLite:
    """A `Database` in the file at `path`, whose folder must be there. `seconds` is how long a lock of another program is
    waited for.
    """

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path, *, seconds: float = 5.0) -> None:
        self.place = str(path)
        self._path = path
        self._seconds = seconds
        self._writer = _Thread()
        self._reader = _Thread()
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise StartError(f"SQLite {sqlite3.sqlite_version} is too old: {oldest} or newer is needed")
        for attempt in range(OPENING_TRIES):
            try:
                await self._writer.open(lambda: self._connect(writing=True))
                await self._reader.open(lambda: self._connect(writing=False))
                return
            except (sqlite3.Error, OSError) as error:
                await self.close()
                if not _is_busy(error) or attempt == OPENING_TRIES - 1:
                    raise StartError(f"{self.place}: {_words(error)}") from error
            await asyncio.sleep(OPENING_PAUSE)

    def _connect(self, *, writing: bool) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, MODE))
        connection = sqlite3.connect(self._path, timeout=self._seconds, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if writing:
                # What is erased is overwritten, not only let go of.
                connection.execute("PRAGMA secure_delete = ON")
                # Takes the lock and gives it back: a file that cannot be written to is told of now.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            else:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    async def ping(self) -> None:
        await self.fetch("SELECT 1")

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        return await self._run(self._reader, lambda connection: _rows(connection, sql, values))

    async def execute(self, sql: str, *values: object) -> None:
        async with self._turn:
            await self._run(self._writer, lambda connection: _rows(connection, sql, values))

    @asynccontextmanager
    async def transaction(self, *, seconds: float | None = None) -> AsyncGenerator[_Transaction, None]:
        async with self._turn:
            try:
                await self._run(self._writer, lambda connection: connection.execute("BEGIN IMMEDIATE"))
                yield _Transaction(self)
                await self._run(self._writer, lambda connection: connection.execute("COMMIT"))
            except BaseException:
                # The thread does one thing after the other: whoever is next comes after this, even if nobody waits for it.
                with suppress(MonkeytownError):
                    await asyncio.shield(self._run(self._writer, _undo))
                raise

    async def _run(self, thread: _Thread, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await thread.run(work)
        except OF_THE_VALUES as error:
            raise RecordRefused(f"{self.place}: {error}") from error
        except sqlite3.Error as error:
            if _code(error) == TOO_BIG:
                raise RecordRefused(f"{self.place}: {error}") from error
            raise StoreDown(f"{self.place}: {_words(error)}") from error


class _Transaction:
    def __init__(self, database: SQLite) -> None:
        self._database = database

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        database = self._database
        return await database._run(database._writer, lambda connection: _rows(connection, sql, values))

    async def execute(self, sql: str, *values: object) -> None:
        await self.fetch(sql, *values)

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> list[Row]:
        def each(connection: sqlite3.Connection) -> list[Row]:
            execute = connection.execute
            return [returned for row in rows for returned in execute(insert.sqlite, row).fetchall()]

        return await self._database._run(self._database._writer, each)


class _Thread:
    """A connection, and the thread that alone uses it."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._executor: ThreadPoolExecutor | None = None

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._executor = ThreadPoolExecutor(1, "sqlite")
        self._connection = await asyncio.get_running_loop().run_in_executor(self._executor, connect)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Goes on when whoever waits is cancelled; what is asked for next comes after it."""
        connection, executor = self._connection, self._executor
        if connection is None or executor is None:
            raise sqlite3.OperationalError("it is not open")
        return await asyncio.get_running_loop().run_in_executor(executor, work, connection)

    async def close(self) -> None:
        connection, executor = self._connection, self._executor
        self._connection = self._executor = None
        if executor is not None:
            if connection is not None:
                await asyncio.get_running_loop().run_in_executor(executor, connection.close)
            executor.shutdown(wait=False)


@cache
def _translated(sql: str) -> str:
    return re.sub(r"\$(\d+)", r"?\1", sql)


def _rows(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[Row]:
    return connection.execute(_translated(sql), values).fetchall()


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # not after some errors, such as that of a full disk
        connection.execute("ROLLBACK")


def _code(error: BaseException) -> int:
    """SQLite's primary result code."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_busy(error: BaseException) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return IN_OTHER_WORDS.get(_code(error), str(error))
