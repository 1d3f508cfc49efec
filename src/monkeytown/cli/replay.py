"""`monkeytown replay`: what is in a recording, whether it is as it was, and the recording in other forms.

Knows replays as the Python client reads them. What they look like is `monkeytown.cli.picture`'s matter.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from monkeytown._core.values import changes
from monkeytown.client.replay import Moment, Replay
from monkeytown.errors import StartError, WireError

__all__ = ["replay"]

FAILED = 1
NAMES = {"player_joined": "joined", "player_left": "left", "error": "closed"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Play all of it, and compare each state's hash with what the room had."
)
@click.option(
    "--jsonl", metavar="OUT", help="Write states and events as JSON, one a line; - for standard output."
)
@click.option(
    "--gif", metavar="OUT", type=click.Path(path_type=Path), help="Draw it, from the game's schema."
)
@click.option(
    "--from", "start", metavar="SECONDS", type=click.FloatRange(0), default=0.0, help="Where to begin.  [0]"
)
@click.option("--to", "end", metavar="SECONDS", type=click.FloatRange(0), help="Where to end.  [its end]")
@click.option(
    "--speed",
    type=click.FloatRange(0, 1000, min_open=True),
    default=1.0,
    help="Of the picture: seconds of the game in a second.  [1]",
)
@click.option(
    "--size",
    metavar="PIXELS",
    type=click.IntRange(64, 2048),
    default=480,
    help="Of the picture's longer side.  [480]",
)
def replay(
    *,
    file: Path,
    check: bool,
    jsonl: str | None,
    gif: Path | None,
    start: float,
    end: float | None,
    speed: float,
    size: int,
) -> None:
    """Print what a recording is: FILE is a .mtr of the folder `replays` in the data folder, finished or not."""
    with _opened(file) as recording:
        until = recording.seconds if end is None else min(end, recording.seconds)
        if jsonl is not None:
            with _written(jsonl) as out:
                _export(recording, out, start, until)
        if gif is not None:
            from monkeytown.cli.picture import draw

            draw(recording, gif, start=start, end=until, speed=speed, size=size)
        if check:
            _check(recording)
        elif jsonl is None and gif is None:
            _describe(recording, file)


@contextmanager
def _opened(file: Path) -> Iterator[Replay]:
    """A recording; whatever is wrong with it is said in one line."""
    try:
        with Replay.open(file) as recording:
            yield recording
    except WireError as error:
        raise StartError(f"{file}: {error}") from error
    except OSError as error:
        raise StartError(f"{error.filename or file}: {error.strerror or error}") from error


def _describe(recording: Replay, file: Path) -> None:
    header, index = recording.header, recording.recording.index
    events: Counter[str] = Counter(_name(moment) for moment in recording.play() if moment.event is not None)
    started = datetime.fromtimestamp(header.started, UTC)
    states = sum(entry.states for entry in index.blocks) - len(index.blocks) + 1
    game = header.game if header.title.lower() == header.game else f"{header.game} ({header.title})"
    told = ", ".join(f"{name} {count:,}" for name, count in events.most_common()) or "none"
    lines = {
        "game": game + (", private" if header.private else ""),
        "room": header.room,
        "started": f"{started:%Y-%m-%d %H:%M:%S} UTC",
        "length": clock(recording.seconds) + ("" if index.complete else ", cut off"),
        "states": f"{states:,} in {len(index.blocks):,} blocks, {file.stat().st_size:,} bytes",
        "players": f"{index.players:,}",
        "events": told,
    }
    for name, text in lines.items():
        click.echo(f"{name:<8} {text}")
    if not recording.recording.indexed:
        click.echo(f"{'problem':<8} {recording.recording.problem or 'there is no index'}")


def _name(moment: Moment) -> str:
    assert moment.event is not None
    type, about = moment.event
    return str(about["event"]) if type == "game_event" else NAMES.get(type, type)


def _check(recording: Replay) -> None:
    found = recording.check()
    for problem in found:
        click.echo(problem)
    if found:
        sys.exit(FAILED)
    index = recording.recording.index
    hashes = len(index.blocks) + sum(entry.last is not None for entry in index.blocks)
    click.echo(f"right: {len(index.blocks):,} blocks, {hashes:,} states with their hashes")


@contextmanager
def _written(out: str) -> Iterator[BinaryIO]:
    if out == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with Path(out).open("wb") as file:
            yield file


def _export(recording: Replay, out: BinaryIO, start: float, end: float) -> None:
    """States in the form of docs/reference/json.md, the first one whole; between them what was said."""
    tables, header = tuple(recording.tables.values()), recording.header
    encode, shown = msgspec.json.Encoder().encode, -1
    for moment in recording.play(start):
        if moment.seconds > end:
            break
        payload: dict[str, Any]
        if moment.event is not None:
            kind, payload = moment.event
        elif moment.tick == shown:
            continue  # the state that this begins with may come once more
        else:
            kind, base = "game_state", None if shown < 0 else shown
            about = {"gameId": header.room, "epoch": header.epoch, "tick": moment.tick, "base": base}
            payload = about | {"tables": changes(tables, base)}
            shown = moment.tick
        out.write(encode({"type": kind, "seconds": round(moment.seconds, 3), "payload": payload}) + b"\n")


def clock(seconds: float) -> str:
    """1:02:03.5 of seconds."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
