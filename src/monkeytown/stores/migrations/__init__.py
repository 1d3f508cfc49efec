"""The tables of a database, step by step: numbered files of SQL beside this one, each applied once and for ever.

Knows which steps there are and which a database has; not what is in the tables. A step that was released is never edited: the
next one changes what it made.
"""

from __future__ import annotations

import re
import time
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from monkeytown.errors import StartError
from monkeytown.stores.database import Database, Dialect, Transaction

__all__ = ["NEWEST", "Step", "check", "steps", "upgrade", "version"]

# Any number will do, as long as nobody else's program locks the same one in this database.
LOCK = 0x6D6F6E6B6579
STEP_SECONDS = 600.0  # a step may have to go through large tables, or wait until another instance has done it

# What the steps say in PostgreSQL's words, and SQLite's for it. It compares bytes anyway.
IN_SQLITE = {' COLLATE "C"': ""}

TABLE = "CREATE TABLE IF NOT EXISTS monkeytown_schema (version BIGINT PRIMARY KEY, applied DOUBLE PRECISION NOT NULL)"
IS_THERE = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE name = 'monkeytown_schema'",
    "postgresql": "SELECT count(to_regclass('monkeytown_schema'))",
}


class Step(NamedTuple):
    """`name` is the file's."""

    number: int
    name: str
    statements: tuple[str, ...]


@cache
def steps(dialect: Dialect) -> tuple[Step, ...]:
    """All steps in order, as statements of a dialect."""
    return tuple(
        _step(entry.name, entry.read_text(encoding="utf-8"), dialect)
        for entry in sorted(files(__name__).iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".sql")
    )


def _step(name: str, text: str, dialect: Dialect) -> Step:
    if dialect == "sqlite":
        for word, other in IN_SQLITE.items():
            text = text.replace(word, other)
    bare = re.sub(r"--.*", "", text)
    statements = tuple(part.strip() for part in bare.split(";") if part.strip())
    return Step(int(name.partition("_")[0]), name, statements)


NEWEST = steps("sqlite")[-1].number
"""The schema that this Monkeytown works with."""


async def version(database: Database) -> int:
    """The newest step that a database has; 0: none."""
    return await _version(database, database.dialect)


async def _version(database: Database | Transaction, dialect: Dialect) -> int:
    ((there,),) = await database.fetch(IS_THERE[dialect])
    if not there:
        return 0
    ((newest,),) = await database.fetch("SELECT coalesce(max(version), 0) FROM monkeytown_schema")
    return int(newest)


async def check(database: Database) -> None:
    """Raises `StartError` unless the database has just the steps that are known here."""
    found = await version(database)
    _refuse_newer(database, found)
    if found < NEWEST:
        raise StartError(
            f"{database.place} has schema {found} and {NEWEST} is needed: run `monkeytown db upgrade`"
        )


async def upgrade(database: Database) -> list[Step]:
    """Applies what is missing, all of it or nothing, and returns it. Another that does the same waits, and finds it done."""
    async with database.transaction(seconds=STEP_SECONDS) as transaction:
        if database.dialect == "postgresql":
            await transaction.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        found = await _version(transaction, database.dialect)
        _refuse_newer(database, found)
        missing = [step for step in steps(database.dialect) if step.number > found]
        if missing:
            await transaction.execute(TABLE)
        for step in missing:
            for statement in step.statements:
                await transaction.execute(statement)
            await transaction.execute(
                "INSERT INTO monkeytown_schema (version, applied) VALUES ($1, $2)", step.number, time.time()
            )
    return missing


def _refuse_newer(database: Database, found: int) -> None:
    if found > NEWEST:
        raise StartError(
            f"{database.place} has schema {found}, made by a newer Monkeytown; this one knows up to {NEWEST}"
        )
