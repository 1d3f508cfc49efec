"""Records are read in order, each once, from any number on; what is damaged is passed over and set aside."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monkeytown.stores.journal import Journal
from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.reading import Reader
from monkeytown.stores.segments import HEADER_BYTES, MAX_RECORD, OVERHEAD, framed, path_of


class Shelf:
    """A journal of segments of five records of ten bytes each, and a reader of it."""

    SEGMENT = HEADER_BYTES + 5 * (10 + OVERHEAD)

    def __init__(self, folder: Path, records: int) -> None:
        self.folder = folder
        self.metrics = SpoolMetrics()
        self.journal = Journal(folder, self.SEGMENT, self.metrics)
        self.renewals = 0
        for _ in range(records):
            self.add()
        self.reader = self.new_reader()

    def new_reader(self) -> Reader:
        return Reader(lambda: self.journal.segments, self.renew, self.metrics)

    def renew(self) -> None:
        self.renewals += 1
        self.journal.begin()

    def add(self) -> None:
        number = self.journal.last + 1
        self.journal.write(framed(content(number), number), 1)

    def all(self, after: int = 0, records: int = 100, size: int = 1 << 20) -> list[int]:
        """The numbers of everything, read to the end; that they are what they should be is looked at on the way."""
        numbers: list[int] = []
        until = self.journal.last
        while after < until:
            batch = self.reader.read(after, until, records, size)
            assert batch.last >= after
            assert batch.records == [content(number) for number in range(batch.first, batch.last + 1)]
            numbers += range(batch.first, batch.last + 1)
            after = batch.last
        return numbers

    def spoil(self, number: int) -> None:
        """Changes a byte of a record."""
        for path in self.folder.glob("*.segment"):
            data = bytearray(path.read_bytes())
            place = data.find(content(number))
            if place >= 0:
                data[place] ^= 0x20
                path.write_bytes(data)


def content(number: int) -> bytes:
    return b"%010d" % number


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    shelf = Shelf(tmp_path, 17)
    yield shelf
    shelf.journal.close()


@pytest.mark.parametrize("records", [1, 3, 5, 100])
@pytest.mark.parametrize("after", [0, 1, 4, 5, 6, 16, 17])
def test_all_is_read_in_order(shelf: Shelf, after: int, records: int):
    assert shelf.all(after, records) == list(range(after + 1, 18))


@pytest.mark.parametrize("size", [1, 18, 40])
def test_at_least_one_record_is_read_however_few_bytes_are_asked_for(shelf: Shelf, size: int):
    assert shelf.all(size=size) == list(range(1, 18))


def test_nothing_beyond_what_is_asked_for(shelf: Shelf):
    assert shelf.reader.read(0, 3, 100, 1000).last == 3
    assert shelf.reader.read(3, 3, 100, 1000).records == []


def test_a_batch_can_be_read_again(shelf: Shelf):
    assert shelf.reader.read(2, 17, 2, 1000) == shelf.reader.read(2, 17, 2, 1000)


def test_reading_goes_on_where_writing_does(shelf: Shelf):
    assert shelf.all() == list(range(1, 18))
    for _ in range(6):
        shelf.add()
    assert shelf.all(17) == list(range(18, 24))


def test_the_largest_record_is_read(tmp_path: Path):
    shelf = Shelf(tmp_path, 0)
    shelf.journal.write(framed(b"x" * MAX_RECORD, 1), 1)
    assert shelf.reader.read(0, 1, 10, 100).records == [b"x" * MAX_RECORD]
    shelf.journal.close()


def test_a_segment_ends_where_the_next_one_begins(shelf: Shelf):
    """As it is after a disk did not take a record: the file that it was in is not trusted."""
    path = path_of(shelf.folder, 6)
    path.write_bytes(path.read_bytes() + framed(b"not durable", 11) + b"\xff")
    with capture_logs() as logs:
        assert shelf.all() == list(range(1, 18))
    assert not logs


@pytest.mark.parametrize("spoiled", [6, 8, 10])
def test_after_damage_the_next_segment_is_read(shelf: Shelf, spoiled: int):
    path = path_of(shelf.folder, 6)
    whole = path.stat().st_size
    shelf.spoil(spoiled)
    with capture_logs() as logs:
        assert shelf.all() == [*range(1, spoiled), *range(11, 18)]
    lost = whole - path.stat().st_size
    assert lost == (11 - spoiled) * (10 + OVERHEAD)
    assert shelf.metrics.damaged_bytes == lost
    (aside,) = shelf.folder.glob("*.damaged")
    assert aside.stat().st_size == lost
    (line,) = logs
    assert (line["log_level"], line["bytes"], line["first"], line["last"]) == ("error", lost, spoiled, 10)


def test_after_damage_in_the_newest_segment_what_comes_is_in_another_one(shelf: Shelf):
    shelf.spoil(17)
    with capture_logs() as logs:
        batch = shelf.reader.read(15, 17, 100, 1000)
        assert batch.records == [content(16)]
        batch = shelf.reader.read(16, 17, 100, 1000)
        assert (batch.records, batch.last, shelf.renewals) == ([], 16, 1)
        assert not logs
        batch = shelf.reader.read(16, 17, 100, 1000)
        assert (batch.records, batch.last, shelf.renewals) == ([], 17, 1)
    assert [line["log_level"] for line in logs] == ["error"]
    shelf.add()
    assert shelf.all(17) == [18]


def test_damage_to_a_header_costs_the_segment(shelf: Shelf):
    path = path_of(shelf.folder, 6)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    with capture_logs() as logs:
        assert shelf.all() == [*range(1, 6), *range(11, 18)]
    assert [line["log_level"] for line in logs] == ["error"]


def test_a_segment_that_is_gone_is_passed_over(shelf: Shelf):
    path_of(shelf.folder, 6).unlink()
    with capture_logs() as logs:
        assert shelf.all() == [*range(1, 6), *range(11, 18)]
    assert [(line["log_level"], line["bytes"]) for line in logs] == [("error", 0)]


def test_what_can_be_read_by_nobody_is_put_away_whole(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    real, path = os.pread, path_of(shelf.folder, 6)
    unreadable = path.stat()

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if os.path.samestat(os.fstat(descriptor), unreadable) and offset:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    monkeypatch.setattr("monkeytown.stores.reading.set_aside", pread_fails)
    with capture_logs() as logs:
        batches = [shelf.reader.read(after, 17, 100, 1000) for after in (0, 5)]
    assert [batch.first for batch in batches] == [1, 11]
    assert not path.exists()
    assert path.with_suffix(".damaged").stat().st_size == shelf.SEGMENT
    assert [line["log_level"] for line in logs] == ["error", "error"]


def pread_fails(*_: Any) -> int:
    raise OSError(errno.EIO, "Input/output error")


def test_no_descriptors_are_left_means_to_try_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    def no_more(*_: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_more)
        with pytest.raises(OSError, match="Too many"):
            shelf.reader.read(0, 17, 100, 1000)
    assert shelf.all() == list(range(1, 18))
