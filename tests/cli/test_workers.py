"""`monkeytown run --workers` as an operator uses it: several processes behind one port, which die and stop."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from monkeytown.client import Client, Room, connect
from tests.cli.command import COMMAND, environment, monkeytown
from tests.instances import SECRET, free_port

PATIENCE = 30.0
CHECKPOINTED = 1.5
"""Seconds after which what has happened is in a checkpoint."""

ABOUT = re.compile(r'^monkeytown_instance_info\{id="([^"]+)",name="([^"]+)"\} 1', re.MULTILINE)
OPEN = re.compile(r"^monkeytown_connections_open (\d+)", re.MULTILINE)


class Workers:
    """Two workers of Jungle, and the process that watches them."""

    def __init__(self, redis_url: str, folder: Path, **variables: str) -> None:
        self.port = three_free_ports()
        self.log = folder / "log"
        settings = {"REDIS_URL": redis_url, "REDIS_PREFIX": f"{uuid4().hex}:", "DATABASE_URL": "none"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "jungle", "--workers", "2", "--port", str(self.port)],
                env=environment(
                    **{f"MONKEYTOWN_{name}": value for name, value in settings.items()}, **variables
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def get(self, worker: int, path: str) -> str:
        """What a worker answers at its own port; nothing if it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port + worker}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def about(self, worker: int) -> tuple[str, str]:
        """A worker's id and name."""
        found = ABOUT.search(self.get(worker, "/metrics"))
        assert found, self.log.read_text()
        return found[1], found[2]

    def connections(self, worker: int) -> int:
        found = OPEN.search(self.get(worker, "/metrics"))
        assert found, self.log.read_text()
        return int(found[1])

    def wait(self) -> None:
        """Returns once both are ready."""
        deadline = time.monotonic() + PATIENCE
        while not (self.get(1, "/health/ready") and self.get(2, "/health/ready")):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def children(self) -> list[int]:
        """The processes of both, in the order in which they were started."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


def three_free_ports() -> int:
    """The first of them; the others follow."""
    while True:
        port = free_port()
        with ExitStack() as stack:
            try:
                for number in range(3):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port + number))
            except OSError:
                continue
            return port


@pytest.fixture
def workers(redis_url: str, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(redis_url, tmp_path, MONKEYTOWN_SECRET=SECRET)
    try:
        started.wait()
        yield started
    finally:
        if started.process.poll() is None:
            started.stop()


async def in_thread(call: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


async def players(workers: Workers, stack: AsyncExitStack) -> dict[int, tuple[Client, Room]]:
    """One player at each worker: the kernel says who comes where, so as many come as it takes."""
    found: dict[int, tuple[Client, Room]] = {}
    async with asyncio.timeout(PATIENCE):
        while len(found) < 2:
            before = await in_thread(workers.connections, 1)
            client = await connect(f"ws://127.0.0.1:{workers.port}/ws", name=f"player {len(found)}")
            stack.push_async_callback(client.close)
            worker = 1 if await in_thread(workers.connections, 1) > before else 2
            if worker not in found:
                found[worker] = client, await client.join("jungle")
            else:
                await client.close()
    return found


async def plays(room: Room, seconds: float = PATIENCE) -> None:
    """What the player steers is acknowledged."""
    seen = room.input_seen
    async with asyncio.timeout(seconds):
        while room.input_seen < seen + 5:
            room.input(turn=1.0)
            await asyncio.sleep(1 / 30)


def test_each_answers_at_a_port_of_its_own(workers: Workers):
    (one, first), (other, second) = workers.about(1), workers.about(2)
    assert one != other
    assert first == f"127.0.0.1:{workers.port + 1}"
    assert second == f"127.0.0.1:{workers.port + 2}"
    with urllib.request.urlopen(f"http://127.0.0.1:{workers.port}/health/ready", timeout=5) as answer:
        assert answer.status == 200


async def test_players_of_all_workers_are_in_one_room(workers: Workers):
    async with AsyncExitStack() as stack:
        found = await players(workers, stack)
        rooms = [room for _, room in found.values()]
        assert rooms[0].id == rooms[1].id
        for room in rooms:
            await plays(room)
        assert {monkey.name for monkey in rooms[0].tables["monkeys"]} == {"player 0", "player 1"}


async def test_one_that_dies_is_started_again_and_its_players_come_back(workers: Workers):
    async with AsyncExitStack() as stack:
        found = await players(workers, stack)
        for _, room in found.values():
            await plays(room)
        await asyncio.sleep(CHECKPOINTED)
        (client, room), (_, others) = found[1], found[2]
        lost: list[Any] = []
        back: list[Any] = []
        others.on("reconnecting", lost.append)
        client.on("reconnected", back.append)
        monkey = room.entity
        assert monkey is not None
        before = workers.about(1)
        monkeys = {one.id for one in others.tables["monkeys"]}
        os.kill(workers.children()[0], signal.SIGKILL)
        await plays(others, 8)
        async with asyncio.timeout(PATIENCE):
            while not back:  # noqa: ASYNC110 - it is told by a callback
                await asyncio.sleep(0.05)
        await plays(room)
        assert {one.id for one in others.tables["monkeys"]} == monkeys
        assert room.entity is not None
        assert room.entity.id == monkey.id
        assert not lost
        await in_thread(workers.wait)
        after = workers.about(1)
        assert (after[1], after[0] != before[0]) == (before[1], True)
        assert "a worker has died" in workers.log.read_text()


def test_all_stop_together_which_is_no_failure(workers: Workers):
    pids = workers.children()
    assert len(pids) == 2
    assert workers.stop() == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert "a worker has died" not in workers.log.read_text()


def test_on_loopback_they_share_a_secret_that_nobody_has_to_make(redis_url: str, tmp_path: Path):
    started = Workers(redis_url, tmp_path)
    try:
        started.wait()
    finally:
        assert started.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "why"),
    [
        (["--port", "8000"], {}, "--workers needs MONKEYTOWN_REDIS_URL"),
        (["--port", "0"], {"MONKEYTOWN_REDIS_URL": "redis://127.0.0.1:1"}, "--workers needs a --port"),
        (["--reload"], {}, "--reload is for one process"),
        (
            ["--port", "65535"],
            {"MONKEYTOWN_REDIS_URL": "redis://127.0.0.1:1"},
            "--workers 2 needs ports up to 65537",
        ),
        (["--host", "0.0.0.0"], {"MONKEYTOWN_REDIS_URL": "redis://127.0.0.1:1"}, "needs MONKEYTOWN_SECRET"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    arguments: list[str], variables: dict[str, str], why: str
):
    done = monkeytown("run", "jungle", "--workers", "2", *arguments, **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("monkeytown: ")
    assert why in done.stderr


def test_what_keeps_all_from_starting_ends_all_with_exit_code_2(tmp_path: Path):
    """Whoever typed it reads why, instead of a new try every few seconds."""
    arguments = ["--workers", "2", "--port", str(three_free_ports())]
    away = {"MONKEYTOWN_REDIS_URL": "redis://127.0.0.1:1", "MONKEYTOWN_DATABASE_URL": "none"}
    done = monkeytown("run", "jungle", *arguments, **away)
    assert done.returncode == 2
    assert "monkeytown: redis://127.0.0.1:1: " in done.stderr
    (tmp_path / "broken.py").write_text("class Dots(:\n")
    done = monkeytown("run", "broken.py", *arguments, cwd=tmp_path, **away)
    assert done.returncode == 2
    assert "broken.py:1: invalid syntax" in done.stderr
