"""The server as a whole: pages, health, headers, what keeps it from starting, and how it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.typing import Subprotocol

import monkeytown
from monkeytown import Game
from monkeytown.errors import StartError
from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.protocol.close import CloseCode
from monkeytown.server.app import RunningServer, application, running, serve
from monkeytown.server.headers import HEADERS
from monkeytown.server.health import Health
from monkeytown.server.settings import Settings
from tests.readers.clients import json_client, socket_url
from tests.runtime.stage import Dots


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running([Jungle, TicTacToe, Dots], Settings(port=0)) as server:
        yield server


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def test_health(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).json() == {"status": "live"}
    assert (await http.get("/health/ready")).json() == {"status": "ready"}


async def test_a_server_that_stops_is_live_and_not_ready() -> None:
    health = Health()
    transport = httpx.ASGITransport(application([Dots], health))
    async with httpx.AsyncClient(base_url="http://test", transport=transport) as http:
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 503
        health.ready = True
        assert (await http.get("/health/ready")).status_code == 200


async def test_info_names_the_games_and_their_pages(http: httpx.AsyncClient) -> None:
    info = (await http.get("/info")).json()
    assert [game["name"] for game in info["games"]] == ["jungle", "tictactoe", "dots"]
    assert [game["page"] for game in info["games"]] == ["/jungle", "/tictactoe", None]
    assert info["games"][0]["title"] == "Jungle"
    assert isinstance(info["version"], str)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", "text/html"),
        ("/client", "text/html"),
        ("/jungle", "text/html"),
        ("/tictactoe", "text/html"),
        ("/web/monkeytown.js", "text/javascript"),
        ("/web/style.css", "text/css"),
        ("/web/logo.svg", "image/svg+xml"),
    ],
)
async def test_pages_and_files(http: httpx.AsyncClient, path: str, content: str) -> None:
    response = await http.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(content)
    again = await http.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert again.status_code in (200, 304)


async def test_a_game_without_a_page_is_played_in_the_built_in_client() -> None:
    async with running([Dots], Settings(port=0)) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/")).text == (await http.get("/client")).text


async def test_a_game_of_ones_own_does_not_get_a_page_made_for_another() -> None:
    class Own(Dots):
        name = "jungle"

    async with running([Own], Settings(port=0)) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/jungle")).status_code == 404
        assert (await http.get("/info")).json()["games"][0]["page"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/web/monkeytown.js"),
        ("GET", "/info"),
        ("GET", "/health/live"),
        ("GET", "/nothing/here"),
        ("GET", "/web/../server/app.py"),
        ("GET", "/web/%2e%2e/server/app.py"),
        ("POST", "/info"),
        ("GET", "/ws"),
        ("OPTIONS", "/"),
    ],
)
async def test_every_response_carries_every_header(http: httpx.AsyncClient, method: str, path: str) -> None:
    response = await http.request(method, path)
    for name, value in HEADERS:
        assert response.headers.get_list(name) == [value], name
    assert "server" not in response.headers
    assert "unsafe" not in response.headers["content-security-policy"]
    assert "def " not in response.text or path.endswith(".js")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        b"GET /ws HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_bad_requests_carry_them_too(server: RunningServer, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request_bytes)
    answer = await asyncio.wait_for(reader.read(65536), 10)
    writer.close()
    assert answer.split(b" ")[1].startswith(b"4"), answer
    assert b"x-content-type-options: nosniff" in answer.lower()


async def test_rooms_beside_each_other(server: RunningServer) -> None:
    async with json_client(server) as one, json_client(server) as two:
        first, second = await one.join("jungle"), await two.join("tictactoe")
        assert first["gameId"] != second["gameId"]
    assert {name: game.joins for name, game in server.metrics.games.items()} == {"jungle": 1, "tictactoe": 1}


@contextmanager
def occupied() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield int(sock.getsockname()[1])


def refused(*games: type[Game], **settings: object) -> str:
    with pytest.raises(StartError) as error:
        serve(games, Settings(**settings))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_port_in_use() -> None:
    with occupied() as port:
        assert str(port) in refused(Dots, port=port)


def test_an_address_that_is_not_ours() -> None:
    assert "192.0.2.1" in refused(Dots, host="192.0.2.1", secret="x" * 32, guests=True)


def test_a_name_that_is_no_address() -> None:
    assert "no.such.host.invalid" in refused(Dots, host="no.such.host.invalid", secret="x" * 32, guests=True)


def test_no_secret() -> None:
    assert "MONKEYTOWN_SECRET" in refused(Dots, host="0.0.0.0")


def test_a_way_in_for_nobody() -> None:
    assert "nobody could come in" in refused(Dots, host="0.0.0.0", secret="x" * 32)
    assert "nobody could come in" in refused(Dots, guests=False)
    assert "needs MONKEYTOWN_JWT_ISSUER" in refused(Dots, jwt_keys="keys.pem")
    about = {"jwt_keys": "/no/such/file", "jwt_issuer": "here", "jwt_audience": "here"}
    assert "there are no keys in /no/such/file: No such file" in refused(Dots, **about)


def test_no_game() -> None:
    assert "no game" in refused()


def test_two_games_of_one_name() -> None:
    class Other(Dots):
        name = "dots"

    assert "dots" in refused(Dots, Other)


def test_a_game_without_a_table() -> None:
    class Empty(Game):
        pass

    assert "Empty" in refused(Empty)


ROOTS = (str(Path(__file__).parents[2]), str(Path(monkeytown.__file__).parents[1]))

SERVE = """
from monkeytown.server.app import serve
from monkeytown.server.settings import Settings
from tests.runtime.stage import Dots
serve([Dots], Settings(port={port}))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_stop_it_says_goodbye_and_exits_with_0(number: signal.Signals) -> None:
    with occupied() as port:
        pass
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVE.format(port=port),
        env={**os.environ, "PYTHONPATH": os.pathsep.join((*ROOTS, *sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            connection = await first_connection(f"ws://127.0.0.1:{port}/ws")
            await connection.send(b"\x02\x81\xa6gameId\xa4dots")
            assert await connection.recv()
            process.send_signal(number)
            with suppress(ConnectionClosedError):
                async for _ in connection:
                    pass
            assert connection.close_code == CloseCode.GOING_AWAY
            assert await process.wait() == 0
            assert process.stderr is not None
            assert b"Traceback" not in await process.stderr.read()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def first_connection(url: str) -> ClientConnection:
    while True:
        try:
            return await connect(url, subprotocols=[Subprotocol("monkeytown.1")])
        except OSError:
            await asyncio.sleep(0.05)


async def test_a_url_says_where_it_is(server: RunningServer) -> None:
    assert server.url == f"http://{server.host}:{server.port}"
    assert socket_url(server).endswith(f":{server.port}/ws")
