"""PostgreSQL, through a few connections of asyncpg.

Knows connections, deadlines and errors; no table.

Every wait has a deadline, and at its end the connection is dropped, not closed: a server that is stopped, or whose machine is
gone, answers neither a goodbye nor a request to cancel. (That is why statements are given no timeout of asyncpg's own, which
begins with such a request.) The others that lie idle are dropped too, as they lead to the same server; new ones are made once
it is back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from ssl import SSLCertVerificationError
from typing import Any, TypeVar

import asyncpg

from monkeytown.errors import MonkeytownError, RecordRefused, StartError, StoreDown
from monkeytown.stores.database import Collided, Dialect, Forbidden, Insert, Row

__all__ = ["PostgreSQL"]

CONNECTIONS = 5
"""One for what is written, and a few for whoever reads; more would take their turns in the event loop anyway."""
GOODBYE_SECONDS = 1.0
# A transaction of ours that says nothing for so long has lost us: the server gives up its locks.
IDLE_SECONDS = 60.0

# Classes of PostgreSQL's error codes, and whole codes.
OF_THE_VALUES = ("21", "22", "23", "44", "54")
COLLISIONS = ("40001", "40P01")
NOT_ALLOWED = ("28", "3D", "42501")

# The server's own deadline, so that what nobody waits for any more does not go on there.
PREPARE = """
    SELECT set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false),
        current_setting('server_encoding'), current_setting('transaction_read_only')
