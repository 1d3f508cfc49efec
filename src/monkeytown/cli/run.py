"""`monkeytown run`: serve games, with bots for company and a restart on every change.

Knows processes: the server runs in this one, bots in another so that they take no time from the tick, and with `--reload`
the server too is a child that is started anew.
"""

from __future__ import annotations

import logging
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import watchfiles

from monkeytown import games as built_in
from monkeytown._core.senders import MAX_THREADS
from monkeytown.cli.loading import load, parse
from monkeytown.cli.settings import read_settings
from monkeytown.cli.workers import MAX_WORKERS, Workers
from monkeytown.errors import StartError
from monkeytown.server.app import serve
from monkeytown.server.logs import configure

__all__ = ["run"]

COMMAND = (sys.executable, "-m", "monkeytown")
WATCHED = (".py",)
STOP_TIMEOUT = 3.0


@click.command()
@click.argument("games", metavar="FILE.py[:Class]|GAME...", nargs=-1, required=True)
@click.option(
    "--host", help="Address to listen on. Anything but loopback needs MONKEYTOWN_SECRET.  [127.0.0.1]"
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [8000]")
@click.option(
    "--max-players", type=click.IntRange(0), help="Players in a room; who comes later opens the next."
)
@click.option(
    "--send-threads",
    type=click.IntRange(0, MAX_THREADS),
    help="Threads that share the sends of rooms with many players.  [0]",
)
@click.option(
    "--simulate-latency",
    metavar="MS",
    type=click.FloatRange(0, 10_000),
    help="Milliseconds added to each round trip, on loopback.  [0]",
)
@click.option(
    "--simulate-jitter",
    metavar="MS",
    type=click.FloatRange(0, 10_000),
    help="By up to so many milliseconds more it varies.  [0]",
)
@click.option(
    "--simulate-loss",
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    help="Of what is sent, so much waits for a repeat as if it were lost.  [0]",
)
@click.option(
    "--bots", type=click.IntRange(0), default=0, help="So many players without a person, for company."
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=1,
    help="So many processes behind the port, each on a core of its own; they meet through MONKEYTOWN_REDIS_URL.  [1]",
)
@click.option(
    "--reload", is_flag=True, help="Start anew whenever a Python file in the game's folder changes."
)
def run(*, games: tuple[str, ...], bots: int, workers: int, reload: bool, **flags: Any) -> None:
    """Serve games: files of your own, or those that come along (jungle, swarm, tictactoe).

    Flags come before MONKEYTOWN_* variables; `monkeytown settings` lists all there is to set.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    settings = read_settings(**given)
    if settings.port == 0 and (bots or reload):
        # Bots must know where to go, and a server that is started anew must be where it was.
        given["port"] = _free_port(settings.host)
        settings = read_settings(**given)
    for game in games:
        parse(game)
    if workers > 1 and reload:
        raise StartError("--reload is for one process: leave out --workers")
    with _company(bots, f"ws://{_reachable(settings.host)}:{settings.port}/ws", games):
        if workers > 1:
            watched = Workers(workers, games, settings, _flags(given))
            configure(settings.log_level, settings.log_format)
            sys.exit(watched.run())
        elif reload:
            _serve_and_reload(games, given)
        else:
            serve([load(game) for game in games], settings)


def _serve_and_reload(games: Sequence[str], given: dict[str, Any]) -> None:
    # It would announce each stop, which the person who pressed Ctrl-C knows of.
    logging.getLogger("watchfiles").setLevel(logging.ERROR)
    watchfiles.run_process(
        *{_folder(game) for game in games},
        target=shlex.join([*COMMAND, "run", *_flags(given), "--", *games]),
        target_type="command",
        watch_filter=_SourcesOnly(),
        callback=_tell,
    )


def _flags(given: dict[str, Any]) -> list[str]:
    return [part for name, value in given.items() for part in ("--" + name.replace("_", "-"), str(value))]


class _SourcesOnly(watchfiles.DefaultFilter):
    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        return path.endswith(WATCHED) and super().__call__(change, path)


def _tell(changes: set[tuple[watchfiles.Change, str]]) -> None:
    names = ", ".join(sorted(Path(path).name for _, path in changes))
    click.echo(f"monkeytown: {names} changed, starting anew", err=True)


def _folder(game: str) -> Path:
    path = parse(game).path
    return path.parent if path else Path(built_in.__path__[0])


@contextmanager
def _company(count: int, url: str, games: Sequence[str]) -> Iterator[None]:
    """Bots in a process of their own, for as long as the block lasts.

    They hold the other end of a pipe, so that they end with this process however it ends.
    """
    if not count:
        yield
        return
    name = load(games[0]).name
    command = [*COMMAND, "bot", "--attached", "--game", name, "--count", str(count), url]
    bots = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        bots.terminate()
        bots.wait(STOP_TIMEOUT)


def _reachable(host: str) -> str:
    """Where a server that listens on `host` is reached from this machine."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
