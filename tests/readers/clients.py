"""Clients of the game socket: `websockets`' own on both subprotocols, and a bare socket for what no client would send."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from monkeytown._core.wire import Reader
from monkeytown.client import messages
from monkeytown.readers.polling import blobs
from monkeytown.server.app import RunningServer

PATIENCE = 10.0  # seconds; nothing here takes more than a moment


async def eventually(condition: Callable[[], object]) -> None:
    """Waits for what the server does in its own time."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.001)


async def empty(server: RunningServer) -> None:
    """Until the server has noticed that everybody is gone."""
    await eventually(lambda: not server.front.connections)
    assert len(server.front.addresses) == 0


def socket_url(server: RunningServer, path: str = "/ws") -> str:
    return f"ws://{server.host}:{server.port}{path}"


class JsonClient:
    """Speaks `monkeytown.1.json`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.numbers: list[int] = []

    async def say(self, kind: str, **payload: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, "payload": payload}))

    async def next(self, *kinds: str) -> Any:
        """The payload of the next message of one of these kinds."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = json.loads(await self.connection.recv())
                if "seq" in message:
                    self.numbers.append(message["seq"])
                if message["type"] in kinds:
                    return message["payload"]

    async def join(self, game_id: str) -> Any:
        """Joins and returns the first state."""
        await self.say("join_game", gameId=game_id)
        return await self.next("game_state")


class BinaryClient:
    """Speaks `monkeytown.1`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, kind: int, **payload: Any) -> None:
        await self.connection.send(bytes((kind,)) + msgspec.msgpack.encode(payload))

    async def next(self, *kinds: int) -> bytes:
        """The next message of one of these kinds, whole."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.connection.recv()
                assert isinstance(message, bytes)
                if message[0] in kinds:
                    return message

    async def next_map(self, kind: int) -> dict[str, Any]:
        """The map of the next message of this kind; its number, if it has one, is skipped."""
        message = await self.next(kind)
        at = 1
        if 0x45 <= kind <= 0x48:
            while message[at] & 0x80:
                at += 1
            at += 1
        payload: dict[str, Any] = msgspec.msgpack.decode(message[at:])
        return payload


@asynccontextmanager
async def json_client(server: RunningServer, **options: Any) -> AsyncIterator[JsonClient]:
    async with connect(
        socket_url(server), subprotocols=[Subprotocol("monkeytown.1.json")], **options
    ) as connection:
        yield JsonClient(connection)


@asynccontextmanager
async def binary_client(server: RunningServer, **options: Any) -> AsyncIterator[BinaryClient]:
    async with connect(
        socket_url(server), subprotocols=[Subprotocol("monkeytown.1")], **options
    ) as connection:
        yield BinaryClient(connection)


def as_map(welcome: msgspec.Struct) -> dict[str, Any]:
    """A message with all of its keys, as the wire calls them."""
    return {field.encode_name: getattr(welcome, field.name) for field in msgspec.structs.fields(welcome)}


class PollClient:
    """Speaks `monkeytown.1` by POST /poll."""

    def __init__(self, server: RunningServer, http: httpx.AsyncClient) -> None:
        self.server = server
        self.http = http
        self.token = ""
        self.polls = 0
        self.heard = 0
        self.number = 0
        self.waiting: list[messages.Message] = []

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        headers = {"Content-Type": "application/octet-stream"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await self.http.post("/poll", content=body, headers=headers)

    async def open(self, *said: bytes, **hello: Any) -> dict[str, Any]:
        """Opens a polling connection; returns the welcome."""
        self.polls = self.heard = 0
        response = await self.post(blobs([bytes((0x01,)) + msgspec.msgpack.encode(hello), *said]))
        assert response.status_code == 200, response.text
        self.take(response.content)
        welcome = as_map(self.next("welcome"))
        self.token = welcome["session"]
        return welcome

    async def poll(self, *said: bytes, wait: float = 0.0) -> httpx.Response:
        """One poll whose response is applied, if it is still the newest."""
        self.polls += 1
        number = self.polls
        about = {"session": self.token, "number": number, "heard": self.heard, "wait": wait}
        response = await self.post(blobs([bytes((0x09,)) + msgspec.msgpack.encode(about), *said]))
        if response.status_code in (200, 204) and number == self.polls:
            self.take(response.content)
            self.heard = number
        return response

    def take(self, content: bytes) -> None:
        reader = Reader(content)
        while reader.remaining:
            message = messages.decode(reader.raw(reader.varint()))
            if message.type == "welcome":
                self.number = message.payload.number
            if message.number:
                if message.number <= self.number:
                    continue
                assert message.number == self.number + 1
                self.number = message.number
            self.waiting.append(message)

    def next(self, kind: str) -> Any:
        """The next message of a kind that has come; None if none has."""
        for place, message in enumerate(self.waiting):
            if message.type == kind:
                del self.waiting[: place + 1]
                return message.payload
        return None

    async def until(self, kind: str) -> Any:
        """The same, polling until one comes."""
        async with asyncio.timeout(PATIENCE):
            while (payload := self.next(kind)) is None:
                await self.poll(wait=1.0)
            return payload


@asynccontextmanager
async def poll_client(server: RunningServer) -> AsyncIterator[PollClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=3 * PATIENCE) as http:
        yield PollClient(server, http)


class End(NamedTuple):
    """How the server ended a bare connection: the payloads before, the close code, whether the socket was closed."""

    frames: list[tuple[int, bytes]]
    code: int | None


class Bare:
    """A socket that says anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def frame(self, opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> None:
        self.send(bytes(Frame(opcode, payload, fin).serialize(mask=True)))

    async def read_frame(self) -> tuple[int, bytes]:
        head = await self.reader.readexactly(2)
        length = head[1]
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8), "big")
        return head[0] & 0x0F, await self.reader.readexactly(length)

    async def ending(self) -> End:
        """Everything until the server closes."""
        frames: list[tuple[int, bytes]] = []
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    opcode, payload = await self.read_frame()
                    if opcode == Opcode.CLOSE:
                        return End(frames, int.from_bytes(payload[:2], "big"))
                    frames.append((opcode, payload))
            except (asyncio.IncompleteReadError, ConnectionError):
                return End(frames, None)

    async def closed(self) -> bool:
        """Waits until the server has closed the socket, whatever still comes."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass
        return True


@asynccontextmanager
async def bare(server: RunningServer) -> AsyncIterator[Bare]:
    """A TCP connection and nothing else."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield Bare(reader, writer)
    finally:
        writer.close()


def request(server: RunningServer, path: str = "/ws", *, drop: str = "", **headers: str) -> bytes:
    """The request for an upgrade."""
    all_headers = {
        "Host": f"{server.host}:{server.port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "monkeytown.1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    all_headers.pop(drop, None)
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@asynccontextmanager
async def upgraded(server: RunningServer, **headers: str) -> AsyncIterator[Bare]:
    """A bare socket behind its upgrade."""
    async with bare(server) as socket:
        socket.send(request(server, **headers))
        head = await socket.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield socket
