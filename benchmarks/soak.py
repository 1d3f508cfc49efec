"""Three hours of Jungle under a virtual clock: memory at the end is what it was after the first minute.

    python -m benchmarks.soak [--hours 3] [--players 50]

Players join, steer, talk, fall behind, and leave; the room is read each tick as a server would read it. Prints the resident
set as it goes and exits with 1 if it has grown beyond the slack. Takes minutes.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from pathlib import Path
from random import Random

from monkeytown.games.jungle import Jungle, Steer
from monkeytown.position import Position
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.room.setup import Setup

RATE = Jungle.tick_rate
MINUTE = 60 * RATE  # ticks
STEERING = 3  # ticks between the inputs of a player: 20 a second
STAY = 120.0  # seconds that a player stays, on average
SLACK = 2 * 1024 * 1024  # bytes: what an allocator may keep for itself
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Soak:
    """One room, and players who come and go."""

    def __init__(self, players: int, seed: int = 1) -> None:
        self.room = Room(Jungle, room_id="soak", seed=seed, setup=Setup(max_players=players))
        self.players = players
        self.random = Random(seed)
        self.joined = 0
        self.told = 0
        self.sent = 0
        self.positions: dict[Member, Position | None] = {}

    def join(self) -> None:
        self.joined += 1
        id = f"p{self.joined}"
        self.room.join(id, f"Monkey {self.random.randrange(10**6)}")
        self.positions[self.room.members[id]] = None

    def leave(self, member: Member) -> None:
        self.room.leave(member.id)
        del self.positions[member]

    def tick(self) -> None:
        """What happens between two ticks, the tick, and what is read after it."""
        if len(self.positions) < self.players:
            self.join()
        if self.random.random() < self.players / STAY / RATE:
            self.leave(self.random.choice(list(self.positions)))
        inputs = self.room.inputs
        assert inputs is not None
        for member in list(self.positions)[self.room.tick % STEERING :: STEERING]:
            steer = Steer(turn=self.random.uniform(-1, 1), run=self.random.random() < 0.4)
            inputs.put(member.number, self.room.tick, steer)
        if self.random.random() < 1 / RATE:
            self.room.chat(self.random.choice(list(self.positions)).id, "Bananas!")
        self.room.step()
        if self.room.closed is not None:
            raise SystemExit(f"the room has ended: {self.room.closed.error}")
        self.read()

    def read(self) -> None:
        for member, position in self.positions.items():
            if position is not None and self.random.random() < 0.02:
                continue  # a slow reader skips a tick
            reading = self.room.read(position)
            self.positions[member] = reading.position
            self.sent += len(reading.frame or b"")
        for member in self.room.touched:
            self.room.private(member, None)
        for member in self.room.notified:
            self.told += len(member.take_mail())
        self.room.notified.clear()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--players", type=int, default=50)
    options = parser.parse_args()
    soak = Soak(options.players)
    minutes = max(2, round(options.hours * 60))
    first, started = 0, time.monotonic()
    for minute in range(1, minutes + 1):
        for _ in range(MINUTE):
            soak.tick()
        if minute == 1:
            first = resident()
        if minute == 1 or minute % 30 == 0 or minute == minutes:
            now = resident()
            print(
                f"{minute:4d} min: {now / 2**20:6.1f} MiB ({(now - first) / 2**20:+.2f}), {soak.joined} joined, "
                f"{soak.sent / 2**20:.0f} MiB read, {soak.told} events, {time.monotonic() - started:.0f} s",
                flush=True,
            )
    grown = resident() - first
    if grown > SLACK:
        print(f"memory has grown by {grown / 2**20:.2f} MiB; at most {SLACK / 2**20:.0f} are allowed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
