"""The servers that tests start: they end with them, however they end, and can be frozen and killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from tests import redis
from tests.redis import RedisCluster, RedisServer

START_AND_WAIT = """
    import sys, time
    from pathlib import Path
    from tests.redis import RedisServer, find
    with RedisServer(Path(sys.argv[1]), find()) as server:
        print(server.port, flush=True)
        time.sleep(600)
"""


@pytest.fixture
def program() -> Path:
    """The server's."""
    found = redis.find()
    if found is None:
        pytest.fail(redis.HOW_TO_INSTALL)
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_run_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", dedent(START_AND_WAIT), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert listens(port)
        process.kill()
    deadline = time.monotonic() + 30
    while listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_is_killed_comes_back_empty_at_the_same_port(tmp_path: Path, program: Path) -> None:
    with RedisServer(tmp_path, program) as server:
        assert 20_000 <= server.port < 30_000
        server.run("SET", "key", "value")
        assert server.run("GET", "key") == "value"
        server.pause()
        server.stop()
        server.stop()
        assert not listens(server.port)
        server.start()
        assert server.run("GET", "key") is None
    assert not listens(server.port)


def test_a_frozen_server_takes_connections_and_answers_once_it_goes_on(tmp_path: Path, program: Path) -> None:
    with RedisServer(tmp_path, program) as server:
        server.pause()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"PING\r\n")
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(10)
            server.resume()
            connection.settimeout(30)
            assert connection.recv(10) == b"+PONG\r\n"


def test_flags_are_handed_on_and_refusals_are_told(tmp_path: Path, program: Path) -> None:
    with (
        RedisServer(tmp_path, program, "--requirepass", "sesame") as server,
        pytest.raises(RuntimeError, match="NOAUTH"),
    ):
        server.run("GET", "key")
    assert server.url(user="ape", password="x", database=3, port=7) == "redis://ape:x@127.0.0.1:7/3"


def test_a_server_that_does_not_start_says_why(tmp_path: Path, program: Path) -> None:
    server = RedisServer(tmp_path, program, "--no-such-option", "yes")
    with pytest.raises(RuntimeError, match="did not start"):
        server.start()


def test_a_cluster_is_well_and_its_slots_can_be_moved(tmp_path: Path, program: Path) -> None:
    with RedisCluster(tmp_path, program) as cluster:
        assert {cluster.owner(str(number)) for number in range(50)} == set(cluster.nodes)
        owner = cluster.owner("town")
        other = next(node for node in cluster.nodes if node is not owner)
        cluster.move("town", other)
        assert cluster.owner("town") is other
        assert other.run("SPUBLISH", "town", "x") == 0


def test_the_program_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONKEYTOWN_TEST_REDIS", "/opt/redis-server")
    assert redis.find() == Path("/opt/redis-server")
    monkeypatch.delenv("MONKEYTOWN_TEST_REDIS")
    monkeypatch.setenv("PATH", "")
    shipped = redis.find()
    assert shipped
    assert os.access(shipped, os.X_OK)
