"""What stands in a segment, to the byte, and how its end is told from damage."""

from __future__ import annotations

import struct
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.errors import StartError
from monkeytown.stores.segments import (
    HEADER_BYTES,
    MAX_RECORD,
    OVERHEAD,
    Segment,
    framed,
    header_of,
    holds_records_of,
    is_record_behind,
    path_of,
    segments_in,
    set_aside,
    split,
)

RECORDS = [b"one", b"the second", b"3"]


def three(first: int = 7) -> bytes:
    return b"".join(framed(record, first + place) for place, record in enumerate(RECORDS))


def test_the_layout_of_a_record():
    data = framed(b"banana", 2**40 + 3)
    assert data == struct.pack("<II", 6, crc32(b"banana", 3)) + b"banana"
    assert len(data) == 6 + OVERHEAD


def test_the_layout_of_a_header():
    header = header_of(258)
    assert header[:20] == b"mkyspool" + struct.pack("<IQ", 1, 258)
    assert header[20:] == struct.pack("<I", crc32(header[:20]))
    assert len(header) == HEADER_BYTES


def test_records_are_read_as_they_were_written():
    data = b"before" + three()
    assert split(data, 6, 7, 100) == (RECORDS, len(data) - 6, True)


def test_no_more_are_read_than_asked_for():
    assert split(three(), 0, 7, 2).records == RECORDS[:2]


def test_a_record_with_another_number_is_none():
    assert split(three(), 0, 8, 100) == ([], 0, False)


def test_zeros_are_no_records():
    assert split(three() + bytes(500), 0, 7, 100) == (RECORDS, len(three()), False)


def test_a_length_that_is_none_is_damage():
    data = three() + struct.pack("<II", MAX_RECORD + 1, 0) + bytes(100)
    assert split(data, 0, 7, 100) == (RECORDS, len(three()), False)


def test_what_may_go_on_is_sound():
    data = three()
    assert split(data[:-1], 0, 7, 100) == (RECORDS[:2], len(data) - 1 - OVERHEAD, True)


@given(st.integers(0, len(three()) - 1), st.integers(1, 255))
def test_no_byte_can_change_unnoticed(place: int, by: int):
    data = bytearray(three())
    data[place] ^= by
    found = split(bytes(data), 0, 7, 100).records
    assert len(found) < 3
    assert found == RECORDS[: len(found)]


@given(st.integers(0, len(framed(RECORDS[0], 7)) - 1), st.integers(1, 255))
def test_damage_shows_by_what_is_whole_behind_it(place: int, by: int):
    data = bytearray(three())
    data[place] ^= by
    assert is_record_behind(bytes(data), 0, 7)


@given(st.integers(0, 60), st.binary(max_size=3))
def test_what_was_half_written_has_nothing_behind_it(size: int, more: bytes):
    torn = (framed(b"x" * 60, 7)[:size] + bytes(20) + more)[: 60 + OVERHEAD - 1]
    assert not is_record_behind(torn, 0, 7)


def test_a_header_belongs_to_one_segment(tmp_path: Path):
    segment = Segment(5, path_of(tmp_path, 5), 0)
    assert holds_records_of(segment, header_of(5) + b"and more")
    assert not holds_records_of(segment, header_of(6))
    assert not holds_records_of(segment, header_of(5)[:-1])
    assert not holds_records_of(segment, bytes(HEADER_BYTES))


def test_a_later_version_is_left_alone(tmp_path: Path):
    header = b"mkyspool" + struct.pack("<IQ", 2, 5)
    with pytest.raises(StartError, match="is of version 2; this server reads version 1"):
        holds_records_of(Segment(5, path_of(tmp_path, 5), 0), header + struct.pack("<I", crc32(header)))


def test_segments_are_found_by_name_in_the_order_of_their_numbers(tmp_path: Path):
    for first in (10, 9, 100):
        path_of(tmp_path, first).write_bytes(b"x" * first)
    for other in ("position", "x.segment", "5.damaged", "5.segment.old"):
        (tmp_path / other).touch()
    assert [(segment.first, segment.size) for segment in segments_in(tmp_path)] == [
        (9, 9),
        (10, 10),
        (100, 100),
    ]


def test_what_is_set_aside_is_all_there(tmp_path: Path):
    path = path_of(tmp_path, 1)
    segment = Segment(1, path, 0)
    path.write_bytes(b"good, bad, worse")
    assert set_aside(segment, 11) == 5
    assert set_aside(segment, 6) == 5
    assert path.read_bytes() == b"good, "
    assert {file.read_bytes() for file in tmp_path.glob("*.damaged")} == {b"worse", b"bad, "}


def test_nothing_is_set_aside_where_nothing_is(tmp_path: Path):
    path = path_of(tmp_path, 1)
    path.write_bytes(b"good")
    assert set_aside(Segment(1, path, 4), 4) == 0
    assert list(tmp_path.iterdir()) == [path]
