"""Players without a WebSocket: the same game, session, limits and rules over requests and answers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from monkeytown._core.inputs import Layout
from monkeytown.client.mirror import Mirror
from monkeytown.position import Position
from monkeytown.protocol.close import CloseCode
from monkeytown.readers.polling import blobs
from monkeytown.schema import Schema
from monkeytown.server.app import RunningServer
from tests.readers.clients import PollClient, binary_client, eventually, json_client, poll_client
from tests.readers.conftest import Serve
from tests.runtime.stage import Dots, Push

LAYOUT = Layout(Push, Schema.of(Dots).input_description["hash"])  # type: ignore[index]


def message(kind: int, **payload: Any) -> bytes:
    return bytes((kind,)) + msgspec.msgpack.encode(payload)


def join(game_id: str) -> bytes:
    return message(0x02, gameId=game_id)


def chat(text: str, number: int = 0) -> bytes:
    said = message(0x05, text=text)
    return said if not number else bytes((0x08, number)) + said


class Seen:
    """What a polling player has of its room."""

    def __init__(self, client: PollClient) -> None:
        self.client = client
        self.schema: dict[str, Any] = {}
        self.mirror: Mirror | None = None
        self.position: Position | None = None
        self.input_seen = 0
        self.states = 0

    def take(self) -> None:
        for one in self.client.waiting:
            if one.type == "schema":
                self.schema = msgspec.to_builtins(one.payload)
                self.mirror, self.position = Mirror(self.schema), None
            elif one.type == "game_state":
                assert self.mirror is not None
                self.position = self.mirror.apply(one.payload, self.position).position
                self.states += 1
            elif one.type == "private":
                assert self.mirror is not None
                self.input_seen = self.mirror.read_private(one.payload).input_seen or self.input_seen
        self.client.waiting.clear()


async def test_a_player_joins_steers_and_sees(server: RunningServer) -> None:
    async with poll_client(server) as client:
        await client.open(join("dots"), name="Ada")
        seen = Seen(client)
        for number in range(1, 21):
            await client.poll(LAYOUT.pack(Push(by=2), number), wait=1.0)
            seen.take()
        await eventually(lambda: not next(iter(server.rooms.rooms.values())).room.inputs)
        while seen.input_seen < 20:
            await client.poll(wait=1.0)
            seen.take()
        assert seen.mirror is not None
        (dot,) = seen.mirror.tables["dots"]
        assert dot.x == 40
        assert client.number == 1  # player_joined


async def test_an_input_that_is_sent_again_counts_once(server: RunningServer) -> None:
    async with poll_client(server) as client:
        await client.open(join("dots"))
        room = next(iter(server.rooms.rooms.values())).room
        for _ in range(5):
            await client.poll(LAYOUT.pack(Push(by=3), 1), LAYOUT.pack(Push(by=4), 2))
        member = next(iter(room.members.values()))
        await eventually(lambda: member.input == 2)
        assert member.player.entity.x == 7


async def test_it_waits_until_there_is_something_to_say(server: RunningServer) -> None:
    async with poll_client(server) as client, json_client(server) as other:
        await client.open(join("turns"))
        await client.poll()
        client.waiting.clear()
        assert (await client.poll()).status_code == 204
        waiting = asyncio.create_task(client.poll(wait=20.0))
        room_id = next(iter(server.rooms.rooms))
        await other.join(room_id)
        assert (await waiting).status_code == 200
        assert client.next("player_joined") is not None


async def test_a_turn_is_shown_at_once(server: RunningServer) -> None:
    async with poll_client(server) as client:
        await client.open(join("turns"))
        seen = Seen(client)
        seen.take()
        for turn in range(1, 4):
            await client.poll(bytes((0x08, turn)) + message(0x04, do="up"), wait=5.0)
            seen.take()
        while seen.mirror is None or next(iter(seen.mirror.tables["dots"])).x < 3:
            await client.poll(wait=5.0)
            seen.take()


async def test_what_was_in_a_lost_response_comes_again(server: RunningServer) -> None:
    async with poll_client(server) as client, json_client(server) as other:
        await client.open(join("turns"))
        first = client.number
        await other.join(next(iter(server.rooms.rooms)))
        seen = Seen(client)
        seen.take()
        await client.poll()
        client.waiting.clear()
        await other.say("chat_message", text="are you there?")
        await other.say("player_input", action={"do": "up"})
        assert await other.next("game_state")
        for _ in range(3):  # read, and thrown away
            client.polls += 1
            about = {"session": client.token, "number": client.polls, "heard": client.heard, "wait": 1.0}
            lost = await client.post(blobs([message(0x09, **about)]))
            assert lost.status_code == 200
        await client.poll(wait=1.0)
        assert client.number > first
        assert any(one.type == "game_state" for one in client.waiting)
        assert any(one.type == "game_event" for one in client.waiting)


async def test_a_message_that_is_sent_again_is_said_once(server: RunningServer) -> None:
    async with poll_client(server) as client, json_client(server) as other:
        await client.open(join("turns"))
        await other.join(next(iter(server.rooms.rooms)))
        for _ in range(3):
            await client.poll(chat("once", 1))
        await client.poll(chat("twice", 2))
        texts = [(await other.next("game_event"))["data"]["text"] for _ in range(2)]
        assert texts == ["once", "twice"]


async def test_of_parallel_polls_the_newest_is_answered(server: RunningServer) -> None:
    async with poll_client(server) as client:
        await client.open(join("turns"))
        await client.poll()
        polls = [asyncio.create_task(client.poll(wait=20.0)) for _ in range(4)]
        await asyncio.gather(*polls[:3])
        assert [poll.result().status_code for poll in polls[:3]] == [204] * 3
        assert not polls[3].done()
        await client.poll(message(0x06, timestamp=1))
        assert (await polls[3]).status_code == 204


async def test_an_old_poll_that_comes_late_is_heard_and_not_answered(server: RunningServer) -> None:
    async with poll_client(server) as client, json_client(server) as other:
        await client.open(join("turns"))
        await other.join(next(iter(server.rooms.rooms)))
        await client.poll()
        await client.poll()
        about = {"session": client.token, "number": 1, "heard": 0, "wait": 5.0}
        late = await client.post(blobs([message(0x09, **about), chat("late", 1)]))
        assert late.status_code == 204
        assert (await other.next("game_event"))["data"]["text"] == "late"


class TestSessions:
    async def test_a_player_goes_from_a_websocket_to_polls_and_back(self, server: RunningServer) -> None:
        async with poll_client(server) as polls:
            async with binary_client(server) as socket:
                await socket.say(0x01, name="Ada")
                welcome = await socket.next_map(0x41)
                await socket.say(0x02, gameId="dots")
                schema = await socket.next_map(0x42)
                mirror = Mirror(schema)
                position = mirror.apply(await socket.next(0x43), None).position
                has = {"gameId": schema["gameId"], "epoch": position.epoch, "tick": position.tick}
                resumed = await polls.open(
                    resume={"session": welcome["session"], "number": 1, **has}, name="Ada"
                )
                assert resumed["playerId"] == welcome["playerId"]
                assert (resumed["recovered"], resumed["resumed"]) == (True, "delta")
                await socket.connection.wait_closed()
                assert socket.connection.close_code == CloseCode.REPLACED
            polls.number = resumed["number"]
            seen = Seen(polls)
            seen.mirror, seen.position = mirror, position
            await polls.poll(LAYOUT.pack(Push(by=9), 1), wait=1.0)
            while seen.input_seen < 1:
                seen.take()
                await polls.poll(wait=1.0)
            seen.take()
            assert seen.position is not None
            has = {"gameId": schema["gameId"], "epoch": seen.position.epoch, "tick": seen.position.tick}
            async with binary_client(server) as socket:
                await socket.say(0x01, resume={"session": polls.token, "number": polls.number, **has})
                back = await socket.next_map(0x41)
                assert (back["recovered"], back["resumed"]) == (True, "delta")
                await socket.connection.send(LAYOUT.pack(Push(by=1), 2))
                state = await socket.next(0x43)
                mirror.apply(state, seen.position)
                assert (await polls.poll()).status_code in (200, 410)
                room = next(iter(server.rooms.rooms.values())).room
                assert len(room.members) == 1
            await eventually(lambda: not room.members)  # whoever closes with 1000 has left

    async def test_a_polling_player_who_stays_away_is_lost_and_comes_back(self, serve: Serve) -> None:
        async with serve(stalled_seconds=0.2, seat_seconds=30) as server, poll_client(server) as client:
            await client.open(join("turns"))
            await client.poll()
            room = next(iter(server.rooms.rooms.values())).room
            member = next(iter(room.members.values()))
            await eventually(lambda: not member.player.connected)
            assert len(server.polls) == len(server.front.addresses) == 0
            assert (await client.poll()).status_code == 410
            back = await client.open(resume={"session": client.token, "number": client.number})
            assert back["recovered"] is True
            assert member.player.connected

    async def test_leaving_for_good(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            await client.open(join("turns"))
            await client.poll(message(0x03))
            assert not next(iter(server.rooms.rooms.values())).room.members

    @pytest.mark.parametrize("token", ["", "x.y", "a" * 200])
    async def test_somebody_elses_session_cannot_be_polled(self, server: RunningServer, token: str) -> None:
        async with poll_client(server) as ada, poll_client(server) as thief:
            await ada.open(join("turns"))
            thief.token = token or ada.token.partition(".")[0] + "." + "A" * 32
            response = await thief.poll(chat("mine"))
            assert response.status_code == 410
            assert response.json()["code"] == "AUTH-003"

    async def test_the_end_of_the_server_is_said(self, serve: Serve) -> None:
        async with poll_client_of(serve) as (client, waiting):
            pass
        assert client.next("close").code == CloseCode.GOING_AWAY
        assert waiting.done()

    async def test_the_end_of_the_room_is_said(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            await client.open(join("turns"))
            await client.poll(message(0x04, do="close"))
            assert client.next("close").code == CloseCode.ROOM_CLOSED
            assert (await client.poll()).status_code == 410
            assert len(server.front.addresses) == 0


class poll_client_of:
    """A polling player whose server goes away while a poll waits."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve

    async def __aenter__(self) -> tuple[PollClient, asyncio.Task[httpx.Response]]:
        self.context = self.serve()
        server = await self.context.__aenter__()
        self.http = httpx.AsyncClient(base_url=server.url, timeout=30)
        client = PollClient(server, self.http)
        await client.open(join("turns"))
        await client.poll()
        self.waiting = asyncio.create_task(client.poll(wait=20.0))
        await eventually(lambda: next(iter(server.polls._links.values())).idle_since is None)
        return client, self.waiting

    async def __aexit__(self, *error: object) -> None:
        await self.context.__aexit__(None, None, None)
        await self.waiting
        await self.http.aclose()


