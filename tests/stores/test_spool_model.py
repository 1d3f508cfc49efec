"""The spool against a model: whatever is appended, settled, trimmed, restarted and cut off, what was durable is there, once.

A crash is a copy of the folder in which what was written since the last sync ends at any byte, with or without rubbish behind
it, and in which files that were deleted since may be back.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from monkeytown.stores.segments import segments_in
from monkeytown.stores.spool import Spool

SEGMENT = 150
TAILS = [b"", b"\x00", bytes(100), b"\xff" * 30, b"\x03\x00\x00\x00\x00\x00\x00\x00abc"]


class SpoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="spool-"))
        self.runner = asyncio.Runner()
        self.folders = (self.root / str(number) for number in itertools.count())
        self.records: dict[int, bytes] = {}
        """All that may be there, by number."""
        self.durable = 0
        self.trimmed = 0
        self.logs: Any = capture_logs()

    @initialize()
    def start(self) -> None:
        self.logs.__enter__()
        self.open(next(self.folders))

    def open(self, folder: Path) -> None:
        async def make() -> Spool:
            return Spool(folder, max_bytes=1 << 20, segment_bytes=SEGMENT, pace=0.0)

        self.folder = folder
        self.spool = self.runner.run(make())
        self.synced = files(folder)

    @rule(size=st.integers(1, 120), times=st.integers(1, 4))
    def append(self, size: int, times: int) -> None:
        async def add() -> None:
            for _ in range(times):
                record = b"%d:" % (self.spool.last + 1) + b"x" * size
                number = self.spool.append(record)
                assert number == max(self.records, default=0) + 1
                self.records[number] = record

        self.runner.run(add())

    @rule()
    def settle(self) -> None:
        self.runner.run(self.spool.settled(self.spool.last))
        self.durable = self.spool.last
        self.synced = files(self.folder)

    @rule(part=st.floats(0, 1))
    def trim(self, part: float) -> None:
        async def trim() -> None:
            self.spool.trim(round(self.durable * part))

        self.runner.run(trim())
        self.trimmed = max(self.trimmed, self.spool.trimmed)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.spool.close())
        self.durable = max(self.records, default=0)
        self.open(self.folder)
        assert self.spool.trimmed == self.trimmed
        assert self.spool.last == self.durable

    @rule(
        part=st.floats(0, 1),
        tail=st.sampled_from(TAILS),
        restored=st.booleans(),
        position=st.sampled_from(["old", "new", "none"]),
    )
    def crash(self, part: float, tail: bytes, restored: bool, position: str) -> None:
        before = self.synced
        self.runner.run(self.spool.settled(self.spool.last))
        after = files(self.folder)
        self.runner.run(self.spool.close())
        folder = next(self.folders)
        folder.mkdir()
        if restored:
            after |= {name: data for name, data in before.items() if name not in after}
        write_cut(folder, before, after, part, tail)
        saved = {"old": before, "new": after, "none": {}}[position].get("position")
        if saved is not None:
            (folder / "position").write_bytes(saved)
        self.open(folder)
        self.recovered()

    def recovered(self) -> None:
        """What was durable is there; of the rest there is a beginning; nothing else."""
        assert self.spool.trimmed <= self.trimmed
        found = self.all()
        assert all(self.records[number] == record for number, record in found.items())
        missing = set(range(self.trimmed + 1, self.durable + 1)) - found.keys()
        assert not missing, f"{missing} were durable"
        newest = max([*found, self.durable])
        assert set(range(self.durable + 1, newest + 1)) <= found.keys()
        assert self.spool.last == newest
        self.records = {number: record for number, record in self.records.items() if number <= newest}
        self.durable = newest
        self.trimmed = self.spool.trimmed

    def all(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        after = self.spool.trimmed
        while after < self.spool.durable:
            batch = self.spool.read(after, 7, 1000)
            assert batch.last > after
            for number, record in enumerate(batch.records, batch.first):
                assert number not in found
                found[number] = record
            after = batch.last
        return found

    @precondition(lambda self: hasattr(self, "spool"))
    @invariant()
    def what_is_durable_can_be_read(self) -> None:
        durable = self.spool.durable
        assert self.durable <= durable <= self.spool.last
        found = self.all()
        assert all(self.records[number] == record for number, record in found.items())
        assert set(range(self.trimmed + 1, durable + 1)) <= found.keys()

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.runner.run(self.spool.close())
            self.logs.__exit__(None, None, None)
        self.runner.close()
        shutil.rmtree(self.root)


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder. The spool's thread may delete segments meanwhile, oldest first: so these are read last."""
    found = {}
    for path in (*sorted(folder.glob("*.segment"), reverse=True), folder / "position"):
        with suppress(FileNotFoundError):
            found[path.name] = path.read_bytes()
    return found


def write_cut(
    folder: Path, before: dict[str, bytes], after: dict[str, bytes], part: float, tail: bytes
) -> None:
    """The segments of `after`, as if of what came since `before` only that part had reached the disk, and then rubbish."""
    names = sorted(name for name in after if name != "position")
    left = round(part * sum(len(after[name]) - len(before.get(name, b"")) for name in names))
    for name in names:
        data, known = after[name], len(before.get(name, b""))
        assert data[:known] == before.get(name, b""), "what is on disk never changes"
        new = min(left, len(data) - known)
        left -= new
        if known + new < len(data):
            (folder / name).write_bytes(data[: known + new] + tail)
            break
        (folder / name).write_bytes(data)
    assert segments_in(folder) or not names


SpoolMachine.TestCase.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSpool = SpoolMachine.TestCase
