"""Monkeytown beside others, one core each, in turn.

    python -m benchmarks.peers.run [--quick] [--only F1,F3,F4]        # or: make bench-peers

F1: one frame of 100 bytes to a thousand players. F4: what a room of fifty costs, in bytes and in processor time. F3: how
many players in rooms of fifty a core holds. Raw data goes to benchmarks/out/peers; the table there and the picture in docs
are made of it. A wrong result ends the run; a figure that is missed is printed as missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import report
from benchmarks.peers import measure, motion_file
from benchmarks.peers.environment import PYTHON, RESULTS, install, versions
from benchmarks.peers.measure import Effort, Run, most_held, run, write
from benchmarks.peers.servers import ARENA, FANOUT, FRAME, MOTION, ROOM, Peer, verify
from benchmarks.programs import compile_bare, compile_load

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
CROWD = 1000  # players of the fan-out
ROOMS = 500  # players in the rooms that are compared by cost: half of what the slowest of the fast ones hold
US = "Monkeytown"
SEARCHED = (US, "Colyseus float32", "Colyseus uint16", "Socket.IO, JSON", "bare C, frames")


QUICK = Effort(rounds=1, seconds=4.0, attempts=1, step=250, tries=2)
FULL = Effort(rounds=3, seconds=8.0, attempts=3, step=100, tries=3)


def in_turn(
    figure: str, peers: Sequence[Peer], program: Path, players: int, effort: Effort, size: int, room: int
) -> list[Run]:
    """Each peer once, then each again, so that what disturbs the machine for a while disturbs all."""
    runs = []
    for round in range(effort.rounds):
        for peer in peers:
            done = run(figure, peer, program, players, effort, size, round=round, room=room)
            assert not done.failed, f"{peer.name}: the players did not get in"
            assert not done.closed, f"{peer.name}: {done.closed} connections were closed"
            runs.append(done)
    return runs


def by_name(runs: Sequence[Run], name: str) -> list[Run]:
    return [each for each in runs if each.name == name]


def fan_out(program: Path, effort: Effort) -> list[Run]:
    for peer in FANOUT:
        verify(peer, FRAME)
    runs = in_turn("F1 fan-out", FANOUT, program, CROWD, effort, FRAME, CROWD)
    bare = by_name(runs, "bare C")
    for peer in FANOUT:
        own = by_name(runs, peer.name)
        ratio = median(mine.per_thousand / limit.per_thousand for mine, limit in zip(own, bare, strict=True))
        ours = peer.name == US
        report.record(
            f"F1: {FRAME} bytes to {CROWD:,} players, 60 Hz: {peer.name}",
            f"{median(each.per_thousand for each in own):.0%} of a core, {median(each.states for each in own):.1f} states",
            ratio=ratio,
            wanted="≤ 1.10× bare C" if ours else "",
            held=ratio <= 1.10 if ours else None,
        )
    return runs


def cost(program: Path, effort: Effort) -> tuple[list[Run], int]:
    """What rooms of fifty cost; and the size of Monkeytown's frame, which those without a state then send."""
    stateful = [peer for peer in ARENA if peer.stateful]
    for peer in stateful:
        verify(peer, 0)
    runs = in_turn("F4 rooms", stateful, program, ROOMS, effort, 0, ROOM)
    size = round(median(each.frame for each in by_name(runs, US)))
    plain = [peer for peer in ARENA if not peer.stateful]
    for peer in plain:
        verify(peer, size)
    runs += in_turn("F4 rooms", plain, program, ROOMS, effort, size, ROOM)
    ours = median(each.bytes / each.states for each in by_name(runs, US))
    for peer in ARENA:
        own = by_name(runs, peer.name)
        each_state = median(run.bytes / run.states for run in own)
        share = {"Colyseus float32": 10, "Colyseus uint16": 6}.get(peer.name)
        report.record(
            f"F4: a room of {ROOM}, 60 Hz: {peer.name}",
            f"{each_state * measure.RATE:,.0f} bytes a second and player, "
            f"{median(run.per_thousand for run in own):.0%} of a core for 1,000 players",
            yardstick=f"{US} {ours * measure.RATE:,.0f} bytes" if share else "",
            ratio=ours / each_state if share else None,
            wanted=f"≤ 1/{share} of its bytes" if share else "",
            held=ours * share <= each_state if share else None,
        )
    return runs, size


def capacity(program: Path, effort: Effort, size: int) -> list[Run]:
    runs: list[Run] = []
    found = {}
    for peer in ARENA:
        if peer.name in SEARCHED:
            found[peer.name] = most_held(peer, program, effort, size, runs)
    for name, most in found.items():
        theirs = name.startswith("Colyseus")
        report.record(
            f"F3: players held on one core, rooms of {ROOM}, 60 Hz: {name}",
            f"{most:,}",
            yardstick=f"{US} {found[US]:,}" if theirs else "",
            ratio=found[US] / most if theirs and most else None,
        )
    (RESULTS / "held.json").write_text(json.dumps(found))
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="minutes instead of forty")
    parser.add_argument("--only", default="F1,F3,F4", help="figures, by commas")
    options = parser.parse_args()
    effort, wanted = QUICK if options.quick else FULL, set(options.only.split(","))
    install()
    program = compile_load()
    compile_bare()
    motion_file.write(MOTION)
    (RESULTS / "versions.json").write_text(json.dumps(versions() | {"machine": measure.machine()}))
    if "F1" in wanted:
        write(fan_out(program, effort), RESULTS / "fanout.csv")
    size = 0
    if wanted & {"F3", "F4"}:
        runs, size = cost(program, effort)
        write(runs, RESULTS / "rooms.csv")
    if "F3" in wanted:
        write(capacity(program, effort, size), RESULTS / "held.csv")
    lines = report.table()
    (RESULTS / "figures.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    if wanted == {"F1", "F3", "F4"}:
        subprocess.run([PYTHON, HERE / "plot.py", RESULTS, DOCS], check=True)


if __name__ == "__main__":
    main()
