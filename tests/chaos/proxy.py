"""A TCP proxy that does to connections what bad networks do: late, slow, silent, half gone, gone.

    async with Proxy("127.0.0.1", server.port) as proxy:
        client = await connect(proxy.url)
        proxy.down.delay = 0.2          # from the server to the client
        proxy.up.stalled = True         # nothing is read from the client any more
        await proxy.cut()               # every connection is reset

Knows sockets and bytes. It reads no more than it may hand on, so a stalled or slow direction fills the sender's own buffers
as a real one does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Literal, Self

from tests.chaos.faults import Faults, Line

__all__ = ["Direction", "Passage", "Proxy"]

READ_BYTES = 16 * 1024
MOST_UNDER_WAY = 2**20
PIECES_A_SECOND = 50  # into so many a rate is divided, so that it is even and a change of it is soon felt
LINGER_AND_RESET = struct.pack("ii", 1, 0)

Direction = Literal["up", "down"]


class Proxy:
    """Listens on a free port of this machine, and connects each that comes to the server at `host` and `port`.

    `up` and `down` are the faults on the way to the server and from it, for all connections. `buffer` bounds the kernel's
    buffers, so that a stall is felt sooner; with less than 64 KiB TCP itself is slow here.
    """

    def __init__(self, host: str, port: int, *, seed: int = 0, buffer: int = 0) -> None:
        self.up, self.down = Faults(), Faults()
        self.accepting = True
        """While it is not, whoever comes is reset at once."""
        self.cuts: Callable[[Direction, bytes], bool] = lambda direction, data: False
        """Sees each piece before it is handed on; if it says so, its connection is reset instead, and the piece is lost."""
        self.passages: list[Passage] = []
        """The connections that are open, in the order in which they came."""
        self._server = (host, port)
        self._random = Random(seed)
        self._buffer = buffer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        """The address of a game server behind it."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})
        self._listening.close()
        await self.cut()

    async def cut(self, *, reset: bool = True) -> None:
        """End every connection: by a reset, or by a close after which neither end hears anything more."""
        await asyncio.gather(*(passage.cut(reset=reset) for passage in tuple(self.passages)))

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listening)
            if not self.accepting:
                _close(client, reset=True)
                continue
            self._shape(client)
            self.passages.append(Passage(self, client))

    async def _dial(self) -> socket.socket:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._shape(server)
        try:
            await asyncio.get_running_loop().sock_connect(server, self._server)
        except BaseException:
            server.close()
            raise
        return server

    def _shape(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)


class Passage:
    """One connection through a proxy. It ends by itself once both ends have said all they had to say, or one is gone."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._sockets = [client]
        self._reset = False
        self._ending = False
        self._ways: dict[Direction, _Way] = {}
        self.task = asyncio.create_task(self._carry())
        self.task.add_done_callback(self._end)

    @property
    def carried(self) -> dict[Direction, int]:
        """Bytes that were handed on so far."""
        return {direction: way.carried for direction, way in self._ways.items()}

    async def cut(self, *, reset: bool = True) -> None:
        """End it now: what is under way is lost."""
        if not self._ending:
            self._ending, self._reset = True, reset
            self.task.cancel()
        await asyncio.wait({self.task})

    def half_close(self, direction: Direction) -> None:
        """End one direction: its receiver hears the end, its sender nothing; the other direction goes on."""
        self._ways[direction].end()

    async def _carry(self) -> None:
        try:
            server = await self._proxy._dial()
            self._sockets.append(server)
            (client, *_), random = self._sockets, self._proxy._random
            proxy = self._proxy
            self._ways["up"] = _Way(proxy.up, random, client, server, lambda data: proxy.cuts("up", data))
            self._ways["down"] = _Way(proxy.down, random, server, client, lambda data: proxy.cuts("down", data))
            await asyncio.gather(*(way.done for way in self._ways.values()))
        except OSError:
            self._reset = True  # one end was reset, or there is no server: so is the other
        finally:
            self._ending = True
            for way in self._ways.values():
                await way.close()

    def _end(self, task: asyncio.Task[None]) -> None:
        # Not in the task: one that is cancelled before it has begun does nothing at all.
        for sock in self._sockets:
            _close(sock, reset=self._reset)
        self._proxy.passages.remove(self)


class _Way:
    """One direction of a passage: a task that reads, one that writes, and what is under way between them."""

    def __init__(
        self,
        faults: Faults,
        random: Random,
        source: socket.socket,
        sink: socket.socket,
        cuts: Callable[[bytes], bool],
    ) -> None:
        self._faults = faults
        self._cuts = cuts
        self._line = Line(faults, random)
        self._source = source
        self._sink = sink
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._forget = faults.listen(self._changed.set)
        self.carried = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        for task in self._tasks:
            task.add_done_callback(self._failed)

    def end(self) -> None:
        """Carry nothing more, and tell the receiver so."""
        for task in self._tasks:
            task.cancel()
        with suppress(OSError):
            self._sink.shutdown(socket.SHUT_WR)
        if not self.done.done():
            self.done.set_result(None)

    async def close(self) -> None:
        self._forget()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()  # whoever cut the passage does not ask for it

    def _failed(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.done.done():
            self.done.set_exception(error)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            await self._until(lambda: not self._faults.stalled and self._bytes <= MOST_UNDER_WAY)
            await _readable(self._source)
            if self._faults.stalled:
                continue
            rate = self._faults.rate
            try:
                data = self._source.recv(max(1, int(rate / PIECES_A_SECOND)) if rate else READ_BYTES)
            except BlockingIOError:
                continue
            if self._cuts(data):
                raise ConnectionResetError
            self._pieces.append((self._line.arrival(loop.time(), len(data)), data))
            self._bytes += len(data)
            self._changed.set()
            await asyncio.sleep(self._line.free_at - loop.time())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._until(lambda: bool(self._pieces) and not self._faults.stalled)
            due, data = self._pieces[0]
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
                continue
            self._pieces.popleft()
            if not data:
                self.end()
                return
            await loop.sock_sendall(self._sink, data)
            self._bytes -= len(data)
            self.carried += len(data)
            self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


async def _readable(sock: socket.socket) -> None:
    """Wait until there is something to read, without reading it."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, lambda: there.done() or there.set_result(None))
    try:
        await there
    finally:
        loop.remove_reader(sock)


def _close(sock: socket.socket, *, reset: bool) -> None:
    if reset:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_AND_RESET)
    sock.close()
