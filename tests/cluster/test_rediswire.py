"""A connection that is kept up, whatever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import ResponseError

from monkeytown.cluster.rediswire import TURN, Wire
from tests.cluster.ears import until


class Connection:
    """Of the library, as far as a wire uses it."""

    def __init__(self) -> None:
        self.replies: asyncio.Queue[Any] = asyncio.Queue()
        self.is_open = True

    async def read_response(self) -> Any:
        reply = await self.replies.get()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def disconnect(self, nowait: bool) -> None:
        assert nowait
        self.is_open = False


class Recorder:
    """A use that writes down what happens to it."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.connections: list[Connection] = []
        self.failures: list[Exception] = []
        """What the next attempts to connect fail with."""
        self.writing: asyncio.Future[None] | None = None

    async def dial(self) -> Connection:
        if self.failures:
            raise self.failures.pop(0)
        self.connections.append(Connection())
        return self.connections[-1]

    def connected(self) -> None:
        self.events.append("connected")

    async def write(self, connection: Connection) -> None:
        self.writing = asyncio.get_running_loop().create_future()
        await self.writing

    def received(self, reply: Any) -> None:
        self.events.append(reply)

    def lost(self, error: BaseException) -> None:
        self.events.append(error)


@asynccontextmanager
async def running(*failures: Exception) -> AsyncIterator[tuple[Recorder, Wire]]:
    recorder = Recorder()
    recorder.failures = list(failures)
    wire = Wire(recorder.dial, recorder)
    task = asyncio.create_task(wire.run())
    yield recorder, wire
    task.cancel()
    await asyncio.wait({task})
    assert not any(connection.is_open for connection in recorder.connections)


async def test_it_tries_until_it_is_connected() -> None:
    first, second = OSError("refused"), TimeoutError()
    async with running(first, second) as (recorder, wire):
        assert not wire.is_up
        await until(lambda: recorder.connections)
        assert recorder.events == [first, second, "connected"]
        assert wire.is_up


async def test_what_ends_reading_ends_the_connection_and_another_is_made() -> None:
    async with running() as (recorder, _):
        await until(lambda: recorder.connections)
        gone = ConnectionResetError()
        recorder.connections[0].replies.put_nowait("reply")
        recorder.connections[0].replies.put_nowait(gone)
        await until(lambda: len(recorder.connections) == 2)
        assert recorder.events == ["connected", "reply", gone, "connected"]
        assert [connection.is_open for connection in recorder.connections] == [False, True]


async def test_what_ends_writing_does_so_too() -> None:
    async with running() as (recorder, _):
        await until(lambda: recorder.writing)
        assert recorder.writing
        gone = BrokenPipeError()
        recorder.writing.set_exception(gone)
        await until(lambda: len(recorder.connections) == 2)
        assert recorder.events == ["connected", gone, "connected"]


async def test_what_the_server_refuses_ends_nothing() -> None:
    async with running() as (recorder, wire):
        await until(lambda: recorder.connections)
        no = ResponseError("NOPERM")
        for reply in (no, b"yes"):
            recorder.connections[0].replies.put_nowait(reply)
        await until(lambda: b"yes" in recorder.events)
        assert recorder.events == ["connected", no, b"yes"]
        assert wire.is_up


async def test_a_connection_that_is_no_good_can_be_thrown_away() -> None:
    async with running(OSError("refused")) as (recorder, wire):
        wire.restart(LookupError("there is none yet"))
        await until(lambda: recorder.writing)
        deaf = LookupError("deaf")
        wire.restart(deaf)
        wire.restart(LookupError("it is already going"))
        await until(lambda: len(recorder.connections) == 2)
        assert recorder.events[2] is deaf
        assert recorder.events[3:] == ["connected"]


async def test_a_burst_leaves_others_their_turn() -> None:
    async with running() as (recorder, _):
        await until(lambda: recorder.connections)
        many = 10 * TURN
        for number in range(many):
            recorder.connections[0].replies.put_nowait(number)
        seen = set()
        while len(recorder.events) <= many:
            seen.add(len(recorder.events))
            await asyncio.sleep(0)
        assert len(seen) >= many // TURN
