"""The files of a spool: what stands in a segment, how it is read, and what became of one that was cut short.

Knows bytes and files; does not know threads, nor when somebody writes or reads.

    segment  = header, record, record, …
    header   = magic (8 bytes), version (u32), number of the first record (u64), CRC-32 of these 20 bytes (u32)
    record   = length (u32, not 0), CRC-32 (u32), as many bytes

All integers are little-endian. The CRC of a record begins with the low 32 bits of its number, so a record that stands where
another one belongs does not pass for it. Numbers follow each other without a gap, so they are not written. A segment is
called by the number of its first record, and ends at the latest where the next one begins: whatever else it holds was written
again there.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from monkeytown.errors import StartError

__all__ = [
    "HEADER_BYTES",
    "MAX_RECORD",
    "OVERHEAD",
    "Run",
    "Segment",
    "framed",
    "header_of",
    "holds_records_of",
    "is_record_behind",
    "path_of",
    "segments_in",
    "set_aside",
    "split",
    "sync_file",
    "sync_folder",
]

MAGIC = b"mkyspool"
VERSION = 1
SUFFIX = ".segment"
MAX_RECORD = 1 << 20
"""Bytes of one record at most: a length beyond it is a sign of damage."""

_HEADER = Struct("<8sIQ")
_CRC = Struct("<I")
_RECORD = Struct("<II")
HEADER_BYTES = _HEADER.size + _CRC.size
OVERHEAD = _RECORD.size
"""Bytes that a record takes beside its own."""

# How far behind damage a whole record is looked for, and how many records are thought to be lost in between.
SEARCH_BYTES = 64 * 1024
SEARCH_RECORDS = 64

# Size and data are enough; times of access need not be on disk. macOS has only the other one.
sync_file = getattr(os, "fdatasync", os.fsync)


class Segment(NamedTuple):
    """One file. `size` is what it takes on disk, as far as whoever made this knows."""

    first: int
    path: Path
    size: int


class Run(NamedTuple):
    """Records that follow each other, the bytes that they took, and whether what comes next may be a record too."""

    records: list[bytes]
    size: int
    sound: bool


def framed(record: bytes, number: int) -> bytes:
    """A record as it stands in a segment."""
    return _RECORD.pack(len(record), crc32(record, number & 0xFFFFFFFF)) + record


def split(data: bytes, offset: int, number: int, limit: int) -> Run:
    """Whole records from `offset` on, of which the first has that number, and at most `limit` of them.

    A record of which `data` has only a part is left; it is sound as long as its length is.
    """
    records: list[bytes] = []
    start, size = offset, len(data)
    unpack, first = _RECORD.unpack_from, number
    while number - first < limit and size - offset >= OVERHEAD:
        length, crc = unpack(data, offset)
        if not 0 < length <= MAX_RECORD:
            return Run(records, offset - start, False)
        end = offset + OVERHEAD + length
        if end > size:
            break
        record = data[offset + OVERHEAD : end]
        if crc32(record, number & 0xFFFFFFFF) != crc:
            return Run(records, offset - start, False)
        records.append(record)
        number += 1
        offset = end
    return Run(records, offset - start, True)


def is_record_behind(data: bytes, offset: int, number: int) -> bool:
    """Whether a whole record follows on what stands at `offset`, where the one with that number should be.

    If it does, that place was whole once and is damaged; if not, it is the end of something that was half written.
    """
    for start in range(offset + 1, min(offset + SEARCH_BYTES, len(data) - OVERHEAD)):
        length, crc = _RECORD.unpack_from(data, start)
        end = start + OVERHEAD + length
        if not 0 < length <= MAX_RECORD or end > len(data):
            continue
        record = data[start + OVERHEAD : end]
        if any(crc32(record, (number + lost) & 0xFFFFFFFF) == crc for lost in range(1, SEARCH_RECORDS + 1)):
            return True
    return False


def header_of(first: int) -> bytes:
    """The beginning of a segment."""
    header = _HEADER.pack(MAGIC, VERSION, first)
    return header + _CRC.pack(crc32(header))


def holds_records_of(segment: Segment, header: bytes) -> bool:
    """Whether this is the header of that segment. Raises `StartError` if a later version wrote it."""
    if len(header) < HEADER_BYTES:
        return False
    magic, version, first = _HEADER.unpack_from(header)
    if magic != MAGIC or _CRC.unpack_from(header, _HEADER.size)[0] != crc32(header[: _HEADER.size]):
        return False
    if version != VERSION:
        raise StartError(f"{segment.path} is of version {version}; this server reads version {VERSION}")
    return bool(first == segment.first)


def path_of(folder: Path, first: int) -> Path:
    return folder / f"{first:020d}{SUFFIX}"


def segments_in(folder: Path) -> list[Segment]:
    """All segments of a folder, oldest first."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        if path.stem.isascii() and path.stem.isdecimal():
            found.append(Segment(int(path.stem), path, path.stat().st_size))
    return sorted(found)


def set_aside(segment: Segment, offset: int) -> int:
    """Moves what stands in a segment from `offset` on to a file of its own; how many bytes these are.

    Raises OSError, and then nothing has changed.
    """
    with segment.path.open("r+b") as file:
        file.seek(offset)
        rest = file.read()
        if rest:
            _write_new(_beside(segment.path), rest)
            file.truncate(offset)
            os.fsync(file.fileno())
    return len(rest)


def _write_new(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    """A name for what is set aside that nothing has yet."""
    number, name = 0, path.with_suffix(".damaged")
    while name.exists():
        number += 1
        name = path.with_suffix(f".{number}.damaged")
    return name


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in a folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
