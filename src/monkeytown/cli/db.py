"""`monkeytown db`: the tables of the database, brought up to date; what is in them of a player, handed out or erased.

Knows the settings that name it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from monkeytown.cli.settings import read_settings
from monkeytown.errors import RecordRefused, StartError, StoreDown
from monkeytown.stores import migrations
from monkeytown.stores.address import database_at
from monkeytown.stores.database import Database
from monkeytown.stores.store import Store

__all__ = ["db"]

EXIT_OUT_OF_DATE = 1


@click.group()
def db() -> None:
    """Look after the tables of the database that MONKEYTOWN_DATABASE_URL names."""


@db.command()
def upgrade() -> None:
    """Make the tables, or bring them up to date; all of it or nothing, and nothing if there is nothing to do."""
    asyncio.run(_upgrade())


@db.command()
def status() -> None:
    """Print which schema the database has and which one is needed; exits with 1 if it has another one."""
    if not asyncio.run(_status()):
        raise SystemExit(EXIT_OUT_OF_DATE)


@db.command()
@click.argument("player")
def export(player: str) -> None:
    """Print all that is stored of PLAYER, an id, as JSON."""
    click.echo(json.dumps(asyncio.run(_export(player)), indent=2, ensure_ascii=False))


@db.command()
@click.argument("player")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(player: str, yes: bool) -> None:
    """Forget PLAYER, an id, for good: name, document, scores, what was said. Nothing that still comes in brings it back."""
    if not yes:
        click.confirm(f"Forget {player} for good?", abort=True)
    asyncio.run(_erase(player))


async def _export(player: str) -> dict[str, object]:
    async with _store() as store:
        exported = await store.export(player)
        if not exported:
            raise StartError(f"nothing is stored of {player}")
        return exported


async def _erase(player: str) -> None:
    async with _store() as store:
        await store.erase(player, time.time())
        click.echo(f"{player} is forgotten")


async def _upgrade() -> None:
    async with _database() as database:
        for step in await migrations.upgrade(database):
            click.echo(f"applied {step.name}")
        click.echo(f"{database.place}: schema {await migrations.version(database)}")


async def _status() -> bool:
    async with _database() as database:
        found = await migrations.version(database)
        click.echo(f"{database.place}: schema {found}; {migrations.NEWEST} is needed")
        return found == migrations.NEWEST


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    settings = read_settings()
    url = settings.database_url.get_secret_value()
    database = database_at(url, settings.folder, seconds=settings.database_seconds)
    if database is None:
        raise StartError("MONKEYTOWN_DATABASE_URL=none: there is no database")
    try:
        await database.open()
        yield database
    except (StoreDown, RecordRefused) as error:
        raise StartError(str(error)) from error
    finally:
        await database.close()


@asynccontextmanager
async def _store() -> AsyncIterator[Store]:
    """The store over it, whose tables must be those that are known here."""
    async with _database() as database:
        await migrations.check(database)
        yield Store(database)
