"""Players with the Python client of Socket.IO, and bare packets for what no client would send."""

from __future__ import annotations

import asyncio
import json
import socket as tcp
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import engineio
import httpx
import pytest
import socketio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from monkeytown.protocol.close import CloseCode
from monkeytown.readers.events import split
from monkeytown.server.app import RunningServer
from tests.readers.clients import binary_client, eventually, json_client
from tests.readers.conftest import Serve

PATIENCE = 10.0
EVENTS = (
    "welcome",
    "game_state",
    "private",
    "player_joined",
    "player_left",
    "game_event",
    "error",
    "heartbeat",
    "close",
)


class Player:
    """The Python client, and what it has heard."""

    def __init__(self, **options: Any) -> None:
        self.client = socketio.AsyncClient(reconnection=False, **options)
        self.heard: list[tuple[str, Any]] = []
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.position: tuple[int, int] | None = None
        self.numbers: list[int] = []
        self.came = asyncio.Event()
        for event in EVENTS:
            self.client.on(event, self._hearing(event))

    def _hearing(self, event: str) -> Any:
        async def hear(payload: Any) -> None:
            self.heard.append((event, payload))
            if event == "game_state":
                self._apply(payload)
            if "seq" in payload:
                self.numbers.append(payload["seq"])
            self.came.set()

        return hear

    def _apply(self, state: Any) -> None:
        if state["base"] is None:
            self.tables = {}
        else:
            assert self.position == (state["epoch"], state["base"])
        for name, changes in state["tables"].items():
            table = self.tables.setdefault(name, {})
            for gone in changes.get("gone", ()):
                del table[gone]
            for id, fields in changes.get("set", {}).items():
                table.setdefault(id, {}).update(fields)
        self.position = state["epoch"], state["tick"]

    def column(self, table: str, field: str) -> list[Any]:
        return [row[field] for row in self.tables.get(table, {}).values()]

    async def next(self, event: str) -> Any:
        """The next of these, even if it came already; what was before it is forgotten."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for place, (kind, payload) in enumerate(self.heard):
                    if kind == event:
                        del self.heard[: place + 1]
                        return payload
                self.came.clear()
                await self.came.wait()

    async def end(self) -> None:
        await self.client.disconnect()
        http = self.client.eio.http
        if http is not None:  # not closed by the client when its connection was lost
            await http.close()

    async def say(self, event: str, **payload: Any) -> None:
        await self.client.emit(event, payload)

    async def ask(self, event: str, **payload: Any) -> Any:
        return await self.client.call(event, payload, timeout=PATIENCE)


@asynccontextmanager
async def player(server: RunningServer, *transports: str, **options: Any) -> AsyncIterator[Player]:
    one = Player()
    await one.client.connect(server.url, transports=list(transports) or None, **options)
    try:
        yield one
    finally:
        await one.end()


def the_room(server: RunningServer) -> Any:
    (hosted,) = server.rooms.rooms.values()
    return hosted.room


BOTH = pytest.mark.parametrize("transport", ["websocket", "polling"])


@BOTH
async def test_a_player_joins_steers_and_sees(server: RunningServer, transport: str) -> None:
    async with player(server, transport, auth={"name": "Ada"}) as ada:
        assert (await ada.next("welcome"))["name"] == "Ada"
        answer = await ada.ask("join_game", gameId="dots")
        assert answer["gameId"] == the_room(server).id
        for number in range(1, 21):
            await ada.ask("player_input", action={"by": 2}, number=number)
            await asyncio.sleep(0.02)  # a tick: of more than a few in one the room keeps the newest
        while (await ada.next("private")).get("input", 0) < 20:
            pass
        await eventually(lambda: ada.column("dots", "x") == [40])
        assert ada.numbers == [1]  # player_joined


async def test_it_upgrades_and_misses_nothing(server: RunningServer) -> None:
    async with player(server) as ada, json_client(server) as other:
        await ada.ask("join_game", gameId="turns")
        assert ada.client.transport() == "websocket"
        await other.join(the_room(server).id)
        for turn in range(10):
            await other.say("player_input", action={"do": turn})
        await eventually(lambda: ada.column("dots", "x") == [10])


async def test_states_go_on_from_polling_to_a_websocket(server: RunningServer) -> None:
    states: list[Any] = []

    def take(text: str) -> None:
        for packet in text.split("\x1e"):
            if packet.startswith('42["game_state"'):
                states.append(json.loads(packet[2:])[1])

    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
        path = await TestRequests().opened(http)
        await http.post(path, content=b'40\x1e42["join_game",{"gameId":"dots"}]')
        (dot,) = (await move(server)).game.dots
        for _ in range(5):
            await move(server)
            take((await http.get(path)).text)
        url = server.url.replace("http", "ws") + path.replace("polling", "websocket")
        async with connect(url) as socket:
            asked = asyncio.create_task(http.get(path))
            await socket.send("2probe")
            assert await socket.recv() == "3probe"
            while not asked.done():
                await move(server)
            take(asked.result().text)
            await move(server)
            await socket.send("5")
            before = len(states)
            while len(states) < before + 5:
                await move(server)
                take(str(await socket.recv()))
    assert before >= 3
    assert [state["base"] for state in states] == [None, *(state["tick"] for state in states[:-1])]
    assert dot.x > 10


async def move(server: RunningServer) -> Any:
    """Something happens, and there is a tick."""
    await eventually(lambda: server.rooms.rooms)
    room = the_room(server)
    await eventually(lambda: len(room.game.dots))
    for dot in room.game.dots:
        dot.x += 1
    await asyncio.sleep(0.03)
    return room


@BOTH
async def test_players_with_a_websocket_chat_with_it(server: RunningServer, transport: str) -> None:
    async with player(server, transport, auth={"name": "Ada"}) as ada, json_client(server) as other:
        await ada.ask("join_game", gameId="turns")
        await other.join(the_room(server).id)
        await ada.say("chat_message", text="hello", seq=1)
        await ada.say("chat_message", text="hello", seq=1)
        assert (await other.next("game_event"))["data"]["text"] == "hello"
        await other.say("chat_message", text="good day")
        texts = [(await ada.next("game_event"))["data"]["text"] for _ in range(2)]
        assert texts == ["hello", "good day"]
        await other.connection.close()
        await ada.next("player_left")
        assert (await ada.ask("heartbeat", timestamp=5))["ok"]
        assert (await ada.next("heartbeat"))["received"] == 1


async def test_states_come_at_the_rate_that_is_set(serve: Serve) -> None:
    async with serve(socketio_rate=5) as server, player(server, "websocket") as ada:
        await ada.ask("join_game", gameId="dots")
        first = await ada.next("game_state")
        for _ in range(25):
            await ada.ask("player_input", action={"by": 2})
            await asyncio.sleep(0.02)
        states = [await ada.next("game_state")]
        while ada.column("dots", "x") != [50]:
            states.append(await ada.next("game_state"))
        ticks = [state["tick"] for state in (first, *states)]
        assert all(later - earlier >= 9 for earlier, later in pairwise(ticks[1:]))
        assert all(state["base"] is not None for state in states)


async def test_players_share_what_is_encoded(server: RunningServer) -> None:
    async with player(server, "websocket") as ada, player(server, "polling") as bob:
        await ada.ask("join_game", gameId="dots")
        await bob.ask("join_game", gameId=the_room(server).id)
        await ada.say("player_input", action={"by": 1})
        await eventually(lambda: sum(bob.column("dots", "x")) == 1 and ada.tables == bob.tables)
        encoded = the_room(server).encoded
        made, shared = encoded.made, encoded.shared
        await ada.say("player_input", action={"by": 1})
        await eventually(lambda: sum(bob.column("dots", "x")) == 2)
        assert encoded.shared > shared
        assert encoded.made > made


@BOTH
async def test_a_whole_state_comes_on_request(server: RunningServer, transport: str) -> None:
    async with player(server, transport) as ada:
        assert (await ada.ask("request_state"))["code"] == "GAME-003"
        await ada.ask("join_game", gameId="turns")
        first = await ada.next("game_state")
        for _ in range(20):
            await ada.say("request_state")
        again = await ada.next("game_state")
        assert again == first
        await asyncio.sleep(0.1)
        assert not any(event == "game_state" for event, _ in ada.heard)  # once, however often


@BOTH
async def test_who_asks_is_answered(server: RunningServer, transport: str) -> None:
    async with player(server, transport) as ada:
        assert (await ada.ask("join_game", gameId="nothing"))["code"] == "GAME-001"
        assert (await ada.ask("leave_game"))["code"] == "GAME-003"
        joined = await ada.ask("join_game", gameId="turns")
        assert joined["ok"] is True
        assert (await ada.ask("join_game", gameId="turns"))["code"] == "GAME-004"
        refused = await ada.ask("player_input", action={"do": "no"})
        assert (refused["ok"], refused["message"]) == (False, "Not now.")
        assert (await ada.ask("ack", epoch=1, tick=999999))["code"] == "WS-010"
        assert (await ada.ask("ack", epoch=1, tick=1, number=1))["ok"]
        assert (await ada.ask("leave_game")) == {"ok": True, "playerId": joined["playerId"], "gameId": None}


class TestSessions:
    @BOTH
    async def test_who_disconnects_has_left(self, server: RunningServer, transport: str) -> None:
        async with player(server, transport) as ada:
            await ada.ask("join_game", gameId="turns")
            room = the_room(server)
        await eventually(lambda: not room.members)
        await eventually(lambda: not len(server.events or ()))
        assert len(server.front.addresses) == 0

    async def test_who_loses_the_connection_comes_back(self, server: RunningServer) -> None:
        async with player(server, "websocket", auth={"name": "Ada"}) as ada, json_client(server) as other:
            await ada.ask("join_game", gameId="turns")
            welcome = await ada.next("welcome")
            room = the_room(server)
            await ada.next("game_state")
            assert ada.position is not None
            ada.client.eio.ws._response.connection.transport.abort()
            await eventually(lambda: not room.members[welcome["playerId"]].player.connected)
            await other.join(room.id)
            await other.say("chat_message", text="where is she?")
            has = {"gameId": room.id, "epoch": ada.position[0], "tick": ada.position[1], "number": 1}
            resume = {"session": welcome["session"], **has}
            async with player(server, "polling", auth={"resume": resume}) as back:
                back.tables, back.position = ada.tables, ada.position
                again = await back.next("welcome")
                assert again["playerId"] == welcome["playerId"]
                assert (again["recovered"], again["resumed"]) == (True, "delta")
                assert (await back.next("game_event"))["data"]["text"] == "where is she?"
                await other.say("player_input", action={"do": "up"})
                await eventually(lambda: back.tables["dots"] != {} and back.position != ada.position)
                assert back.numbers == [2, 3]
                assert len(room.members) == 2

    async def test_a_player_goes_on_with_a_websocket(self, server: RunningServer) -> None:
        async with player(server, "websocket") as ada, binary_client(server) as socket:
            await ada.ask("join_game", gameId="turns")
            welcome = await ada.next("welcome")
            await socket.say(0x01, resume={"session": welcome["session"], "number": 1})
            back = await socket.next_map(0x41)
            assert (back["playerId"], back["resumed"]) == (welcome["playerId"], "snapshot")
            assert (await ada.next("close"))["code"] == CloseCode.REPLACED
            await eventually(lambda: not ada.client.connected)
            assert len(the_room(server).members) == 1

    @BOTH
    async def test_the_end_of_the_room_is_said(self, server: RunningServer, transport: str) -> None:
        async with player(server, transport) as ada:
            await ada.ask("join_game", gameId="turns")
            await ada.say("player_input", action={"do": "close"})
            assert (await ada.next("close"))["code"] == CloseCode.ROOM_CLOSED
            await eventually(lambda: not ada.client.connected)
            await eventually(lambda: not len(server.events or ()))

    @BOTH
    async def test_the_end_of_the_server_is_said(self, serve: Serve, transport: str) -> None:
        async with serve() as server:
            ada = Player()
            await ada.client.connect(server.url, transports=[transport])
            await ada.ask("join_game", gameId="turns")
        assert (await ada.next("close"))["code"] == CloseCode.GOING_AWAY
        await ada.end()


# Bare packets


@asynccontextmanager
async def bare(server: RunningServer, *, joined: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket that speaks Engine.IO, connected to the default namespace."""
    url = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with connect(url, **options) as socket:
        assert str(await socket.recv())[0] == "0"
        await socket.send("40")
        assert str(await socket.recv()).startswith("40")
        if joined:
            await socket.send("42" + json.dumps(["join_game", {"gameId": joined}]))
            await until(socket, "game_state")
        yield socket


