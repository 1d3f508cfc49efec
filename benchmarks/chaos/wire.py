"""A wire between one instance and its Redis: it can be cut, with all connections left open, or eat what a subscriber is told.

Knows sockets and bytes; runs in a thread of its own, so that nobody who waits for an instance keeps it from carrying.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["Wire"]

READ_BYTES = 65536


class Wire:
    """Listens on a port of this machine, and connects each that comes to `port`, for as long as the block lasts."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._whole.set()
        self._deaf: set[int] = set()
        self._ends: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}"

    @property
    def ends(self) -> frozenset[int]:
        """The ports from which Redis is spoken to."""
        return frozenset(self._ends)

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Nothing comes through any more, either way; nobody is told. What is said meanwhile arrives when it is mended."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self) -> None:
        self._loop.call_soon_threadsafe(self._whole.set)

    def deafen(self, ends: frozenset[int]) -> None:
        """What Redis says to these of its ports is lost from now on, while their connections last."""
        self._deaf |= ends

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        end = 0
        try:
            await self._whole.wait()
            above, below = await asyncio.open_connection("127.0.0.1", self._to)
            end = int(below.get_extra_info("sockname")[1])
            self._ends.add(end)
            ways = [
                asyncio.create_task(self._pump(reader, below, lambda: True)),
                asyncio.create_task(self._pump(above, writer, lambda: end not in self._deaf)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                below.close()
        except (OSError, asyncio.CancelledError):
            pass  # whoever speaks here finds out by the end of the connection
        finally:
            self._ends.discard(end)
            self._deaf.discard(end)
            self._tasks.discard(task)
            writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Callable[[], bool]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                await self._whole.wait()
                if passes():
                    writer.write(data)
                    await writer.drain()
