"""One connection to Redis that is kept up: made, used until it breaks, and made anew.

Knows when to try again; not what is said over it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from monkeytown.cluster.redisdial import drop

__all__ = ["Use", "Wire"]

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
LASTING = 1.0
"""Seconds. A connection that lasted so long was a good one: the next is made at once."""
TURN = 32
"""Replies that are read before others get their turn: a burst must not hold up the rooms."""


class Use(Protocol):
    """What is said over a connection. Any exception but those of `received` ends it, and it is made anew."""

    def connected(self) -> None: ...

    async def write(self, connection: Any) -> None:
        """Sends whatever there is, and never returns."""

    def received(self, reply: Any) -> None:
        """A reply, or what the server refused with."""

    def lost(self, error: BaseException) -> None:
        """There is no connection, or none could be made."""


class Wire:
    """`dial` makes the connection. To be run as a task."""

    def __init__(self, dial: Callable[[], Awaitable[Any]], use: Use) -> None:
        self.is_up = False
        self._dial = dial
        self._use = use
        self._broken: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            try:
                await self._session()
            except Exception as error:
                failures = 0 if loop.time() - since >= LASTING and self.is_up else failures
                self.is_up = False
                self._use.lost(error)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)
            failures = min(failures + 1, 16)
            # Not all instances at once, when the server is back.
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    def restart(self, error: Exception) -> None:
        """This connection is no good."""
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _session(self) -> None:
        connection = await self._dial()
        self._broken = broken = asyncio.get_running_loop().create_future()
        tasks: list[asyncio.Future[None]] = []
        try:
            self.is_up = True
            self._use.connected()
            tasks = [
                asyncio.ensure_future(self._read(connection)),
                asyncio.ensure_future(self._use.write(connection)),
            ]
            done, _ = await asyncio.wait({*tasks, broken}, return_when=asyncio.FIRST_COMPLETED)
            # What the server said as it hung up is worth more than that nothing can be written any more.
            for ended in sorted(done, key=[broken, *tasks].index):
                ended.result()
        finally:
            self._broken = None
            broken.cancel()
            for task in tasks:
                task.cancel()
            await drop(connection)
            await asyncio.gather(broken, *tasks, return_exceptions=True)

    async def _read(self, connection: Any) -> None:
        from redis.exceptions import ResponseError

        while True:
            for _ in range(TURN):
                try:
                    reply = await connection.read_response()
                except ResponseError as error:
                    reply = error
                self._use.received(reply)
            await asyncio.sleep(0)
