"""Recordings in memory for tests: a tape that keeps what a recorder gives it, and a room made of a twin's tables.

Knows the codec's writing side. Must not know: how a recording is read.
"""

from types import SimpleNamespace
from typing import Any

from monkeytown._core.sight import Sight
from monkeytown.position import Position
from monkeytown.protocol.replay import (
    BLOCK,
    HEADER,
    MAGIC,
    Block,
    Entry,
    Header,
    Index,
    chunk,
    encode_block,
    encode_header,
    entry_of,
)
from monkeytown.protocol.replayfile import ending
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.reading import Reader
from monkeytown.room.view import EVERYTHING, View
from tests.twin import EPOCH, Twin

STARTED = 1_795_000_000.25
"""When recordings in tests begin."""


def header_of(room: Any, **changes: Any) -> Header:
    about = {"gameId": room.id, "game": room.name, "tickRate": room.tick_rate}
    known: dict[str, Any] = {
        "id": "20261118T010640250-room",
        "room": room.id,
        "game": room.name,
        "title": "A game",
        "epoch": room.epoch,
        "started": STARTED,
        "rate": room.tick_rate or 1000,
        "schema": about | room.schema.describe(everything=True),
    }
    return Header(**known | changes)


class MemoryTape:
    """Keeps a file as bytes."""

    def __init__(self, room: Any) -> None:
        self.failed = False
        self.header = header_of(room)
        self.data = MAGIC + chunk(HEADER, encode_header(self.header))
        self.blocks: list[Block] = []
        self.entries: list[Entry] = []
        self.players = 0
        self.complete: bool | None = None
        """None until it is finished."""

    def put(self, block: Block, size: int, players: int) -> None:
        self.entries.append(entry_of(len(self.data), block))
        self.blocks.append(block)
        self.data += chunk(BLOCK, encode_block(block))
        self.players = players

    def finish(self, until: int, *, complete: bool) -> None:
        self.complete = complete
        if self.entries:
            index = Index(
                blocks=tuple(self.entries),
                until=max(until, self.entries[-1].until),
                ended=STARTED + 60,
                players=self.players,
                complete=complete,
            )
            self.data += ending(index, len(self.data))


def reader_of(data: bytes) -> Any:
    """What reads a part of a file."""
    return lambda offset, length: data[offset : offset + length]


class TwinRoom:
    """A twin's tables as a recorder sees a room: read by the room's own reader."""

    def __init__(self, twin: Twin, tick_rate: int = 60) -> None:
        self.id, self.name, self.tick_rate, self.epoch = "room", "game", tick_rate, EPOCH
        self.twin, self.schema = twin, twin.schema
        self.closed: object = None
        self.game = SimpleNamespace(title="A game")
        self.members: dict[str, Any] = {}
        self.listeners: list[Any] = []
        self._reader = Reader("room", twin.tables, EPOCH)

    @property
    def tick(self) -> int:
        return self._reader.now.tick

    def committed(self) -> None:
        """The twin has made a new version."""
        self._reader.move(self.twin.tick)

    def read(
        self, position: Position | None, view: View | Sight = EVERYTHING, encoding: Encoding = Encoding.BINARY
    ) -> Reading:
        assert isinstance(view, View)
        return self._reader.read((position, view, encoding))
