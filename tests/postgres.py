"""A real PostgreSQL for tests: where this machine's is, how to get one, and a server of it that can be stopped, paused and
killed.

    with Postgres(folder) as server:
        url = await server.database()       # a fresh one, of a role that may do in it what it likes
        server.pause()                      # as if its machine had frozen: connections stay, nothing is answered
        server.resume()
        server.stop()                       # at once, as if it had crashed
        server.start()

Knows processes. `python -m tests.postgres --install` installs the Debian package as root; elsewhere it says what to do.
"""

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
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.packages import install_if_missing

__all__ = ["HOW_TO_INSTALL", "Postgres", "find", "free_port"]

HOW_TO_INSTALL = (
    "no PostgreSQL server found: apt-get install -y postgresql (Fedora: dnf install postgresql-server; macOS: brew install "
    "postgresql) or name the folder of its programs with MONKEYTOWN_TEST_POSTGRES"
)
# Below the range from which the kernel takes the ports of outgoing connections, so that none of those is in the way of a
# restart.
PORTS = range(20_000, 30_000)
PATIENCE = 30.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
OWNER = "monkeytown"  # not a superuser, as it should be in production
LOCKED = "locked"  # a role that needs a password
PASSWORD = "open/sesame"
# Nothing here has to outlive the machine; what was committed must outlive the server.
OPTIONS = (
    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"),
    *("-c", "full_page_writes=off", "-c", "max_connections=40"),
    *("-c", "deadlock_timeout=100ms", "-c", "log_min_messages=warning", "-c", "autovacuum=off"),
)


def find() -> Path | None:
    """The folder with the server's programs, or None."""
    chosen = os.environ.get("MONKEYTOWN_TEST_POSTGRES")
    if chosen:
        return Path(chosen)
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    config = shutil.which("pg_config")
    if config:
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.insert(0, Path(told.stdout.strip()))
    return next((path for path in candidates if (path / "initdb").exists()), None)


class Postgres:
    """A server whose files are in `folder`. It runs for as long as the block lasts, and no longer than this process."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self._log = folder / "log"
        self._programs = programs
        self._names = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._prefix, user = _without_root(folder)
        command = [programs / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run(
            [*self._prefix, *command, "--no-locale", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL
        )
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"host all {LOCKED} 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        if user:
            shutil.chown(rules, user)
        # Without a server, as whoever asks for one may be within an event loop.
        single = [*self._prefix, programs / "postgres", "--single", "-D", self.data, "postgres"]
        roles = f"CREATE ROLE {OWNER} LOGIN\nCREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'\n"
        subprocess.run(single, input=roles.encode(), check=True, stdout=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def url(self, database: str, *, user: str = OWNER, port: int | None = None) -> str:
        """The address of a database; `port` is that of a proxy before it."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    async def database(self) -> str:
        """The address of a new database, which `OWNER` owns."""
        name = f"town_{next(self._names)}"
        await self.run(f"CREATE DATABASE {name} OWNER {OWNER}")
        return self.url(name)

    async def run(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Statements of the superuser; returns the rows of the last."""
        import asyncpg

        connection = await asyncpg.connect(self.url(database, user="postgres"))
        try:
            for statement in statements:
                rows = await connection.fetch(statement)
        finally:
            await connection.close()
        return [tuple(row) for row in rows]

    # ---- the process ----

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        assert self._process is None
        command = [*self._prefix, self._programs / "postgres", "-D", self.data, "-p", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *OPTIONS],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, which needs no lock
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once, as a crash would; also while it is paused."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        self.resume()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Freeze it with all its processes: the kernel still takes connections for it, and nobody answers."""
        self._send(signal.SIGSTOP, [self.pid])
        self._send(signal.SIGSTOP, self._children())

    def resume(self) -> None:
        """Let it go on where it was."""
        self._send(signal.SIGCONT, [*self._children(), self.pid])

    def _send(self, number: signal.Signals, processes: list[int]) -> None:
        for pid in processes:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, number)

    def _children(self) -> list[int]:
        table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = (line.split() for line in table.stdout.splitlines())
        return [int(pid) for pid, parent in pairs if int(parent) == self.pid]


def _die_with_parent() -> None:
    """Linux: so that a test run that is killed leaves no server behind."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _without_root(folder: Path) -> tuple[list[str], str | None]:
    """What to put before a command so that it does not run as root, as PostgreSQL wants it; and whose its files are then."""
    if os.geteuid() != 0:
        return [], None
    # As nobody within a user namespace of its own: outside it is still root, and may read what root may.
    alone = ["unshare", "-U", "--map-user=65534", "--map-group=65534", "--"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0:
        return alone, None
    # A container may not make namespaces. Then as the user that the package has made, who must reach the folder.
    shutil.chown(folder, "postgres")
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL", "--"]
    return user, "postgres"


def free_port() -> int:
    """A port that nobody listens on, out of `PORTS`."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


if __name__ == "__main__":
    install_if_missing("postgresql", find, HOW_TO_INSTALL)
