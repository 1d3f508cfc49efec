"""Running `benchmarks.inside` on the server's core, and asking it how it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.load_run import SERVER_CORE, answers, free_port

__all__ = ["Asked", "inside"]

PATIENCE = 120.0  # seconds


class Asked:
    """A server process that answers: see `benchmarks.inside`."""

    def __init__(self, running: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self.pid = running.pid
        self._running = running

    def ask(self, request: str = "report") -> dict[str, Any]:
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(request + "\n")
        self._running.stdin.flush()
        answer: dict[str, Any] = json.loads(self._running.stdout.readline())
        return answer

    def await_players(self, players: int) -> dict[str, Any]:
        """Until so many are in, and what the server says then."""
        return self._await("players", players)

    def await_joins(self, joins: int) -> dict[str, Any]:
        """The same for those who have come since the server began, whether or not they are still there."""
        return self._await("joins", joins)

    def _await(self, what: str, number: int) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        late = 0.0
        while True:
            answer = self.ask()
            answer["late_ms"] = late = max(late, answer["late_ms"])
            if answer[what] == number:
                return answer
            assert time.monotonic() < deadline, f"{answer[what]} {what} of {number}"
            time.sleep(0.1)


@contextmanager
def inside(game: str, **settings: object) -> Iterator[Asked]:
    """A server of one game of `benchmarks.inside`, for a load that acknowledges nothing."""
    port = free_port()
    environment = {"port": port, "ack_window": 0, "max_stride": 1, "log_level": "error", "seat_seconds": 0}
    environment |= settings
    with subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "benchmarks.inside", game],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {f"MONKEYTOWN_{name.upper()}": str(value) for name, value in environment.items()},
    ) as running:
        try:
            deadline = time.monotonic() + 20
            while not answers(port):
                assert running.poll() is None, "the server did not start"
                assert time.monotonic() < deadline, f"nothing listens on port {port}"
                time.sleep(0.05)
            yield Asked(running, port)
        finally:
            running.terminate()
