"""Replays, read: the tables of a recorded room at any moment, who was there, and what was said.

    with Replay.open("20261201T101500000-arena.mtr") as replay:
        replay.seek(90)
        print([monkey.name for monkey in replay.tables["monkeys"]])

Knows replay files and the client's mirror; not how anything looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import msgspec

from monkeytown._core import delta
from monkeytown.client.mirror import Mirror
from monkeytown.errors import MonkeytownError, WireError
from monkeytown.position import Position
from monkeytown.protocol.description import check_description
from monkeytown.protocol.messages import PlayerJoined, PlayerLeft
from monkeytown.protocol.replay import STATE, Header, Item, event_of, state_hash
from monkeytown.protocol.replayfile import Recording, open_recording

__all__ = ["Event", "Moment", "Replay"]


class Event(NamedTuple):
    """What everybody was told: `player_joined`, `player_left`, `game_event` (chat among them) or `error`, and its map."""

    type: str
    about: dict[str, Any]


class Moment(NamedTuple):
    """Something recorded. `event` is None where the tables have moved, to `tick`; `base` is where from, None for all anew."""

    seconds: float
    tick: int
    base: int | None
    event: Event | None


class Replay:
    """A recording that is played. The tables stand where it was last sought or played to: at first, at its beginning.

    Whatever is wrong with a file is raised as `WireError`.
    """

    def __init__(self, recording: Recording, file: BinaryIO | None = None) -> None:
        self.recording = recording
        self._file = file
        self._mirror = _mirror(recording.header)
        self.tables = self._mirror.tables
        self.players: dict[str, str] = {}
        """The names of all who are there, by id."""
        self.position: Position | None = None
        self._number = -1
        """The block in which it was last sought, and the next of its items."""
        self._items: tuple[Item, ...] = ()
        self._next = 0
        self.seek(0.0)

    @classmethod
    def open(cls, path: str | Path) -> Replay:
        """Opens a file; OSError if there is none."""
        file = Path(path).open("rb")  # noqa: SIM115
        try:
            size = file.seek(0, 2)

            def read(offset: int, length: int) -> bytes:
                file.seek(offset)
                return file.read(length)

            return cls(open_recording(read, size), file)
        except BaseException:
            file.close()
            raise

    @property
    def header(self) -> Header:
        return self.recording.header

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.recording.seconds

    @property
    def tick(self) -> int:
        """Where the tables stand."""
        return 0 if self.position is None else self.position.tick

    def seek(self, seconds: float) -> None:
        """Brings tables and players to how they were so many seconds after the beginning."""
        at = self._at(seconds)
        number = self.recording.find(at)
        if number != self._number or self._items[self._next - 1].at > at:
            self._enter(number)
            self._number, self._next = number, 0
        while self._next < len(self._items) and self._items[self._next].at <= at:
            self._play(self._items[self._next])
            self._next += 1

    def play(self, seconds: float = 0.0) -> Iterator[Moment]:
        """From so many seconds on: the state as it was then, and further states and events in the order they came in."""
        at, begun = self._at(seconds), False
        first = self.recording.find(at)
        for number in range(first, len(self.recording.index.blocks)):
            for place, item in enumerate(self._enter(number)):
                if not begun and place and item.at >= at:
                    begun = True
                    yield self._here(at)
                moment = self._play(item)
                # A block repeats the state that the one before it ended with.
                if begun and moment is not None and (place or number == first):
                    yield moment
            if not begun:
                begun = True
                yield self._here(at)

    def check(self) -> list[str]:
        """Plays all of it, and returns what is wrong: damaged blocks, and states that are not what the room's were."""
        found = [] if self.recording.indexed else [self.recording.problem or "there is no index"]
        for number in range(len(self.recording.index.blocks)):
            try:
                self._check_block(number)
            except WireError as error:
                found.append(f"block {number}: {error}")
        return found

    def state_hash(self) -> int:
        """The hash of the state that the tables hold."""
        return state_hash(delta.snapshot(tuple(self.tables.values()), 1, 0))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _at(self, seconds: float) -> int:
        """The moment so many seconds after the beginning."""
        return self.recording.index.blocks[0].at + round(
            min(max(seconds, 0.0), self.seconds) * self.header.rate
        )

    def _here(self, at: int) -> Moment:
        return Moment(self.recording.seconds_at(at), self.tick, None, None)

    def _enter(self, number: int) -> tuple[Item, ...]:
        """A block, from its beginning."""
        block = self.recording.block(number)
        self.players = dict(block.players)
        self.position = None
        self._number, self._items = -1, block.items
        return block.items

    def _play(self, item: Item) -> Moment | None:
        """Takes in one item; None for one that means nothing to this version."""
        seconds = self.recording.seconds_at(item.at)
        if item.message[0] == STATE:
            before = self.position
            self.position, is_snapshot = self._mirror.apply(item.message, before)
            return Moment(seconds, self.tick, None if is_snapshot or before is None else before.tick, None)
        found = event_of(item.message)
        if found is None:
            return None
        if isinstance(found[1], PlayerJoined):
            self.players[found[1].id] = found[1].name
        elif isinstance(found[1], PlayerLeft):
            self.players.pop(found[1].player_id, None)
        about = msgspec.to_builtins(found[1], builtin_types=(bytes,))
        return Moment(seconds, self.tick, None, Event(found[0], about))

    def _check_block(self, number: int) -> None:
        entry = self.recording.index.blocks[number]
        for place, item in enumerate(self._enter(number)):
            self._play(item)
            if not place and self.state_hash() != entry.first:
                raise WireError(f"the state at tick {self.tick} is not what it was in the room")
        if entry.last is not None and self.state_hash() != entry.last:
            raise WireError(f"the state at tick {self.tick}, at its end, is not what it was in the room")


def _mirror(header: Header) -> Mirror:
    check_description(header.schema)
    try:
        return Mirror({**header.schema, "area": None})
    except (MonkeytownError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise WireError(f"the schema is malformed: {error}") from error
