"""Players without a person: any number of them in one process, for company, for tests and for load.

Knows how to keep many connections and to act at a pace; what to do is a `Brain`'s matter (`monkeytown.client.brains`). The
bots of a process share one mirror per room, so that a state is decoded once however many of them watch it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from monkeytown.client.backoff import delays
from monkeytown.client.brains import Brain, brain_for
from monkeytown.client.connection import Client, connect
from monkeytown.client.events import ConnectionLost
from monkeytown.client.room import Room
from monkeytown.client.shared import SharedMirrors
from monkeytown.errors import Refusal

__all__ = ["Bots"]

DIALLING_AT_ONCE = 32  # more would only wait in the backlog of the server's listening socket
NAMES = (
    "Ada",
    "Bo",
    "Cleo",
    "Dara",
    "Eli",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Juno",
    "Kai",
    "Lea",
    "Milo",
    "Nia",
    "Otto",
    "Pia",
)

BrainMaker = Callable[[Room, Random], Brain]


class Bots:
    """`count` players of one game. `run` keeps them playing until it is cancelled."""

    def __init__(
        self,
        url: str,
        game_id: str,
        count: int,
        *,
        rate: float = 10.0,
        seed: int | None = None,
        brain: BrainMaker = brain_for,
    ) -> None:
        self.url = url
        self.game_id = game_id
        self.count = count
        self.rate = rate
        self.clients: list[Client] = []
        self._brain = brain
        self._random = Random(seed)
        self._mirrors = SharedMirrors()
        self._dialling = asyncio.Semaphore(DIALLING_AT_ONCE)

    @property
    def playing(self) -> int:
        """How many are in a room now."""
        return sum(client.room is not None and client.room.open for client in self.clients)

    async def run(self, *, patient: bool = False) -> None:
        """Play until cancelled, or until the server has sent all of them away.

        A server that is not there at first raises ConnectionLost; with `patient` the bots wait for it.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(self.count):
                group.create_task(self._live(number, Random(self._random.getrandbits(64)), patient))

    async def _live(self, number: int, random: Random, patient: bool) -> None:
        name = NAMES[number % len(NAMES)] + (f" {number // len(NAMES) + 1}" if number >= len(NAMES) else "")
        client = await self._arrive(name, random, patient)
        if client is None:
            return
        try:
            await self._play(client, random)
        finally:
            self.clients.remove(client)
            await client.close()

    async def _arrive(self, name: str, random: Random, patient: bool) -> Client | None:
        """Connect and join; None if the server refuses."""
        for delay in delays(random):
            client: Client | None = None
            try:
                async with self._dialling:
                    client = await connect(self.url, name=name, random=random, mirrors=self._mirrors)
                    await client.join(self.game_id)
            except ConnectionLost:
                if client is not None:
                    await client.close()
                if not patient:
                    raise
                await asyncio.sleep(delay)
            except Refusal:
                if client is not None:
                    await client.close()
                raise
            else:
                self.clients.append(client)
                return client
        return None

    async def _play(self, client: Client, random: Random) -> None:
        room = client.room
        if room is None:
            return
        brain = self._brain(room, random)
        # Bots that all act in the same moment would be a load that no players make.
        await asyncio.sleep(random.uniform(0, 1 / self.rate))
        while client.state != "closed" and room.open:
            if client.state == "open":
                fields = brain.decide(room)
                if fields is not None:
                    room.input(fields)
            await asyncio.sleep(1 / self.rate)
