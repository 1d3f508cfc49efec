"""Several instances on one machine, behind one port: started, watched, started again when one dies, and stopped together.

Knows processes and signals. The workers are ordinary instances that meet through Redis; the kernel deals new connections out
among them (SO_REUSEPORT), and each listens on a port of its own beside, for whoever wants that one: metrics and probes.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

import structlog
from pydantic import SecretStr

from monkeytown.errors import StartError
from monkeytown.server.settings import MIN_SECRET_BYTES, Settings

__all__ = ["MAX_WORKERS", "Workers"]

log = structlog.get_logger()

MAX_WORKERS = 256
MAX_PORT = 65535

STOP_SECONDS = 28.0
"""After a worker was asked to stop, which it does within 25 seconds."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds before a worker that died is started again; twice as long each time it does not last."""

LASTED = 30.0
"""Seconds after which one that dies is started again as if it were the first time."""

CANNOT_START = 2
"""The exit code of a worker that has said why it cannot; if it never could, nor will it when it is started again."""

LOOK_SECONDS = 0.2
PR_SET_PDEATHSIG = 1


class _Worker:
    """One place among the workers, and the process that has it."""

    def __init__(self, number: int, command: Sequence[str], environment: dict[str, str]) -> None:
        self.number = number
        self._command = command
        self._environment = environment
        self._pause = FIRST_PAUSE
        self._started = 0.0
        self._due = 0.0
        self._starts = 0
        self.cannot_start = False
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._started = time.monotonic()
        self._starts += 1
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            preexec_fn=_with_parent,  # noqa: PLW1509 - there are no threads in this process
            start_new_session=True,
        )

    def look(self, now: float) -> None:
        """Starts it again, in its time, if it has died."""
        if self.process is not None and self.process.poll() is not None:
            lasted = now - self._started
            if self._starts == 1 and self.process.returncode == CANNOT_START:
                self.cannot_start = True
                return
            self._pause = FIRST_PAUSE if lasted > LASTED else min(self._pause * 2, LONGEST_PAUSE)
            self._due = now + self._pause
            log.error(
                "a worker has died", worker=self.number, code=self.process.returncode, lasted=round(lasted, 1)
            )
            self.process = None
        if self.process is None and now >= self._due:
            self.start()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()


class Workers:
    """`count` instances of the same games. On loopback they share a secret that is made for them if there is none.

    Raises `StartError`.
    """

    def __init__(self, count: int, games: Sequence[str], settings: Settings, flags: Sequence[str]) -> None:
        if not settings.redis_url.get_secret_value():
            raise StartError(
                "--workers needs MONKEYTOWN_REDIS_URL: that is how workers know of each other's rooms"
            )
        if settings.port == 0:
            raise StartError("--workers needs a --port: all workers share it")
        if settings.port + count > MAX_PORT:
            raise StartError(f"--workers {count} needs ports up to {settings.port + count}, one for each")
        secret = settings.secret.get_secret_value()
        if not secret and settings.on_loopback:
            secret = secrets.token_urlsafe(MIN_SECRET_BYTES)
        settings.model_copy(update={"secret": SecretStr(secret)}).check()
        self._stopping = False
        self._workers = []
        for number in range(1, count + 1):
            own_port = settings.port + number
            environment = os.environ | {
                "MONKEYTOWN_SECRET": secret,
                "MONKEYTOWN_INSTANCE_NAME": f"{settings.instance_name or settings.host}:{own_port}",
                "MONKEYTOWN_OWN_PORT": str(own_port),
            }
            command = [sys.executable, "-m", "monkeytown", "run", *flags, "--", *games]
            self._workers.append(_Worker(number, command, environment))

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until one cannot even start. The exit code."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._stopping and not self._cannot_start:
                now = time.monotonic()
                for worker in self._workers:
                    worker.look(now)
                time.sleep(LOOK_SECONDS)
            self._stop_all()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return CANNOT_START if self._cannot_start else 0

    @property
    def _cannot_start(self) -> bool:
        return any(worker.cannot_start for worker in self._workers)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.stop()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            if worker.process is None:
                continue
            try:
                worker.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                log.error("a worker did not stop in time", worker=worker.number)


def _with_parent() -> None:
    """Where that is possible, a worker is asked to stop when whoever watches it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
