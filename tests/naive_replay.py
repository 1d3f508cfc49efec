"""A second opinion on replay files: reads them from docs/reference/replay.md and nothing else.

Knows: that page, rule by rule, in the page's own order and words; every broken rule raises NaiveWireError. Frames are read
by the naive reader. Must not know: anything of the package (it never imports it), nor speed.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.naive_reader import NaiveReader
from tests.naive_wire import Cursor, bit_string, require, varint

MAGIC, VERSION, END = b"MTREPLAY", 1, b"MTREPEND"
HEADER, BLOCK, INDEX = 1, 2, 3
LARGEST = {HEADER: 1 << 20, BLOCK: 1 << 24, INDEX: 1 << 22}
STATE = 0x43
EVENTS = {0x45: "player_joined", 0x46: "player_left", 0x47: "game_event", 0x48: "error"}
HEADER_KEYS = {
    "id": str,
    "room": str,
    "game": str,
    "title": str,
    "epoch": int,
    "started": float,
    "schema": dict,
}
INDEX_KEYS = {"blocks": list, "until": int, "ended": float, "players": int, "complete": bool}


class Chunk(NamedTuple):
    kind: int
    content: bytes
    end: int


class Block(NamedTuple):
    at: int
    first: int
    last: int | None
    players: list[tuple[str, str]]
    items: list[tuple[int, bytes]]


class Moment(NamedTuple):
    """What a reader knows once it has taken an item in. `event` is None where that was a state."""

    at: int
    event: tuple[str, dict[str, Any]] | None
    tables: dict[str, dict[int, dict[str, Any]]]
    steps: dict[str, dict[int, dict[str, Any]]]
    players: dict[str, str]


def chunk_at(data: bytes, offset: int) -> Chunk:
    cursor = Cursor(data[offset:])
    kind = cursor.u8()
    require(kind in LARGEST, "an unknown kind of chunk")
    stored, size, check = (int.from_bytes(cursor.take(4), "little") for _ in range(3))
    require(size <= LARGEST[kind] and stored <= size + size // 1000 + 64, "a chunk that is too large")
    inside = cursor.take(stored)
    require(zlib.crc32(data[offset : offset + 9] + inside) == check, "a damaged chunk")
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(inside, size + 1)
    except zlib.error as error:
        raise AssertionError("a chunk with a right CRC that cannot be inflated") from error
    require(len(content) == size and stream.eof and not stream.unused_data, "a chunk of another size")
    return Chunk(kind, content, offset + cursor.at)


def keys(found: Mapping[str, Any], wanted: Mapping[str, type]) -> Mapping[str, Any]:
    require(all(isinstance(found.get(key), kind) for key, kind in wanted.items()), "a key is missing")
    return found


def block_of(content: bytes) -> Block:
    cursor = Cursor(content)
    flags = cursor.u8()
    require(flags <= 1, "an unused flag is set")
    at = cursor.varint64()
    first, last = (int.from_bytes(cursor.take(4), "little") for _ in range(2))
    require(bool(flags) or last == 0, "a hash that is not there")
    count = cursor.varint()
    require(count <= 65_536, "too many players")
    players = [(cursor.text(), cursor.text()) for _ in range(count)]
    items: list[tuple[int, bytes]] = []
    while cursor.left:
        moment = (items[-1][0] if items else at) + cursor.varint64()
        items.append((moment, cursor.blob()))
        require(moment < 1 << 53 and len(items) <= 65_536, "a moment or an item too many")
        require(bool(items[-1][1]), "an empty item")
    require(bool(items) and items[0][0] == at, "a block without a beginning")
    require(items[0][1][0] == STATE and items[0][1][1] & 1 == 1, "a block does not begin with a snapshot")
    return Block(at, first, last if flags else None, players, items)


class NaiveReplay:
    """One file, held whole."""

    def __init__(self, data: bytes) -> None:
        require(data[:8] == MAGIC and data[8:9] == bytes((VERSION,)), "not a replay of this version")
        header = chunk_at(data, 9)
        require(header.kind == HEADER, "a file without a header")
        self.header = keys(Cursor(header.content).map(), HEADER_KEYS)
        self.data = data
        self.index = self._index(header.end)
        offsets = [entry[0] for entry in self.index["blocks"]] if self.index else self._offsets(header.end)
        self.blocks = [block_of(chunk_at(data, offset).content) for offset in offsets]
        self._check()

    def _index(self, start: int) -> Mapping[str, Any] | None:
        """None if there is no trailer."""
        if self.data[-8:] != END:
            return None
        offset = int.from_bytes(self.data[-16:-8], "little")
        index = chunk_at(self.data, offset)
        require(
            index.kind == INDEX and index.end == len(self.data) - 16,
            "the trailer does not point to the index",
        )
        found = keys(Cursor(index.content).map(), INDEX_KEYS)
        require(
            bool(found["blocks"]) and found["blocks"][0][0] == start, "the blocks do not follow the header"
        )
        return found

    def _offsets(self, at: int) -> list[int]:
        """Where the blocks are that are whole."""
        found: list[int] = []
        while at < len(self.data):
            try:
                chunk = chunk_at(self.data, at)
            except ValueError:
                break
            if chunk.kind != BLOCK:
                break
            found.append(at)
            at = chunk.end
        require(bool(found), "nothing is recorded")
        return found

    def _check(self) -> None:
        for before, after in zip(self.blocks, self.blocks[1:], strict=False):
            require(after.at >= before.items[-1][0], "a block begins before the one before it ends")
        for entry, block in zip(self.index["blocks"] if self.index else [], self.blocks, strict=False):
            states = sum(message[0] == STATE for _, message in block.items)
            told = [block.at, block.items[-1][0], tick_of(block.items[0][1]), block.first, block.last]
            require(
                entry[1:] == [*told, states, len(block.items) - states], "another block than the index says"
            )

    @property
    def until(self) -> int:
        return self.index["until"] if self.index else self.blocks[-1].items[-1][0]

    def play(self, first: int = 0) -> Iterator[Moment]:
        """All that is recorded from a block on, with the state hashes checked."""
        for block in self.blocks[first:]:
            players = dict(block.players)
            reader = NaiveReader(self.header["schema"])
            for place, (at, message) in enumerate(block.items):
                event = None
                if message[0] == STATE:
                    reader.apply(message)
                elif message[0] in EVENTS:
                    event = EVENTS[message[0]], Cursor(message[1:]).map()
                    follow(players, *event)
                if place == 0:
                    require(state_hash(reader) == block.first, "the first hash is another one")
                yield Moment(at, event, reader.tables, reader.steps, dict(players))
            require(block.last in (None, state_hash(reader)), "the last hash is another one")


def follow(players: dict[str, str], kind: str, body: dict[str, Any]) -> None:
    if kind == "player_joined":
        players[body["id"]] = body["name"]
    elif kind == "player_left":
        players.pop(body["playerId"], None)


def tick_of(message: bytes) -> int:
    cursor = Cursor(message[2:])
    cursor.varint()
    return cursor.varint64()


# Section 5: the canonical sections.


def state_hash(reader: NaiveReader) -> int:
    sections = b""
    for number, spec in enumerate(reader.schema["tables"]):
        rows = reader.tables[spec["name"]]
        if rows:
            sections += bytes((number, 2)) + entered(spec, rows, reader.steps[spec["name"]])
    return zlib.crc32(sections)


def entered(
    spec: Mapping[str, Any], rows: dict[int, dict[str, Any]], steps: dict[int, dict[str, Any]]
) -> bytes:
    ids = sorted(rows, key=lambda id: id % (1 << 20))
    slots = [id % (1 << 20) for id in ids]
    gaps = [slot - before - 1 for slot, before in zip(slots, [-1, *slots], strict=False)]
    out = varint(len(ids)) + packed(gaps) + packed([(id >> 20) - 1 for id in ids])
    for field in spec["fields"]:
        if field["ownerOnly"]:
            continue
        for place in range(field["count"] or 1):
            values = [lane(rows[id][field["name"]], field, place) for id in ids]
            out += written(field, values)
            if field["predict"] == "linear":
                out += packed([zigzag(lane(steps[id][field["name"]], field, place)) for id in ids])
    return out


def lane(value: Any, field: Mapping[str, Any], place: int) -> Any:
    return value[place] if field["count"] else value


def written(field: Mapping[str, Any], values: list[Any]) -> bytes:
    if field["type"] in ("text", "blob"):
        contents = [value.encode() if field["type"] == "text" else value for value in values]
        return b"".join(varint(len(content)) + content for content in contents)
    return packed([zigzag(value) for value in values] if field["type"] == "sint" else values)


def zigzag(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def packed(values: list[int]) -> bytes:
    width = max(values).bit_length()
    return bytes((width,)) + bit_string((value, width) for value in values)
