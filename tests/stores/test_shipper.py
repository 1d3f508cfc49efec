"""Everything reaches the store, once and in order, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monkeytown.errors import StoreDown
from monkeytown.stores.records import Record, packed
from monkeytown.stores.shipper import Shipper
from monkeytown.stores.spools import open_spools
from tests.stores.memory import MemoryStore, record


class Line:
    """Spools, a store, and a shipper between them, which is not yet started."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.spools = open_spools(root, max_bytes=1 << 22, segment_bytes=4096)
        self.store = MemoryStore()
        quick = {"linger": 0.0, "first_delay": 0.001, "longest_delay": 0.01}
        self.shipper = Shipper(self.spools, self.store, **{**quick, **options})

    @property
    def own(self) -> Any:
        return self.spools.own

    @property
    def metrics(self) -> Any:
        return self.spools.metrics

    def append(self, *records: Record) -> None:
        for one in records:
            assert self.own.append(packed(one), one.kind)

    def append_range(self, first: int, last: int, room: str = "meadow") -> None:
        self.append(*(record(sequence, room=room) for sequence in range(first, last + 1)))

    async def close(self) -> None:
        await self.shipper.stop(0)
        await self.spools.close()


Connect = Callable[..., Line]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Connect]:
    """`connect()`: a line in one root."""
    lines: list[Line] = []

    def connect_line(**options: Any) -> Line:
        lines.append(Line(tmp_path, **options))
        return lines[-1]

    yield connect_line
    for line in lines:
        await line.close()


async def test_what_is_appended_reaches_the_store_in_order(connect: Connect):
    line = connect()
    line.shipper.start()
    line.append_range(1, 50)
    await line.shipper.caught_up()
    line.append_range(51, 100)
    await line.shipper.caught_up()
    assert line.store.sequences() == list(range(1, 101))
    assert list(line.store.records.values())[41] == record(42)
    assert (line.metrics.stored, line.metrics.repeated) == (100, 0)


async def test_batches_are_bounded(connect: Connect):
    line = connect(max_records=10)
    line.append_range(1, 95)
    await line.own.settled(95)
    line.shipper.start()
    await line.shipper.caught_up()
    assert max(len(batch) for batch in line.store.batches) == 10
    assert line.store.sequences() == list(range(1, 96))


async def test_batches_are_bounded_in_bytes(connect: Connect):
    line = connect(max_bytes=1000)
    line.append(*(record(sequence, text="x" * 400) for sequence in range(1, 21)))
    await line.own.settled(20)
    line.shipper.start()
    await line.shipper.caught_up()
    assert max(len(batch) for batch in line.store.batches) == 2


async def test_what_comes_while_it_is_shipped_goes_in_one_batch(connect: Connect):
    line = connect()
    line.store.gate.clear()
    line.shipper.start()
    line.append_range(1, 1)
    await line.store.tried()
    for sequence in range(2, 6):
        line.append_range(sequence, sequence)
        await line.own.settled(sequence)
    line.store.gate.set()
    await line.shipper.caught_up()
    assert [len(batch) for batch in line.store.batches] == [1, 4]


async def test_a_few_records_wait_for_more(connect: Connect):
    line = connect(linger=60.0)
    line.shipper.start()
    line.append_range(1, 1)
    await line.shipper.caught_up()
    for sequence in range(2, 6):
        line.append_range(sequence, sequence)
        await line.own.settled(sequence)
    await line.shipper.stop(10)
    assert [len(batch) for batch in line.store.batches] == [1, 4]


async def test_after_an_outage_everything_is_there(connect: Connect):
    line = connect()
    line.store.down = True
    with capture_logs() as logs:
        line.shipper.start()
        line.append_range(1, 500)
        for _ in range(3):
            await line.store.tried()
        assert line.store.records == {}
        assert line.shipper.down_since is not None
        assert line.shipper.lag_records == 500
        # The records say when they were made.
        assert line.shipper.lag_seconds == pytest.approx(time.time() - 1001.0, abs=60)
        line.store.down = False
        await line.shipper.caught_up()
    assert line.store.sequences() == list(range(1, 501))
    assert line.shipper.down_since is None
    assert line.shipper.lag_seconds == 0.0
    assert line.metrics.outages == 1
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
    assert logs[0]["error"] == "connection refused"
    assert logs[1]["seconds"] >= 0
    assert logs[1]["records"] == 500


async def test_the_pauses_of_an_outage_grow(connect: Connect, monkeypatch: pytest.MonkeyPatch):
    line = connect(first_delay=0.2, longest_delay=1.0)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        line.store.down = len(pauses) < 6

    monkeypatch.setattr(line.shipper, "_pause", pause)
    line.store.down = True
    with capture_logs():
        line.shipper.start()
        line.append_range(1, 3)
        await line.shipper.caught_up()
    for seconds, longest in zip(pauses, (0.2, 0.4, 0.8, 1.0, 1.0, 1.0), strict=False):
        assert longest / 2 <= seconds <= longest


