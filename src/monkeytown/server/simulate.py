"""A bad network in front of a server on this machine, so that a game can be tried as far players will have it.

Knows byte streams: it listens where the server would, and hands on each way what comes, later. It must not know what the
bytes mean. Both ends speak TCP with this machine, so nothing is ever missing or in another order: a lost packet shows as
the pause until it is sent again, which holds up whatever is behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

import structlog

from monkeytown.server.settings import Settings

__all__ = ["Delays", "Network", "serve"]

log = structlog.get_logger()

READ_BYTES = 64 * 1024
MOST_UNDER_WAY = 4 * 2**20  # bytes one way; a sender that has more waits, as it would for a congested line
SHORTEST_RETRANSMISSION = 0.2  # the least that Linux waits before it takes a packet for lost
FAREWELL_SECONDS = 1.0  # beside the delay: for the last words of a server that stops


class Network(NamedTuple):
    """How bad it is: what a round trip takes at least, by how much more it varies, in seconds; the chance of a loss."""

    latency: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Network:
        """The network that is asked for; all zero if none is."""
        return cls(
            settings.simulate_latency / 1000, settings.simulate_jitter / 1000, settings.simulate_loss / 100
        )

    @property
    def retransmission(self) -> float:
        """How long a sender waits before it sends a lost packet again: RFC 6298 with all of the jitter as variance."""
        return max(SHORTEST_RETRANSMISSION, self.latency + 4 * self.jitter)


class Delays:
    """When each piece of one direction arrives: in order, whatever the network does to each."""

    def __init__(self, network: Network, random: Random) -> None:
        self._network = network
        self._random = random
        self._newest = 0.0

    def arrival(self, now: float) -> float:
        """Of a piece that is sent now. Each way takes half of a round trip."""
        network = self._network
        delay = network.latency / 2 + self._random.uniform(0, network.jitter / 2)
        if self._random.random() < network.loss:
            delay += network.retransmission
        self._newest = max(self._newest, now + delay)
        return self._newest


async def serve(
    settings: Settings, sock: socket.socket, server: Callable[[list[socket.socket]], Awaitable[None]]
) -> None:
    """Run a server on a listening socket; behind a bad network if the settings ask for one."""
    network = Network.of(settings)
    if not any(network):
        await server([sock])
        return
    log.info(
        "simulating a bad network",
        latency_ms=settings.simulate_latency,
        jitter_ms=settings.simulate_jitter,
        loss_percent=settings.simulate_loss,
    )
    with socket.create_server(("127.0.0.1", 0), backlog=socket.SOMAXCONN) as behind:
        front = _Front(network, behind.getsockname()[1])
        listening = await asyncio.start_server(front.connected, sock=sock.dup(), limit=READ_BYTES)
        try:
            await server([behind])
        finally:
            listening.close()
            await front.close()


class _Front:
    """Every connection that goes through."""

    def __init__(self, network: Network, port: int) -> None:
        self._network = network
        self._port = port
        self._random = Random()
        self._open: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        """Let what is under way arrive, and end."""
        if not self._open:
            return
        longest = self._network.latency + self._network.jitter + self._network.retransmission
        _, late = await asyncio.wait(self._open, timeout=longest + FAREWELL_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port, limit=READ_BYTES)
        except OSError:
            writer.transport.abort()
            return
        ways = [
            _Way(Delays(self._network, self._random), source, sink)
            for source, sink in ((reader, back), (there, writer))
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for way in ways:
                    group.create_task(way.read())
                    group.create_task(way.write())
        except* OSError:
            pass  # one end is gone without a close; the other finds out in the same manner
        finally:
            for end in (writer, back):
                end.transport.abort()


class _Way:
    """One direction of a connection: what was read, and when it may be written."""

    def __init__(self, delays: Delays, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._delays = delays
        self._source = source
        self._sink = sink
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Take in until the end, which is an empty piece."""
        data = b"-"
        while data:
            data = await self._source.read(READ_BYTES)
            self._under_way.append((self._delays.arrival(asyncio.get_running_loop().time()), data))
            self._bytes += len(data)
            self._changed.set()
            while self._bytes > MOST_UNDER_WAY:
                self._changed.clear()
                await self._changed.wait()

    async def write(self) -> None:
        """Hand on whatever has arrived."""
        while True:
            while not self._under_way:
                self._changed.clear()
                await self._changed.wait()
            due, data = self._under_way[0]
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            self._under_way.popleft()
            self._bytes -= len(data)
            self._changed.set()
            if not data:
                with contextlib.suppress(OSError):
                    self._sink.write_eof()
                return
            self._sink.write(data)
            await self._sink.drain()
