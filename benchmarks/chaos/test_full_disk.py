"""A disk that is full under the spool while people play: what is taken in meanwhile waits in memory, and none is lost."""

from __future__ import annotations

import asyncio
import errno
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.postgres import Postgres

from benchmarks.chaos.crowd import on_the_loads_core
from benchmarks.chaos.outages import Away, Outage, check, outage, tell
from benchmarks.chaos.town import Town

# Root may mount in a namespace of its own; others may where the kernel lets them be root in one.
NAMESPACES = (("unshare", "--mount"), ("unshare", "--mount", "--map-root-user"))
MOUNT = 'mkdir -p "$0" && mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
PIECE = bytes(4096)


def small_file_system(folder: Path) -> Sequence[object]:
    """What to put before a command that is to see a file system of four megabytes at `folder`."""
    for namespace in NAMESPACES:
        command = [*namespace, "sh", "-c", MOUNT, str(folder)]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.fail("a file system that can be full cannot be mounted here: run this as root")


def full_disk(town: Town) -> Away:
    """Something else takes all the room that there is, and is deleted."""
    filler = town.spool / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(PIECE)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    return Away(fill, filler.unlink)


@pytest.mark.benchmark(group="chaos")
def test_a_disk_that_is_full(benchmark: Any, quick: bool, postgres: Postgres, tmp_path: Path) -> None:
    seconds, calm = (3.0, 2.0) if quick else (30.0, 30.0)

    def run() -> Outage:
        with on_the_loads_core():
            url = asyncio.run(postgres.database())
            with Town(tmp_path, url, before=small_file_system(tmp_path / "data" / "spool")) as town:
                return uvloop.run(outage(town, url, full_disk(town), seconds, calm))

    seen = benchmark.pedantic(run, rounds=1)
    check(seen, {"spool_failing": 1})
    assert seen.during["spool_errors_total"] > 0
    tell(f"The disk under the spool full for {seconds:g} s under 200 events a second", seen)
