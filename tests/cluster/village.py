"""Instances in one process without servers: they share a directory in memory and a bus.

Their clients are links that keep what they get.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from monkeytown.cluster.bus import Hub
from monkeytown.cluster.cluster import Cluster
from monkeytown.cluster.directory import LocalDirectory
from monkeytown.cluster.node import Node, Times
from monkeytown.runtime.host import Host
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.sessions import Sessions
from monkeytown.runtime.ticker import Ticker, make_waker
from tests.cluster.square import Square
from tests.cluster.test_instances import until
from tests.runtime.stage import Client

SECRET = "a secret of 32 bytes, more or less"


class RealClock:
    """The clock that stage's clients ask."""

    def seconds(self) -> float:
        return time.monotonic()


class Instance:
    """One of several."""

    def __init__(self, village: Village, number: int, games: tuple[type, ...]) -> None:
        self.kept: list[Any] = []
        ticker = Ticker(make_waker(asyncio.get_running_loop()))
        self.host = Host(games, ticker, keep=lambda room, entries: self.kept.extend(entries))
        self.sessions = Sessions(self.host, Limits(), now=time.monotonic)
        self.host.topics.tell = self.sessions.tell
        node = Node(
            id=f"instance-{number:03}",
            name=f"i{number}",
            host=self.host,
            sessions=self.sessions,
            directory=village.directory,
            bus=village.hub.bus(),
            secret=SECRET,
            times=Times(),
        )
        self.node = node
        self.cluster = Cluster(node, self.host.keep, lambda: None, lambda: 0.0)

    @property
    def id(self) -> str:
        return self.node.id

    def client(self, **about: Any) -> Client:
        """One that has said hello."""
        client = Client(self.host, RealClock(), sessions=self.sessions)  # type: ignore[arg-type]
        client.say("hello", client="test", **about)
        return client

    async def player(self, game_id: str, **about: Any) -> Client:
        """One that has a seat."""
        client = self.client(**about)
        client.say("join_game", gameId=game_id)
        await until(lambda: client.session.hosted is not None)
        return client

    async def die(self) -> None:
        """It says nothing any more, to anybody."""
        self.host.ticker.close()
        self.cluster.stop = lambda: None
        if self.cluster._forwarding is not None:
            self.cluster._forwarding.cancel()
        await self.node.close()
        await self.node.bus.close()

    async def close(self) -> None:
        await self.cluster.close()
        self.sessions.close()
        self.host.close()


class Village:
    """All of them."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.directory = LocalDirectory()
        self.instances: list[Instance] = []

    async def instance(self, *games: type) -> Instance:
        instance = Instance(self, len(self.instances), games or (Square,))
        self.instances.append(instance)
        await instance.cluster.start()
        return instance

    def owners(self, room_id: str) -> list[HostedRoom]:
        """Every copy of a room whose rules run."""
        found = [one.host.rooms.get(room_id) for one in self.instances]
        return [hosted for hosted in found if hosted is not None]
