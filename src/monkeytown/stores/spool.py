"""The spool: what must last, on this machine's disk within moments, without anybody waiting for it.

Knows bytes, a folder and one thread. `append` is called from the event loop in the middle of a tick, takes a microsecond and
never raises; the thread puts what has come together to disk, and tells the event loop up to where it is. Must not know what a
record is, nor where it goes from here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from monkeytown.errors import StoreDown
from monkeytown.stores.folder import FolderLock
from monkeytown.stores.journal import Journal
from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.reading import Batch, Reader
from monkeytown.stores.segments import MAX_RECORD, OVERHEAD, framed
from monkeytown.stores.writer import COMPLAIN, PACE, RETRY, Writer

__all__ = ["SEGMENT_BYTES", "Spool"]

log = structlog.get_logger()

SEGMENT_BYTES = 4 * 1024 * 1024


class Spool:
    """One folder of records, numbered from 1 on. To be made in the event loop that appends to it.

    `max_bytes` bounds what is on disk and in memory. Raises OSError, and `StartError` if another process uses the folder or a
    later version wrote it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        segment_bytes: int = SEGMENT_BYTES,
        metrics: SpoolMetrics | None = None,
        lock: FolderLock | None = None,
        pace: float = PACE,
        retry: float = RETRY,
    ) -> None:
        self.folder = folder
        self.metrics = metrics or SpoolMetrics()
        self.on_durable: list[Callable[[int], None]] = []
        """Called in the event loop, with the number up to which all is on disk."""
        self.full = False
        """Records were dropped because there was no room, and no room was made since."""
        self._lock = lock or FolderLock(folder)
        try:
            # What is not needed is deleted by the segment, so one of them must not be all there is room for.
            self._journal = Journal(folder, min(segment_bytes, max(1, max_bytes // 4)), self.metrics)
        except BaseException:
            self._lock.release()
            raise
        self.last = self._journal.last
        """The number of the newest record."""
        self._max_bytes = max_bytes
        self._room = max_bytes - sum(segment.size for segment in self._journal.segments)
        """Bytes that may still be appended. Only the event loop changes it."""
        self._freed = 0
        """What the journal had freed when that was last looked at."""
        self._seen = self.last
        """The newest record that was known to be on disk then."""
        self._complained = float("-inf")
        self._uncomplained = 0
        self._settling: list[tuple[int, asyncio.Future[None]]] = []
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(self._journal, self._tell, pace=pace, retry=retry)
        self._queue = self._writer.queue
        self._reader = Reader(lambda: self._journal.segments, self._writer.renew, self.metrics)
        self._writer.start()

    @property
    def durable(self) -> int:
        """The number up to which all is on disk."""
        return self._writer.durable

    @property
    def trimmed(self) -> int:
        """The number up to which nothing is needed any more."""
        return self._writer.trimmed

    @property
    def failing_since(self) -> float | None:
        """Since when the disk has taken nothing, in seconds since 1970."""
        return self._writer.failing_since

    @property
    def held_bytes(self) -> int:
        """On disk and in memory."""
        return self._max_bytes - self._room

    def append(self, record: bytes, kind: str = "") -> int:
        """Takes a record in and returns its number; 0 if there is no room for it, and it is dropped and counted by `kind`."""
        size = len(record) + OVERHEAD
        if size > self._room or not 0 < len(record) <= MAX_RECORD or self._closed:
            return self._drop(size, kind)
        self._room -= size
        number = self.last = self.last + 1
        self.metrics.appended += 1
        self._queue.append(framed(record, number))
        if len(self._queue) == 1:
            self._writer.wake()
        return number

    def _drop(self, size: int, kind: str) -> int:
        self.metrics.dropped[kind] += 1
        self.full = self.full or size > self._room
        self._uncomplained += 1
        now = time.monotonic()
        if now - self._complained >= COMPLAIN:
            log.error(
                "what happens is not kept: a spool has no room for it",
                folder=str(self.folder),
                dropped=self._uncomplained,
                held_bytes=self.held_bytes,
                max_bytes=self._max_bytes,
            )
            self._complained, self._uncomplained = now, 0
        return 0

    async def settled(self, number: int) -> None:
        """Returns when all up to this number is on disk. Raises `StoreDown` if the spool is closed before it is."""
        if number <= self.durable:
            return
        if self._closed:
            raise self._too_late()
        future = self._loop.create_future()
        self._settling.append((number, future))
        await future

    def trim(self, number: int) -> None:
        """Nothing up to this number is needed any more. What is not on disk yet stays."""
        number = min(number, self.durable)
        if number > self.trimmed:
            self._writer.trimmed = number
            self._writer.wake()

    def read(self, after: int, records: int, size: int) -> Batch:
        """What comes behind record `after` and is on disk: see `Reader.read`. Not in the event loop's thread."""
        return self._reader.read(after, self.durable, records, size)

    async def close(self, seconds: float = 10.0) -> None:
        """Puts what was appended to disk, for so long at most, and gives the folder up. May be called twice."""
        if await self._stop(seconds):
            self._lock.release()

    async def remove(self) -> None:
        """Closes it and deletes the folder. What was set aside as damaged stays there."""
        if await self._stop(10.0):
            try:
                await asyncio.to_thread(self._journal.remove)
                self._lock.remove_folder()
            except OSError as error:
                log.warning("a spool cannot be removed", folder=str(self.folder), error=str(error))
                self._lock.release()

    async def _stop(self, seconds: float) -> bool:
        """Whether nobody writes to the folder any more."""
        self._closed = True
        ended = await asyncio.to_thread(self._writer.stop, seconds)
        self._look()
        lost = self.last - self.durable
        if lost:
            log.error(
                "a spool is closed with records that are not on disk", folder=str(self.folder), records=lost
            )
        for _, future in self._settling:
            if not future.done():
                future.set_exception(self._too_late())
        self._settling.clear()
        return ended

    def _too_late(self) -> StoreDown:
        return StoreDown(f"{self.folder} was closed before this was on disk")

    def _tell(self) -> None:
        """In the writer's thread: there is something new to see."""
        # An event loop that is closed has nobody who would look.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        durable, freed = self.durable, self._journal.freed
        self.metrics.durable += durable - self._seen
        self._seen = durable
        self._room += freed - self._freed
        if freed > self._freed:
            self.full = False
        self._freed = freed
        settling, self._settling = self._settling, []
        for number, future in settling:
            if number > durable:
                self._settling.append((number, future))
            elif not future.done():
                future.set_result(None)
        for call in self.on_durable:
            call(durable)
