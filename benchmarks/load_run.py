"""Running a server on one core and the load on another, and reading what both did.

CPU time is the server process's own, from /proc, over the interval in which the load measures.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOAD_CORE", "Load", "Measured", "free_port", "monkeytown", "process", "wire_frame"]

SERVER_CORE, LOAD_CORE = 0, 1
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """What the load saw (a second and client; gaps in ms) and what the server took (share of one core)."""

    frames: float
    bytes: float
    gap_p99: float
    gap_max: float
    inputs: float
    closed: int
    cpu: float

    @property
    def payload(self) -> int:
        """Bytes of the mean frame without its WebSocket header."""
        whole = self.bytes / self.frames
        return round(whole - (2 if whole < 128 else 4))


@dataclass(frozen=True)
class Load:
    """What the clients of a run do: see benchmarks/load/README.md."""

    sink: Path
    clients: int
    seconds: float
    join: str = ""
    inputs_per_second: float = 0
    input: str = ""

    def against(self, port: int, pid: int) -> Measured:
        command = [self.sink, "127.0.0.1", port, "/ws", self.clients, self.seconds, "monkeytown.1"]
        if self.join:
            command.append(self.join)
        if self.inputs_per_second:
            # A server that takes no joins gets an empty first frame, so that the inputs have their place.
            command += [] if self.join else [""]
            command += [self.inputs_per_second, self.input]
        with subprocess.Popen(
            ["taskset", "-c", str(LOAD_CORE), *map(str, command)], stdout=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "START\n", "the load did not begin"
            began, spent = time.monotonic(), cpu_seconds(pid)
            line = running.stdout.readline()
            share = (cpu_seconds(pid) - spent) / (time.monotonic() - began)
        return read_line(line, share)


def read_line(line: str, cpu: float) -> Measured:
    numbers = dict(re.findall(r"(\S+) ([0-9.]+)(?= |$)", line.replace("gap-ms ", "").strip()))
    return Measured(
        frames=float(numbers["per-client"]),
        bytes=float(numbers["bytes/s/client"]),
        gap_p99=float(numbers["p99"]),
        gap_max=float(numbers["max"]),
        inputs=float(numbers["inputs/s"]),
        closed=int(numbers["closed"]),
        cpu=cpu,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(command: Sequence[object], port: int, **environment: str) -> Iterator[int]:
    """A server on its core; gives its process id once it listens, and ends it."""
    running = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *map(str, command)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 20
        while not answers(port):
            assert running.poll() is None, (running.stderr.read() if running.stderr else b"").decode()
            assert time.monotonic() < deadline, f"nothing listens on port {port}"
            time.sleep(0.05)
        yield running.pid
    finally:
        running.terminate()
        try:
            running.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()


@contextmanager
def monkeytown(*arguments: object, **environment: str) -> Iterator[tuple[int, int]]:
    """`monkeytown run` on its core, for a load that acknowledges nothing: gives (port, process id)."""
    port = free_port()
    command = [sys.executable, "-m", "monkeytown", "run", *arguments, "--port", port]
    settings = {"MONKEYTOWN_ACK_WINDOW": "0", "MONKEYTOWN_LOG_LEVEL": "warning"} | environment
    with process(command, port, **settings) as pid:
        yield port, pid


def wire_frame(message: str, game: str) -> str:
    """A message as the hex of one masked WebSocket frame, as the command line makes it."""
    command = [sys.executable, "-m", "monkeytown", "wire", "encode", "--frame", "--game", game, message]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
