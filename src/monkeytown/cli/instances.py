"""`monkeytown instances | drain | move`: what runs behind the one address, and how an operator moves it by hand.

Knows the settings and the visitor that asks; what it is asked for, instances do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import click
import structlog

from monkeytown.cli.settings import read_settings
from monkeytown.cluster.directory import DirectoryDown
from monkeytown.cluster.visitor import Visitor, visiting
from monkeytown.errors import StartError
from monkeytown.server.cluster import bus_of, directory_of

__all__ = ["drain", "instances", "move"]


@click.command()
def instances() -> None:
    """List the instances that meet at MONKEYTOWN_REDIS_URL."""

    async def show(visitor: Visitor) -> None:
        records = sorted(await visitor.directory.instances(), key=lambda one: one.name)
        click.echo(f"{'name':<28} {'id':<12} {'players':>7} {'rooms':>6} {'load':>5}")
        for one in records:
            state = "  draining" if one.draining else ""
            click.echo(f"{one.name:<28} {one.id:<12} {one.players:>7} {one.rooms:>6} {one.load:>5.0%}{state}")

    _visit(show)


@click.command()
@click.argument("instance")
def drain(instance: str) -> None:
    """Have an instance (its name or id) hand over its rooms and players, and stop."""

    async def ask(visitor: Visitor) -> None:
        await visitor.drain((await visitor.instance(instance)).id)
        click.echo(f"{instance} hands over what it has, and stops")

    _visit(ask)


@click.command()
@click.argument("room")
@click.argument("instance")
def move(room: str, instance: str) -> None:
    """Have a room handed over to an instance (its name or id), while it is played."""

    async def ask(visitor: Visitor) -> None:
        await visitor.move(room, (await visitor.instance(instance)).id)
        click.echo(f"{room} is at {instance}")

    _visit(ask)


def _visit(do: Callable[[Visitor], Awaitable[None]]) -> None:
    settings = read_settings()
    if not settings.redis_url.get_secret_value():
        raise StartError("set MONKEYTOWN_REDIS_URL and MONKEYTOWN_SECRET, as the instances have them")
    settings.check()
    # Servers log what is in their way; whoever types a command is told once, in one line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    async def visit() -> None:
        secret = settings.secret.get_secret_value()
        async with visiting(directory_of(settings), bus_of(settings), secret) as visitor:
            await do(visitor)

    try:
        asyncio.run(visit())
    except DirectoryDown as error:
        raise StartError(f"Redis does not answer: {error}") from error
