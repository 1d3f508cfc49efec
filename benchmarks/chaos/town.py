"""A server process of belfries that keeps what must last, on its core: to be started, killed, started again and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.issuer import Issuer
from benchmarks.load_run import SERVER_CORE, answers, free_port

__all__ = ["GAME", "Town"]

GAME = Path(__file__).parent / "belfry.py"
PATIENCE = 20.0
FIRST = ("nice", "-n", "-15")
"""Whatever else this machine does on the server's core gives way, where that may be asked for: lateness is to be the server's own."""


class Town:
    """`monkeytown run` with a data folder of its own, for as long as the block lasts.

    `before` is put in front of the command; `settings` are more MONKEYTOWN_* variables.
    """

    def __init__(
        self, folder: Path, database_url: str, *, before: Sequence[object] = (), **settings: object
    ) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self.spool = self.data / "spool"
        self.log = folder / "log"
        self.issuer = Issuer(folder)
        self._before = before
        self._process: subprocess.Popen[bytes] | None = None
        given = {"data_folder": self.data, "database_url": database_url, "guests": 0, "seat_seconds": 0}
        # What cannot be held is to show, so it does not send less often when it is too busy.
        given |= {"max_stride": 1, "log_level": "warning", **self.issuer.settings, **settings}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MONKEYTOWN_")}
        self._environment = kept | {f"MONKEYTOWN_{name.upper()}": str(value) for name, value in given.items()}

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Returns once it listens."""
        assert self._process is None
        command = ["taskset", "-c", SERVER_CORE, *FIRST, *self._before]
        command += [sys.executable, "-m", "monkeytown", "run", GAME, "--port", self.port]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command], env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while not answers(self.port):
            assert self._process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, f"nothing listens on port {self.port}"
            time.sleep(0.01)

    def kill(self) -> None:
        """As `kill -9` does it, or a machine without memory."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> int:
        """Asks it to stop, as an operator does; its exit code."""
        assert self._process
        self._process.terminate()
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()
