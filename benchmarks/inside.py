"""A server that can be asked how it is: run as a program on the server's core, asked through its standard input.

`python -m benchmarks.inside GAME` serves GAME (one of `GAMES` below) with the settings of the environment. To
each line on its input it answers with one line of JSON: `report` gives who is there and what was late since the last
report, `collect` runs the collector first and adds the memory that is in use.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from monkeytown import Entity, Game, Player, fixed, table, uint
from monkeytown._core import clock
from monkeytown._core.timing import PARTS
from monkeytown.games.jungle import Jungle
from monkeytown.runtime.ticker import Ticker
from monkeytown.server.app import RunningServer, running
from monkeytown.server.logs import configure
from monkeytown.server.settings import Settings


class Token(Entity):
    x = fixed(0, 1000, step=1)


class Still(Game):
    """Runs, and nothing in it moves: its players are sent nothing once they are in."""

    name = "still"
    tick_rate = 20
    tokens = table(Token, capacity=8192)

    def on_join(self, player: Player) -> None:
        player.entity = self.tokens.spawn()


class Moving(Game):
    """As light as a game can be whose players see something new in every tick."""

    name = "moving"
    tick_rate = 60
    tokens = table(Token, capacity=64)

    def on_join(self, player: Player) -> None:
        player.entity = self.tokens.spawn()

    def on_tick(self, dt: float) -> None:
        for token in self.tokens:
            token.x = (token.x + 7) % 1000
            break


class Small(Game):
    """A room of four in which one thing moves: all that is left is what a room costs."""

    name = "small"
    tick_rate = 60
    max_players = 4
    tokens = table(Token, capacity=8)

    def on_create(self) -> None:
        self.token = self.tokens.spawn()

    def on_tick(self, dt: float) -> None:
        self.token.x = self.tick % 1000


class Calm(Game):
    """Sixty ticks a second, of which two bring something new: for crowds whose clients are slower than the server.

    Somebody counts aloud, and whoever says something is told that it was heard.
    """

    name = "calm"
    tick_rate = 60
    tokens = table(Token, capacity=64)

    def on_create(self) -> None:
        self.count = 0
        self.every(0.5, self.call)

    def call(self) -> None:
        self.broadcast("count", self.count)
        self.count += 1

    def on_chat(self, player: Player, text: str) -> None:
        player.send("heard", text)

    def on_join(self, player: Player) -> None:
        player.entity = self.tokens.spawn()

    def on_tick(self, dt: float) -> None:
        if self.tick % 30 == 0:
            for token in self.tokens:
                token.x = (token.x + 7) % 1000


class Speck(Entity):
    x = uint(16)


class Heavy(Game):
    """Twenty states a second, of two kilobytes each, which no prediction makes smaller."""

    name = "heavy"
    tick_rate = 20
    specks = table(Speck, capacity=1024)

    def on_create(self) -> None:
        for _ in range(1024):
            self.specks.spawn()
        self.x = np.asarray(self.specks.x)
        self.dice = np.random.default_rng(1)

    def on_tick(self, dt: float) -> None:
        self.x[:] = self.dice.integers(0, 1 << 16, len(self.x))


GAMES: dict[str, type[Game]] = {game.name: game for game in (Jungle, Moving, Small, Still, Calm, Heavy)}


class Watch:
    """How late the ticker woke up since it was last asked."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._run = ticker.run
        self._late: list[int] = []
        waker = ticker._waker  # nothing else knows when it should have rung
        assert waker is not None
        waker.ring = self.run

    def run(self) -> None:
        deadline = self._ticker.next_deadline
        if deadline is not None:
            self._late.append(clock.now() - deadline)
        self._run()

    def take(self) -> tuple[float, float]:
        """At worst, and in 99 of 100 cases at most, in milliseconds."""
        late, self._late = sorted(self._late) or [0], []
        return late[-1] / 1e6, late[len(late) * 99 // 100] / 1e6


def memory() -> dict[str, int]:
    """Resident and proportional bytes of this process."""
    lines = (line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    sizes = {fields[0].rstrip(":").lower(): int(fields[1]) * 1024 for fields in lines}
    return {"rss": sizes["rss"], "pss": sizes["pss"]}


def report(server: RunningServer, watch: Watch) -> dict[str, Any]:
    metrics = server.metrics
    worst, p99 = watch.take()
    games = metrics.games.values()
    return {
        "players": sum(len(hosted.sessions) for hosted in server.rooms.rooms.values()),
        "rooms": len(server.rooms.rooms),
        "connections": len(server.front.connections),
        "closed": dict(metrics.closed),
        "resumed": dict(metrics.resumed),
        "joins": sum(game.joins for game in games),
        "ticks": sum(game.ticks for game in games),
        "room_ticks": max((hosted.room.tick for hosted in server.rooms.rooms.values()), default=0),
        "at": clock.now() / 1e9,
        "parts": {
            part: sum(game.timing.parts[number].sum for game in games) / 1e9
            for number, part in enumerate(PARTS)
        },
        "late_ms": worst,
        "late_p99_ms": p99,
    }


async def serve(game: type[Game]) -> None:
    requests = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(requests), sys.stdin
    )
    async with running([game], Settings()) as server:
        watch = Watch(server.rooms.ticker)
        gc.collect()
        gc.freeze()
        server.collector().start()
        while request := await requests.readline():
            if request.strip() == b"collect":
                gc.collect()
                print(json.dumps(report(server, watch) | memory()), flush=True)
            else:
                print(json.dumps(report(server, watch)), flush=True)


if __name__ == "__main__":
    settings = Settings()
    configure(settings.log_level, settings.log_format)
    uvloop.run(serve(GAMES[sys.argv[1]]))
