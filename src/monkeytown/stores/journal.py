"""The writing side of a spool's folder: segments are begun, written to, mended at a start, and deleted.

Knows one folder, and that one thread uses it at a time. What `write` returned from is on disk; what it raised from was not
written, and is to be written again. Must not know where records come from, nor who reads them.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import structlog

from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.segments import (
    HEADER_BYTES,
    Segment,
    header_of,
    holds_records_of,
    is_record_behind,
    path_of,
    segments_in,
    set_aside,
    split,
    sync_file,
    sync_folder,
)

__all__ = ["Journal"]

log = structlog.get_logger()


class Journal:
    """The segments of one folder. Raises OSError, and `StartError` if a later version wrote them."""

    def __init__(self, folder: Path, segment_bytes: int, metrics: SpoolMetrics) -> None:
        self.folder = folder
        self.segments: tuple[Segment, ...] = ()
        """Oldest first. Another one each time, so that other threads may look at it."""
        self.last = 0
        """The number of the newest record on disk."""
        self.freed = 0
        """Bytes by which the folder has shrunk, what was given to `write` not counted; negative while it has only grown."""
        self._segment_bytes = segment_bytes
        self._metrics = metrics
        self._descriptor: int | None = None
        self._size = 0
        """Of the newest segment, as far as it is known to be good."""
        self._position = folder / "position"
        self.trimmed = self._saved_position()
        """The number up to which nothing is needed, when this was opened."""
        self._open()

    # Opening

    def _open(self) -> None:
        segments = segments_in(self.folder)
        for segment in segments:
            with segment.path.open("rb") as file:
                holds_records_of(segment, file.read(HEADER_BYTES))
        last = self.trimmed
        while segments:
            newest = segments.pop()
            count = self._mend(newest)
            if count is not None:
                last = max(last, newest.first + count - 1)
                segments.append(newest._replace(size=newest.path.stat().st_size))
                break
            # Its number was given out, whether or not there was ever a record that had it.
            last = max(last, newest.first - 1)
        self.last = last
        self.segments = tuple(segments)
        beginning = segments[0].first if segments else last + 1
        if self.trimmed < beginning - 1:
            # What was deleted was not needed, unless somebody else deleted it.
            log.warning(
                "the beginning of a spool is gone",
                folder=str(self.folder),
                first=self.trimmed + 1,
                last=beginning - 1,
            )
            self.trimmed = beginning - 1
        sync_folder(self.folder)

    def _mend(self, segment: Segment) -> int | None:
        """Cuts off what is no record at the end of the newest segment. How many records it has; None if it had to go."""
        data = segment.path.read_bytes()
        offset, count = 0, 0
        # Where the header should be, stands what should be before the first record.
        number = segment.first - 1
        if holds_records_of(segment, data):
            records, size, _ = split(data, HEADER_BYTES, segment.first, sys.maxsize)
            offset, count = HEADER_BYTES + size, len(records)
            number = segment.first + count
        rest = len(data) - offset
        if rest and is_record_behind(data, offset, number):
            set_aside(segment, offset)
            self._metrics.damaged_bytes += rest
            log.error(
                "a spool is damaged; the rest of the segment is set aside", file=str(segment.path), bytes=rest
            )
        elif rest or not offset:
            self._metrics.torn += 1
            log.warning(
                "the end of a spool was only half written, and is dropped", file=str(segment.path), bytes=rest
            )
        with segment.path.open("r+b") as file:
            file.truncate(offset)
            # Whoever wrote the rest may have been killed before it was on disk.
            os.fsync(file.fileno())
        if offset:
            return count
        segment.path.unlink()
        return None

    # Writing

    def write(self, data: bytes, count: int) -> None:
        """Adds that many framed records, numbered from `last` + 1, and returns when they are on disk."""
        began = perf_counter()
        try:
            if self._descriptor is None or self._size >= self._segment_bytes:
                self.begin()
            self._add(data)
        except OSError:
            self._metrics.write_errors += 1
            raise
        self.last += count
        self._metrics.fsyncs += 1
        self._metrics.fsync_seconds += perf_counter() - began

    def _add(self, data: bytes) -> None:
        assert self._descriptor is not None
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError:
                self._abandon()
            raise
        try:
            sync_file(self._descriptor)
        except OSError:
            # The kernel may hold pages for written that are not, and says so only once: they must be written anew elsewhere,
            # and nobody may read them here.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self._abandon()
            raise
        self._size += len(data)

    def begin(self) -> None:
        """From here on, records go to a new segment."""
        self._finish()
        first = self.last + 1
        if self.segments and self.segments[-1].first == first:
            # It was begun and came to nothing.
            self.segments[-1].path.unlink(missing_ok=True)
            self.freed += self.segments[-1].size
            self.segments = self.segments[:-1]
        path = path_of(self.folder, first)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            header = memoryview(header_of(first))
            while header:
                header = header[os.write(descriptor, header) :]
            sync_folder(self.folder)
        except OSError:
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
            raise
        self._descriptor = descriptor
        self._size = HEADER_BYTES
        self.freed -= HEADER_BYTES
        self.segments = (*self.segments, Segment(first, path, HEADER_BYTES))

    def _finish(self) -> None:
        """Nothing is added to the newest segment any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self.segments = (*self.segments[:-1], self.segments[-1]._replace(size=self._size))

    def _abandon(self) -> None:
        """The newest segment cannot be trusted beyond what is known to be good: the next record begins another one."""
        assert self._descriptor is not None
        with suppress(OSError):
            size = os.fstat(self._descriptor).st_size
            self.freed -= size - self._size
            self._size = size
        self._finish()

    # What is not needed any more

    def trim(self, number: int) -> None:
        """Deletes the segments that hold nothing beyond that number, but for the newest, which says where numbers are."""
        if len(self.segments) < 2 or self.segments[1].first > number + 1:
            return
        # So that it is known at a start that they were not needed. A full disk must not keep them from going.
        with suppress(OSError):
            self.save_position(number, sync=True)
        while len(self.segments) > 1 and self.segments[1].first <= number + 1:
            oldest = self.segments[0]
            oldest.path.unlink(missing_ok=True)
            self.segments = self.segments[1:]
            self.freed += oldest.size

    def save_position(self, number: int, *, sync: bool = False) -> None:
        """Keeps up to where nothing is needed. It need not be synced: without it some records are read again."""
        new = self._position.with_suffix(".new")
        with new.open("w") as file:
            file.write(f"{number}\n")
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, self._position)
        if sync:
            sync_folder(self.folder)

    def _saved_position(self) -> int:
        try:
            saved = self._position.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return 0
        return int(saved) if saved.isascii() and saved.isdecimal() else 0

    def close(self) -> None:
        self._finish()

    def remove(self) -> None:
        """Deletes all of it. What was set aside stays."""
        self._finish()
        for segment in self.segments:
            segment.path.unlink(missing_ok=True)
        for path in (self._position, self._position.with_suffix(".new")):
            path.unlink(missing_ok=True)
