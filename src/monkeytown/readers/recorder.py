"""What is recorded of one room: a reader like others, whose bytes go to a file.

Knows the room's reading side and what everybody is told in it; hands blocks over to whoever writes them and never waits for
that. Nothing that is private to a player is in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from monkeytown.position import Position
from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.replay import MOST, Block, Item, state_hash
from monkeytown.room.mail import News
from monkeytown.room.room import Room
from monkeytown.runtime.place import Audience

__all__ = ["BLOCK_SECONDS", "FILE_SECONDS", "Recorder", "Tape"]

log = structlog.get_logger()

BLOCK_SECONDS = 5.0
"""From one snapshot to the next: who seeks reads so much, and a process that is killed loses so much."""
BLOCK_BYTES = 1 << 20
BLOCK_ITEMS = MOST // 2
"""A block ends earlier when it has so many bytes or items."""
FILE_SECONDS = 6 * 3600.0
"""A room that goes on for longer is recorded in several files."""

MILLISECONDS = 1000


class Tape(Protocol):
    """Where the blocks of one file go."""

    failed: bool
    """Whether nothing more can be written."""

    def put(self, block: Block, size: int, players: int) -> None:
        """A further block, of about `size` bytes; so many players were there so far. Does not wait."""

    def finish(self, until: int, *, complete: bool) -> None:
        """Ends the recording at a moment, or with its last block if that is later; `complete`: with its room.

        Does not wait.
        """


class Recorder(Audience):
    """Reads one room, `rate` times a second at most, and cuts what it reads into blocks.

    `load` gives a tape for a file that begins now. In a game with ticks a moment is a tick, elsewhere a millisecond.
    """

    def __init__(
        self,
        room: Room,
        load: Callable[[Room], Tape],
        *,
        rate: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.room = room
        self._load = load
        self._now = now
        # At the same ticks in every room: rules that look at things every few ticks have just done so.
        self._stride = max(1, round(room.tick_rate / rate)) if room.tick_rate else 1
        self._turn = room.tick // self._stride
        self._tape: Tape | None = load(room)
        self._loaded = now()
        self._position: Position | None = None
        self._items: list[Item] = []
        """Of the block that is being filled; events alone before the first state is in."""
        self._bytes = 0
        """Of the items behind the block's first, which may be larger than all of them."""
        self._opened = 0.0
        self._first = 0
        self._roster: tuple[tuple[str, str], ...] = ()
        self._known: set[str] = set()
        """Ids of all who were there since this file began."""
        room.listeners.append(self._hear)
        self._begin()

    @property
    def is_over(self) -> bool:
        return self._tape is None

    def prepare(self, room: Room) -> None:
        """The room has moved: reads what is new, if it is time."""
        turn = room.tick // self._stride
        if (turn == self._turn and room.closed is None and self._bytes < BLOCK_BYTES) or self._tape is None:
            return
        self._turn = turn
        try:
            self._go_on(self._tape)
        except Exception:
            # Whatever it is: the room and its players have nothing to do with it.
            log.exception("a recording failed", room=room.id)
            self._give_up()

    def send(self) -> None:
        return

    def finish(self) -> None:
        """The room has ended."""
        tape = self._tape
        if tape is None:
            return
        self._read()
        if self._position is not None:
            # None if its rules failed, or did something that no step has shown.
            last = self.room.read(None).frame
            self._hand_over(tape, None if last is None else state_hash(last))
        self._end(tape, complete=True)
        self._stop()

    def _go_on(self, tape: Tape) -> None:
        if tape.failed:
            self._stop()
        elif self.room.closed is not None:
            self.finish()
        else:
            self._read()
            self._cut()

    def _give_up(self) -> None:
        tape = self._tape
        if tape is not None:
            self._stop()
            tape.finish(0, complete=False)

    def _stop(self) -> None:
        self._tape = None
        self._items = []
        self.room.listeners.remove(self._hear)

    # Reading

    def _moment(self, tick: int) -> int:
        if self.room.tick_rate:
            return tick
        return int((self._now() - self._loaded) * MILLISECONDS)

    def _read(self) -> None:
        """What is new."""
        if self._position is None:
            self._begin()
            return
        reading = self.room.read(self._position)
        if reading.frame is not None:
            self._position = reading.position
            self._add(self._moment(self.room.tick), reading.frame)

    def _cut(self) -> None:
        """Ends the block, if it is long enough."""
        if len(self._items) > 1 and (
            self._now() - self._opened >= BLOCK_SECONDS
            or self._bytes >= BLOCK_BYTES
            or len(self._items) >= BLOCK_ITEMS
        ):
            self._turn_page()

    def _begin(self) -> None:
        """A new block, from the state as it is now, in front of what was said before there was one."""
        reading = self.room.read(None)
        if reading.frame is None:
            return
        said, self._items = self._items, []
        self._position = reading.position
        self._opened = self._now()
        self._first = state_hash(reading.frame)
        self._roster = tuple((member.id, member.player.name) for member in self.room.members.values())
        self._known.update(self.room.members)
        self._add(self._moment(self.room.tick), reading.frame)
        self._bytes = 0
        for item in said:
            self._add(item.at, item.message)

    def _turn_page(self) -> None:
        """The block ends with the state that the next one begins with."""
        tape = self._tape
        snapshot = self.room.read(None).frame
        if snapshot is None or tape is None:
            return
        self._hand_over(tape, state_hash(snapshot))
        self._items = []
        if self._now() - self._loaded >= FILE_SECONDS:
            self._end(tape, complete=False)
            self._tape, self._loaded, self._known = self._load(self.room), self._now(), set()
        self._begin()

    def _hand_over(self, tape: Tape, last: int | None) -> None:
        block = Block(self._items[0].at, self._first, last, self._roster, tuple(self._items))
        tape.put(block, self._bytes + len(self._items[0].message), len(self._known))

    def _end(self, tape: Tape, *, complete: bool) -> None:
        until = self._moment(self.room.tick)
        if self._items:
            until = max(until, self._items[-1].at)
        tape.finish(until, complete=complete)

    # Events

    def _hear(self, news: News) -> None:
        """Everybody in the room is told something: it belongs to the version of the state that is being made."""
        if news.type == "player_joined":
            self._known.add(msgspec.msgpack.decode(news.payload)["id"])
        self._add(self._moment(self.room.tick + 1), BINARY.encode(news.type, news.payload))

    def _add(self, at: int, message: bytes) -> None:
        if self._items and at < self._items[-1].at:
            at = self._items[-1].at
        self._items.append(Item(at, message))
        self._bytes += len(message)
