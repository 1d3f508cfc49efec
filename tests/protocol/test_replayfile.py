"""Replay files as a whole: with their index, without it, cut at any place, and with any byte another one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monkeytown.errors import WireError
from monkeytown.protocol.replay import (
    BLOCK,
    HEADER,
    INDEX,
    MAGIC,
    Block,
    Header,
    Index,
    Item,
    chunk,
    encode_block,
    encode_header,
    encode_index,
    encode_trailer,
    entry_of,
)
from monkeytown.protocol.replayfile import Recording, ending, open_recording, scan
from tests.protocol.test_replay import DELTA, HEADERS, JOINED, SNAPSHOT

START = MAGIC + chunk(HEADER, encode_header(Header(**HEADERS)))
LEFT = b"\x46" + msgspec.msgpack.encode({"playerId": "p1"})


def block_at(at: int, players: tuple[tuple[str, str], ...] = ()) -> Block:
    return Block(at, 1, 2, players, (Item(at, SNAPSHOT), Item(at + 5, JOINED), Item(at + 60, DELTA)))


BLOCKS = (block_at(129), block_at(189, (("p1", "Ada"),)), block_at(300, (("p2", "Bob"),)))


class File:
    """A file made of chunks."""

    def __init__(self, *blocks: Block) -> None:
        self.data = START
        self.entries = []
        for block in blocks:
            self.entries.append(entry_of(len(self.data), block))
            self.data += chunk(BLOCK, encode_block(block))

    def index(self, **changes: Any) -> Index:
        known = {"blocks": tuple(self.entries), "until": 400, "ended": 2e9, "players": 2, "complete": True}
        return Index(**(known | changes))

    def whole(self, **changes: Any) -> bytes:
        return self.data + ending(self.index(**changes), len(self.data))


def opened(data: bytes) -> Recording:
    return open_recording(lambda offset, length: data[offset : offset + length], len(data))


WHOLE = File(*BLOCKS).whole()


def test_a_whole_file_is_opened_by_its_index() -> None:
    reads: list[int] = []

    def read(offset: int, length: int) -> bytes:
        reads.append(offset)
        return WHOLE[offset : offset + length]

    recording = open_recording(read, len(WHOLE))
    assert (recording.indexed, recording.problem) == (True, "")
    assert recording.header == Header(**HEADERS)
    assert (recording.index.until, recording.index.players, recording.index.complete) == (400, 2, True)
    assert all(not entry.offset < at < recording.end for at in reads for entry in recording.index.blocks[:1])
    assert tuple(recording.blocks()) == BLOCKS
    assert recording.seconds == (400 - 129) / 60
    assert recording.seconds_at(189) == 1.0


@pytest.mark.parametrize(
    ("at", "number"), [(0, 0), (129, 0), (188, 0), (189, 1), (190, 1), (299, 1), (300, 2), (10**9, 2)]
)
def test_the_block_from_which_a_moment_is_reached(at: int, number: int) -> None:
    assert opened(WHOLE).find(at) == number


def test_a_file_without_an_index_is_read_block_by_block() -> None:
    file = File(*BLOCKS)
    recording = opened(file.data)
    assert (recording.indexed, recording.problem, recording.end) == (False, "", len(file.data))
    assert recording.index.blocks == tuple(file.entries)
    assert (recording.index.until, recording.index.players, recording.index.complete) == (360, 2, False)
    assert recording.index.ended == 1e9 + (360 - 129) / 60
    assert tuple(recording.blocks()) == BLOCKS


def test_a_file_cut_at_any_place_has_its_whole_blocks_or_is_refused() -> None:
    ends = [entry.offset for entry in File(*BLOCKS).entries[1:]] + [len(File(*BLOCKS).data)]
    for length in range(len(WHOLE)):
        cut = WHOLE[:length]
        count = sum(end <= length for end in ends)
        if not count:
            with pytest.raises(WireError):
                opened(cut)
            continue
        recording = opened(cut)
        assert not recording.indexed
        assert tuple(recording.blocks()) == BLOCKS[:count]
        assert recording.end == ends[count - 1]
        torn = length > recording.end and length <= ends[-1]
        assert (f"{length - recording.end} bytes are left out" in recording.problem) == torn or length > ends[
            -1
        ]


def test_no_byte_can_be_another_one_without_being_missed() -> None:
    """What is changed is refused, or is said, or is only the index, which is then made anew."""
    for place in range(len(WHOLE)):
        flipped = bytearray(WHOLE)
        flipped[place] ^= 0x10
        try:
            recording = opened(bytes(flipped))
            blocks = tuple(recording.blocks())
        except WireError:
            continue
        assert not recording.indexed
        assert blocks == BLOCKS[: len(blocks)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no replay"),
        (b"GIF89a and so on", "no replay"),
        (MAGIC[:-1], "no replay"),
        (MAGIC[:-1] + b"\x02" + START[len(MAGIC) :], "version 2; version 1"),
        (MAGIC, "head of a chunk"),
        (MAGIC + chunk(BLOCK, encode_block(BLOCKS[0])), "begin with a header"),
        (START, "nothing is recorded"),
        (START + chunk(INDEX, b""), "nothing is recorded"),
        (START + chunk(HEADER, b""), "nothing is recorded"),
        (START + chunk(BLOCK, b"x"), "are left out"),
    ],
)
def test_what_is_no_recording_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        opened(data)


def test_blocks_out_of_order_are_left_out() -> None:
    recording = opened(File(BLOCKS[2], BLOCKS[0]).data)
    assert tuple(recording.blocks()) == BLOCKS[2:]
    assert "begins before the one before it ends" in recording.problem


def test_an_event_that_cannot_be_read_ends_what_is_read_without_an_index() -> None:
    broken = BLOCKS[1]._replace(items=(*BLOCKS[1].items, Item(300, b"\x45\xc1")))
    recording = opened(File(BLOCKS[0], broken).data)
    assert len(recording.index.blocks) == 1
    assert "player_joined is malformed" in recording.problem


def test_players_who_have_left_count_without_an_index() -> None:
    gone = BLOCKS[0]._replace(items=(*BLOCKS[0].items, Item(190, LEFT), Item(191, b"\x7funknown")))
    assert opened(File(gone).data).index.players == 1


def with_index(file: File, content: bytes, offset: int | None = None) -> bytes:
    return file.data + chunk(INDEX, content) + encode_trailer(len(file.data) if offset is None else offset)


FILE = File(*BLOCKS)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (with_index(FILE, b"\x80"), "index is malformed"),
        (with_index(FILE, encode_index(FILE.index()), offset=2**62), "points out of the file"),
        (with_index(FILE, encode_index(FILE.index()), offset=3), "points out of the file"),
        (
            with_index(FILE, encode_index(FILE.index()), offset=FILE.entries[0].offset),
            "not point to the index",
        ),
        (with_index(FILE, encode_index(FILE.index()), offset=len(FILE.data) + 1), "is"),
        (with_index(FILE, encode_index(FILE.index(blocks=tuple(FILE.entries[1:])))), "out of the blocks"),
        (
            with_index(
                FILE,
                encode_index(FILE.index(blocks=(*FILE.entries, entry_of(2**40, block_at(400))), until=500)),
            ),
            "out of the blocks",
        ),
    ],
)
def test_an_index_that_is_wrong_is_said_and_made_anew(data: bytes, why: str) -> None:
    recording = opened(data)
    assert not recording.indexed
    assert why in recording.problem
    assert tuple(recording.blocks()) == BLOCKS


def test_a_block_must_be_what_the_index_says() -> None:
    file = File(*BLOCKS)
    file.entries[1] = entry_of(file.entries[1].offset, BLOCKS[1]._replace(first=99))
    recording = opened(file.whole())
    assert recording.indexed
    with pytest.raises(WireError, match="another one than the index says"):
        recording.block(1)
    file.entries[1] = entry_of(file.entries[2].offset - 1, BLOCKS[1])
    with pytest.raises(WireError):
        opened(file.whole()).block(1)


def test_an_index_may_not_point_to_another_index() -> None:
    file = File(*BLOCKS)
    spare = entry_of(len(file.data), block_at(400))
    file.data += chunk(INDEX, b"spare")
    file.entries.append(spare)
    recording = opened(file.whole(until=500))
    with pytest.raises(WireError, match="a chunk of kind 3"):
        recording.block(3)


def test_what_is_written_after_a_cut_makes_it_whole() -> None:
    cut = WHOLE[: FILE.entries[2].offset + 20]
    found = scan(lambda offset, length: cut[offset : offset + length], len(cut))
    mended = opened(cut[: found.end] + ending(found.index, found.end))
    assert mended.indexed
    assert mended.index == found.index
    assert tuple(mended.blocks()) == BLOCKS[:2]
