"""Who is in the belfries: a listener in each, who writes down all that must last of it, and visitors with a token each.

A listener opens its room and stays. A visitor comes with a new token, says something, scores, hears of both, and goes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from benchmarks.chaos.town import Town
from monkeytown import Refusal
from monkeytown.client import Client, ConnectionLost, Room, connect

__all__ = ["Crowd", "Listener", "Told", "Visit", "told_event"]

ROOMS = 8
VISITS = 4
"""A second, of all rooms together."""
PATIENCE = 10.0

Told = tuple[str, str, str]
"""One thing that must last: its kind, the player it is about, and what it is."""


def told_event(event: str, data: object) -> Told:
    return "event", "", f"{event} {json.dumps(data)}"


class Listener:
    """In a room from its first moment on. `told` is what its ledger must have, in order."""

    def __init__(self, client: Client, room: Room) -> None:
        self.client = client
        self.room = room
        self.told: list[Told] = []
        self.rung: int | None = None
        """How often the bell was rung, as the rules say at the end."""
        self.ringing, self.silent = asyncio.Event(), asyncio.Event()
        room.on("event", self._event)
        room.on("player_joined", lambda player: self._tell("joined", player.id))
        room.on("player_left", lambda player: self._tell("left", player.id))

    @classmethod
    async def come(cls, town: Town, id: str) -> Listener:
        client = await connect(f"ws://127.0.0.1:{town.port}/ws", token=town.issuer.token(id))
        return cls(client, await client.join("belfry"))

    async def open(self) -> None:
        """Others may come in, and the bell is rung; before that nothing happens in a belfry."""
        self.room.input(open=True)
        async with asyncio.timeout(PATIENCE):
            await self.ringing.wait()

    async def silence(self) -> None:
        """The bell is rung no more, and how often it was is known."""
        self.room.input(silence=True)
        async with asyncio.timeout(PATIENCE):
            await self.silent.wait()

    def _tell(self, kind: str, player: str, what: str = "") -> None:
        if player != self.client.id:
            self.told.append((kind, player, what))

    def _event(self, message: dict[str, Any]) -> None:
        event, data = message["event"], message["data"]
        if event == "silent":
            self.rung = data
            self.silent.set()
        elif event == "chat":
            self._tell("chat", data["playerId"], data["text"])
        else:
            self.ringing.set()
            self.told.append(told_event(event, data))


@dataclass
class Visit:
    """One visitor. Times are in seconds, of a monotonic clock."""

    id: str
    room: str
    began: float
    joined: float = 0.0
    """How long it took to be in the room, from the first attempt to connect."""
    done: bool = False
    failure: str = ""


class Crowd:
    """The listeners of all rooms of one server process, and those who come by while the block runs.

    `ids` names players; they are never the same again.
    """

    def __init__(self, town: Town, random: Random, ids: Iterator[int] | None = None) -> None:
        self.listeners: list[Listener] = []
        self.visits: list[Visit] = []
        self._town = town
        self._random = random
        self._ids = ids or count(1)
        self._visiting: set[asyncio.Task[None]] = set()
        self._coming: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Crowd:
        for _ in range(ROOMS):
            self.listeners.append(await Listener.come(self._town, f"listener-{next(self._ids)}"))
        for listener in self.listeners:
            await listener.open()
        self._coming = asyncio.create_task(self._come_by())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.lose()

    async def come_to_rest(self) -> None:
        """Nobody comes any more, whoever is there finishes and goes, and the bells are silent."""
        await self._end(cancel=False)
        for listener in self.listeners:
            await listener.silence()

    async def lose(self) -> None:
        """All go at once, and nobody comes back: for a server that is gone, too."""
        await self._end(cancel=True)
        await asyncio.gather(*(listener.client.close() for listener in self.listeners))

    @property
    def failures(self) -> list[str]:
        return [f"{visit.id}: {visit.failure}" for visit in self.visits if visit.failure]

    async def _end(self, *, cancel: bool) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait({self._coming})
            self._coming = None
        tasks = set(self._visiting)
        if cancel:
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _come_by(self) -> None:
        while True:
            visit = Visit(
                f"visitor-{next(self._ids)}", self._random.choice(self.listeners).room.id, time.monotonic()
            )
            self.visits.append(visit)
            task = asyncio.create_task(self._visit(visit))
            self._visiting.add(task)
            task.add_done_callback(self._visiting.discard)
            await asyncio.sleep(self._random.uniform(0.5, 1.5) / VISITS)

    async def _visit(self, visit: Visit) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._play(visit)
        except (ConnectionLost, Refusal, TimeoutError) as error:
            visit.failure = repr(error)

    async def _play(self, visit: Visit) -> None:
        url = f"ws://127.0.0.1:{self._town.port}/ws"
        async with await connect(url, token=self._town.issuer.token(visit.id)) as client:
            room = await client.join(visit.room)
            visit.joined = time.monotonic() - visit.began
            unheard, done = {"chat", "scored"}, asyncio.Event()

            def hear(what: str, player: str) -> None:
                if player == visit.id:
                    unheard.discard(what)
                if not unheard:
                    done.set()

            room.on("chat", lambda line: hear("chat", line["playerId"]))
            room.on("scored", lambda data: hear("scored", data[0]))
            room.chat(f"{visit.id} is here")
            room.input(score=self._random.randint(1, 9))
            await done.wait()
            await asyncio.sleep(self._random.uniform(0, 0.5))
        visit.done = True
