"""Through the proxy of `compose.yaml`: sockets, polls, an instance that dies, one that is not ready, too many connections.

`make image` runs these; they need an HAProxy. The instances do not know of each other here.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.cli.command import COMMAND, environment, monkeytown
from tests.deploy import haproxy
from tests.deploy.haproxy import Proxy, until_ready
from tests.postgres import free_port
from tests.readers.clients import PollClient, eventually

pytestmark = pytest.mark.image

PATIENCE = 20.0
CONNECTIONS = 10  # of an address, in the file


class Instance(NamedTuple):
    address: str
    process: subprocess.Popen[bytes]

    async def connections(self) -> int:
        """How many game connections it has had."""
        async with httpx.AsyncClient() as http:
            page = (await http.get(f"http://{self.address}/metrics")).text
        line = next(line for line in page.splitlines() if line.startswith("monkeytown_connections_total"))
        return int(float(line.split()[1]))


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[list[Instance]]:
    """Two servers of Jungle, each a process of its own."""
    found = []
    for number in (1, 2):
        port = free_port()
        process = subprocess.Popen(
            [*COMMAND, "run", "jungle", "--port", str(port)],
            env=environment(MONKEYTOWN_DATA_FOLDER=str(tmp_path / f"data{number}")),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        found.append(Instance(f"127.0.0.1:{port}", process))
    yield found
    for instance in found:
        instance.process.kill()
        instance.process.wait()


@pytest.fixture
async def proxy(instances: list[Instance], tmp_path: Path) -> AsyncIterator[Proxy]:
    for instance in instances:
        await asyncio.to_thread(until_ready, f"http://{instance.address}")
    async with proxy_before([instance.address for instance in instances], tmp_path) as running:
        yield running


@asynccontextmanager
async def proxy_before(addresses: list[str], folder: Path) -> AsyncIterator[Proxy]:
    program = haproxy.find()
    if program is None:
        pytest.fail(haproxy.HOW_TO_INSTALL)
    with Proxy(folder, program, addresses) as running:
        await asyncio.to_thread(until_ready, running.url)
        yield running


@asynccontextmanager
async def player(proxy: Proxy) -> AsyncIterator[ClientConnection]:
    """A bare connection. Whoever is not let in raises InvalidStatus."""
    address = proxy.url.replace("http:", "ws:") + "/ws"
    protocol = Subprotocol("monkeytown.1.json")
    async with connect(address, subprotocols=[protocol], proxy=None, ping_interval=None) as connection:
        yield connection


async def test_bots_play_and_both_instances_have_some(proxy: Proxy, instances: list[Instance]) -> None:
    done = await asyncio.to_thread(monkeytown, "bot", proxy.url, "--count", "6", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    assert sorted([await instance.connections() for instance in instances]) == [3, 3]


async def test_a_polling_player_stays_with_an_instance(proxy: Proxy, instances: list[Instance]) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as http:
        player = PollClient(None, http)  # type: ignore[arg-type]
        await player.open(bytes((0x02,)) + msgspec.msgpack.encode({"gameId": "jungle"}), name="Ada")
        for _ in range(10):
            async with httpx.AsyncClient(base_url=proxy.url) as player.http:  # another connection each time
                assert (await player.poll(wait=1.0)).status_code == 200
    assert sorted([await instance.connections() for instance in instances]) == [0, 1]


async def test_when_an_instance_dies_nobody_is_turned_away(proxy: Proxy, instances: list[Instance]) -> None:
    instances[0].process.kill()
    instances[0].process.wait()
    for _ in range(8):
        async with player(proxy), httpx.AsyncClient(base_url=proxy.url) as http:
            assert (await http.post("/poll", content=b"?")).status_code < 500
            assert (await http.get("/info")).status_code == 200


async def test_one_that_is_not_ready_is_sent_nobody(tmp_path: Path) -> None:
    async with (
        stand_in() as stopping,
        stand_in() as other,
        proxy_before([stopping.address, other.address], tmp_path) as proxy,
        httpx.AsyncClient(base_url=proxy.url) as http,
    ):
        stopping.ready = False
        stopping.asked.clear()
        await eventually(lambda: stopping.asked["/health/ready"] >= 3)
        stopping.asked.clear()
        for _ in range(10):
            assert (await http.get("/info")).status_code == 200
            assert (await http.post("/poll", content=b"?")).status_code == 200
        assert set(stopping.asked) <= {"/health/ready"}
        assert other.asked["/info"] == other.asked["/poll"] == 10
        stopping.ready = True
        async with asyncio.timeout(PATIENCE):
            while not stopping.asked["/info"]:
                await http.get("/info")


async def test_an_address_has_ten_connections(proxy: Proxy) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            await stack.enter_async_context(player(proxy))
        for _ in range(3):  # whoever is refused does not count
            with pytest.raises(InvalidStatus, match="429"):
                await stack.enter_async_context(player(proxy))
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(InvalidStatus):
                async with player(proxy):
                    return


async def test_metrics_are_not_passed_on(proxy: Proxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get("/health/ready")).status_code == 200


# ---- a server that says whether it is ready, and 200 to all else ----


class StandIn:
    def __init__(self) -> None:
        self.ready = True
        self.address = ""
        self.asked: Counter[str] = Counter()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.asked[path] += 1
            status = "503 No" if path == "/health/ready" and not self.ready else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    one = StandIn()
    async with await asyncio.start_server(one.answer, "127.0.0.1", 0) as server:
        one.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield one
