"""`monkeytown db`: the tables of the database, looked at and brought up to date. Knows the settings that name it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from monkeytown.cli.settings import read_settings
from monkeytown.errors import StartError, StoreDown
from monkeytown.stores import migrations
from monkeytown.stores.address import database_at
from monkeytown.stores.database import Database

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
    except StoreDown as error:
        raise StartError(str(error)) from error
    finally:
        await database.close()