"""
TAKE_LONGER = "SELECT set_config('statement_timeout', $1, true)"

# User and password, host and port, name, options. With another @ or a slash in the password, nobody knows where that ends.
_ADDRESS = re.compile(r"\w+://(?:[^@/?#]*@)?([^@/?#]*)(/[^@?#]*)?(?:\?[^@#]*)?")

T = TypeVar("T")


class PostgreSQL:
    """A `Database` at `url`. `seconds` is how long a statement may take, and how long one may wait for a connection."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, *, seconds: float = 5.0) -> None:
        self.place = _place(url)
        self._url = url
        self._seconds = seconds
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Any] = []
        self._busy: set[Any] = set()
        self._is_open = False

    async def open(self) -> None:
        self._is_open = True
        try:
            async with self._connection(self._seconds) as connection:
                encoding, read_only = await self._prepare(connection)
        except Forbidden as error:
            raise StartError(str(error)) from error
        if read_only == "on":
            raise StartError(f"{self.place} is read-only")
        if encoding != "UTF8":
            raise StartError(f"{self.place} is encoded in {encoding}; UTF8 is needed")

    async def close(self) -> None:
        self._is_open = False
        for connection in tuple(self._busy):
            connection.terminate()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_goodbye(connection) for connection in idle))

    async def ping(self) -> None:
        await self.fetch("SELECT 1")

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        async with self._connection(self._seconds) as connection:
            return _rows(await self._ask(connection, self._seconds, connection.fetch(sql, *values)))

    async def execute(self, sql: str, *values: object) -> None:
        await self.fetch(sql, *values)

    @asynccontextmanager
    async def transaction(self, *, seconds: float | None = None) -> AsyncGenerator[_Transaction, None]:
        async with self._connection(self._seconds) as connection:
            transaction = _Transaction(self, connection, seconds or self._seconds)
            try:
                await transaction.begin()
                if seconds is not None:
                    await transaction.fetch(TAKE_LONGER, _milliseconds(seconds))
                yield transaction
                await transaction.commit()
            except Exception:
                with suppress(MonkeytownError):
                    await transaction.roll_back()
                raise
            except BaseException:
                connection.terminate()
                raise

    # ---- connections ----

    @asynccontextmanager
    async def _connection(self, seconds: float) -> AsyncGenerator[Any, None]:
        """One that nobody else uses, for as long as the block lasts."""
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
                try:
                    connection = await self._take()
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError:
            raise self._late(seconds) from None
        self._busy.add(connection)
        try:
            yield connection
        finally:
            self._busy.discard(connection)
            if not self._is_open:
                connection.terminate()
            elif not connection.is_closed():
                self._idle.append(connection)
            self._slots.release()

    async def _take(self) -> Any:
        if not self._is_open:
            raise StoreDown(f"{self.place} is not open")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        try:
            connection = await asyncpg.connect(self._url, server_settings={"application_name": "monkeytown"})
        except TimeoutError:
            raise
        except Exception as error:
            raise self._cannot_connect(error) from error
        try:
            await self._prepare(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _prepare(self, connection: Any) -> tuple[str, str]:
        """Sets a connection's own deadlines; returns the database's encoding, and whether it is read-only."""
        limits = _milliseconds(self._seconds), _milliseconds(IDLE_SECONDS)
        row = await self._ask(connection, self._seconds, connection.fetchrow(PREPARE, *limits))
        return row[2], row[3]

    def _forget(self) -> None:
        """Lets go of what lies idle: what has just failed has failed for all."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    # ---- waiting, and what comes of it ----

    async def _ask(self, connection: Any, seconds: float, answer: Awaitable[T]) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.call_later(seconds, connection.terminate)
        try:
            return await answer
        except asyncio.CancelledError:
            # Before asyncpg asks the server to cancel, over a connection that nobody would wait for.
            connection.terminate()
            raise
        except Exception as error:
            late = deadline.when() <= loop.time()
            if connection.is_closed():
                self._forget()
            raise self._late(seconds) if late else self._trouble(error) from error
        finally:
            deadline.cancel()

    def _late(self, seconds: float) -> StoreDown:
        self._forget()
        return StoreDown(f"{self.place} did not answer within {seconds:g} s")

    def _trouble(self, error: Exception) -> MonkeytownError:
        """What an error of a statement means to whoever asked."""
        code = str(getattr(error, "sqlstate", None) or "")
        said = f"{self.place}: {_words(error)}"
        # asyncpg says of a value that its type cannot hold by a ValueError, or by one of PostgreSQL's own errors.
        if isinstance(error, ValueError | OverflowError) or code.startswith(OF_THE_VALUES):
            return RecordRefused(said)
        if code in COLLISIONS:
            return Collided(said)
        if code.startswith(NOT_ALLOWED):
            return Forbidden(said)
        return StoreDown(said)

    def _cannot_connect(self, error: Exception) -> StoreDown:
        self._forget()
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            # Why is not said: it may repeat a part of a password.
            return Forbidden(f"{self.place}: the address cannot be read")
        code = str(getattr(error, "sqlstate", None) or "")
        if code.startswith(NOT_ALLOWED) or isinstance(error, SSLCertVerificationError | PermissionError):
            return Forbidden(f"{self.place}: {_words(error)}")
        return StoreDown(f"{self.place}: {_words(error)}")


class _Transaction:
    def __init__(self, database: PostgreSQL, connection: Any, seconds: float) -> None:
        self._database = database
        self._connection = connection
        self._seconds = seconds

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        return _rows(await self._ask(self._connection.fetch(sql, *values)))

    async def execute(self, sql: str, *values: object) -> None:
        await self._ask(self._connection.execute(sql, *values))

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> list[Row]:
        return await self.fetch(insert.postgresql, *zip(*rows, strict=True))

    async def begin(self) -> None:
        await self.execute("BEGIN")

    async def commit(self) -> None:
        # Of one in which a statement has failed, the server says ROLLBACK, and that is no error to it.
        if await self._ask(self._connection.execute("COMMIT")) != "COMMIT":
            raise StoreDown(f"{self._database.place} did not commit")

    async def roll_back(self) -> None:
        if self._connection.is_closed():
            return
        try:
            await self._ask(self._connection.execute("ROLLBACK"))
        except MonkeytownError:
            self._connection.terminate()
            raise

    async def _ask(self, answer: Awaitable[T]) -> T:
        return await self._database._ask(self._connection, self._seconds, answer)


async def _goodbye(connection: Any) -> None:
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await connection.close()
    except Exception:
        connection.terminate()


def _rows(records: Sequence[Any]) -> list[Row]:
    return [tuple(record) for record in records]


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


def _place(url: str) -> str:
    """The address without user, password and options. Raises `StartError`, which does not repeat it."""
    parts = _ADDRESS.fullmatch(url)
    if parts is None:
        raise StartError(
            "the address of the database cannot be read; in user, password and options, what is not a letter or a digit"
            " is written as %XX"
        )
    return f"postgresql://{parts[1]}{parts[2] or ''}"


def _words(error: Exception) -> str:
    """One line; PostgreSQL's details, which may repeat values, are left out."""
    text = str(error.args[0]) if isinstance(error, asyncpg.PostgresError) and error.args else ""
    if isinstance(error, OSError):
        text = error.strerror or ""
    return " ".join((text or str(error) or type(error).__name__).split())
