"""Running a server on one core and the load on another, and reading what both did.

CPU time is the server process's own, from /proc, over the interval in which the load measures.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monkeytown import Game
from monkeytown.client.mirror import input_layout
from monkeytown.schema import Schema

__all__ = [
    "LOAD_CORE",
    "Load",
    "LoadFailed",
    "Measured",
    "as_much",
    "cpu_seconds",
    "free_port",
    "inputs",
    "monkeytown",
    "monkeytown_load",
    "process",
]

SERVER_CORE, LOAD_CORE = 0, 1
ACKS_PER_SECOND = 5  # of each client of Monkeytown, which is what the load does by itself
INPUT_BYTES = 10  # of an input of some fields, with its number and the tick it acknowledges
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class LoadFailed(Exception):
    """The clients did not all get in."""


@dataclass(frozen=True)
class Measured:
    """What the load saw, as it printed it (benchmarks/load/README.md), and what server and load took (shares of one core).

    `disturbed` is the larger share that anything else took of one of the two cores meanwhile.
    """

    seen: dict[str, Any]
    cpu: float
    load_cpu: float
    disturbed: float

    @property
    def states(self) -> float:
        """States a second and client."""
        return float(self.seen["states_per_client"])

    @property
    def bytes(self) -> float:
        """Bytes a second and client without WebSocket headers."""
        return float(self.seen["payload_per_client"])

    @property
    def payload(self) -> int:
        """Bytes a client gets for each state, without WebSocket headers."""
        return round(self.bytes / self.states)

    @property
    def inputs(self) -> float:
        """Inputs a second of all clients."""
        return float(self.seen["inputs_per_second"])

    @property
    def closed(self) -> int:
        return int(self.seen["closed"])

    def gap(self, share: str) -> float:
        """Milliseconds from one state to the next: "p50" to "p999", or "max"."""
        return float(self.seen["gap_ms"][share])

    def round_trip(self, share: str) -> float:
        """Milliseconds from an input to the state that has seen it."""
        return float(self.seen["round_trip_ms"][share])


@dataclass(frozen=True)
class Load:
    """What the clients of a run do: see benchmarks/load/README.md. `more` are further options of the program."""

    program: Path
    clients: int
    seconds: float
    protocol: str = "plain"
    path: str = "/ws"
    inputs_per_second: float = 0
    input: str = ""
    more: tuple[object, ...] = ()

    def command(self, port: int) -> list[str]:
        given = ["--port", port, "--clients", self.clients, "--seconds", self.seconds]
        given += ["--protocol", self.protocol, "--path", self.path, *self.more]
        if self.inputs_per_second:
            given += ["--input-hz", self.inputs_per_second, "--input", self.input]
        return ["taskset", "-c", str(LOAD_CORE), str(self.program), *map(str, given)]

    def against(self, port: int, pid: int) -> Measured:
        """Runs the load; `LoadFailed` if not all clients came in."""
        with subprocess.Popen(self.command(port), stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            if running.stdout.readline() != "START\n":
                raise LoadFailed(f"the load did not begin: {self.clients} clients, {self.protocol}")

            def spent() -> list[float]:
                processes = [cpu_seconds(each) for each in (pid, running.pid)]
                return processes + [core_seconds(core) for core in (SERVER_CORE, LOAD_CORE)]

            began, before = time.monotonic(), spent()
            line = running.stdout.readline()
            took = time.monotonic() - began
            server, load, server_core, load_core = (
                (now - then) / took for now, then in zip(spent(), before, strict=True)
            )
        return Measured(json.loads(line), server, load, max(0.0, server_core - server, load_core - load))


def monkeytown_load(program: Path, game: str, clients: int, seconds: float, *more: object) -> Load:
    """Clients of the server, who play `game` and acknowledge what they get."""
    return Load(
        program,
        clients,
        seconds,
        "monkeytown",
        more=("--subprotocol", "monkeytown.1", "--game", game, *more),
    )


def inputs(load: Load, game: type[Game], action: dict[str, object], per_second: float) -> Load:
    """The same clients, who send an action so many times a second."""
    layout = input_layout(Schema.of(game).describe())
    assert layout is not None
    packed = layout.pack(layout.input_class(**action), 1)
    fields = packed[
        -layout.size :
    ]  # what stands before them changes with every input: the load puts it there
    more = (*load.more, "--input-hash", layout.hash)
    return replace(load, inputs_per_second=per_second, input=fields.hex(), more=more)


def as_much(load: Load, path: str = "/") -> Load:
    """Clients that ask as much of a server without a protocol: messages in place of inputs and acknowledgements."""
    per_second = load.inputs_per_second + ACKS_PER_SECOND
    return Load(
        load.program,
        load.clients,
        load.seconds,
        path=path,
        inputs_per_second=per_second,
        input="00" * INPUT_BYTES,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def core_seconds(core: int) -> float:
    """Time in which a core ran any process, so far."""
    lines = Path("/proc/stat").read_text().splitlines()
    user, nice, system = next(line for line in lines if line.startswith(f"cpu{core} ")).split()[1:4]
    return (int(user) + int(nice) + int(system)) / TICKS_PER_SECOND


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
    """`monkeytown run` on its core: gives (port, process id).

    Its settings are the default ones, but it does not send less often when it is too busy: what cannot be held is to show.
    """
    port = free_port()
    command = [sys.executable, "-m", "monkeytown", "run", *arguments, "--port", port]
    # The load just goes when it is done: seats that are kept would be there in the next run.
    settings = {"MONKEYTOWN_SEAT_SECONDS": "0"} | environment
    settings = {"MONKEYTOWN_LOG_LEVEL": "warning", "MONKEYTOWN_MAX_STRIDE": "1"} | settings
    with process(command, port, **settings) as pid:
        yield port, pid