async def until(socket: ClientConnection, event: str) -> Any:
    async with asyncio.timeout(PATIENCE):
        while True:
            said = str(await socket.recv())
            if said.startswith(f'42["{event}"'):
                return json.loads(said[2:])[1]


class TestBadInput:
    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ('42["nothing",{}]', "WS-005"),
            ('42["connect",{}]', "WS-005"),
            ('42["disconnect","x"]', "WS-005"),
            ('42["said",{}]', "WS-005"),
            ('42["poll",{"session":"x","number":1}]', "WS-005"),
            ('42["join_game"]', "WS-003"),
            ('42["join_game",{"gameId":7}]', "WS-003"),
            ('42["join_game",{"gameId":"dots"},{}]', "WS-003"),
            ('42["join_game",[]]', "WS-003"),
            ('42["chat_message",{"text":"x","seq":"y"}]', "GAME-003"),
            ('42["chat_message",{"text":"x","seq":0}]', "WS-003"),
            ('42["chat_message",{"text":"x","seq":7}]', "WS-011"),
            ('42["hello",{"seq":1}]', "WS-003"),
            ("42[]", "WS-003"),
            ("42[7]", "WS-003"),
            ('42{"a":1}', "WS-003"),
            ("42", "WS-003"),
            ("4", "WS-003"),
            ("4x", "WS-003"),
            ('4["a"]', "WS-003"),
            ('49["a"]', "WS-003"),
            ('42["a"', "WS-003"),
            ('42["\\ud800"]', "WS-003"),
            ("42" + "1" * 40 + '["join_game"]', "WS-003"),
            ('451-["player_input",{"_placeholder":true,"num":0}]', "WS-003"),
            ('461-1["x"]', "WS-003"),
            (b"binary", "WS-003"),
            ('42["player_input",{"action":' + "[" * 500 + "]" * 500 + "}]", "INPUT-001"),
            ('42["chat_message",{"text":"' + "x" * 5000 + '"}]', "WS-004"),
        ],
    )
    async def test_is_answered_by_an_error(self, server: RunningServer, said: str | bytes, code: str) -> None:
        async with bare(server) as socket:
            await socket.send(said)
            assert (await until(socket, "error"))["code"] == code
            await socket.send('427["join_game",{"gameId":"turns"}]')
            assert (await until(socket, "game_state"))["base"] is None

    @pytest.mark.parametrize(
        "said", ["x", "9", "7", "", "4" + "[" * 3000, "0", "2probe", "5", "6", "40", "41"]
    )
    async def test_of_engine_io_disturbs_nobody_else(self, server: RunningServer, said: str) -> None:
        async with bare(server, joined="turns") as socket, json_client(server) as other:
            await other.join(the_room(server).id)
            await socket.send(said)
            await other.say("chat_message", text="still here")
            assert (await other.next("game_event"))["data"]["text"] == "still here"
        await eventually(lambda: not len(server.events or ()))
        assert len(server.front.addresses) == 0

    async def test_a_large_message_is_not_even_read(self, server: RunningServer) -> None:
        async with bare(server) as socket:
            await socket.send("42" + "x" * 100_000)
            await socket.wait_closed()
            assert socket.close_code == 1009

    async def test_other_namespaces_are_not_there(self, server: RunningServer) -> None:
        async with bare(server) as socket:
            await socket.send("40/admin,")
            assert str(await socket.recv()).startswith("44/admin,")
            await socket.send('42/admin,["join_game",{"gameId":"dots"}]')
            await socket.send('42["heartbeat",{"timestamp":1}]')
            await until(socket, "heartbeat")
            assert not server.rooms.rooms

    async def test_a_flood_ends_the_connection(self, server: RunningServer) -> None:
        async with bare(server, joined="turns") as socket:
            for _ in range(3000):
                await socket.send('42["heartbeat",{"timestamp":1}]')
            assert (await until(socket, "close"))["code"] == CloseCode.FLOODING

    async def test_a_flood_of_nothing_ends_the_connection(self, server: RunningServer) -> None:
        async with bare(server) as socket:
            with suppress(ConnectionClosed):
                for _ in range(5000):
                    await socket.send("3")
            async with asyncio.timeout(PATIENCE):
                await socket.wait_closed()
        await eventually(lambda: not len(server.events or ()))

    async def test_who_speaks_another_protocol_is_sent_away(self, server: RunningServer) -> None:
        async with bare(server) as socket:
            for _ in range(100):
                await socket.send("42[")
            assert (await until(socket, "close"))["code"] == CloseCode.MALFORMED

    async def test_who_never_connects_to_the_namespace_is_sent_away(self, serve: Serve) -> None:
        async with serve(first_message_seconds=0.2) as server:
            url = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
            async with connect(url) as socket:
                await socket.wait_closed()
            await eventually(lambda: not len(server.events or ()))
            assert len(server.front.addresses) == 0

    async def test_a_second_connection_to_the_namespace_is_refused(self, server: RunningServer) -> None:
        async with bare(server, joined="turns") as socket:
            for _ in range(5):
                await socket.send("40")
            await socket.send('42["heartbeat",{"timestamp":1}]')
            await until(socket, "heartbeat")
            assert len(server.sessions) == 1


