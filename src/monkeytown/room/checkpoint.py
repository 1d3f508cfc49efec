"""A room put away: all that is needed to go on with it as if nothing had been, as bytes and back.

With its members, they go on as well (`roster`); without, only their ids are in it, and they come anew. Timers are in
neither, nor is what was on its way (inputs, events). Knows the parts of a room, and what becomes of errors in `save` and
`load`; does not know when rooms are put away, nor where the bytes go.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from monkeytown._core import dump, restore
from monkeytown._core.state import Table
from monkeytown.chat import SavedChat
from monkeytown.errors import SchemaError, WireError
from monkeytown.position import Position
from monkeytown.room.ledger import as_json
from monkeytown.room.reading import Reader
from monkeytown.room.roster import SavedMember, saved_members, seat_members
from monkeytown.room.rules import Rules
from monkeytown.room.seating import Seating
from monkeytown.room.setup import Setup
from monkeytown.room.stage import RoomStage
from monkeytown.schema import Schema, checksum

__all__ = [
    "MAX_SAVED",
    "Checkpoint",
    "bring_back",
    "going_on",
    "packed",
    "restore_tables",
    "take",
    "unpacked",
]

MAX_SAVED = 1024 * 1024
"""Bytes of what `save` returns, at most: it is written between two ticks."""

MAGIC = b"MTroom\x00\x02"
"""What every checkpoint begins with; the last byte is the number of its form."""
FORMER_MAGIC = b"MTroom\x00\x01"
"""The same without any `members`."""

CHECKSUM_BYTES = 4


class Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    """A room at one moment."""

    game: str
    room: str
    schema: int
    """Of its tables. Inputs and views may be others when it is brought back."""
    epoch: int
    tick: int
    final: bool
    """Whether nothing has happened in the room after this."""
    steps: int
    time: float
    entries: int
    """The number of its ledger's last entry."""
    seats: int
    """The number of the last player."""
    players: list[str]
    """The ids of those who were in it."""
    dice: tuple[int, list[int], float | None]
    chat: SavedChat
    max_players: int | None
    mode: str
    private: bool
    written: bytes
    """JSON: the `options` with which the room was opened, and what the rules' `save` returned, as `saved`."""
    tables: bytes
    members: list[SavedMember] = []
    """Who goes on with it, in order of joining; nobody, if they are to come anew."""

    @property
    def setup(self) -> Setup:
        """What whoever opened the room wanted of it."""
        options = msgspec.json.decode(self.written)["options"]
        return Setup(self.max_players, self.mode, self.private, options)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)


def packed(checkpoint: Checkpoint) -> bytes:
    """As it is kept, with a checksum."""
    content = _encoder.encode(checkpoint)
    return b"".join((MAGIC, zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little"), content))


def unpacked(data: bytes) -> Checkpoint:
    """The checkpoint again. `WireError` for bytes that are none, or not all of one, or damaged."""
    start = len(MAGIC) + CHECKSUM_BYTES
    if data[: len(MAGIC)] not in (MAGIC, FORMER_MAGIC):
        raise WireError("this is no checkpoint of a room, or one of another version")
    content = memoryview(data)[start:]
    if zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little") != data[len(MAGIC) : start]:
        raise WireError("this checkpoint of a room is damaged")
    try:
        return _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"this is no checkpoint of a room: {error}") from error


def going_on(checkpoint: Checkpoint) -> Checkpoint:
    """How its room goes on: in the same history, or, if more may have happened after it, in the next epoch.

    Has to be kept before anything happens in the room: whoever starts from it once more is then in another epoch, and no
    entry of the ledger has the name of another.
    """
    epoch = checkpoint.epoch if checkpoint.final else checkpoint.epoch + 1
    return msgspec.structs.replace(checkpoint, epoch=epoch, final=False)


def take(
    schema: Schema,
    tables: tuple[Table[Any], ...],
    rules: Rules,
    stage: RoomStage,
    seating: Seating,
    setup: Setup,
    *,
    position: Position,
    steps: int,
    final: bool,
    members: bool,
) -> Checkpoint | None:
    """The room as it is, with its members if wanted; None if its rules fail."""
    game, roster = rules.game, list[SavedMember]()
    if members and rules.failed is None:
        try:
            roster = saved_members(stage.members.values(), stage.reowned, tables)
        except (TypeError, ValueError) as error:
            rules.fail("player.data", type(game), error)
    saved = None if rules.failed is not None else rules.call("save")
    if rules.failed is not None:
        return None
    try:
        written = as_json({"options": dict(setup.options), "saved": saved}, MAX_SAVED)
        version, numbers, gauss = game.random.getstate()
        chat = rules.chat.saved()
    except Exception as error:  # none of it is what it has to be, which is the rules' doing
        rules.fail("save", game.save, error)
        return None
    return Checkpoint(
        game=type(game).name,
        room=game.room_id,
        schema=_schema(schema),
        epoch=position.epoch,
        tick=position.tick,
        final=final,
        steps=steps,
        time=game.time,
        entries=stage.ledger.last,
        seats=seating.last_number,
        players=list(stage.members),
        dice=(version, list(numbers), gauss),
        chat=chat,
        max_players=setup.max_players,
        mode=setup.mode,
        private=setup.private,
        written=written,
        tables=dump.dump(tables),
        members=roster,
    )


def restore_tables(schema: Schema, tables: dict[str, Table[Any]], game: str, checkpoint: Checkpoint) -> None:
    """Brings tables back; their rows are nobody's any more, unless members are there.

    Raises `SchemaError` if the checkpoint is of another game or of other tables, and `WireError`.
    """
    if checkpoint.game != game:
        raise SchemaError(f"{game}: the room that was put away is of {checkpoint.game}")
    if checkpoint.schema != _schema(schema):
        raise SchemaError(f"{game}: the room was put away with other tables than the game has now")
    restore.restore(tuple(tables.values()), checkpoint.tables)
    for table in tables.values():
        if table.tick != checkpoint.tick or (table.single and not len(table)):
            raise WireError(f"table {table.name} of this checkpoint is not whole")
        if not checkpoint.members:
            for row in table:
                if row.owner:
                    row.owner = 0


def bring_back(
    checkpoint: Checkpoint,
    tables: tuple[Table[Any], ...],
    rules: Rules,
    stage: RoomStage,
    seating: Seating,
    reader: Reader,
) -> None:
    """All but the tables, which are there already; then the rules are told."""
    game, dice = rules.game, checkpoint.dice
    reader.now = Position(checkpoint.epoch, checkpoint.tick)
    rules.set_time(checkpoint.time)
    game.tick = checkpoint.tick + 1
    try:
        game.random.setstate((dice[0], tuple(dice[1]), dice[2]))
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"the dice of this checkpoint are none: {error}") from error
    rules.chat.restore(checkpoint.chat)
    stage.ledger.last = checkpoint.entries
    seating.last_number = checkpoint.seats
    seat_members(checkpoint.members, seating, stage, tables)
    if rules.failed is None:
        rules.call("load", msgspec.json.decode(checkpoint.written)["saved"])


def _schema(schema: Schema) -> int:
    return checksum({"tables": schema.tables})
