"""The server that tests start: it ends with them, however they end, and can be frozen and crashed."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests import postgres as postgresql
from tests.postgres import Postgres

START_AND_WAIT = """
    import sys, time
    from pathlib import Path
    from tests.postgres import Postgres, find
    with Postgres(Path(sys.argv[1]), find()) as server:
        print(server.port, flush=True)
        time.sleep(600)
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_run_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    port = await asyncio.to_thread(port_of_a_killed_run, tmp_path)
    async with asyncio.timeout(30):
        while True:
            if not listens(port):
                return
            await asyncio.sleep(0.05)


def port_of_a_killed_run(folder: Path) -> int:
    command = [sys.executable, "-c", dedent(START_AND_WAIT), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert listens(port)
        process.kill()
    return port


async def test_each_database_is_another(postgres: Postgres) -> None:
    assert await postgres.database() != await postgres.database()
    assert 20_000 <= postgres.port < 30_000


async def test_what_was_committed_outlives_a_crash(postgres: Postgres) -> None:
    name = (await postgres.database()).rpartition("/")[2]
    await postgres.run("CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)", database=name)
    postgres.pause()
    postgres.stop()
    assert not listens(postgres.port)
    postgres.start()
    assert await postgres.run("SELECT x FROM t", database=name) == [(7,)]


def test_the_folder_of_the_programs_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONKEYTOWN_TEST_POSTGRES", "/opt/postgresql/bin")
    assert postgresql.find() == Path("/opt/postgresql/bin")
    monkeypatch.delenv("MONKEYTOWN_TEST_POSTGRES")
    found = postgresql.find()
    assert found
    assert os.access(found / "initdb", os.X_OK)