class TestRefusals:
    async def test_a_page_of_another_origin_is_refused(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            response = await client.post(blobs([message(0x01)]), Origin="https://evil.example")
            assert response.status_code == 403
            assert response.json()["code"] == "AUTH-002"
            assert "access-control-allow-origin" not in response.headers

    async def test_a_simple_post_of_another_site_is_refused(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                response = await client.post(blobs([message(0x01)]), Content_Type=content_type)
                assert response.status_code == 415

    async def test_an_origin_that_is_allowed_may_read_the_answer(self, serve: Serve) -> None:
        origin = "https://play.example"
        async with serve(origins=(origin,)) as server, poll_client(server) as client:
            asked = await client.http.options("/poll", headers={"Origin": origin})
            assert asked.status_code == 204
            assert asked.headers["access-control-allow-origin"] == origin
            assert asked.headers["access-control-allow-headers"] == "content-type"
            response = await client.post(blobs([message(0x01)]), Origin=origin)
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == origin
            assert response.headers["cache-control"] == "no-store"
            refused = await client.http.options("/poll", headers={"Origin": "https://evil.example"})
            assert refused.status_code == 403

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            (b"", {}, 400),
            (b"\x00", {}, 400),
            (b"\x05\x01", {}, 400),
            (blobs([b"\x01\xc1"]), {}, 200),  # a hello that cannot be read is answered by an error
            (blobs([b"\x02\x80"]), {}, 400),
            (blobs([b"\x09\x80"]), {}, 400),
            (blobs([b"\x09\xc1"]), {}, 400),
            (b"\xff" * 20000, {}, 413),
            (blobs([b"\x01\x80"]), {"Content_Encoding": "gzip"}, 415),
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, server: RunningServer, body: bytes, headers: dict[str, str], status: int
    ) -> None:
        async with poll_client(server) as client:
            response = await client.post(body, **headers)
            assert response.status_code == status
            if status != 200:
                assert response.json()["code"] in ("WS-003", "WS-004")

    async def test_a_body_without_a_length_is_cut_off(self, server: RunningServer) -> None:
        async def endless() -> Any:
            for _ in range(64):
                yield b"\x7f" * 1024

        async with poll_client(server) as client:
            headers = {"Content-Type": "application/octet-stream"}
            try:
                response = await client.http.post("/poll", content=endless(), headers=headers)
            except (httpx.ReadError, httpx.WriteError):
                return  # cut off before it had sent all, so that it never came to reading the answer
            assert response.status_code == 413

    async def test_other_methods_are_refused(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            assert (await client.http.get("/poll")).status_code == 405

    async def test_an_address_has_so_many_connections(self, serve: Serve) -> None:
        async with serve(connections_per_address=2) as server, poll_client(server) as client:
            server.front.addresses._free_loopback = False
            await client.open()
            await client.open()
            response = await client.post(blobs([message(0x01)]))
            assert response.status_code == 429
            assert response.json()["code"] == "WS-008"

    async def test_a_flood_of_inputs_ends_the_connection(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            await client.open(join("dots"))
            for burst in range(4):
                await client.poll(*(LAYOUT.pack(Push(by=1), burst * 200 + n) for n in range(1, 200)))
            assert client.next("close").code == CloseCode.FLOODING

    async def test_an_acknowledgement_of_what_was_never_sent_is_refused(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            await client.open(join("turns"))
            await client.poll(bytes((0x07, 1, 100, 1)))
            error = client.next("error")
            assert error.code == "WS-010"

    async def test_an_input_of_another_schema_is_refused(self, server: RunningServer) -> None:
        async with poll_client(server) as client:
            await client.open(join("dots"))
            await client.poll(Layout(Push, 7).pack(Push(by=1), 1), b"\x04\x00")
            assert client.next("error").code == "INPUT-002"
            assert client.next("error").code == "INPUT-001"
