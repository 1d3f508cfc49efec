"""A replay file as a whole: by its index, or, if that is missing, by a look at all of its blocks.

Knows the order of the chunks in a file; not where the file is: it is given a function that reads a part of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from monkeytown.errors import WireError
from monkeytown.protocol.messages import PlayerJoined
from monkeytown.protocol.replay import (
    BLOCK,
    CHUNK_HEAD,
    HEADER,
    INDEX,
    MAGIC,
    TRAILER,
    Block,
    Entry,
    Header,
    Index,
    chunk,
    decode_block,
    decode_header,
    decode_index,
    decode_trailer,
    encode_index,
    encode_trailer,
    entry_of,
    event_of,
    head_of,
    inflated,
)

__all__ = ["Read", "Recording", "ending", "open_recording", "scan"]

Read = Callable[[int, int], bytes]
"""Gives the bytes from an offset on, so many, or fewer if the file ends before."""


class _Chunk(NamedTuple):
    kind: int
    content: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file holds. If it has no index, `index` is what its blocks say, and `problem` why they end where they do."""

    header: Header
    index: Index
    end: int
    """Where the blocks end."""
    indexed: bool
    problem: str
    read: Read

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.seconds_at(self.index.until)

    def seconds_at(self, at: int) -> float:
        """How long after its beginning a moment is."""
        return (at - self.index.blocks[0].at) / self.header.rate

    def block(self, number: int) -> Block:
        """A block by its place in the index. Raises WireError if it is damaged, or another one than the index says."""
        entry = self.index.blocks[number]
        found = _chunk(self.read, entry.offset)
        if found.kind != BLOCK:
            raise WireError(f"the index points to a chunk of kind {found.kind}")
        block = decode_block(found.content)
        if entry_of(entry.offset, block) != entry:
            raise WireError("a block is another one than the index says")
        return block

    def blocks(self) -> Iterator[Block]:
        """All of them, in order; each is read when it is its turn."""
        return (self.block(number) for number in range(len(self.index.blocks)))

    def find(self, at: int) -> int:
        """The block from which a moment is reached; the first for any moment before it."""
        return max(bisect_right(self.index.blocks, at, key=lambda entry: entry.at) - 1, 0)


def open_recording(read: Read, size: int) -> Recording:
    """A file of `size` bytes. Raises WireError if it is none, or if not even its first block can be read."""
    header, start = _header(read)
    offset = decode_trailer(read(max(size - TRAILER, 0), TRAILER))
    if offset is None:
        return scan(read, size)
    try:
        index = _index(read, offset, start, size - TRAILER)
    except WireError as error:
        return replace(scan(read, size), problem=str(error))
    return Recording(header, index, offset, True, "", read)


def scan(read: Read, size: int) -> Recording:
    """The same without the index: as many blocks as can be read, one after the other."""
    header, at = _header(read)
    entries: list[Entry] = []
    players: set[str] = set()
    problem = ""
    while at < size:
        try:
            found = _chunk(read, at)
            if found.kind != BLOCK:
                break
            block = decode_block(found.content)
            _check_order(block, entries)
            players.update(_players(block))
        except WireError as error:
            problem = f"{error}; its last {size - at} bytes are left out"
            break
        entries.append(entry_of(at, block))
        at = found.end
    if not entries:
        raise WireError(problem or "nothing is recorded in it")
    until = entries[-1].until
    ended = header.started + (until - entries[0].at) / header.rate
    index = Index(blocks=tuple(entries), until=until, ended=ended, players=len(players), complete=False)
    return Recording(header, index, at, False, problem, read)


def ending(index: Index, offset: int) -> bytes:
    """What is written behind the last block, which ends at `offset`. Raises ValueError for an index that is too large."""
    return chunk(INDEX, encode_index(index)) + encode_trailer(offset)


def _chunk(read: Read, offset: int) -> _Chunk:
    start = offset + CHUNK_HEAD
    head = head_of(read(offset, CHUNK_HEAD))
    return _Chunk(head.kind, inflated(head, read(start, head.stored)), start + head.stored)


def _header(read: Read) -> tuple[Header, int]:
    magic = read(0, len(MAGIC))
    if magic[:-1] != MAGIC[:-1] or len(magic) != len(MAGIC):
        raise WireError("this is no replay")
    if magic != MAGIC:
        raise WireError(f"a replay of version {magic[-1]}; version {MAGIC[-1]} is what can be read")
    found = _chunk(read, len(MAGIC))
    if found.kind != HEADER:
        raise WireError("the file does not begin with a header")
    return decode_header(found.content), found.end


def _index(read: Read, offset: int, start: int, end: int) -> Index:
    if not start <= offset < end:
        raise WireError("the trailer points out of the file")
    found = _chunk(read, offset)
    if found.kind != INDEX or found.end != end:
        raise WireError("the trailer does not point to the index")
    index = decode_index(found.content)
    if index.blocks[0].offset != start or index.blocks[-1].offset >= offset:
        raise WireError("the index points out of the blocks")
    return index


def _check_order(block: Block, before: list[Entry]) -> None:
    if before and block.at < before[-1].until:
        raise WireError("a block begins before the one before it ends")


def _players(block: Block) -> Iterator[str]:
    yield from (id for id, _ in block.players)
    for item in block.items:
        event = event_of(item.message)
        if event is not None and isinstance(event[1], PlayerJoined):
            yield event[1].id
