"""The reading side of a spool's folder: records in order, from any number on, and past what is damaged.

Knows segments and the numbers in them. Reads in a thread that is not the event loop's, and lets go of the interpreter often
enough that no tick waits for it. Must not know what a record is.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import structlog

from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.segments import (
    HEADER_BYTES,
    MAX_RECORD,
    OVERHEAD,
    Run,
    Segment,
    holds_records_of,
    set_aside,
    split,
)

__all__ = ["Batch", "Reader", "breathe"]

log = structlog.get_logger()

CHUNK = 256 * 1024
SLICE = 128
"""Records that are dealt with in one go: some 50 µs, in which no other thread runs Python."""
BREATH = 0.00005


def breathe() -> None:
    """Lets another thread have the interpreter. A sleep of nothing would take it back before the other one has woken up."""
    time.sleep(BREATH)


class Batch(NamedTuple):
    """Records that follow each other. With none of them, `first` is where reading goes on."""

    first: int
    records: list[bytes]

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1


class Reader:
    """Reads one folder, in one thread at a time.

    `segments` are those that are there now, oldest first. `renew` asks for a new one, because the newest is damaged.
    """

    def __init__(
        self, segments: Callable[[], tuple[Segment, ...]], renew: Callable[[], None], metrics: SpoolMetrics
    ) -> None:
        self._segments = segments
        self._renew = renew
        self._metrics = metrics
        self._segment = -1
        self._number = 0
        self._offset = 0
        """In the segment that begins with record `_segment`, record `_number` stands there."""

    def read(self, after: int, until: int, records: int, size: int) -> Batch:
        """What comes behind record `after`, up to record `until`: so many records and about so many bytes at most.

        Records that are lost are passed over, and logged. No records and `last` < `until`: ask again in a moment.
        Raises OSError.
        """
        number = after + 1
        while number <= until:
            segment, end = self._find(number, until)
            found = self._read(segment, number, min(end - number + 1, records), size)
            if found:
                return Batch(number, found)
            if segment.first == self._segments()[-1].first:
                # Where its next record would be found is not known: those to come must be in another one.
                self._renew()
                return Batch(number, [])
            self._lose(segment, number, end)
            number = end + 1
        return Batch(number, [])

    def _find(self, number: int, until: int) -> tuple[Segment, int]:
        """The segment that has this record, and the last of its records that counts."""
        end = until
        for segment in reversed(self._segments()):
            if segment.first <= number:
                return segment, end
            end = min(end, segment.first - 1)
        raise AssertionError("what is not needed any more is not read")

    def _read(self, segment: Segment, number: int, limit: int, size: int) -> list[bytes]:
        """At least one record, or none if what is there cannot be read."""
        try:
            descriptor = os.open(segment.path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            if (segment.first, number) != (self._segment, self._number) and not self._seek(
                descriptor, segment, number
            ):
                return []
            return self._take(descriptor, limit, size).records
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            log.error("a segment of a spool cannot be read", file=str(segment.path), error=str(error))
            return []
        finally:
            os.close(descriptor)

    def _seek(self, descriptor: int, segment: Segment, number: int) -> bool:
        """Goes to a record from the beginning of its segment: once for each segment, and at a start."""
        self._segment, self._number, self._offset = segment.first, segment.first, HEADER_BYTES
        if not holds_records_of(segment, os.pread(descriptor, HEADER_BYTES, 0)):
            return False
        while self._number < number:
            if not self._take(descriptor, number - self._number, CHUNK).records:
                return False
        return True

    def _take(self, descriptor: int, limit: int, size: int) -> Run:
        """Reads on from where this stands."""
        records: list[bytes] = []
        taken = 0
        data = os.pread(descriptor, max(size, OVERHEAD), self._offset)
        if (
            len(data) >= OVERHEAD
            and len(data) < OVERHEAD + int.from_bytes(data[:4], "little") <= OVERHEAD + MAX_RECORD
        ):
            data = os.pread(descriptor, OVERHEAD + MAX_RECORD, self._offset)
        sound = True
        while sound and len(records) < limit:
            run = split(data, taken, self._number, min(SLICE, limit - len(records)))
            if not run.records:
                break
            sound = run.sound
            records += run.records
            taken += run.size
            self._number += len(run.records)
            breathe()
        self._offset += taken
        return Run(records, taken, sound)

    def _lose(self, segment: Segment, number: int, end: int) -> None:
        """What is left of a segment cannot be read: it is put where it is in nobody's way."""
        damaged = 0
        if segment.path.exists():
            try:
                damaged = set_aside(segment, self._offset if self._segment == segment.first else 0)
            except OSError:
                # Not even that can be read, or the disk is full: then all of it, as it is.
                damaged = segment.path.stat().st_size
                with suppress(OSError):
                    segment.path.rename(segment.path.with_suffix(".damaged"))
        self._segment = -1
        self._metrics.damaged_bytes += damaged
        log.error(
            "a spool is damaged; the rest of the segment is set aside",
            file=str(segment.path),
            bytes=damaged,
            first=number,
            last=end,
        )
