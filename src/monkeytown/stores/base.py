"""What all parts of a store do: send statements to a database whose tables are those that they know.

Knows that a database may be away when the server starts: its schema is looked at once it is there, before anything else is
done.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from monkeytown.errors import StartError, StoreDown
from monkeytown.stores import migrations
from monkeytown.stores.database import Database, Forbidden, Row, Transaction

__all__ = ["Base"]


class Base:
    """Takes statements to a database. `clock` says what time it is, in seconds since 1970."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock
        self._migrate = False
        self._fits = False

    async def open(self, *, migrate: bool) -> None:
        """Makes sure that the tables are there. `migrate` makes them; those of an SQLite file, which is this instance's own,
        are made anyway.

        Raises `StartError` for what will not mend itself: a place that is missing or not to be written to, a schema that is
        newer, or older and not to be migrated. Raises `StoreDown` for a database that does not answer now. That may be passed
        over: whatever is done later looks at the schema first, and does what it was meant to once the database is back.
        """
        self._migrate = migrate or self.database.dialect == "sqlite"
        self._fits = False
        await self.database.open()
        try:
            await self._fit()
        except Forbidden as error:
            raise StartError(str(error)) from error

    async def close(self) -> None:
        """Lets go of the database. May be called twice, and for one that does not answer."""
        await self.database.close()

    async def ping(self) -> None:
        """Raises `StoreDown` unless the database answers."""
        await self._ready()
        await self.database.ping()

    async def _fit(self) -> None:
        if self._migrate:
            await migrations.upgrade(self.database)
        else:
            await migrations.check(self.database)
        self._fits = True

    async def _ready(self) -> None:
        if not self._fits:
            try:
                await self._fit()
            except StartError as error:
                raise StoreDown(str(error)) from error

    async def _fetch(self, sql: str, *values: object) -> list[Row]:
        await self._ready()
        return await self.database.fetch(sql, *values)

    async def _execute(self, sql: str, *values: object) -> None:
        await self._ready()
        await self.database.execute(sql, *values)

    @asynccontextmanager
    async def _transaction(self, *, seconds: float | None = None) -> AsyncGenerator[Transaction, None]:
        await self._ready()
        async with self.database.transaction(seconds=seconds) as transaction:
            yield transaction
