"""One timed run of one server, a line of raw data for it, and the search for how many players a server holds."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks.load_run import LoadFailed
from benchmarks.peers.servers import ROOM, Peer, load, serving

__all__ = ["RATE", "Effort", "Run", "held", "most_held", "run", "write"]

RATE = 60
LEAST_STATES = 59.5  # a second and player
WORST_GAP = 25.0  # ms, of 99 in 100 states
BUSY = 0.95  # share of a core from which on the load itself may be what is slow
QUIET = 0.05  # share of a core that others may take; else a run is made again


@dataclass(frozen=True)
class Effort:
    """How much is done: rounds of all in turn, seconds of a run, attempts at a quiet one, the search's steps and tries."""

    rounds: int
    seconds: float
    attempts: int
    step: int
    tries: int


@dataclass(frozen=True)
class Run:
    """Shares are of one core; bytes and states are a second and player; `bytes` with WebSocket headers; gaps in ms."""

    figure: str
    name: str
    round: int
    players: int
    failed: bool
    cpu: float = 0
    load_cpu: float = 0
    disturbed: float = 0
    states: float = 0
    payload: float = 0
    bytes: float = 0
    gap_p50: float = 0
    gap_p95: float = 0
    gap_p99: float = 0
    gap_p999: float = 0
    gap_max: float = 0
    join_p99: float = 0
    closed: int = 0

    @property
    def per_thousand(self) -> float:
        """Share of a core for 60,000 states a second, which is a thousand players at 60 Hz."""
        return self.cpu / (self.players * self.states) * 1000 * RATE

    @property
    def frame(self) -> int:
        """Bytes of a state without its WebSocket header."""
        return round(self.payload / self.states)


def run(
    figure: str,
    peer: Peer,
    program: Path,
    players: int,
    effort: Effort,
    size: int,
    *,
    round: int = 0,
    room: int = ROOM,
) -> Run:
    """A run that nothing else disturbed, or the last of `effort.attempts` that were: the raw data says so."""
    for _ in range(effort.attempts):
        done = _run(figure, peer, program, players, effort.seconds, size, round, room)
        if done.disturbed <= QUIET:
            break
    return done


def _run(
    figure: str, peer: Peer, program: Path, players: int, seconds: float, size: int, round: int, room: int
) -> Run:
    with serving(peer, room, size) as (port, pid, _):
        try:
            made = load(program, peer, port, players, seconds)
            measured = made.against(port, pid)
        except (LoadFailed, OSError) as error:
            print(f"{figure}: {peer.name}: {error}", file=sys.stderr, flush=True)
            return Run(figure, peer.name, round, players, True)
    seen = measured.seen
    gaps = seen["gap_ms"] or dict.fromkeys(("p50", "p95", "p99", "p999", "max"), float(1000 * seconds))
    done = Run(
        figure,
        peer.name,
        round,
        players,
        False,
        measured.cpu,
        measured.load_cpu,
        measured.disturbed,
        measured.states,
        measured.bytes,
        seen["bytes_per_client"],
        *(gaps[share] for share in ("p50", "p95", "p99", "p999", "max")),
        seen["join_ms"]["p99"],
        measured.closed,
    )
    busy = ", and the load is busy" if done.load_cpu > BUSY else ""
    print(
        f"{figure}: {peer.name}: {players} players, {done.cpu:.1%} of a core, "
        f"{done.states:.2f} states of {done.frame} bytes, "
        f"gap p99 {done.gap_p99:.1f} ms, {done.closed} closed, "
        f"load {done.load_cpu:.0%}{busy}, others {done.disturbed:.0%}",
        file=sys.stderr,
        flush=True,
    )
    return done


def held(run: Run) -> bool:
    return not run.failed and not run.closed and run.states >= LEAST_STATES and run.gap_p99 <= WORST_GAP


def most_held(peer: Peer, program: Path, effort: Effort, size: int, runs: list[Run]) -> int:
    """The most players, in steps, that a server holds; what is missed is tried again. Each run is added to `runs`."""
    step = effort.step

    def holds(players: int) -> bool:
        for attempt in range(effort.tries):
            runs.append(run("players held", peer, program, players, effort, size, round=attempt))
            if held(runs[-1]):
                return True
        return False

    low, high = 0, 4 * step
    while holds(high):
        low, high = high, 2 * high
    while high - low > step:
        middle = (low + high) // 2 // step * step
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def write(runs: Iterable[Run], file: Path) -> None:
    """The raw data."""
    with file.open("w", newline="") as out:
        table = csv.DictWriter(out, [field.name for field in fields(Run)])
        table.writeheader()
        for each in runs:
            table.writerow(
                {
                    name: f"{value:.5g}" if isinstance(value, float) else value
                    for name, value in asdict(each).items()
                }
            )


def machine() -> str:
    """The processor and the kernel, in a few words."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "a processor",
    )
    system = os.uname()
    return f"{model}, {os.cpu_count()} cores, {system.sysname} {system.release}, {time.strftime('%Y-%m-%d')}"
