"""What is asked of a database, whichever it is: statements, and transactions of them.

Knows SQL's outside only: no table, no driver. One text serves both dialects; its placeholders are `$1`, `$2`. What the two
have to be told differently is here: many rows at once (`Insert`).

Errors, of everything that awaits: `StoreDown` when the database cannot be reached, did not answer in time or cannot write
now; `RecordRefused` when it answered that it cannot hold these values. After either, nothing of a transaction is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from monkeytown.errors import StoreDown

__all__ = ["Collided", "Database", "Dialect", "Forbidden", "Insert", "Row", "Transaction"]

Dialect = Literal["sqlite", "postgresql"]
Row = tuple[Any, ...]


class Collided(StoreDown):
    """Two writers were in each other's way and this one gave in: it may try again at once."""


class Forbidden(StoreDown):
    """It answers, and does not let us: that does not mend itself."""


class Insert:
    """Rows to be inserted in one go, all under the same clauses.

    `columns` are names with PostgreSQL's types, by commas; `clauses` is what follows the values: ON CONFLICT, RETURNING.
    SQLite runs a statement for each row, which costs it little; PostgreSQL gets an array for each column, since what costs
    there is the statement.
    """

    def __init__(self, table: str, columns: str, clauses: str) -> None:
        names, types = zip(*(column.split() for column in columns.split(",")), strict=True)
        into = ("INSERT INTO", table, "(", ", ".join(names), ")")
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
        values = ", ".join(f"?{number}" for number in range(1, len(names) + 1))
        self.postgresql = " ".join((*into, "SELECT * FROM unnest(", arrays, ")", clauses))
        self.sqlite = " ".join((*into, "VALUES (", values, ")", clauses))


class Transaction(Protocol):
    """Statements that take effect together, or not at all."""

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        """The rows that a statement returns."""

    async def execute(self, sql: str, *values: object) -> None:
        """A statement whose rows nobody wants."""

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> list[Row]:
        """What the rows returned: those that its clauses let through."""


class Database(Protocol):
    """A database that statements can be sent to from one event loop, many at a time."""

    dialect: Dialect
    place: str
    """Where it is, for people: never with a password."""

    async def open(self) -> None:
        """Raises `StartError` for what does not mend itself, and `StoreDown` for what may; then it can be used once it is
        back.
        """

    async def close(self) -> None:
        """Lets go of it at once, whether it answers or not. May be called twice."""

    async def ping(self) -> None:
        """Returns once it has answered."""

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        """The rows of a statement that only reads."""

    async def execute(self, sql: str, *values: object) -> None:
        """One statement that writes."""

    def transaction(self, *, seconds: float | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end of the block, unless that raises. `seconds` is how long each statement may take, if not as
        usual.
        """
