"""Instances as operators run them: processes of `monkeytown run` that meet at one Redis, to be killed, paused and stopped.

    with Instances(2, game, redis_url, folder) as instances:
        one, other = instances
        one.kill()                  # as `kill -9` does it
        other.pause()               # as if its machine had frozen
        other.resume()
        assert other.stop() == 0    # as an operator does it

Knows processes, and the `/health` and `/metrics` of a server.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["SECRET", "Instance", "Instances", "free_port"]

SECRET = "a secret of instances that are only tested"
PATIENCE = 30.0
PORTS = range(20_000, 29_000)
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Instance:
    """One process. `before` is put in front of its command; `settings` are MONKEYTOWN_* variables."""

    def __init__(
        self, games: Sequence[str | Path], folder: Path, *, before: Sequence[str] = (), **settings: object
    ) -> None:
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}/ws"
        self.log = folder / "log"
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [*before, sys.executable, "-m", "monkeytown", "run"]
        self._command += [*map(str, games), "--port", str(self.port)]
        given = {
            "secret": SECRET,
            "data_folder": folder,
            "database_url": "none",
            "log_level": "info",
            **settings,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MONKEYTOWN_")}
        self._environment = kept | {f"MONKEYTOWN_{name.upper()}": str(value) for name, value in given.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Returns at once."""
        assert self._process is None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
            )

    def wait(self) -> None:
        """Returns once it is ready."""
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            assert self.runs, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.02)

    def start(self) -> None:
        self.launch()
        self.wait()

    def is_ready(self) -> bool:
        return self.get("/health/ready") is not None

    def get(self, path: str) -> str | None:
        """What it answers; None if it does not, or not with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        lines = (self.get("/metrics") or "").splitlines()
        found = [line for line in lines if line.startswith((f"monkeytown_{name} ", f"monkeytown_{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    def ended(self) -> int:
        """Its exit code, once it has stopped."""
        assert self._process is not None
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def stop(self) -> int:
        self.terminate()
        return self.ended()


class Instances:
    """Several, for as long as the block lasts."""

    def __init__(
        self, count: int, games: Sequence[str | Path], redis_url: str, folder: Path, **settings: object
    ) -> None:
        common = {"redis_url": redis_url, "redis_prefix": f"{folder.name[:40]}:"} | settings
        self.all = [
            Instance(games, folder / str(number), instance_name=f"i{number}", **common)
            for number in range(count)
        ]

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.all)

    def __getitem__(self, number: int) -> Instance:
        return self.all[number]

    def __enter__(self) -> Self:
        for one in self.all:
            one.launch()
        for one in self.all:
            one.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self.all:
            if one.runs:
                one.kill()
