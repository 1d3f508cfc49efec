"""The thread that puts records to disk: what has come together, in one piece, a hundred times a second at most.

Knows a journal and a queue of framed records. Whatever the disk says, the thread goes on and the records stay, until the disk
takes them or the spool is closed. Must not know who appends, nor what a record is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread

import structlog

from monkeytown.stores.journal import Journal

__all__ = ["COMPLAIN", "PACE", "RETRY", "Writer"]

log = structlog.get_logger()

PACE = 0.01
"""Seconds from one round to the next at least: a busy server syncs a hundred times a second, and not once a record."""
RETRY = 1.0
POSITION = 1.0
"""Seconds from one time that the position is written to the next at least."""
COMPLAIN = 60.0
"""Seconds from one log line about the same trouble to the next at least."""
PIECE = 256 * 1024
"""Bytes that are written at once, about: while they are joined no other thread runs Python."""


class Writer:
    """Writes `queue` to a journal from `start` on; its thread calls `announce` when there is something new to see."""

    def __init__(self, journal: Journal, announce: Callable[[], None], *, pace: float, retry: float) -> None:
        self.queue: deque[bytes] = deque()
        """Whoever adds the first one calls `wake` after it: the thread takes all there is before it waits again."""
        self.durable = journal.last
        self.trimmed = journal.trimmed
        """Up to where nothing is needed any more. Set by others, who call `wake` after it."""
        self.failing_since: float | None = None
        """Since when the disk has taken nothing, in seconds since 1970."""
        self._journal = journal
        self._announce = announce
        self._pace = pace
        self._retry = retry
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._piece: list[bytes] = []
        """What was taken out of the queue and is not on disk."""
        self._renewing = False
        self._closing = Event()
        self._began = float("-inf")
        self._retry_at = 0.0
        self._complained = float("-inf")
        self._saved = journal.trimmed
        self._saved_at = float("-inf")
        self._thread = Thread(target=self._run, name=f"spool {journal.folder.name}", daemon=True)

    # In other threads

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._tokens.put(None)

    def renew(self) -> None:
        """The next record is to begin a new segment."""
        self._renewing = True
        self.wake()

    def stop(self, seconds: float) -> bool:
        """Writes what there is, once more if the disk fails, and ends the thread; whether it has ended within that time."""
        self._closing.set()
        self.wake()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # In the thread

    def _run(self) -> None:
        closing = False
        while not closing:
            self._rest()
            # Looked at before the work: what was added before it was set is in that.
            closing = self._closing.is_set()
            try:
                self._tidy(at_once=closing)
                if closing or self.failing_since is None or time.monotonic() >= self._retry_at:
                    self._write()
            except Exception as error:
                # If it is no OSError it is no disk's fault, but ours; the records must not pay for it.
                self._failed(error)
        self._journal.close()

    def _rest(self) -> None:
        """Until there is something to do, and not too soon after the last time."""
        due = []
        if self.failing_since is not None:
            due.append(self._retry_at)
        if self.trimmed != self._saved:
            due.append(self._saved_at + POSITION)
        with suppress(Empty):
            self._tokens.get(timeout=max(0.0, min(due) - time.monotonic()) if due else None)
        early = self._began + self._pace - time.monotonic()
        if early > 0:
            self._closing.wait(early)

    def _write(self) -> None:
        self._began = time.monotonic()
        if self._renewing:
            self._journal.begin()
            self._renewing = False
            self._succeeded()
        while self._piece or self._take():
            self._journal.write(b"".join(self._piece), len(self._piece))
            self._piece = []
            self.durable = self._journal.last
            self._succeeded()
            self._announce()

    def _take(self) -> bool:
        """The next piece of the queue; whether there was any."""
        size = 0
        while self.queue and size < PIECE:
            framed = self.queue.popleft()
            size += len(framed)
            self._piece.append(framed)
        return bool(self._piece)

    def _succeeded(self) -> None:
        if self.failing_since is not None:
            seconds = round(time.time() - self.failing_since, 1)
            log.info("a spool can write again", folder=str(self._journal.folder), seconds=seconds)
            self.failing_since = None
            self._complained = float("-inf")

    def _failed(self, error: Exception) -> None:
        now = time.monotonic()
        self._retry_at = now + self._retry
        if self.failing_since is None:
            self.failing_since = time.time()
        if now - self._complained >= COMPLAIN:
            self._complained = now
            log.error(
                "a spool cannot write; what happens is kept in memory",
                folder=str(self._journal.folder),
                error=str(error),
                records=len(self._piece) + len(self.queue),
                exc_info=None if isinstance(error, OSError) else error,
            )

    def _tidy(self, *, at_once: bool) -> None:
        """Deletes what is not needed any more, and keeps where that ends."""
        trimmed = self.trimmed
        if trimmed == self._saved:
            return
        freed, now = self._journal.freed, time.monotonic()
        due = at_once or now - self._saved_at >= POSITION
        if due:
            self._saved_at = now
        try:
            self._journal.trim(trimmed)
            if due:
                self._journal.save_position(trimmed)
                self._saved = trimmed
        except OSError as error:
            # Without it some records are stored again. If the disk is full or gone, writing says so.
            log.debug("a spool cannot be tidied", folder=str(self._journal.folder), error=str(error))
        if self._journal.freed != freed:
            self._announce()
