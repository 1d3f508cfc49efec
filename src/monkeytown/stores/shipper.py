"""The shipper: from the spools to the database, in batches, until the database has everything.

Knows the spools, and a store with one method; does not know which database that is. A batch that was written and not
acknowledged is written again, so writing must be idempotent. Nothing is taken out of a spool before the database, or the file
of what it refuses, has it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgspec
import structlog

from monkeytown.errors import RecordRefused, StoreDown
from monkeytown.stores.reading import SLICE, breathe
from monkeytown.stores.records import Record, unpacked
from monkeytown.stores.refusals import Refusals
from monkeytown.stores.spool import Spool
from monkeytown.stores.spools import Spools

__all__ = ["RecordStore", "Shipper"]

log = structlog.get_logger()

MAX_RECORDS = 1_000
MAX_BYTES = 1 << 20
"""A batch at most."""
LINGER = 0.05
"""Seconds from one batch that is not full to the next at least: a transaction for each tick would be too many."""
REST = 0.002
"""Seconds between batches that are full, for whatever else the event loop has to do."""
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0


class RecordStore(Protocol):
    """Where records go."""

    async def write(self, records: Sequence[Record]) -> int:
        """All of them or none; how many were new. Raises `StoreDown` and `RecordRefused`."""
        ...


class _Fetched(NamedTuple):
    """A batch, the number of the last record that was looked at for it, and whether there was more."""

    last: int
    records: list[Record]
    unreadable: list[tuple[bytes, str]]
    more: bool


class Shipper:
    """Empties `spools` into `store` for as long as it runs."""

    def __init__(
        self,
        spools: Spools,
        store: RecordStore,
        *,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
        linger: float = LINGER,
        first_delay: float = FIRST_DELAY,
        longest_delay: float = LONGEST_DELAY,
    ) -> None:
        self.down_since: float | None = None
        """Since when the database has taken nothing that it was to take, in seconds since 1970."""
        self.refusals = Refusals(spools.root / "refused.jsonl")
        self._spools = spools
        self._metrics = spools.metrics
        self._store = store
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._linger = linger
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._oldest: float | None = None
        """The time of the first record of the batch that is on its way."""
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._moved = asyncio.Event()
        """Another one each time that something was shipped."""
        self._task: asyncio.Task[None] | None = None
        spools.own.on_durable.append(self._look)

    # What others may ask

    @property
    def lag_records(self) -> int:
        """Records that the database does not have."""
        return sum(spool.last - spool.trimmed for spool in (self._spools.own, *self._spools.leftovers))

    @property
    def lag_seconds(self) -> float:
        """The age of the oldest of them that is on its way, or that the disk does not take; 0 if there is none."""
        since = [at for at in (self._oldest, self._spools.own.failing_since) if at is not None]
        return max(0.0, time.time() - min(since)) if since else 0.0

    async def caught_up(self) -> None:
        """Returns when the database has everything. The shipper must be running."""
        while self.lag_records or self._spools.leftovers:
            await self._moved.wait()

    def start(self) -> None:
        """From now on, in this event loop."""
        self._task = asyncio.create_task(self._run(), name="shipper")

    async def stop(self, seconds: float) -> None:
        """Ships what there is, for so long at most. The rest stays on disk for the next start."""
        self._stopping.set()
        self._news.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self.lag_records:
            log.warning(
                "not everything is in the database; the rest is kept for the next start",
                records=self.lag_records,
            )

    # The task

    def _look(self, durable: int) -> None:
        self._news.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
                return
            except Exception:
                # A fault of ours. What is in the spools waits there; whoever looks at the lag sees it.
                log.exception("the shipper failed, and begins again")
                await self._pause(self._longest_delay)

    async def _work(self) -> None:
        own, leftovers = self._spools.own, self._spools.leftovers
        while leftovers:
            await self._empty(leftovers[0])
            await leftovers[0].remove()
            del leftovers[0]
            self._move()
        while True:
            await self._empty(own)
            if self._stopping.is_set() and own.trimmed >= own.last:
                return
            self._news.clear()
            if own.trimmed >= own.durable:
                await self._news.wait()

    async def _empty(self, spool: Spool) -> None:
        """Ships all that is on disk."""
        while spool.trimmed < spool.durable:
            began = time.monotonic()
            fetched = await self._fetch(spool)
            if fetched.records:
                await self._ship(fetched.records)
            for data, reason in fetched.unreadable:
                await self._refuse(data, reason)
            self._oldest = None
            spool.trim(fetched.last)
            self._move()
            if fetched.more:
                await asyncio.sleep(REST)
            else:
                await self._pause(began + self._linger - time.monotonic())

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _fetch(self, spool: Spool) -> _Fetched:
        """The next batch. It is read and unpacked in another thread, a little at a time."""
        delay = self._first_delay
        while True:
            try:
                fetched = await asyncio.to_thread(self._read, spool)
            except OSError as error:
                log.error("a spool cannot be read", folder=str(spool.folder), error=str(error))
                await self._pause(delay)
                delay = min(2 * delay, self._longest_delay)
                continue
            return fetched

    def _read(self, spool: Spool) -> _Fetched:
        durable = spool.durable
        batch = spool.read(spool.trimmed, self._max_records, self._max_bytes)
        records: list[Record] = []
        unreadable = []
        for start in range(0, len(batch.records), SLICE):
            for data in batch.records[start : start + SLICE]:
                try:
                    records.append(unpacked(data))
                except msgspec.MsgspecError as error:
                    unreadable.append((data, str(error)))
            breathe()
        return _Fetched(batch.last, records, unreadable, spool.trimmed < batch.last < durable)

    async def _ship(self, records: list[Record]) -> None:
        """Writes a batch in order. If one record is refused, those before and those behind it are written without it."""
        self._oldest = records[0].time
        waiting = [records]
        while waiting:
            run = waiting.pop()
            try:
                new = await self._write(run)
            except RecordRefused as error:
                if len(run) == 1:
                    await self._refuse(run[0], str(error))
                else:
                    half = len(run) // 2
                    waiting += [run[half:], run[:half]]
                continue
            self._metrics.stored += len(run)
            self._metrics.repeated += len(run) - new

    async def _write(self, records: list[Record]) -> int:
        """Writes them, however long it takes. Raises `RecordRefused`."""
        delay = self._first_delay
        while True:
            try:
                new = await self._store.write(records)
            except RecordRefused:
                self._is_up()
                raise
            except Exception as error:
                # Whatever it is, the records stay, and others behind them must not overtake them.
                self._is_down(error)
            else:
                self._is_up()
                return new
            await self._pause(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, self._longest_delay)

    def _is_down(self, error: Exception) -> None:
        if self.down_since is None:
            self.down_since = time.time()
            self._metrics.outages += 1
            log.error(
                "the database takes nothing; what happens is kept on this disk",
                error=str(error),
                records=self.lag_records,
                exc_info=None if isinstance(error, StoreDown) else error,
            )

    def _is_up(self) -> None:
        if self.down_since is not None:
            log.info(
                "the database is back",
                seconds=round(time.time() - self.down_since, 1),
                records=self.lag_records,
            )
            self.down_since = None

    async def _refuse(self, record: Record | bytes, reason: str) -> None:
        self._metrics.refused += 1
        await asyncio.to_thread(self.refusals.keep, record, reason)

    async def _pause(self, seconds: float) -> None:
        """Waits, but not longer than a moment once this is to stop."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            # Not wait_for, which until Python 3.12 forgets that it was cancelled if this is to stop at the same moment.
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
            await asyncio.sleep(min(seconds, FIRST_DELAY))
