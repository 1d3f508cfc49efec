"""A spool on a disk that is full, and then is not: run as a program, in a file system or under a limit of its own.

    python -m tests.stores.full_disk FOLDER tmpfs|limit

With `tmpfs` FOLDER is a file system of one megabyte, of which a file takes a part until it is deleted; with `limit` no file
of this process may become larger than that, until it may. Says what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

import structlog

from monkeytown.stores.journal import Journal
from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.segments import HEADER_BYTES, segments_in, split
from monkeytown.stores.spool import Spool

RECORDS = 1500
FILLER = 400 * 1024
LIMIT = 600 * 1024


def content(number: int) -> bytes:
    return b"%06d" % number + bytes(number % 1000)


class Full:
    """What makes the disk full."""

    def __init__(self, folder: Path, means: str) -> None:
        self.folder, self.means = folder, means
        if means == "tmpfs":
            (folder / "filler").write_bytes(bytes(FILLER))
        else:
            self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, self.before[1]))

    def end(self) -> None:
        if self.means == "tmpfs":
            (self.folder / "filler").unlink()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def read_all(spool: Spool) -> list[bytes]:
    records: list[bytes] = []
    after = 0
    while after < spool.durable:
        batch = spool.read(after, 1000, 1 << 20)
        assert batch.first == after + 1
        records += batch.records
        after = batch.last
    return records


def half_written(folder: Path) -> int:
    """Bytes behind the last whole record of each file."""
    rest = 0
    for segment in segments_in(folder):
        data = segment.path.read_bytes()
        rest += len(data) - HEADER_BYTES - split(data, HEADER_BYTES, segment.first, RECORDS).size
    return rest


async def run(folder: Path, means: str) -> dict[str, Any]:
    capture = structlog.testing.LogCapture()
    structlog.configure(processors=[capture])
    logs = capture.entries
    full = Full(folder, means)
    spool = Spool(
        folder / "0001", max_bytes=1 << 24, segment_bytes=1 << 18 if means == "tmpfs" else 1 << 22, retry=0.02
    )
    for number in range(1, RECORDS + 1):
        assert spool.append(content(number)) == number
        if number % 50 == 0:
            await asyncio.sleep(0.002)
    while spool.metrics.write_errors < 3:  # noqa: ASYNC110 -- a spool that fails tells who asks
        await asyncio.sleep(0.01)
    stuck = spool.durable
    said: dict[str, Any] = {
        "stuck_at": stuck,
        "failing": spool.failing_since is not None,
        "right_while_full": read_all(spool) == [content(number) for number in range(1, stuck + 1)],
        "errors": [entry["error"] for entry in logs if entry["log_level"] == "error"],
    }
    full.end()
    await spool.settled(RECORDS)
    said["failing_after"] = spool.failing_since is not None
    said["right_after"] = read_all(spool) == [content(number) for number in range(1, RECORDS + 1)]
    await spool.close()
    said["half_written"] = half_written(spool.folder)
    journal = Journal(spool.folder, 1 << 20, SpoolMetrics())
    said["last"] = journal.last
    journal.close()
    return said


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))))
