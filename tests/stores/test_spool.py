"""The spool as the event loop sees it: numbers at once, durability soon after, bounds, and a disk that fails."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monkeytown.errors import StartError, StoreDown
from monkeytown.stores import journal as journal_module
from monkeytown.stores.segments import HEADER_BYTES, MAX_RECORD, OVERHEAD, path_of
from monkeytown.stores.spool import Spool

Make = Callable[..., Spool]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """`make()`: a spool of one folder; the one before must be closed."""
    spools: list[Spool] = []

    def make_spool(**options: Any) -> Spool:
        options = {"max_bytes": 1 << 20, "pace": 0.0, "retry": 0.01, **options}
        spools.append(Spool(tmp_path / "0001", **options))
        return spools[-1]

    yield make_spool
    for spool in spools:
        await spool.close()


def contents(spool: Spool, after: int = 0) -> list[bytes]:
    """All that is on disk."""
    found: list[bytes] = []
    while after < spool.durable:
        batch = spool.read(after, 1000, 1 << 20)
        found += batch.records
        after = batch.last
    return found


async def announced(spool: Spool) -> None:
    """The next time that the thread has something to tell."""
    event = asyncio.Event()
    spool.on_durable.append(lambda number: event.set())
    await event.wait()
    spool.on_durable.pop()


async def test_records_are_numbered_and_become_durable(make: Make):
    spool = make()
    assert [spool.append(b"a"), spool.append(b"b")] == [1, 2]
    assert spool.last == 2
    await spool.settled(2)
    assert spool.durable == 2
    assert contents(spool) == [b"a", b"b"]
    assert (spool.metrics.appended, spool.metrics.durable) == (2, 2)
    assert spool.metrics.fsyncs > 0
    assert spool.metrics.fsync_seconds > 0


async def test_who_waits_is_told_when_it_is_on_disk_and_not_before(make: Make, disk: Disk):
    spool = make()
    disk.hold()
    number = spool.append(b"a")
    told: list[int] = []
    spool.on_durable.append(told.append)
    waiting = asyncio.create_task(spool.settled(number))
    await asyncio.to_thread(disk.reached.wait)
    assert (spool.durable, told, waiting.done()) == (0, [], False)
    disk.let_go()
    await waiting
    assert told == [1]


async def test_what_comes_during_a_sync_goes_with_the_next_one(make: Make, disk: Disk):
    spool = make()
    disk.hold()
    spool.append(b"first")
    await asyncio.to_thread(disk.reached.wait)
    for _ in range(1000):
        spool.append(b"more")
    disk.let_go()
    await spool.settled(1001)
    assert spool.metrics.fsyncs == 2


async def test_who_gives_up_waiting_disturbs_nobody(make: Make, disk: Disk):
    spool = make()
    disk.hold()
    spool.append(b"a")
    first, second = (asyncio.create_task(spool.settled(1)) for _ in range(2))
    await asyncio.to_thread(disk.reached.wait)
    first.cancel()
    disk.let_go()
    await second
    assert first.cancelled()


async def test_a_restart_goes_on_counting(make: Make):
    spool = make()
    spool.append(b"a")
    await spool.close()
    spool = make()
    assert spool.append(b"b") == 2
    await spool.settled(2)
    assert contents(spool) == [b"a", b"b"]


async def test_closing_puts_everything_to_disk(make: Make):
    spool = make(pace=60.0)
    spool.append(b"a")
    await spool.settled(1)
    spool.append(b"b")
    await spool.close()
    await spool.close()
    assert spool.durable == 2
    assert contents(make()) == [b"a", b"b"]


async def test_what_comes_after_the_end_is_dropped_and_counted(make: Make):
    spool = make()
    await spool.close()
    assert spool.append(b"late", "chat") == 0
    assert spool.metrics.dropped == {"chat": 1}
    with pytest.raises(StoreDown):
        await spool.settled(1)


@pytest.mark.parametrize("record", [b"", b"x" * (MAX_RECORD + 1)])
async def test_what_is_no_record_is_dropped(make: Make, record: bytes):
    spool = make(max_bytes=1 << 24)
    assert spool.append(record, "event") == 0
    assert spool.metrics.dropped == {"event": 1}
    assert not spool.full
    assert spool.append(b"x" * MAX_RECORD) == 1


async def test_a_folder_has_one_spool(make: Make):
    make()
    with pytest.raises(StartError, match="another server uses"):
        make()


async def test_the_position_is_kept(make: Make):
    spool = make()
    for _ in range(5):
        spool.append(b"a")
    await spool.settled(5)
    spool.trim(3)
    spool.trim(2)
    assert spool.trimmed == 3
    await spool.close()
    assert make().trimmed == 3


async def test_what_is_not_durable_is_not_trimmed(make: Make, disk: Disk):
    spool = make()
    disk.hold()
    spool.append(b"a")
    spool.trim(1)
    assert spool.trimmed == 0
    disk.let_go()


async def test_nothing_beyond_the_bound_is_taken(make: Make):
    spool = make(max_bytes=1000, segment_bytes=200)
    record, size = b"x" * 92, 92 + OVERHEAD
    with capture_logs() as logs:
        numbers = [spool.append(record, "score") for _ in range(12)]
        assert spool.append(record, "chat") == 0
    assert numbers == [*range(1, 11), 0, 0]
    assert spool.full
    assert spool.held_bytes == 10 * size
    assert spool.metrics.dropped == {"score": 2, "chat": 1}
    assert [(line["log_level"], line["dropped"]) for line in logs] == [("error", 1)]


async def test_what_is_trimmed_makes_room(make: Make):
    spool = make(max_bytes=1000, segment_bytes=200)
    record = b"x" * 92
    await fill(spool, record)
    assert spool.full
    files = sum(path.stat().st_size for path in spool.folder.glob("*.segment"))
    assert spool.held_bytes == files
    spool.trim(spool.durable)
    while spool.full:
        await announced(spool)
    assert spool.held_bytes == sum(path.stat().st_size for path in spool.folder.glob("*.segment")) < files
    number = spool.append(record)
    assert number == spool.last
    await spool.settled(number)


async def fill(spool: Spool, record: bytes) -> None:
    """One record a time, so that each segment is as large as it may be."""
    while number := spool.append(record):
        await spool.settled(number)
        # The header of a segment takes room too, once its first record is in it.
        await asyncio.sleep(0)


async def test_a_full_spool_says_so_once_a_minute(make: Make, monkeypatch: pytest.MonkeyPatch):
    spool = make(max_bytes=100)
    now = [1000.0]
    monkeypatch.setattr("monkeytown.stores.spool.time.monotonic", lambda: now[0])
    with capture_logs() as logs:
        for second in range(130):
            now[0] = 1000.0 + second
            spool.append(b"x" * 200)
    assert [line["dropped"] for line in logs if "no room" in line["event"]] == [1, 60, 60]


async def test_a_torn_end_is_counted(make: Make):
    spool = make()
    spool.append(b"a")
    await spool.close()
    with path_of(spool.folder, 1).open("ab") as file:
        file.write(b"\x30\x00\x00\x00half a rec")
    with capture_logs():
        spool = make()
    assert spool.metrics.torn == 1
    assert spool.append(b"b") == 2
    await spool.settled(2)
    assert contents(spool) == [b"a", b"b"]


class Disk:
    """Stands between the journal and the disk: may fail, or take its time."""

    def __init__(self) -> None:
        self.error = 0
        self.failed = threading.Event()
        self.reached = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._sync = journal_module.sync_file

    def sync(self, descriptor: int) -> None:
        self.reached.set()
        self._free.wait()
        if self.error:
            self.failed.set()
            raise OSError(self.error, os.strerror(self.error))
        self._sync(descriptor)

    def hold(self) -> None:
        self.reached.clear()
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(journal_module, "sync_file", disk.sync)
    return disk


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
async def test_while_the_disk_fails_records_wait_in_memory(make: Make, disk: Disk, number: int):
    spool = make()
    spool.append(b"a")
    await spool.settled(1)
    disk.error = number
    with capture_logs() as logs:
        assert spool.append(b"b") == 2
        await asyncio.to_thread(disk.failed.wait)
        assert spool.append(b"c") == 3
        disk.failed.clear()
        await asyncio.to_thread(disk.failed.wait)  # it tries again
        assert spool.failing_since is not None
        assert spool.durable == 1
        assert spool.metrics.write_errors >= 1
        disk.error = 0
        await spool.settled(3)
        assert spool.failing_since is None
    assert contents(spool) == [b"a", b"b", b"c"]
    assert [line["log_level"] for line in logs] == ["error", "info"]
    assert os.strerror(number) in logs[0]["error"]


async def test_a_disk_that_fails_to_the_end_is_an_honest_loss(make: Make, disk: Disk):
    spool = make()
    disk.error = errno.EIO
    spool.append(b"a")
    waiting = asyncio.create_task(spool.settled(1))
    await asyncio.to_thread(disk.failed.wait)
    with capture_logs() as logs:
        await spool.close()
    assert {"log_level": "error", "records": 1} in [
        {key: line[key] for key in ("log_level", "records")} for line in logs if "is closed" in line["event"]
    ]
    with pytest.raises(StoreDown):
        await waiting


async def test_a_disk_that_hangs_does_not_hold_up_the_end(make: Make, disk: Disk):
    spool = make()
    disk.hold()
    spool.append(b"a")
    await asyncio.to_thread(disk.reached.wait)
    with capture_logs() as logs:
        await spool.close(seconds=0.01)
    assert [line["records"] for line in logs] == [1]
    # The thread may still write: nobody else may have the folder.
    with pytest.raises(StartError):
        make()
    disk.let_go()


async def test_a_fault_of_ours_does_not_end_the_thread(
    make: Make, disk: Disk, monkeypatch: pytest.MonkeyPatch
):
    spool = make()
    failed = threading.Event()

    def fail(descriptor: int) -> None:
        failed.set()
        raise ValueError("a fault")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(journal_module, "sync_file", fail)
        spool.append(b"a")
        await asyncio.to_thread(failed.wait)
    await spool.settled(1)
    assert contents(spool) == [b"a"]
    assert isinstance(logs[0]["exc_info"], ValueError)


async def test_damage_in_the_newest_segment_does_not_stop_what_comes(make: Make):
    spool = make()
    for record in (b"first", b"second"):
        spool.append(record)
    await spool.settled(2)
    path = path_of(spool.folder, 1)
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + OVERHEAD] ^= 1
    path.write_bytes(data)
    with capture_logs() as logs:
        after = 0
        while after < 2:
            after = spool.read(after, 10, 1000).last
            await asyncio.sleep(0)
        assert spool.append(b"third") == 3
        await spool.settled(3)
        assert contents(spool, 2) == [b"third"]
    assert [line["log_level"] for line in logs] == ["error"]


async def test_it_can_be_removed(make: Make):
    spool = make(segment_bytes=1)
    for _ in range(3):
        spool.append(b"a")
    await spool.settled(3)
    spool.trim(3)
    await spool.remove()
    assert not spool.folder.exists()


async def test_what_was_set_aside_is_not_removed(make: Make):
    spool = make()
    (spool.folder / "1.damaged").touch()
    await spool.remove()
    assert sorted(path.name for path in spool.folder.iterdir()) == ["1.damaged", "lock"]
    make()
