"""A bad network in front of a server: what arrives, when, and that a player gets through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import httpx
import pytest

from monkeytown.client import ConnectionLost, connect
from monkeytown.errors import StartError
from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.server import simulate
from monkeytown.server.settings import Settings
from monkeytown.server.simulate import Delays, Network
from tests.conftest import Serve

TIMEOUT = 20


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - conditions of others, who set no events
            await asyncio.sleep(0.01)


def arrivals(network: Network, sent: list[float], seed: int = 1) -> list[float]:
    delays = Delays(network, Random(seed))
    return [delays.arrival(now) for now in sent]


def test_each_way_takes_half_of_a_round_trip():
    assert arrivals(Network(latency=0.1), [0.0, 1.0, 1.01]) == pytest.approx([0.05, 1.05, 1.06])


def test_jitter_adds_up_to_half_of_it_each_way_and_keeps_the_order():
    sent = [number / 1000 for number in range(500)]
    network = Network(latency=0.1, jitter=0.08)
    arrived = arrivals(network, sent)
    assert arrived == sorted(arrived)
    late = [there - here - 0.05 for here, there in zip(sent, arrived, strict=True)]
    assert -1e-9 <= min(late) < 0.02
    assert 0.035 < max(late) <= 0.04 + 1e-9


def test_a_loss_is_a_pause_that_holds_up_what_is_behind():
    network = Network(latency=0.02, loss=0.02)
    sent = [number / 100 for number in range(2000)]
    late = [there - here for here, there in zip(sent, arrivals(network, sent), strict=True)]
    lost = [number for number, delay in enumerate(late) if delay == pytest.approx(0.01 + 0.2)]
    assert 20 <= len(lost) <= 60
    first = lost[0]
    assert late[first - 1] == pytest.approx(0.01)
    assert late[first + 1] >= 0.2 - 1e-9


@pytest.mark.parametrize(
    ("network", "pause"),
    [(Network(loss=1), 0.2), (Network(latency=0.5, loss=1), 0.5), (Network(0.1, 0.1, 1), 0.5)],
)
def test_the_pause_is_as_long_as_a_sender_waits(network: Network, pause: float):
    assert network.retransmission == pytest.approx(pause)


def test_settings_are_in_milliseconds_and_percent():
    settings = Settings(simulate_latency=120, simulate_jitter=30, simulate_loss=2)
    assert Network.of(settings) == pytest.approx((0.12, 0.03, 0.02))
    assert not any(Network.of(Settings()))


@pytest.mark.parametrize("asked", ["simulate_latency", "simulate_jitter", "simulate_loss"])
def test_beyond_loopback_it_is_refused(asked: str):
    with pytest.raises(StartError, match="loopback only"):
        Settings(host="0.0.0.0", secret="x" * 32, **{asked: 1}).check()  # type: ignore[arg-type]
    Settings(host="localhost", **{asked: 1}).check()  # type: ignore[arg-type]


async def test_a_player_is_as_far_away_as_was_asked_for(server: Serve):
    running = await server(Jungle, simulate_latency=60, simulate_jitter=10)
    async with await connect(running.url) as client:
        room = await client.join("jungle")
        await until(lambda: client.ping)
        assert client.ping >= 0.06
        number = room.input(turn=1)
        await until(lambda: room.input_seen == number)


async def test_chat_gets_through_whatever_is_lost(server: Serve):
    running = await server(TicTacToe, simulate_loss=30)
    async with await connect(running.url) as client:
        room = await client.join("tictactoe")
        heard: list[str] = []
        room.on("chat", lambda said: heard.append(said["text"]))
        for number in range(3):
            room.chat(str(number))
        await until(lambda: heard == ["0", "1", "2"])


async def test_pages_come_through_and_the_address_is_the_servers_own(server: Serve):
    running = await server(Jungle, simulate_latency=20)
    async with httpx.AsyncClient(base_url=running.url) as http:
        assert (await http.get("/health/ready")).json() == {"status": "ready"}


async def test_the_last_words_of_a_server_that_stops_arrive():
    from monkeytown.server.app import running

    async with running([Jungle], Settings(port=0, simulate_latency=40)) as server:
        client = await connect(server.url, random=Random(1))
        lost = asyncio.create_task(client.wait("reconnecting"))
        await client.join("jungle")
    assert (await lost).code == 4000
    await client.close()
    with pytest.raises(ConnectionLost):
        await connect(server.url)


# ---- one connection through it, byte by byte ----


@asynccontextmanager
async def through(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], **settings: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server that does `answer`, through a network of these settings."""
    up, stop = asyncio.Event(), asyncio.Event()

    async def server(socks: list[socket.socket]) -> None:
        listening = await asyncio.start_server(answer, sock=socks[0])  # type: ignore[arg-type]
        up.set()
        await stop.wait()
        listening.close()

    with socket.create_server(("127.0.0.1", 0)) as sock:
        running = asyncio.create_task(
            simulate.serve(Settings(simulate_latency=1, **settings), sock, server)  # type: ignore[arg-type]
        )
        await up.wait()
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            stop.set()
            await running


async def test_every_byte_comes_in_order_and_so_does_the_end():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(10_000):
            writer.write(data)
            await writer.drain()
        writer.close()

    sent = Random(1).randbytes(500_000)
    async with through(echo, simulate_jitter=3) as (reader, writer):
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(TIMEOUT):
            assert await reader.read(-1) == sent


async def test_a_sender_waits_when_too_much_is_under_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulate, "MOST_UNDER_WAY", 1000)
    received = bytearray()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(10_000):
            received.extend(data)
        writer.close()

    sent = bytes(300_000)
    async with through(swallow) as (reader, writer):
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(TIMEOUT):
            assert await reader.read() == b""
        assert received == sent


@pytest.mark.parametrize("gone", ["client", "server"])
async def test_an_end_that_breaks_off_takes_the_other_with_it(gone: str):
    ended = asyncio.Event()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        if gone == "server":
            writer.transport.abort()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    async with through(server) as (reader, writer):
        writer.write(b"x")
        await writer.drain()
        async with asyncio.timeout(TIMEOUT):
            if gone == "client":
                writer.transport.abort()
            else:
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            await ended.wait()
