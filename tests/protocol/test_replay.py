"""The pieces of a replay file: chunks, header, blocks, index; and what is refused of each."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest

from monkeytown.errors import WireError
from monkeytown.protocol import replay
from monkeytown.protocol.replay import (
    BLOCK,
    CHUNK_HEAD,
    HEADER,
    INDEX,
    LARGEST,
    MOST,
    Block,
    Entry,
    Header,
    Index,
    Item,
    chunk,
    decode_block,
    decode_header,
    decode_index,
    decode_trailer,
    encode_block,
    encode_header,
    encode_index,
    encode_trailer,
    entry_of,
    event_of,
    head_of,
    inflated,
    state_hash,
    tick_of,
)

SNAPSHOT = b"\x43\x01\x07\x81\x01sections"  # of epoch 7 and tick 129
DELTA = b"\x43\x00\x07\x82\x01\x01"
JOINED = b"\x45" + msgspec.msgpack.encode({"id": "p1", "name": "Ada"})
ITEMS = (Item(129, SNAPSHOT), Item(130, JOINED), Item(130, DELTA))
BLOCK_OF_THREE = Block(129, 1, 2, (("p0", "Bob"),), ITEMS)
HEADERS: dict[str, Any] = {
    "id": "now-room",
    "room": "room",
    "game": "pond",
    "title": "Pond",
    "epoch": 7,
    "started": 1e9,
    "rate": 60,
    "schema": {"tables": []},
}
ENTRY = entry_of(100, BLOCK_OF_THREE)


def opened(data: bytes) -> bytes:
    return inflated(head_of(data[:CHUNK_HEAD]), data[CHUNK_HEAD:])


def index_of(*entries: Any, until: int = 200) -> bytes:
    return msgspec.msgpack.encode(
        {"blocks": entries, "until": until, "ended": 1e9, "players": 2, "complete": True}
    )


# Chunks


@pytest.mark.parametrize("content", [b"", b"x", b"ab" * 5000, bytes(range(256)) * 3])
@pytest.mark.parametrize("kind", [HEADER, BLOCK, INDEX])
def test_a_chunk_gives_back_what_is_in_it(kind: int, content: bytes) -> None:
    data = chunk(kind, content)
    assert head_of(data[:CHUNK_HEAD]).kind == kind
    assert opened(data) == content


def test_a_chunk_is_as_the_page_has_it() -> None:
    stored = zlib.compress(b"content", replay.COMPRESSION)
    head = b"\x02" + len(stored).to_bytes(4, "little") + (7).to_bytes(4, "little")
    assert chunk(BLOCK, b"content") == head + zlib.crc32(head + stored).to_bytes(4, "little") + stored


@pytest.mark.parametrize("kind", [HEADER, BLOCK, INDEX])
def test_what_is_too_large_for_a_chunk_is_not_written(kind: int) -> None:
    assert opened(chunk(kind, bytes(LARGEST[kind])))
    with pytest.raises(ValueError, match="too many for a chunk"):
        chunk(kind, bytes(LARGEST[kind] + 1))


def head(kind: int = BLOCK, stored: int = 10, size: int = 10, check: int = 0) -> bytes:
    return bytes((kind,)) + b"".join(number.to_bytes(4, "little") for number in (stored, size, check))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"", "ends in the head"),
        (head()[:-1], "ends in the head"),
        (head(kind=0), "kind 0"),
        (head(kind=9), "kind 9"),
        (head(size=LARGEST[BLOCK] + 1), "too large"),
        (head(kind=HEADER, size=LARGEST[HEADER] + 1), "too large"),
        (head(stored=2**32 - 1), "too large"),
        (head(stored=75), "too large"),
    ],
)
def test_a_head_that_breaks_a_rule_is_refused_before_anything_is_read(bad: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        head_of(bad)


def with_check(kind: int, stored: bytes, size: int) -> bytes:
    start = head(kind, len(stored), size)[:-4]
    return start + zlib.crc32(start + stored).to_bytes(4, "little") + stored


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (chunk(BLOCK, b"content")[:-1], "ends in a chunk"),
        (chunk(BLOCK, b"content") + b"x", "ends in a chunk"),
        (chunk(BLOCK, b"content")[:-1] + b"x", "damaged"),
        (with_check(BLOCK, b"no zlib at all", 14), "cannot be inflated"),
        (with_check(BLOCK, zlib.compress(b"content"), 6), "another size"),
        (with_check(BLOCK, zlib.compress(b"content"), 8), "another size"),
        (with_check(BLOCK, zlib.compress(b"content")[:-4], 7), "another size"),
        (with_check(BLOCK, zlib.compress(b"content") + b"x", 7), "another size"),
    ],
)
def test_a_damaged_chunk_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        opened(data)


def test_a_bomb_is_inflated_no_further_than_its_head_says() -> None:
    bomb = zlib.compress(bytes(1 << 26), 9)
    size = 1 << 16
    assert len(bomb) < size + 64
    with pytest.raises(WireError, match="another size"):
        opened(with_check(BLOCK, bomb, size))


def test_the_trailer_says_where_the_index_is() -> None:
    assert decode_trailer(encode_trailer(2**40)) == 2**40
    assert decode_trailer(encode_trailer(3)[:-1] + b"x") is None
    assert decode_trailer(encode_trailer(3)[1:]) is None


# Header and index


def test_a_header_comes_back() -> None:
    header = Header(**HEADERS)
    assert decode_header(encode_header(header)) == header
    assert decode_header(msgspec.msgpack.encode(HEADERS | {"later": "key", "private": True})).private


@pytest.mark.parametrize(
    "change",
    [
        {"id": 3},
        {"id": "x" * 257},
        {"epoch": 0},
        {"epoch": 2**32},
        {"started": -1.0},
        {"started": float("nan")},
        {"started": float("inf")},
        {"rate": 0},
        {"rate": float("nan")},
        {"rate": 1e7},
        {"schema": None},
        {"private": 1},
    ],
)
def test_a_header_that_breaks_a_rule_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="header is malformed"):
        decode_header(msgspec.msgpack.encode(HEADERS | change))


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x90", b"\x81" * 5000, b"\x81\xa2id\xa1\xff", b"\x80x"])
def test_what_is_no_map_is_no_header(content: bytes) -> None:
    with pytest.raises(WireError, match="header is malformed"):
        decode_header(content)


def test_an_index_comes_back() -> None:
    second = Entry(200, 130, 150, 130, 2, None, 5, 0)
    index = Index(blocks=(ENTRY, second), until=150, ended=1e9, players=2, complete=False)
    assert decode_index(encode_index(index)) == index
    assert Entry(100, 129, 130, 129, 1, 2, 2, 1) == ENTRY


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x80", "malformed"),
        (index_of(), "malformed"),
        (index_of([100, 129, 130, 129, 1, 2, 2]), "malformed"),
        (index_of([100, 129, 130, 129, 1, 2, 2, 1, 0]), "malformed"),
        (index_of([100, 129, 130, 129, 1, 2**32, 2, 1]), "malformed"),
        (index_of([-1, 129, 130, 129, 1, 2, 2, 1]), "malformed"),
        (index_of([100, 129, 2**53, 129, 1, 2, 2, 1]), "malformed"),
        (index_of([100, 129, 128, 129, 1, 2, 2, 1]), "ends before it begins"),
        (index_of([100, 129, 130, 129, 1, 2, 2, 1], [100, 130, 131, 130, 1, 2, 2, 1]), "out of order"),
        (index_of([100, 129, 130, 129, 1, 2, 2, 1], [101, 129, 131, 130, 1, 2, 2, 1]), "out of order"),
        (index_of([100, 129, 130, 129, 1, 2, 2, 1], until=129), "before its last block"),
    ],
)
def test_an_index_that_breaks_a_rule_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode_index(content)


# Blocks


def test_a_block_comes_back() -> None:
    assert decode_block(encode_block(BLOCK_OF_THREE)) == BLOCK_OF_THREE
    unknown = BLOCK_OF_THREE._replace(last=None, players=())
    assert decode_block(encode_block(unknown)) == unknown


def test_a_block_is_as_the_page_has_it() -> None:
    block = Block(300, 0x01020304, 5, (("a", "é"),), (Item(300, SNAPSHOT), Item(301, DELTA)))
    by_hand = b"\x01\xac\x02\x04\x03\x02\x01\x05\x00\x00\x00\x01\x01a\x02\xc3\xa9"
    by_hand += b"\x00" + bytes((len(SNAPSHOT),)) + SNAPSHOT + b"\x01" + bytes((len(DELTA),)) + DELTA
    assert encode_block(block) == by_hand
    assert encode_block(block._replace(last=None))[:10] == b"\x00\xac\x02\x04\x03\x02\x01\x00\x00\x00"


HEAD = b"\x00\x05" + bytes(8)
FIRST = b"\x00" + bytes((len(SNAPSHOT),)) + SNAPSHOT


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends early"),
        (b"\x02\x05" + bytes(8) + b"\x00" + FIRST, "flags 0x02"),
        (b"\x00\x05\0\0\0\0\x01\0\0\0\x00" + FIRST, "not there"),
        (HEAD[:7], "beyond the message"),
        (HEAD + b"\x01\x00", "players in what is left"),
        (HEAD + b"\xff\xff\xff\xff\x0f" + FIRST, "players in what is left"),
        (HEAD + b"\x01\x01\xff\x00" + FIRST, "not UTF-8"),
        (HEAD + b"\x00", "begin with a snapshot"),
        (HEAD + b"\x00\x00\x00", "without a message"),
        (HEAD + b"\x00" + FIRST[:-1], "beyond the message"),
        (HEAD + b"\x00" + FIRST + b"\x00\x00", "without a message"),
        (HEAD + b"\x00" + FIRST + b"\xff" * 8 + b"\x3f\x01x", "one too many"),
        (HEAD + b"\x00\x01" + FIRST[1:], "begin with a snapshot"),
        (HEAD + b"\x00\x00\x01\x43", "begin with a snapshot"),
        (HEAD + b"\x00\x00\x06" + DELTA, "begin with a snapshot"),
        (HEAD + b"\x00\x00\x01\x45" + FIRST, "begin with a snapshot"),
    ],
)
def test_a_block_that_breaks_a_rule_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode_block(content)


def test_a_block_has_a_bound_of_items_and_players() -> None:
    full = Block(129, 1, 2, (("", ""),) * MOST, (ITEMS[0],) + (Item(129, b"x"),) * (MOST - 1))
    assert decode_block(encode_block(full)) == full
    for more in (
        full._replace(players=(("", ""),) * (MOST + 1)),
        full._replace(items=(*full.items, full.items[1])),
    ):
        with pytest.raises(ValueError, match="more than 65536"):
            encode_block(more)
    with pytest.raises(WireError, match="one too many"):
        decode_block(encode_block(full) + b"\x00\x01x")
    many = HEAD + b"\x81\x80\x04" + bytes(2 * (MOST + 1)) + FIRST
    with pytest.raises(WireError, match="players in what is left"):
        decode_block(many)


# Messages


def test_a_state_says_its_tick_and_has_a_hash_that_does_not_hang_on_it() -> None:
    assert tick_of(SNAPSHOT) == 129
    assert state_hash(SNAPSHOT) == zlib.crc32(b"sections")
    assert state_hash(b"\x43\x01\x09\x05sections") == state_hash(SNAPSHOT)


def test_events_come_back_by_name() -> None:
    found = event_of(JOINED)
    assert found is not None
    assert found[0] == "player_joined"
    assert msgspec.to_builtins(found[1]) == {"id": "p1", "name": "Ada"}
    assert event_of(b"\x7fanything") is None
    assert event_of(DELTA) is None


@pytest.mark.parametrize(
    "body", [b"", b"\x80", b"\x81\xa2id\x01", b"\xc1", b"\x81" * 5000, b"\x82\xa2id\xa1\xff"]
)
def test_an_event_that_is_malformed_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="player_joined is malformed"):
        event_of(b"\x45" + body)