class TestRequests:
    @pytest.fixture
    async def http(self, server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            yield http

    PATH = "/socket.io/?EIO=4&transport=polling"

    async def opened(self, http: httpx.AsyncClient) -> str:
        response = await http.get(self.PATH)
        return f"{self.PATH}&sid={json.loads(response.text[1:])['sid']}"

    async def test_a_page_of_another_origin_is_refused(self, http: httpx.AsyncClient) -> None:
        path = await self.opened(http)
        for method, where in (("GET", self.PATH), ("GET", path), ("POST", path), ("OPTIONS", path)):
            response = await http.request(method, where, headers={"Origin": "https://evil.example"})
            assert response.status_code == 403
            assert response.json()["code"] == "AUTH-002"
            assert "access-control-allow-origin" not in response.headers

    async def test_a_websocket_of_another_origin_is_refused(self, server: RunningServer) -> None:
        with pytest.raises(Exception, match="403"):
            async with bare(server, additional_headers={"Origin": "https://evil.example"}):
                pass

    async def test_an_origin_that_is_allowed_may_come(self, serve: Serve) -> None:
        origin = "https://play.example"
        async with serve(origins=(origin,)) as server, httpx.AsyncClient(base_url=server.url) as http:
            response = await http.get(self.PATH, headers={"Origin": origin})
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == origin
            assert response.headers["vary"] == "origin"
            assert "access-control-allow-credentials" not in response.headers
            asked = await http.options(self.PATH, headers={"Origin": origin})
            assert asked.status_code == 204
            assert asked.headers["access-control-allow-origin"] == origin

    async def test_scripts_cannot_be_answered(self, http: httpx.AsyncClient) -> None:
        assert (await http.get(self.PATH + "&j=0")).status_code == 400

    async def test_a_long_body_is_refused(self, http: httpx.AsyncClient) -> None:
        path = await self.opened(http)
        assert (await http.post(path, content=b"4" * 20_000)).status_code == 413

        async def endless() -> AsyncIterator[bytes]:
            yield b"4"

        assert (await http.post(path, content=endless())).status_code == 413

    @pytest.mark.parametrize(
        "body", [b"", b"\xff\xff", b"x", b"\x1e" * 20, b"4\x1e4", b"d=4", b"b$$$", b"4" + b"[" * 9000]
    )
    async def test_a_body_that_makes_no_sense_disturbs_nobody(
        self, http: httpx.AsyncClient, body: bytes
    ) -> None:
        path = await self.opened(http)
        await http.post(path, content=b"40")
        response = await http.post(path, content=body)
        assert response.status_code in (200, 400)
        assert (await http.get("/healthz/live")).status_code in (200, 404)

    @pytest.mark.parametrize("query", ["", "?EIO=3&transport=polling", "?EIO=4&transport=x", "?EIO=4&sid=x"])
    async def test_a_strange_query_is_refused(self, http: httpx.AsyncClient, query: str) -> None:
        assert (await http.get("/socket.io/" + query)).status_code == 400

    async def test_an_address_has_so_many_connections(self, serve: Serve) -> None:
        async with serve(connections_per_address=2) as server, httpx.AsyncClient(base_url=server.url) as http:
            server.front.addresses._free_loopback = False
            path = await self.opened(http)
            await self.opened(http)
            response = await http.get(self.PATH)
            assert response.status_code == 429
            assert response.json()["code"] == "WS-008"
            with pytest.raises(Exception, match="429"):
                async with bare(server):
                    pass
            assert (await http.post(path, content=b"1")).status_code == 200
            assert (await http.get(self.PATH)).status_code == 200

    async def test_there_is_none_if_it_is_switched_off(self, serve: Serve) -> None:
        async with serve(socketio_rate=0) as server, httpx.AsyncClient(base_url=server.url) as http:
            assert server.events is None
            assert (await http.get(self.PATH)).status_code == 404

    async def test_there_is_none_without_the_extra(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in ("monkeytown.readers.socketio", "monkeytown.readers.packets"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setitem(sys.modules, "socketio", None)
        async with serve() as server, httpx.AsyncClient(base_url=server.url) as http:
            assert server.events is None
            assert (await http.get(self.PATH)).status_code == 404
            assert (await http.get("/health/ready")).status_code in (200, 404)


class TestSlowClients:
    async def test_who_reads_nothing_is_sent_away(self, serve: Serve) -> None:
        limits = {"stalled_seconds": 0.5, "close_seconds": 0.2, "send_buffer_bytes": 8192}
        async with serve(**limits) as server, player(server, "websocket") as ada:
            await ada.ask("join_game", gameId="dots")
            room, events = the_room(server), server.events
            assert events is not None
            narrow = tcp.socket()
            narrow.setsockopt(tcp.SOL_SOCKET, tcp.SO_RCVBUF, 4096)
            narrow.connect((server.host, server.port))
            async with bare(server, joined=room.id, sock=narrow, max_queue=1) as socket:
                socket.transport.pause_reading()
                for _ in range(200):
                    room.game.dots.spawn()

                async with asyncio.timeout(PATIENCE):
                    while len(events) == 2:
                        for dot in room.game.dots:
                            dot.x = (dot.x + 1) % 1000
                        await asyncio.sleep(0.02)
                assert server.metrics.closed[CloseCode.TOO_SLOW] == 1
                socket.transport.resume_reading()
                async with asyncio.timeout(
                    PATIENCE
                ):  # it is cut off, since it reads nothing of a close either
                    await socket.wait_closed()
            assert sorted(ada.column("dots", "x")) != []
            await eventually(lambda: ada.position is not None and ada.position[1] >= room.tick - 3)
            assert ada.client.connected  # others do not notice

    async def test_who_does_not_poll_gets_one_state_and_then_the_newest(self, server: RunningServer) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            path = await TestRequests().opened(http)
            await http.post(path, content=b'40\x1e42["join_game",{"gameId":"dots"}]')
            (connection,) = server.events.connections.values()  # type: ignore[union-attr]
            for _ in range(10):
                for dot in the_room(server).game.dots:
                    dot.x += 1
                await asyncio.sleep(0.1)
            states = (await http.get(path)).text.count("game_state")
            assert states == 1
            assert connection.link is not None
            await eventually(lambda: connection.link._states_waiting > 0)
            assert '"x":10' in (await http.get(path)).text

    async def test_too_much_that_must_not_be_missed(self, serve: Serve) -> None:
        async with serve(pending_bytes=4096) as server, httpx.AsyncClient(base_url=server.url) as http:
            path = await TestRequests().opened(http)
            await http.post(path, content=b'40\x1e42["join_game",{"gameId":"turns"}]')
            the_room(server).game.broadcast("much", {"text": "x" * 5000})
            async with json_client(server) as other:  # so that the room moves
                await other.join(the_room(server).id)
            await eventually(lambda: server.metrics.closed[CloseCode.TOO_SLOW] == 1)


class TestLibraries:
    """What is used of python-socketio and python-engineio beyond their documentation."""

    def test_what_they_are_called(self) -> None:
        server = socketio.AsyncServer(async_mode="asgi")
        assert isinstance(server.eio, engineio.AsyncServer)
        assert {"connect", "disconnect", "message"} <= server.eio.handlers.keys()
        assert callable(server.manager.eio_sid_from_sid)
        assert server.eio.reason.CLIENT_DISCONNECT == "client disconnect"

    def test_a_packet_that_comes_encoded_is_sent_as_it_is(self) -> None:
        from engineio.payload import Payload

        from monkeytown.readers.packets import Outgoing

        taken: list[int] = []
        packet = Outgoing('42["x",{}]', taken.append, 7)
        assert packet.packet_type == 4
        assert packet.data == '2["x",{}]'
        assert Payload(packets=[packet]).encode() == packet.encode() == '42["x",{}]'
        assert taken == [7]

    def test_events_are_split(self) -> None:
        assert split(b'["a"]') == ("a", b'{"type":"a","payload":{}}')
        assert split(b'["a",null]') == ("a", b'{"type":"a","payload":{}}')
        assert split(b'["a",{"seq":3}]') == ("a", b'{"type":"a","seq":3,"payload":{"seq":3}}')
        for bad in (b"", b"[]", b"[1]", b'["a",1,2]', b"{}", b"[" * 100_000):
            with pytest.raises((ValueError, RecursionError)):
                split(bad)
