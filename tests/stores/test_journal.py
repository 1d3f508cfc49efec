"""Segments are written so that what was on disk once is found again, whatever the end looks like."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monkeytown.errors import StartError
from monkeytown.stores import journal as journal_module
from monkeytown.stores.journal import Journal
from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.segments import HEADER_BYTES, framed, header_of, path_of, segments_in, split

Open = Callable[..., Journal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """`opened()`: the journal of one folder; the one before is closed."""
    journals: list[Journal] = []

    def open_journal(segment_bytes: int = 10_000) -> Journal:
        for journal in journals:
            journal.close()
        journals.append(Journal(tmp_path, segment_bytes, SpoolMetrics()))
        return journals[-1]

    yield open_journal
    for journal in journals:
        journal.close()


def add(journal: Journal, *records: bytes) -> None:
    first = journal.last + 1
    journal.write(
        b"".join(framed(record, first + place) for place, record in enumerate(records)), len(records)
    )


def found(folder: Path) -> dict[int, bytes]:
    """All records of a folder by number, as the rules of the format have it."""
    segments = segments_in(folder)
    records: dict[int, bytes] = {}
    for place, segment in enumerate(segments):
        end = segments[place + 1].first if place + 1 < len(segments) else 2**63
        run = split(segment.path.read_bytes(), HEADER_BYTES, segment.first, end - segment.first)
        for number, record in enumerate(run.records, segment.first):
            assert number not in records
            records[number] = record
    return records


def test_numbers_go_on_after_a_restart(opened: Open, tmp_path: Path):
    add(opened(), b"a", b"b")
    journal = opened()
    assert journal.last == 2
    add(journal, b"c")
    assert found(tmp_path) == {1: b"a", 2: b"b", 3: b"c"}


def test_numbers_go_on_when_all_was_trimmed(opened: Open):
    journal = opened()
    add(journal, b"a", b"b")
    journal.trim(2)
    journal.save_position(2)
    assert opened().last == 2
    (path_of(journal.folder, 1)).unlink()
    assert opened().last == 2


def test_what_was_deleted_was_not_needed(opened: Open, tmp_path: Path):
    """The position is on disk before anything goes; if it is lost all the same, nothing is waited for that is not there."""
    journal = opened(segment_bytes=1)
    for record in (b"a", b"b", b"c"):
        add(journal, record)
    journal.trim(2)
    assert (tmp_path / "position").read_text() == "2\n"
    (tmp_path / "position").unlink()
    with capture_logs() as logs:
        assert opened().trimmed == 2
    assert [(line["log_level"], line["first"], line["last"]) for line in logs] == [("warning", 1, 2)]


def test_a_segment_that_came_to_nothing_behind_those_that_are_gone(opened: Open, tmp_path: Path):
    path_of(tmp_path, 4).write_bytes(b"")
    with capture_logs():
        journal = opened()
    assert (journal.last, journal.trimmed, journal.segments) == (3, 3, ())


def test_a_position_that_cannot_be_kept_does_not_keep_segments(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = opened(segment_bytes=1)
    for record in (b"a", b"b"):
        add(journal, record)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", Fault(os.replace, errno.ENOSPC))
        journal.trim(1)
    assert [segment.first for segment in segments_in(tmp_path)] == [2]


def test_a_position_that_is_none_is_no_position(opened: Open, tmp_path: Path):
    add(opened(), b"a")
    for written in (b"", b"\xff\x00", b"-3", "²".encode()):
        (tmp_path / "position").write_bytes(written)
        assert opened().trimmed == 0


def test_a_segment_is_full_when_it_is_large(opened: Open, tmp_path: Path):
    journal = opened(segment_bytes=100)
    for _ in range(6):
        add(journal, b"x" * 30)
    assert [segment.first for segment in segments_in(tmp_path)] == [1, 3, 5]
    assert [segment.first for segment in journal.segments] == [1, 3, 5]
    assert len(found(tmp_path)) == 6


def test_trimmed_segments_go_except_the_newest(opened: Open, tmp_path: Path):
    journal = opened(segment_bytes=1)
    for record in (b"a", b"b", b"c"):
        add(journal, record)
    sizes = [segment.size for segment in segments_in(tmp_path)]
    freed = journal.freed
    journal.trim(1)
    assert [segment.first for segment in segments_in(tmp_path)] == [2, 3]
    assert journal.freed - freed == sizes[0]
    journal.trim(3)
    assert [segment.first for segment in segments_in(tmp_path)] == [3]


@pytest.mark.parametrize(
    "tail", [b"\x05", bytes(4096), framed(b"four", 4)[:-1], framed(b"four", 5), b"\xff" * 100]
)
def test_a_torn_end_is_cut_off(opened: Open, tmp_path: Path, tail: bytes):
    add(opened(), b"a", b"b", b"c")
    path = path_of(tmp_path, 1)
    good = path.read_bytes()
    path.write_bytes(good + tail)
    with capture_logs() as logs:
        journal = opened()
    assert path.read_bytes() == good
    assert journal.last == 3
    assert journal._metrics.torn == 1
    assert [(line["log_level"], line["bytes"]) for line in logs] == [("warning", len(tail))]
    add(journal, b"d")
    assert found(tmp_path) == {1: b"a", 2: b"b", 3: b"c", 4: b"d"}


@pytest.mark.parametrize("beginning", [b"", header_of(4)[:10], bytes(HEADER_BYTES), bytes(4096)])
def test_a_segment_that_was_only_begun_is_dropped(opened: Open, tmp_path: Path, beginning: bytes):
    add(opened(), b"a", b"b", b"c")
    path_of(tmp_path, 4).write_bytes(beginning)
    with capture_logs() as logs:
        journal = opened()
    assert [line["log_level"] for line in logs] == ["warning"]
    assert not path_of(tmp_path, 4).exists()
    assert (journal.last, journal._metrics.torn) == (3, 1)


def test_numbers_of_a_segment_that_came_to_nothing_are_not_given_again(opened: Open, tmp_path: Path):
    path_of(tmp_path, 40).write_bytes(b"")
    assert opened().last == 39


def test_an_empty_segment_is_sound(opened: Open, tmp_path: Path):
    opened().begin()
    with capture_logs() as logs:
        journal = opened()
    assert not logs
    add(journal, b"a")
    assert found(tmp_path) == {1: b"a"}


def test_what_was_whole_once_is_not_dropped_as_torn(opened: Open, tmp_path: Path):
    add(opened(), b"first", b"second", b"third")
    path = path_of(tmp_path, 1)
    data = bytearray(path.read_bytes())
    place = data.index(b"second")
    data[place] ^= 1
    path.write_bytes(data)
    with capture_logs() as logs:
        journal = opened()
    (aside,) = tmp_path.glob("*.damaged")
    assert aside.read_bytes() == data[place - 8 :]
    assert found(tmp_path) == {1: b"first"}
    assert (journal._metrics.torn, journal._metrics.damaged_bytes) == (0, len(data) - place + 8)
    assert [(line["log_level"], line["bytes"]) for line in logs] == [("error", len(data) - place + 8)]


def test_a_segment_without_its_header_is_set_aside(opened: Open, tmp_path: Path):
    add(opened(), b"first", b"second")
    path = path_of(tmp_path, 1)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    with capture_logs() as logs:
        opened()
    assert [line["log_level"] for line in logs] == ["error"]
    (aside,) = tmp_path.glob("*.damaged")
    assert b"second" in aside.read_bytes()
    assert not path.exists()


def test_what_a_later_version_wrote_is_not_touched(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("monkeytown.stores.segments.VERSION", 2)
    path_of(tmp_path, 1).write_bytes(header_of(1))
    monkeypatch.undo()
    path_of(tmp_path, 2).write_bytes(header_of(2) + framed(b"a", 2))
    with pytest.raises(StartError):
        opened()
    assert path_of(tmp_path, 1).exists()


class Fault:
    """Replaces a call of `os`: fails once, after `taken` bytes of it were done."""

    def __init__(self, real: Any, number: int, taken: int = -1) -> None:
        self.real, self.number, self.taken, self.calls = real, number, taken, 0

    def __call__(self, descriptor: int, *rest: Any) -> Any:
        self.calls += 1
        if self.taken >= 0 and self.calls == 1:
            return self.real(descriptor, rest[0][: self.taken])
        if self.calls == 1 + (self.taken >= 0):
            raise OSError(self.number, os.strerror(self.number))
        return self.real(descriptor, *rest)


def test_what_was_half_written_is_taken_back(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = opened()
    add(journal, b"a")
    good = path_of(tmp_path, 1).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", Fault(os.write, errno.ENOSPC, taken=5))
        with pytest.raises(OSError, match="No space left"):
            add(journal, b"lost")
    assert path_of(tmp_path, 1).read_bytes() == good
    assert (journal.last, journal._metrics.write_errors) == (1, 1)
    add(journal, b"b")
    assert found(tmp_path) == {1: b"a", 2: b"b"}
    assert len(segments_in(tmp_path)) == 1


def test_what_cannot_be_taken_back_is_left_behind(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = opened()
    add(journal, b"a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", Fault(os.write, errno.EIO, taken=5))
        patch.setattr(os, "ftruncate", Fault(os.ftruncate, errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            add(journal, b"lost")
    add(journal, b"b")
    assert found(tmp_path) == {1: b"a", 2: b"b"}
    assert [segment.first for segment in segments_in(tmp_path)] == [1, 2]
    # It counts as what it takes, until it goes.
    assert journal.freed == -2 * HEADER_BYTES - 5


@pytest.mark.parametrize("mended", [True, False])
def test_a_file_that_could_not_be_synced_is_not_trusted(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mended: bool
):
    journal = opened()
    add(journal, b"a")
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "sync_file", Fault(os.fdatasync, errno.EIO))
        if not mended:
            patch.setattr(os, "ftruncate", Fault(os.ftruncate, errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            add(journal, b"who knows")
    assert journal.last == 1
    add(journal, b"b")
    assert [segment.first for segment in segments_in(tmp_path)] == [1, 2]
    assert found(tmp_path) == {1: b"a", 2: b"b"}
    assert opened().last == 2


def test_a_first_record_that_could_not_be_synced_is_written_to_another_file(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = opened()
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "sync_file", Fault(os.fdatasync, errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            add(journal, b"who knows")
    distrusted = path_of(tmp_path, 1).stat().st_ino
    with path_of(tmp_path, 1).open():  # so that its number is not taken by the next one
        add(journal, b"a")
    assert path_of(tmp_path, 1).stat().st_ino != distrusted
    assert found(tmp_path) == {1: b"a"}
    assert journal.freed == -HEADER_BYTES


def test_a_segment_that_could_not_be_begun_leaves_nothing(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = opened()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", Fault(os.write, errno.ENOSPC, taken=3))
        with pytest.raises(OSError, match="No space left"):
            add(journal, b"a")
    assert segments_in(tmp_path) == []
    add(journal, b"a")
    assert found(tmp_path) == {1: b"a"}


def test_all_of_it_can_be_removed(opened: Open, tmp_path: Path):
    journal = opened(segment_bytes=1)
    add(journal, b"a")
    add(journal, b"b")
    journal.save_position(1)
    (tmp_path / "1.damaged").touch()
    journal.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["1.damaged"]
