"""A Redis of its own for instances that are to lose it: it can be killed, and come back empty; paused; asked.

Knows processes and enough of Redis' protocol for a command and its reply.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.instances import free_port
from tests.redis import HOW_TO_INSTALL, find

__all__ = ["RedisServer"]

PATIENCE = 10.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class RedisServer:
    """`redis-server`, which keeps nothing on disk, and ends with the thread that has started it."""

    def __init__(self, folder: Path) -> None:
        program = find()
        if program is None:
            pytest.fail(HOW_TO_INSTALL)
        self.port = free_port()
        self._folder = folder
        self._command = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Returns once it answers; it is empty."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError):
                if self.ask("PING") == "+PONG":
                    return
            assert time.monotonic() < deadline, (self._folder / "redis.log").read_text()[-2000:]
            time.sleep(0.02)

    def kill(self) -> None:
        """At once, as if its machine had died; also while it is paused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def ask(self, *words: str | bytes) -> str:
        """The reply as it stands on the wire, without its last line end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            parts = [word.encode() if isinstance(word, str) else word for word in words]
            bulks = [b"$%d\r\n%s\r\n" % (len(part), part) for part in parts]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(bulks))
            connection.shutdown(socket.SHUT_WR)
            reply = b""
            while data := connection.recv(65536):
                reply += data
        return reply.decode(errors="replace").removesuffix("\r\n")