async def test_a_batch_whose_answer_was_lost_is_there_once(connect: Connect):
    line = connect()
    line.store.forgets_to_answer = 2
    with capture_logs():
        line.shipper.start()
        line.append_range(1, 20)
        await line.shipper.caught_up()
    assert line.store.sequences() == list(range(1, 21))
    assert line.metrics.stored == 20
    assert line.metrics.repeated > 0


async def test_a_store_that_fails_otherwise_is_tried_again(connect: Connect):
    line = connect()
    failures = [KeyError("a fault"), OSError(errno.ECONNRESET, "reset")]
    real = line.store.write

    async def write(records: Any) -> int:
        if failures:
            raise failures.pop(0)
        return await real(records)

    line.store.write = write  # type: ignore[method-assign]
    with capture_logs() as logs:
        line.shipper.start()
        line.append_range(1, 3)
        await line.shipper.caught_up()
    assert line.store.sequences() == [1, 2, 3]
    assert isinstance(logs[0]["exc_info"], KeyError)
    assert line.metrics.refused == 0


async def test_a_slow_store_has_one_batch_at_a_time(connect: Connect):
    line = connect()
    line.store.gate.clear()
    line.shipper.start()
    line.append_range(1, 10)
    await line.store.tried()
    line.append_range(11, 20)
    await line.own.settled(20)
    assert len(line.store.batches) == 1
    assert line.own.trimmed == 0
    line.store.gate.set()
    await line.shipper.caught_up()
    assert line.store.sequences() == list(range(1, 21))


@pytest.mark.parametrize("refused", [{1}, {37}, {100}, {1, 100}, {50, 51, 52}, set(range(1, 101))])
async def test_what_is_refused_stands_in_the_file_and_nothing_else(connect: Connect, refused: set[int]):
    line = connect()
    line.store.refuses = lambda one: one.sequence in refused
    line.append_range(1, 100)
    await line.own.settled(100)
    with capture_logs() as logs:
        line.shipper.start()
        await line.shipper.caught_up()
    assert line.store.sequences() == [sequence for sequence in range(1, 101) if sequence not in refused]
    kept = [json.loads(one) for one in line.shipper.refusals.path.read_text().splitlines()]
    assert [one["sequence"] for one in kept] == sorted(refused)
    assert kept[0]["reason"] == f"value out of range in {min(refused)}"
    assert line.metrics.refused == len(refused)
    assert line.metrics.stored == 100 - len(refused)
    assert sum(entry["log_level"] == "error" for entry in logs) == len(refused)
    if len(refused) == 1:
        assert len(line.store.batches) <= 2 * 7 + 1


async def test_an_outage_while_the_refused_one_is_looked_for(connect: Connect):
    line = connect()
    real = line.store.write
    calls = 0

    async def write(records: Any) -> int:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise StoreDown("now and then")
        return await real(records)

    line.store.write = write  # type: ignore[method-assign]
    line.store.refuses = lambda one: one.sequence == 5
    line.append_range(1, 16)
    await line.own.settled(16)
    with capture_logs():
        line.shipper.start()
        await line.shipper.caught_up()
    assert line.store.sequences() == [sequence for sequence in range(1, 17) if sequence != 5]
    assert len(line.shipper.refusals.path.read_text().splitlines()) == 1


async def test_bytes_that_are_no_record_hold_up_nobody(connect: Connect):
    line = connect()
    line.append_range(1, 2)
    line.own.append(b"\xc1 no record")
    line.append_range(3, 4)
    with capture_logs():
        line.shipper.start()
        await line.shipper.caught_up()
    assert line.store.sequences() == [1, 2, 3, 4]
    assert "bytes" in line.shipper.refusals.path.read_text()
    assert line.metrics.refused == 1


async def test_what_others_left_behind_goes_first_and_its_folder_goes(connect: Connect, tmp_path: Path):
    dead = [open_spools(tmp_path, max_bytes=1 << 20) for _ in range(3)]
    for number, spools in enumerate(dead):
        for sequence in range(1, 301):
            spools.own.append(packed(record(sequence, room=f"room {number}")))
    for spools in dead:
        await spools.close()
    with capture_logs():
        line = connect()
        assert len(line.spools.leftovers) == 2
        assert line.shipper.lag_records == 900
        line.append_range(1, 10)
        line.shipper.start()
        await line.shipper.caught_up()
    rooms = [room for room, _, _ in line.store.records]
    assert list(dict.fromkeys(rooms)) == ["room 1", "room 2", "room 0", "meadow"]
    for number in range(3):
        assert line.store.sequences(f"room {number}") == list(range(1, 301))
    assert names_in(tmp_path) == ["0001"]


