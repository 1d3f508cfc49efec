"""Replay files: docs/reference/replay.md, as bytes out and in.

Knows the pieces of a file, chunk by chunk; not where they are read from or written to, nor how a state is applied. Whatever
is read is checked before anything is allocated for it, and a `WireError` says what is wrong with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from struct import Struct
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from monkeytown._core.wire import Reader, Writer
from monkeytown.errors import WireError
from monkeytown.protocol.codec import server_message
from monkeytown.protocol.messages import FROM_SERVER, ServerMessage

__all__ = [
    "BLOCK",
    "CHUNK_HEAD",
    "END",
    "HEADER",
    "INDEX",
    "LARGEST",
    "MAGIC",
    "MOST",
    "STATE",
    "TRAILER",
    "Block",
    "Entry",
    "Head",
    "Header",
    "Index",
    "Item",
    "chunk",
    "decode_block",
    "decode_header",
    "decode_index",
    "decode_trailer",
    "encode_block",
    "encode_header",
    "encode_index",
    "encode_trailer",
    "entry_of",
    "event_of",
    "head_of",
    "inflated",
    "state_hash",
    "tick_of",
]

MAGIC = b"MTREPLAY\x01"
END = b"MTREPEND"
HEADER, BLOCK, INDEX = 1, 2, 3

_HEAD = Struct("<BIII")
_TRAILER = Struct("<Q8s")
CHUNK_HEAD = _HEAD.size
TRAILER = _TRAILER.size

LARGEST = {HEADER: 1 << 20, BLOCK: 1 << 24, INDEX: 1 << 22}
"""Bytes of a chunk's content at most, by its kind."""
MOST = 1 << 16
"""Items of a block, and players in it, at most: what is small in a file takes more room in memory."""

COMPRESSION = 6
"""Of zlib; 9 takes several times as long and saves nothing, since states are packed already."""

STATE = 0x43
"""The kind of a `game_state`."""
SNAPSHOT = 1
HAS_LAST = 1
"""A block's flag: the hash of its last state is there."""
EVENTS = {kind: name for name, (kind, _) in FROM_SERVER.items()}

_U32 = 2**32 - 1
_LAST = 2**53 - 1  # moment, and offset: what every language's numbers hold
Count = Annotated[int, Meta(ge=0, le=_LAST)]
Hash = Annotated[int, Meta(ge=0, le=_U32)]
Text = Annotated[str, Meta(max_length=256)]
Time = Annotated[float, Meta(ge=0, lt=2**37)]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded. `schema` is the `schema` message of one who sees everything."""

    id: Text
    room: Text
    game: Text
    title: Text
    epoch: Annotated[int, Meta(ge=1, le=_U32)]
    started: Time
    """Seconds since 1970."""
    rate: Annotated[float, Meta(gt=0, le=1e6)]
    """Moments a second: the ticks of a game that has any, else milliseconds."""
    schema: dict[str, Any]
    private: bool = False


class Item(NamedTuple):
    """What was said at one moment: a message of the server, without the number of numbered ones."""

    at: int
    message: bytes


class Block(NamedTuple):
    """A part of a recording that can be read without the others; its first item is a snapshot."""

    at: int
    first: int
    """The hash of the state at its beginning."""
    last: int | None
    """That of the state at its end; None if it is not known."""
    players: tuple[tuple[str, str], ...]
    """Who was there when it began: id and name."""
    items: tuple[Item, ...]


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A block in the index."""

    offset: Count
    at: Count
    until: Count
    """The moments of its beginning and of its last item."""
    tick: Count
    """Of the state at its beginning."""
    first: Hash
    last: Hash | None
    states: Count
    events: Count


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks of a recording, and what is known of it only at its end."""

    blocks: Annotated[tuple[Entry, ...], Meta(min_length=1)]
    until: Count
    """The moment at which it ends."""
    ended: Time
    """Seconds since 1970."""
    players: Count
    """How many were there, one after the other or at once."""
    complete: bool
    """Whether the recording lasted until the room ended."""


# ---- chunks ----


class Head(NamedTuple):
    """What stands before the stored bytes of a chunk."""

    kind: int
    stored: int
    size: int
    check: int


def chunk(kind: int, content: bytes) -> bytes:
    """One chunk of a file. Raises ValueError for what is too large to be read again."""
    if len(content) > LARGEST[kind]:
        raise ValueError(f"{len(content)} bytes are too many for a chunk; at most {LARGEST[kind]}")
    stored = zlib.compress(content, COMPRESSION)
    head = _HEAD.pack(kind, len(stored), len(content), 0)[:-4]
    return b"".join((head, zlib.crc32(stored, zlib.crc32(head)).to_bytes(4, "little"), stored))


def head_of(data: bytes) -> Head:
    """The head of a chunk, of exactly `CHUNK_HEAD` bytes."""
    if len(data) != CHUNK_HEAD:
        raise WireError("the file ends in the head of a chunk")
    head = Head(*_HEAD.unpack(data))
    if head.kind not in LARGEST:
        raise WireError(f"there is no chunk of kind {head.kind}")
    if head.size > LARGEST[head.kind] or head.stored > head.size + head.size // 1000 + 64:
        raise WireError(f"a chunk of {head.stored} bytes, {head.size} once inflated, is too large")
    return head


def inflated(head: Head, stored: bytes) -> bytes:
    """The content of a chunk, which is never larger than its head says."""
    if len(stored) != head.stored:
        raise WireError("the file ends in a chunk")
    if zlib.crc32(stored, zlib.crc32(_HEAD.pack(*head)[:-4])) != head.check:
        raise WireError("a chunk is damaged: its CRC is another one")
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(stored, head.size + 1)
    except zlib.error as error:
        raise WireError(f"a chunk cannot be inflated: {error}") from None
    if len(content) != head.size or not stream.eof or stream.unused_data:
        raise WireError("a chunk inflates to another size than it says")
    return content


def encode_trailer(offset: int) -> bytes:
    """The end of a file whose index begins at `offset`."""
    return _TRAILER.pack(offset, END)


def decode_trailer(data: bytes) -> int | None:
    """Where the index begins; None if this is no trailer."""
    if len(data) != TRAILER:
        return None
    offset, end = _TRAILER.unpack(data)
    return int(offset) if end == END else None


# ---- header and index ----

M = TypeVar("M", Header, Index)


def _decoded(content: bytes, shape: type[M]) -> M:
    try:
        return msgspec.msgpack.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise WireError(f"the {shape.__name__.lower()} is malformed: {error}") from None


def encode_header(header: Header) -> bytes:
    return msgspec.msgpack.encode(header)


def decode_header(content: bytes) -> Header:
    return _decoded(content, Header)


def encode_index(index: Index) -> bytes:
    return msgspec.msgpack.encode(index)


def decode_index(content: bytes) -> Index:
    """The index; its blocks come one after the other, in the file and in time."""
    index = _decoded(content, Index)
    before: Entry | None = None
    for entry in index.blocks:
        if before is not None and (entry.offset <= before.offset or entry.at < before.until):
            raise WireError("the blocks of the index are out of order")
        if entry.until < entry.at:
            raise WireError("a block of the index ends before it begins")
        before = entry
    if before is not None and index.until < before.until:
        raise WireError("the recording ends before its last block does")
    return index


# ---- blocks ----


def encode_block(block: Block) -> bytes:
    """A block's content. Raises ValueError for one of more items or players than can be read again."""
    if max(len(block.items), len(block.players)) > MOST:
        raise ValueError(f"more than {MOST} items or players in a block")
    writer = Writer()
    writer.u8(0 if block.last is None else HAS_LAST)
    writer.varint(block.at)
    writer.raw(block.first.to_bytes(4, "little"))
    writer.raw((block.last or 0).to_bytes(4, "little"))
    writer.varint(len(block.players))
    for player in block.players:
        for text in player:
            _put_blob(writer, text.encode())
    at = block.at
    for item in block.items:
        writer.varint(item.at - at)
        _put_blob(writer, item.message)
        at = item.at
    return writer.getvalue()


