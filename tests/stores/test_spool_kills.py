"""A process that is killed while it appends has lost nothing that it was told is on disk."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

from structlog.testing import capture_logs

from monkeytown.stores.spool import Spool

ROOT = Path(__file__).parents[2]
KILLS = 30
SEGMENT_BYTES = 1 << 18

# Says which record it begins with, and then up to where all is on disk, until it is no more.
APPEND = """
import asyncio, os, sys
from pathlib import Path
from monkeytown.stores.spool import Spool
from tests.stores.test_spool_kills import content

async def main(folder, segment_bytes):
    spool = Spool(Path(folder), max_bytes=1 << 30, segment_bytes=int(segment_bytes))
    os.write(1, b"%d\\n" % spool.last)
    spool.on_durable.append(lambda number: os.write(1, b"%d\\n" % number))
    while True:
        for _ in range(25):
            assert spool.append(content(spool.last + 1))
        await asyncio.sleep(0.001)

asyncio.run(main(*sys.argv[1:]))
"""


def content(number: int) -> bytes:
    """Mostly small, sometimes so large that a kill may come in the middle of writing it."""
    return b"%d:" % number + bytes([number % 251]) * (200_000 if number % 500 == 0 else number % 300)


def append_and_kill(folder: Path, seconds: float) -> tuple[int, int]:
    """The newest record at the start of a process, and the last one that it said is on disk before it was killed."""
    command = [sys.executable, "-c", APPEND, folder, str(SEGMENT_BYTES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        first = int(process.stdout.readline())
        time.sleep(seconds)
        process.kill()
        *_, last = [first, *(int(line) for line in process.stdout if line.endswith(b"\n"))]
    return first, last


async def look(folder: Path, after: int) -> int:
    """Reads what came behind record `after`, sees that it is what it should be, and returns the number of the last one."""
    spool = Spool(folder, max_bytes=1 << 30, segment_bytes=SEGMENT_BYTES)
    while after < spool.durable:
        batch = await asyncio.to_thread(spool.read, after, 1000, 1 << 20)
        assert batch.first == after + 1
        for number, record in enumerate(batch.records, batch.first):
            assert record == content(number)
        after = batch.last
    assert after == spool.last
    spool.trim(after)
    await spool.close()
    return after


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path):
    dice = random.Random()
    last, acknowledged = 0, 0
    with capture_logs() as logs:
        for _ in range(KILLS):
            first, told = append_and_kill(tmp_path / "0001", dice.uniform(0.0, 0.08))
            assert first == last
            last = asyncio.run(look(tmp_path / "0001", first))
            assert told <= last
            acknowledged += told - first
    assert acknowledged > KILLS
    # Ends that were only half written are no damage.
    assert all(line["log_level"] == "warning" for line in logs)
