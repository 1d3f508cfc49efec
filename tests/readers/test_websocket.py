"""Two players and a server over real sockets, on both subprotocols."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from monkeytown._core.inputs import Layout
from monkeytown.protocol.close import CloseCode
from monkeytown.schema import Schema
from monkeytown.server.app import RunningServer
from tests.readers.clients import (
    BinaryClient,
    bare,
    binary_client,
    empty,
    eventually,
    json_client,
    request,
    socket_url,
    upgraded,
)
from tests.readers.conftest import Serve
from tests.runtime.stage import Dots, Push

LAYOUT = Layout(Push, Schema.of(Dots).input_description["hash"])  # type: ignore[index]


async def test_json_players_see_each_other_and_what_they_do(server: RunningServer) -> None:
    async with json_client(server) as one, json_client(server) as two:
        await one.say("hello", name="Ada")
        welcome = await one.next("welcome")
        first = await one.join("dots")
        assert first["base"] is None
        await two.say("join_game", gameId=first["gameId"])
        joined = [await two.next("player_joined") for _ in range(2)]
        assert joined[0] == {"id": welcome["playerId"], "name": "Ada"}
        state = await two.next("game_state")
        assert state["epoch"] == first["epoch"]
        assert len(state["tables"]["dots"]["set"]) == 2
        assert (await one.next("player_joined"))["id"] == joined[1]["id"]
        await one.say("player_input", action={"by": 7}, number=1)
        while True:
            state = await two.next("game_state")
            if any(row.get("x") == 7 for row in state["tables"].get("dots", {}).get("set", {}).values()):
                break
        assert (await one.next("private"))["input"] == 1
        await two.say("chat_message", text="hello <b>")
        event = await one.next("game_event")
        assert (event["event"], event["data"]["text"]) == ("chat", "hello <b>")
        assert one.numbers == list(range(1, len(one.numbers) + 1))


async def test_a_binary_player_reads_deltas_from_where_it_stands(server: RunningServer) -> None:
    async with binary_client(server) as player:
        await player.say(0x02, gameId="dots")
        welcome = await player.next_map(0x41)
        schema = await player.next_map(0x42)
        assert schema["game"] == "dots"
        assert (await player.next_map(0x45))["id"] == welcome["playerId"]
        snapshot = await player.next(0x43)
        assert snapshot[1] & 1
        private = await player.next(0x44)
        assert private[1] & 0x02
        await player.connection.send(LAYOUT.pack(Push(by=5), 1, 0))
        delta = await player.next(0x43)
        assert not delta[1] & 1
        acknowledged = await player.next(0x44)
        assert acknowledged == b"\x44\x01\x01"


async def test_both_encodings_are_in_one_room(server: RunningServer) -> None:
    async with binary_client(server) as binary, json_client(server) as text:
        await binary.say(0x02, gameId="turns")
        room = (await binary.next_map(0x42))["gameId"]
        state = await text.join(room)
        assert state["gameId"] == room
        await binary.say(0x04, do="step")
        moved = await text.next("game_state")
        assert next(iter(moved["tables"]["dots"]["set"].values())) == {"x": 1}
        await text.say("chat_message", text="seen")
        assert (await binary.next_map(0x47))["data"]["text"] == "seen"


async def test_a_fragmented_binary_message_is_one_message(server: RunningServer) -> None:
    async with upgraded(server) as player:
        player.frame(Opcode.BINARY, b"\x06\x81\xa9time", fin=False)
        player.frame(Opcode.PING, b"between")
        player.frame(Opcode.CONT, b"", fin=False)
        player.frame(Opcode.CONT, b"stamp\x05")
        assert await player.read_frame() == (Opcode.PONG, b"between")
        opcode, payload = await player.read_frame()
        assert opcode == Opcode.BINARY
        assert payload[0] == 0x49


async def test_a_fragmented_input_reaches_the_rules(server: RunningServer) -> None:
    async with binary_client(server) as player:
        await player.say(0x02, gameId="dots")
        await player.next(0x44)
        message = LAYOUT.pack(Push(by=5), 3, 0)
        await player.connection.send([message[:2], message[2:]])
        assert await player.next(0x44) == b"\x44\x01\x03"


async def test_pings_are_answered_and_a_close_is_a_clean_one(server: RunningServer) -> None:
    async with json_client(server) as player:
        await (await player.connection.ping(b"x" * 125))
        await player.connection.close(1000, "done")
        assert player.connection.close_code == 1000
    await empty(server)


async def test_a_lost_connection_leaves_its_room_when_seats_are_not_kept(serve: Serve) -> None:
    async with serve(seat_seconds=0) as server, json_client(server) as stays:
        await stays.join("dots")
        async with json_client(server) as leaves:
            await leaves.join("dots")
            await stays.next("player_joined")
            leaves.connection.transport.abort()
        await stays.next("player_left")


async def test_a_lost_connection_keeps_its_seat_and_goes_on(server: RunningServer) -> None:
    async with json_client(server) as stays:
        await stays.join("dots")
        async with json_client(server) as lost:
            await lost.say("hello", name="Ada")
            welcome = await lost.next("welcome")
            state = await lost.join("dots")
            await lost.say("player_input", action={"by": 5}, number=1)
            while (await lost.next("private")).get("input") != 1:
                pass
            number = lost.numbers[-1]
            await stays.say("chat_message", text="still there?")
            lost.connection.transport.abort()
        room = server.rooms.rooms[state["gameId"]].room
        member = room.members[welcome["playerId"]]
        await eventually(lambda: not member.player.connected)
        async with json_client(server) as back:
            has = {"gameId": state["gameId"], "epoch": state["epoch"], "tick": state["tick"]}
            await back.say("hello", resume={"session": welcome["session"], "number": number, **has})
            again = await back.next("welcome")
            assert (again["playerId"], again["recovered"], again["resumed"]) == (
                welcome["playerId"],
                True,
                "delta",
            )
            assert (await back.next("game_event"))["data"]["text"] == "still there?"
            delta = await back.next("game_state")
            assert delta["base"] == state["tick"]
            assert delta["tables"]["dots"]["set"]
            assert (await back.next("private"))["input"] == 1
            assert member.player.connected


@pytest.mark.parametrize(("code", "stays"), [(1000, False), (1001, True), (4400, True)])
async def test_who_closes_with_1000_has_left(server: RunningServer, code: int, stays: bool) -> None:
    async with binary_client(server) as client:
        await client.say(0x02, gameId="dots")
        await client.next(0x43)
        (hosted,) = server.rooms.rooms.values()
        await client.connection.close(code)
    await empty(server)
    assert len(hosted.room.members) == stays


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, b"403"),
        ({"Sec_WebSocket_Protocol": "chat"}, b"400"),
        ({"Sec_WebSocket_Version": "12"}, b"426"),
        ({"Sec_WebSocket_Key": "short"}, b"400"),
        ({"drop": "Sec-WebSocket-Key"}, b"400"),
        ({"drop": "Sec-WebSocket-Version"}, b"400"),
        ({"drop": "Sec-WebSocket-Protocol"}, b"400"),
    ],
)
async def test_bad_requests_are_refused_before_the_upgrade(
    server: RunningServer, headers: dict[str, str], status: bytes
) -> None:
    async with bare(server) as socket:
        socket.send(request(server, **headers))
        answer = await asyncio.wait_for(socket.reader.read(), 10)
        assert answer.split(b" ", 2)[1] == status
    assert server.metrics.connections == 0
    assert server.metrics.refused.total() == 1


async def test_a_refusal_is_json_with_every_header(server: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(server), subprotocols=[Subprotocol("chat")])
    response = refused.value.response
    assert b"WS-001" in (response.body or b"")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_compression_is_not_negotiated(server: RunningServer) -> None:
    async with json_client(server, compression="deflate") as player:
        assert player.connection.protocol.extensions == []


async def test_other_websockets_of_the_application_work_beside_the_game(serve: Serve) -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text * 2)

    async with serve(routes=[WebSocketRoute("/echo", echo)]) as server:
        async with connect(socket_url(server, "/echo?loud=1")) as other, json_client(server) as player:
            await other.send("hey")
            assert await other.recv() == "heyhey"
            await player.join("turns")
            await other.send("x" * 100_000)
            assert await other.recv() == "x" * 200_000
        with pytest.raises(InvalidStatus):
            await connect(socket_url(server, "/nothing-here"))


class TestClosing:
    async def test_kicked_failed_and_closed_rooms_say_why(self, server: RunningServer) -> None:
        for action, code, error in (
            ("kick", CloseCode.KICKED, None),
            ("boom", CloseCode.ROOM_FAILED, "GAME-005"),
            ("close", CloseCode.ROOM_CLOSED, "GAME-006"),
        ):
            async with json_client(server) as player:
                await player.join("turns")
                await player.say("player_input", action={"do": action})
                if error:
                    assert (await player.next("error"))["code"] == error
                with pytest.raises(ConnectionClosed):
                    await player.next("nothing")
                assert player.connection.close_code == code
            await empty(server)

    async def test_a_failing_room_beside_a_healthy_one(self, server: RunningServer) -> None:
        async with json_client(server) as healthy, json_client(server) as unlucky:
            await healthy.join("turns")
            await unlucky.join("grumpy")
            assert (await unlucky.next("error"))["code"] == "GAME-005"
            await healthy.say("player_input", action={})
            assert (await healthy.next("game_state"))["tables"]

    async def test_when_the_server_stops_everybody_hears_of_it(self, serve: Serve) -> None:
        async with serve() as server, json_client(server) as one, binary_client(server) as two:
            await one.join("turns")
            server.front.close()
            for player in (one, two):
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(read_on(player.connection), 10)
                assert player.connection.close_code == CloseCode.GOING_AWAY
            with pytest.raises(InvalidStatus) as refused:
                await connect(socket_url(server), subprotocols=[Subprotocol("monkeytown.1")])
            assert refused.value.response.status_code == 503


async def read_on(connection: object) -> None:
    async for _ in connection:  # type: ignore[attr-defined]
        pass
    raise ConnectionClosed(None, None)


async def test_over_tls_the_same_frames(serve: Serve, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    await asyncio.to_thread(
        subprocess.run,
        [*command.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(cafile=str(certificate))
    async with serve(tls_certificate=str(certificate), tls_key=str(key)) as server:
        url = f"wss://127.0.0.1:{server.port}/ws"
        async with connect(url, ssl=context, subprotocols=[Subprotocol("monkeytown.1")]) as connection:
            player = BinaryClient(connection)
            await player.say(0x02, gameId="dots")
            assert (await player.next(0x43))[1] & 1
            await player.connection.send(LAYOUT.pack(Push(by=5), 1, 0))
            assert not (await player.next(0x43))[1] & 1
            assert await player.next(0x44) == b"\x44\x01\x01"