async def test_stopping_ships_what_is_there(connect: Connect):
    line = connect(linger=60.0)
    line.shipper.start()
    line.append_range(1, 3)
    await line.shipper.caught_up()
    line.append_range(4, 2000)
    await line.shipper.stop(10)
    assert line.store.sequences() == list(range(1, 2001))


async def test_what_is_not_shipped_in_time_is_shipped_at_the_next_start(connect: Connect):
    line = connect()
    line.store.gate.clear()
    line.shipper.start()
    line.append_range(1, 30)
    await line.store.tried()
    with capture_logs() as logs:
        await line.shipper.stop(0.01)
    await line.spools.close()
    assert [(entry["log_level"], entry["records"]) for entry in logs] == [("warning", 30)]
    after = connect()
    after.shipper.start()
    await after.shipper.caught_up()
    assert after.store.sequences() == list(range(1, 31))


async def test_stopping_does_not_wait_for_a_pause_to_end(connect: Connect):
    line = connect(first_delay=60.0, longest_delay=60.0)
    line.store.down = True
    with capture_logs():
        line.shipper.start()
        line.append_range(1, 3)
        await line.store.tried()
        line.store.down = False
        stopping = asyncio.create_task(line.shipper.stop(60.0))
        await line.store.tried()
        await line.shipper.caught_up()
        await stopping
    assert line.store.sequences() == [1, 2, 3]


async def test_one_that_was_never_started_can_be_stopped(connect: Connect):
    await connect().shipper.stop(1.0)


async def test_a_spool_that_cannot_be_read_now_is_read_later(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    line = connect()
    real, errors = line.own.read, [OSError(errno.EMFILE, "Too many open files")] * 3

    def read(*arguments: int) -> Any:
        if errors:
            raise errors.pop()
        return real(*arguments)

    monkeypatch.setattr(line.own, "read", read)
    with capture_logs() as logs:
        line.shipper.start()
        line.append_range(1, 3)
        await line.shipper.caught_up()
    assert line.store.sequences() == [1, 2, 3]
    assert [entry["log_level"] for entry in logs] == ["error"] * 3


async def test_a_fault_of_ours_does_not_end_the_shipper(connect: Connect, monkeypatch: pytest.MonkeyPatch):
    line = connect()
    real, faults = line.own.read, [ZeroDivisionError("a fault")]

    def read(*arguments: int) -> Any:
        if faults:
            raise faults.pop()
        return real(*arguments)

    monkeypatch.setattr(line.own, "read", read)
    with capture_logs() as logs:
        line.shipper.start()
        line.append_range(1, 3)
        await line.shipper.caught_up()
    assert line.store.sequences() == [1, 2, 3]
    assert [entry["log_level"] for entry in logs] == ["error"]


@settings(max_examples=30, deadline=None)
@given(
    rooms=st.lists(st.sampled_from("abc"), min_size=1, max_size=60),
    fates=st.lists(st.sampled_from(["kept", "down", "forgotten"]), max_size=12),
    refused=st.sets(st.integers(0, 59), max_size=4),
    max_records=st.integers(1, 20),
    restart_after=st.integers(0, 12),
)
def test_whatever_happens_all_is_there_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    rooms: list[str],
    fates: list[str],
    refused: set[int],
    max_records: int,
    restart_after: int,
):
    """The store goes and comes, forgets to answer, and refuses; the shipper is ended in the middle and begun anew."""
    root = tmp_path_factory.mktemp("spool")
    records = [record(sequence, room=room) for sequence, room in enumerate(rooms)]
    store = MemoryStore()
    store.refuses = lambda one: one.sequence in refused
    real = store.write
    enough: asyncio.Event

    async def write(batch: Any) -> int:
        fate = fates.pop() if fates else "kept"
        store.down, store.forgets_to_answer = fate == "down", fate == "forgotten"
        if len(store.batches) >= restart_after:
            enough.set()
        return await real(batch)

    store.write = write  # type: ignore[method-assign]

    async def part(appended: list[Record], *, to_the_end: bool) -> None:
        nonlocal enough
        enough = asyncio.Event()
        line = Line(root, max_records=max_records)
        line.shipper._store = store
        line.append(*appended)
        line.shipper.start()
        waits = [asyncio.create_task(line.shipper.caught_up())]
        if not to_the_end:
            waits.append(asyncio.create_task(enough.wait()))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await line.close()

    with capture_logs():
        asyncio.run(part(records, to_the_end=False))
        asyncio.run(part([], to_the_end=True))
    for room in "abc":
        wanted = [one.sequence for one in records if one.room == room and one.sequence not in refused]
        assert store.sequences(room) == wanted
