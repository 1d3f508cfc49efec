"""The proxy does to a connection what it was told to, and cleans up after itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest

from monkeytown.client import connect
from monkeytown.games.jungle import Jungle
from tests.chaos.proxy import LINGER_AND_RESET, Proxy
from tests.conftest import Serve

TIMEOUT = 10
SMALL_BUFFER = 64 * 1024  # with less than a segment of the loopback in it, TCP waits for its timers


class Echo:
    """A server that sends back what it is sent; it keeps what it heard, and how each connection ended."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = bytearray()
        self.ends: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(10_000):
                self.heard.extend(data)
                writer.write(data)
                await writer.drain()
            self.ends.append("end")
        except ConnectionError:
            self.ends.append("reset")


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    listening = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = listening.sockets[0].getsockname()[1]
    yield echo
    for writer in echo.writers:
        writer.close()
    listening.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    async with Proxy("127.0.0.1", echo.port, seed=1) as proxy:
        yield proxy
    assert proxy.passages == []


Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
async def dial(proxy: Proxy) -> AsyncIterator[Dial]:
    """Connections through the proxy."""
    writers: list[asyncio.StreamWriter] = []

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return reader, writer

    yield dial
    for writer in writers:
        writer.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - conditions of others, who set no events
            await asyncio.sleep(0.005)


async def test_everything_comes_through_and_a_connection_ends_with_its_ends(
    proxy: Proxy, dial: Dial, echo: Echo
):
    reader, writer = await dial()
    sent = Random(1).randbytes(300_000)
    writer.write(sent)
    async with asyncio.timeout(TIMEOUT):
        assert await reader.readexactly(len(sent)) == sent
    assert proxy.passages[0].carried == {"up": len(sent), "down": len(sent)}
    writer.write_eof()
    await until(lambda: echo.ends == ["end"])
    echo.writers[0].close()
    assert await reader.read() == b""
    await until(lambda: not proxy.passages)


async def test_each_direction_is_late_by_its_own_delay(proxy: Proxy, dial: Dial, echo: Echo):
    proxy.down.delay = 0.1
    reader, writer = await dial()
    now = asyncio.get_running_loop().time
    began = now()
    writer.write(b"x")
    await until(lambda: echo.heard)
    assert await reader.readexactly(1) == b"x"
    assert now() - began >= 0.1


async def test_jitter_keeps_the_order(proxy: Proxy, dial: Dial):
    proxy.up.jitter = proxy.down.jitter = 0.01
    reader, writer = await dial()
    sent = bytes(range(100))
    for number in sent:
        writer.write(bytes((number,)))
        await asyncio.sleep(0)
    async with asyncio.timeout(TIMEOUT):
        assert await reader.readexactly(100) == sent


async def test_a_rate_holds_a_direction_back_until_it_is_lifted(proxy: Proxy, dial: Dial):
    proxy.up.rate = 50_000
    reader, writer = await dial()
    now = asyncio.get_running_loop().time
    began = now()
    writer.write(bytes(5000))
    async with asyncio.timeout(TIMEOUT):
        await reader.readexactly(5000)
        assert now() - began >= 0.09
        proxy.up.rate = 100
        writer.write(bytes(50_000))
        await asyncio.sleep(0.05)
        assert proxy.passages[0].carried["up"] < 5100
        proxy.up.rate = 0
        await reader.readexactly(50_000)


async def test_a_stall_is_felt_by_the_sender_and_ends(echo: Echo):
    async with Proxy("127.0.0.1", echo.port, buffer=SMALL_BUFFER) as proxy:
        proxy.up.stalled = True
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        sent = bytes(4_000_000)
        writer.write(sent)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.1)
        assert (proxy.passages[0].carried["up"], echo.heard) == (0, b"")
        proxy.up.stalled = False
        async with asyncio.timeout(TIMEOUT):
            assert await reader.readexactly(len(sent)) == sent
        writer.transport.abort()


async def test_a_stall_holds_back_what_is_under_way(proxy: Proxy, dial: Dial, echo: Echo):
    reader, writer = await dial()
    proxy.up.delay = 0.05
    writer.write(b"x")
    await asyncio.sleep(0.02)
    proxy.up.stalled = True
    await asyncio.sleep(0.06)
    assert not echo.heard
    proxy.up.stalled = False
    assert await reader.readexactly(1) == b"x"


async def test_half_of_a_connection_can_be_closed(proxy: Proxy, dial: Dial, echo: Echo):
    reader, writer = await dial()
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    proxy.passages[0].half_close("up")
    await until(lambda: echo.ends == ["end"])
    writer.write(b"nobody reads this")
    echo.writers[0].write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    assert echo.heard == b"x"
    proxy.passages[0].half_close("down")
    assert await reader.read() == b""
    await until(lambda: not proxy.passages)


@pytest.mark.parametrize("reset", [True, False])
async def test_a_cut_is_a_reset_or_an_end_for_both(proxy: Proxy, dial: Dial, echo: Echo, reset: bool):
    connections = [await dial() for _ in range(5)]
    for reader, writer in connections:
        writer.write(b"x")
        await reader.readexactly(1)
    await proxy.passages[0].cut(reset=reset)
    await until(lambda: len(echo.ends) == 1)
    await proxy.cut(reset=reset)
    await until(lambda: len(echo.ends) == 5)
    assert set(echo.ends) == {"reset" if reset else "end"}
    for reader, _ in connections:
        if reset:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            assert await reader.read() == b""
    assert proxy.passages == []


async def test_a_reset_of_one_end_is_one_for_the_other(proxy: Proxy, dial: Dial, echo: Echo):
    reader, writer = await dial()
    writer.write(b"x")
    await reader.readexactly(1)
    sock = echo.writers[0].get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_AND_RESET)
    echo.writers[0].transport.abort()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await until(lambda: not proxy.passages)


async def test_who_is_not_accepted_is_reset(proxy: Proxy, dial: Dial, echo: Echo):
    proxy.accepting = False
    reader, _ = await dial()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    proxy.accepting = True
    reader, writer = await dial()
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    assert len(echo.writers) == 1


async def test_what_is_looked_for_does_not_arrive(proxy: Proxy, dial: Dial, echo: Echo):
    proxy.cuts = lambda direction, data: direction == "down" and b"answer" in data
    reader, writer = await dial()
    other, _ = await dial()
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.write(b"an answer")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await until(lambda: echo.ends)
    assert (bytes(echo.heard), echo.ends) == (b"helloan answer", ["reset"])
    assert len(proxy.passages) == 1
    assert not other.at_eof()


async def test_without_a_server_there_is_a_reset(unused_port: int):
    async with Proxy("127.0.0.1", unused_port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


@pytest.fixture
async def unused_port() -> int:
    listening = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = int(listening.sockets[0].getsockname()[1])
    listening.close()
    return port


async def test_a_cut_in_the_very_moment_of_coming_leaves_nothing_open(proxy: Proxy, dial: Dial):
    await dial()
    await until(lambda: proxy.passages)
    await proxy.cut()
    assert proxy.passages == []


async def test_a_player_comes_back_after_a_cut(server: Serve):
    running = await server(Jungle)
    async with (
        Proxy(running.host, running.port) as proxy,
        await connect(proxy.url, random=Random(1)) as client,
    ):
        room = await client.join("jungle")
        back = asyncio.create_task(client.wait("reconnected"))
        await asyncio.sleep(0)
        proxy.down.delay = 0.03
        await proxy.cut()
        assert (await back).same_room
        number = room.input(turn=1)
        await until(lambda: room.input_seen == number)
