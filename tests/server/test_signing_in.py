"""Tokens against a running server, over every way in; and that none of them is ever written down."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monkeytown import Entity, Game, Identity, Player, singleton, uint
from monkeytown.client import ConnectionLost, connect
from monkeytown.errors import Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.readers.polling import blobs
from monkeytown.readers.socketio import EventFront
from monkeytown.server.app import RunningServer
from monkeytown.server.logs import configure
from tests.conftest import Serve
from tests.readers.clients import eventually, json_client, poll_client
from tests.readers.test_longpoll import join, message

ISSUER, AUDIENCE = "https://id.example.com", "town.example.com"
RSA = rsa.generate_private_key(65537, 2048)
TIMEOUT = 10


class Board(Entity):
    moves = uint(16)


class Moves(Game):
    tick_rate = 0
    board = singleton(Board)

    def on_join(self, player: Player) -> None:
        self.broadcast("came", {"id": player.id, "name": player.name, "guest": player.guest})

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        self.board.moves += 1


def token(sub: str = "ann", seconds: float = 600, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "iat": now,
        "exp": now + int(seconds),
        "name": sub.title(),
    }
    return jwt.encode(claims | changes, RSA, "RS256", headers={"kid": "key-1"})


@pytest.fixture
async def guarded(server: Serve, tmp_path: Path) -> Callable[..., Awaitable[RunningServer]]:
    """A server that lets nobody in without a token of ours."""
    file = tmp_path / "key.pem"
    file.write_bytes(RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    about = {
        "guests": False,
        "jwt_keys": str(file),
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
        "jwt_leeway": 0,
    }

    async def serve(**settings: Any) -> RunningServer:
        running: RunningServer = await server(Moves, **about | settings)
        return running

    return serve


async def test_over_a_websocket(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    running = await guarded()
    async with await connect(running.url, name="Mallory", token=token()) as client:
        room = await client.join("moves")
        assert (client.id, client.name) == ("ann", "Ann")
        assert list(room.players) == ["ann"]
    with pytest.raises(Refusal, match="AUTH-006"):
        await connect(running.url, name="Bob")
    with pytest.raises(Refusal, match="AUTH-001"):
        await connect(running.url, token=token(aud="elsewhere"))
    with pytest.raises(Refusal, match="AUTH-004"):
        await connect(running.url, token=token(seconds=-60))


async def test_over_json(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    async with json_client(await guarded()) as client:
        await client.say("hello", token=token())
        await client.say("join_game", gameId="moves")
        assert (await client.next("welcome"))["playerId"] == "ann"
        assert (await client.next("game_state"))["tick"]


async def test_over_polls(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    running = await guarded()
    async with poll_client(running) as client:
        welcome = await client.open(join("moves"), token=token())
        assert welcome["playerId"] == "ann"
        assert (await client.until("schema")).game == "moves"
        # Another request comes back to the session, with its secret.
        async with poll_client(running) as back:
            again = await back.open(resume={"session": welcome["session"], "number": client.number})
            assert again["playerId"] == "ann"
            assert again["recovered"] is True
            assert (await back.poll()).status_code in (200, 204)
    before = len(running.polls)
    async with poll_client(running) as client:
        response = await client.post(blobs([message(0x01, token="x")]))
        assert response.status_code == 200
        client.take(response.content)
        assert [said.type for said in client.waiting] == ["close", "error"]  # in one answer
    assert len(running.polls) == before


async def test_over_socketio(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    import socketio

    running = await guarded()
    assert isinstance(running.events, EventFront)
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(running.url, auth={"token": token("bob")}, transports=["websocket"])
        assert (await client.receive(TIMEOUT))[1]["playerId"] == "bob"
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(running.url, auth={"token": "x"}, transports=["websocket"])
        assert (await client.receive(TIMEOUT))[1]["code"] == "AUTH-001"


async def test_a_token_is_renewed_while_playing(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    running = await guarded(expiry_seconds=30, silence_seconds=2)
    shown: list[str] = []

    def another() -> str:
        shown.append(token(seconds=1 if len(shown) < 2 else 600, name=f"Ann {len(shown)}"))
        return shown[-1]

    async with await connect(running.url, token=another) as client:
        room = await client.join("moves")
        lost: list[Any] = []
        client.on("reconnecting", lost.append)
        client.on("error", lost.append)
        await eventually(lambda: len(shown) == 3)
        room.input(move=1)
        await eventually(lambda: room.tables["board"].row(0).moves == 1)
        assert lost == []


async def test_a_token_that_is_not_renewed_is_the_end(
    guarded: Callable[..., Awaitable[RunningServer]],
) -> None:
    running = await guarded(expiry_seconds=0.2, silence_seconds=2)
    async with await connect(running.url, token=token(seconds=1)) as client:
        await client.join("moves")
        closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        client.on("close", closed.set_result)
        assert (await asyncio.wait_for(closed, TIMEOUT)).code == CloseCode.EXPIRED


async def test_a_game_checks_for_itself(server: Serve) -> None:
    class Own(Moves):
        @classmethod
        async def on_auth(cls, token: str) -> Identity | None:
            await asyncio.sleep(0)
            return Identity("cat", "Cat") if token == "meow" else None

    running = await server(Own, guests=False)
    async with await connect(running.url, token="meow") as client:
        assert (client.id, client.name) == ("cat", "Cat")
    with pytest.raises(Refusal, match="AUTH-001"):
        await connect(running.url, token="woof")


async def test_who_is_sent_away_is_gone_at_once(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    running = await guarded()
    async with (
        await connect(running.url, token=token()) as one,
        await connect(running.url, token=token()) as two,
        poll_client(running) as three,
    ):
        await one.join("moves")
        await three.open(token=token())
        ends: dict[int, asyncio.Future[Any]] = {}
        for number, client in enumerate((one, two)):
            ends[number] = asyncio.get_running_loop().create_future()
            client.on("close", ends[number].set_result)
        assert running.sessions.send_away("ann", CloseCode.BANNED) == 3
        for end in ends.values():
            assert (await asyncio.wait_for(end, TIMEOUT)).code == CloseCode.BANNED
        assert (await three.until("close")).code == CloseCode.BANNED
        await eventually(
            lambda: (
                len(running.rooms.rooms) == 0
                or not any(hosted.sessions for hosted in running.rooms.rooms.values())
            )
        )


async def test_tokens_are_written_down_nowhere(guarded: Callable[..., Awaitable[RunningServer]]) -> None:
    out = StringIO()
    with redirect_stdout(out):
        configure("debug", "json")
        running = await guarded()
        good, bad = token(), token(aud="elsewhere")
        async with await connect(running.url, token=good) as client:
            await client.join("moves")
            secret = client._session._secret
            with pytest.raises(Refusal):
                await connect(running.url, token=bad)
            with pytest.raises((Refusal, ConnectionLost)):
                await connect(f"{running.url}/ws?token={good}", token=bad)
            async with httpx.AsyncClient(base_url=running.url) as http:
                pages = [(await http.get(path)).text for path in ("/metrics", "/info", "/health/ready")]
            pages.append(json.dumps(client.room.schema if client.room else {}))
    written = out.getvalue() + "".join(pages)
    for text in (good, bad, good.rpartition(".")[2], secret, secret.partition(".")[2]):
        assert text not in written