def decode_block(content: bytes) -> Block:
    reader = Reader(content)
    flags = reader.u8()
    if flags & ~HAS_LAST:
        raise WireError(f"a block with flags 0x{flags:02x}")
    at = reader.varint64()
    first, last = (int.from_bytes(reader.raw(4), "little") for _ in range(2))
    if last and not flags:
        raise WireError("a block with a hash that it says is not there")
    count = reader.varint()
    if count > min(reader.remaining // 2, MOST):
        raise WireError(f"{count} players in what is left of a block")
    players = tuple((_text(reader), _text(reader)) for _ in range(count))
    items = tuple(_items(reader, at))
    if not items or items[0].at != at or items[0].message[0] != STATE or not _is_snapshot(items[0].message):
        raise WireError("a block does not begin with a snapshot")
    return Block(at, first, last if flags & HAS_LAST else None, players, items)


def _items(reader: Reader, at: int) -> Iterable[Item]:
    count = 0
    while reader.remaining:
        at += reader.varint64()
        size = reader.varint()
        count += 1
        if not size or at > _LAST or count > MOST:
            raise WireError("an item without a message, or one too many")
        yield Item(at, reader.raw(size))


def _put_blob(writer: Writer, content: bytes) -> None:
    writer.varint(len(content))
    writer.raw(content)


def _text(reader: Reader) -> str:
    try:
        return reader.raw(reader.varint()).decode()
    except UnicodeDecodeError:
        raise WireError("a text that is not UTF-8") from None


def entry_of(offset: int, block: Block) -> Entry:
    """What the index says of a block that stands at `offset`."""
    states = sum(item.message[0] == STATE for item in block.items)
    return Entry(
        offset,
        block.at,
        block.items[-1].at,
        tick_of(block.items[0].message),
        block.first,
        block.last,
        states,
        len(block.items) - states,
    )


# ---- messages ----


def _is_snapshot(message: bytes) -> bool:
    return len(message) > 1 and bool(message[1] & SNAPSHOT)


def _behind_position(message: bytes) -> tuple[Reader, int]:
    """A reader that stands behind the epoch and the tick of a `game_state`, and the tick."""
    reader = Reader(message)
    reader.u8()
    reader.u8()
    reader.varint()
    tick = reader.varint64()
    return reader, tick


def tick_of(message: bytes) -> int:
    """The tick that a `game_state` leads to."""
    return _behind_position(message)[1]


def state_hash(snapshot: bytes) -> int:
    """The hash of the state in a snapshot that the core wrote: the same for equal states, whatever their ticks are."""
    reader, _ = _behind_position(snapshot)
    return zlib.crc32(reader.raw(reader.remaining))


def event_of(message: bytes) -> tuple[str, ServerMessage] | None:
    """The name and the content of an item that is no state; None if it is of a kind that is not known."""
    name = EVENTS.get(message[0])
    if name is None:
        return None
    try:
        return name, server_message(name, message[1:])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise WireError(f"the {name} is malformed: {error}") from None
