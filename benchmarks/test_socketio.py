"""Three hundred players of Jungle who speak Socket.IO, at 20 states a second, on one core."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks import report
from benchmarks.load_run import LOAD_CORE, Load, Measured, monkeytown

PLAYERS = 300
ROOM = 50
RATE = 20
INPUTS = 10
KEPT = 300  # ticks of which the witness knows what the room was
PATH = "/socket.io/?EIO=4&transport=websocket"
STEER = '42["player_input",{"action":{"turn":0.3,"run":true}}]'

Tables = dict[str, dict[str, dict[str, Any]]]


def applied(tables: Tables, state: Any) -> Tables:
    """Tables after a state."""
    if state["base"] is None:
        tables = {}
    for name, changes in state["tables"].items():
        table = tables.setdefault(name, {})
        for gone in changes.get("gone", ()):
            del table[gone]
        for row, fields in changes.get("set", {}).items():
            table[row] = table.get(row, {}) | fields
    return tables


class Witness:
    """Two more players in one room: a WebSocket has each tick, and Socket.IO must have the same wherever it stands."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.truth: dict[int, Tables] = {}
        self.own: Tables = {}
        self.states = self.compared = self.different = 0
        self.joined = threading.Event()

    def take(self, state: Any) -> None:
        self.states += 1
        self.own = applied(self.own, state)
        truth = self.truth.get(state["tick"])
        if truth is not None:
            self.compared += 1
            self.different += truth != self.own

    async def watch(self, until: asyncio.Event) -> None:
        client = socketio.AsyncClient(reconnection=False)
        waiting: list[Any] = []
        client.on("game_state", waiting.append)
        await client.connect(f"http://127.0.0.1:{self.port}", transports=["websocket"])
        answer = await client.call("join_game", {"gameId": "jungle"})
        names = [Subprotocol("monkeytown.1.json")]
        # Without a bound on what is not read yet: it would stop reading, and never hear that it may close.
        async with connect(f"ws://127.0.0.1:{self.port}/ws", subprotocols=names, max_queue=None) as socket:
            await socket.send(json.dumps({"type": "join_game", "payload": {"gameId": answer["gameId"]}}))
            self.joined.set()
            tables: Tables = {}
            while not until.is_set():
                try:
                    async with asyncio.timeout(0.5):  # once the others are gone there may be nothing to say
                        message = json.loads(await socket.recv())
                except TimeoutError:
                    continue
                if message["type"] != "game_state":
                    continue
                state = message["payload"]
                tables = applied(tables, state)
                self.truth[state["tick"]] = {name: dict(rows) for name, rows in tables.items()}
                self.truth.pop(state["tick"] - KEPT, None)
                about = {"epoch": state["epoch"], "tick": state["tick"]}
                if state["base"] is None or len(self.truth) % 4 == 0 or len(self.truth) >= KEPT:
                    await socket.send(json.dumps({"type": "ack", "payload": about}))
                while waiting and waiting[0]["tick"] <= state["tick"]:
                    self.take(waiting.pop(0))
        await client.disconnect()


@contextmanager
def witness(port: int) -> Iterator[Witness]:
    """The witness plays in a thread of its own while the block runs."""
    watching, loop, done = Witness(port), asyncio.new_event_loop(), asyncio.Event()
    failures: list[BaseException] = []

    def run() -> None:
        os.sched_setaffinity(0, {LOAD_CORE})
        try:
            loop.run_until_complete(watching.watch(done))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert watching.joined.wait(10), failures
        yield watching
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
    assert not failures, failures


def jungle(load: Load) -> Measured:
    with monkeytown("jungle", "--max-players", ROOM) as (port, pid), witness(port) as watching:
        measured = load.against(port, pid)
    assert measured.closed == 0
    assert watching.states > RATE * load.seconds * 0.9, "the witness missed states"
    assert watching.compared > watching.states * 0.9
    assert watching.different == 0, "Socket.IO shows another room"
    return measured


@pytest.mark.benchmark(group="socketio")
def test_three_hundred_players(benchmark: Any, load_program: Path, quick: bool) -> None:
    rounds, seconds = (1, 5.0) if quick else (3, 10.0)
    load = Load(
        load_program,
        PLAYERS,
        seconds,
        "socketio",
        path=PATH,
        inputs_per_second=INPUTS,
        input=STEER.encode().hex(),
        more=("--game", "jungle"),
    )
    measured = benchmark.pedantic(lambda: [jungle(load) for _ in range(rounds)], rounds=1)
    cpu = median(each.cpu for each in measured)
    states = median(each.states for each in measured)
    what = f"Socket.IO, {PLAYERS} players of Jungle in rooms of {ROOM}, {RATE} Hz out, {INPUTS} Hz in"
    report.record(f"{what}: CPU of the server", f"{cpu:.0%} of a core", wanted="< 100 %", held=cpu < 1)
    report.record(
        f"{what}: states a second and player",
        f"{states:.2f}",
        wanted=f"{RATE} ± 0.5",
        held=abs(states - RATE) <= 0.5,
    )
    report.record(f"{what}: p99 gap between states", f"{median(each.gap('p99') for each in measured):.0f} ms")
    report.record(f"{what}: bytes of a state", f"{median(each.payload for each in measured):.0f}")
