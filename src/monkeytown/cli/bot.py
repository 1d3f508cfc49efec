"""`monkeytown bot`: players without a person, from a process of their own."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from contextlib import suppress
from urllib.parse import urlsplit

import click
import uvloop

from monkeytown.client.bots import Bots
from monkeytown.client.events import ConnectionLost
from monkeytown.client.link import socket_url
from monkeytown.errors import Refusal, StartError

__all__ = ["bot", "first_game"]

INFO_TIMEOUT = 5.0


@click.command()
@click.argument("url", default="http://127.0.0.1:8000")
@click.option(
    "--game", help="A game by its name, or a room by its id. Default: the first game that the server has."
)
@click.option("--count", "-n", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option(
    "--rate", default=10.0, show_default=True, type=click.FloatRange(0.1, 60), help="Inputs a second of each."
)
@click.option("--seconds", type=click.FloatRange(0), help="Stop after so long. Default: play until stopped.")
@click.option("--seed", type=int, help="The same seed makes the same choices.")
@click.option(
    "--attached", is_flag=True, hidden=True, help="Wait for the server, and end when standard input ends."
)
def bot(
    *,
    url: str,
    game: str | None,
    count: int,
    rate: float,
    seconds: float | None,
    seed: int | None,
    attached: bool,
) -> None:
    """Send players without a person to the server at URL."""
    bots = Bots(socket_url(url), game or first_game(url), count, rate=rate, seed=seed)
    try:
        with suppress(KeyboardInterrupt):
            uvloop.run(_play(bots, seconds, attached))
    except ExceptionGroup as errors:
        refused, others = errors.split((ConnectionLost, Refusal))
        if refused is None or others is not None:
            raise
        raise StartError(str(refused.exceptions[0])) from errors


def first_game(url: str) -> str:
    """The name of the first game that the server at `url` has."""
    parts = urlsplit(socket_url(url))
    address = f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}/info"
    try:
        with urllib.request.urlopen(address, timeout=INFO_TIMEOUT) as answer:
            return str(json.load(answer)["games"][0]["name"])
    except (OSError, ValueError, LookupError) as error:
        why = getattr(error, "reason", error)
        raise StartError(
            f"cannot ask {address} for its games: {getattr(why, 'strerror', None) or why}"
        ) from error


async def _play(bots: Bots, seconds: float | None, attached: bool) -> None:
    playing = asyncio.create_task(bots.run(patient=attached))
    waiting: set[asyncio.Task[object]] = {playing}
    if attached:
        waiting.add(asyncio.create_task(_parent_gone()))
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    if not playing.cancelled():
        playing.result()


async def _parent_gone() -> None:
    """Returns when standard input ends: the process that holds its other end is gone, however it went."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while await reader.read(1024):
        pass
