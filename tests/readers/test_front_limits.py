"""What one connection may do to a server: nothing that others notice. Bare sockets, bytes that no client would send."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import msgspec
import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode as RfcCode
from websockets.frames import Opcode

from monkeytown._core.frames import frame
from monkeytown.protocol.close import CloseCode
from monkeytown.server.app import RunningServer
from tests.readers.clients import (
    Bare,
    bare,
    binary_client,
    empty,
    eventually,
    json_client,
    request,
    upgraded,
)
from tests.readers.conftest import Serve
from tests.readers.test_websocket import LAYOUT
from tests.runtime.stage import Push

HEARTBEAT = b"\x06\x81\xa9timestamp\x05"


async def still_fine(server: RunningServer) -> None:
    """Somebody else can play."""
    async with json_client(server) as player:
        await player.join("turns")
        await player.say("heartbeat", timestamp=1)
        await player.next("heartbeat")


@pytest.mark.parametrize("opcode", [Opcode.BINARY, Opcode.TEXT])
@pytest.mark.parametrize("length", [4097, 65537, 1 << 20, (1 << 63) - 1])
async def test_a_declared_length_beyond_the_limit_ends_it_at_the_header(
    server: RunningServer, opcode: Opcode, length: int
) -> None:
    async with upgraded(server) as player:
        size = b"\xfe" + struct.pack("!H", length) if length < 65536 else b"\xff" + struct.pack("!Q", length)
        player.send(bytes((0x80 | opcode,)) + size + b"mask")
        end = await player.ending()
        assert end.code == RfcCode.MESSAGE_TOO_BIG
        assert b"WS-004" in end.frames[0][1]
    await empty(server)
    await still_fine(server)


async def test_the_largest_message_is_let_through(server: RunningServer) -> None:
    async with upgraded(server) as player:
        text = "x" * (4096 - 10)
        player.frame(Opcode.BINARY, b"\x05" + msgspec.msgpack.encode({"text": text}))
        _, payload = await player.read_frame()
        assert b"GAME-003" in payload


async def test_fragments_that_add_up_to_too_much(server: RunningServer) -> None:
    async with upgraded(server) as player:
        player.frame(Opcode.BINARY, b"x" * 4000, fin=False)
        player.frame(Opcode.CONT, b"x" * 97)
        end = await player.ending()
        assert end.code == RfcCode.MESSAGE_TOO_BIG
        assert b"WS-004" in end.frames[0][1]


@pytest.mark.parametrize("payload", [b"", b"x"])
async def test_fragments_without_end(server: RunningServer, payload: bytes) -> None:
    async with upgraded(server) as player:
        player.frame(Opcode.BINARY, payload, fin=False)
        fragment = b"\x00" + frame(payload, mask=b"1234")[1:]
        player.send(fragment * 131_072)
        end = await player.ending()
        assert end.code == RfcCode.MESSAGE_TOO_BIG
        assert b"WS-006" in end.frames[0][1]
        assert len(end.frames) == 1
    await empty(server)
    await still_fine(server)


async def test_as_many_fragments_as_are_allowed(server: RunningServer) -> None:
    async with upgraded(server) as player:
        player.frame(Opcode.BINARY, HEARTBEAT, fin=False)
        for _ in range(62):
            player.frame(Opcode.CONT, b"", fin=False)
        player.frame(Opcode.CONT, b"")
        _, payload = await player.read_frame()
        assert payload[0] == 0x49


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
async def test_a_flood_of_control_frames(server: RunningServer, opcode: Opcode) -> None:
    async with upgraded(server) as player:
        player.send(bytes((0x80 | opcode,)) + frame(b"x" * 125, mask=b"1234")[1:] + b"")
        player.send((bytes((0x80 | opcode,)) + frame(b"x" * 125, mask=b"1234")[1:]) * 10_000)
        end = await player.ending()
        assert end.code == CloseCode.FLOODING
        assert len([kind for kind, _ in end.frames if kind == Opcode.PONG]) <= 21
        assert b"WS-007" in end.frames[-1][1]
    await empty(server)
    await still_fine(server)


async def test_a_flood_of_messages(server: RunningServer) -> None:
    async with upgraded(server) as player:
        player.send(frame(HEARTBEAT, mask=b"1234") * 10_000)
        end = await player.ending()
        assert end.code == CloseCode.FLOODING
        assert len(end.frames) <= 520
    await empty(server)


async def test_a_flood_of_inputs(server: RunningServer) -> None:
    async with upgraded(server) as player:
        player.send(frame(b"\x02" + msgspec.msgpack.encode({"gameId": "dots"}), mask=b"1234"))
        player.send(frame(LAYOUT.pack(Push(by=1), 1, 0), mask=b"1234") * 10_000)
        end = await player.ending()
        assert end.code == CloseCode.FLOODING
        assert any(b"INPUT-003" in payload for _, payload in end.frames)
    await empty(server)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (LAYOUT.pack(Push(by=1), 1, 0)[:-1], b"INPUT-001"),
        (b"\x04" + b"\x00" * 100, b"INPUT-001"),
        (b"\x04\x00\x00\x01\x00\x00", b"INPUT-002"),
    ],
)
async def test_bad_inputs_are_told_and_forgiven(server: RunningServer, message: bytes, code: bytes) -> None:
    async with binary_client(server) as player:
        await player.say(0x02, gameId="dots")
        await player.next(0x44)
        await player.connection.send(message)
        assert code in await player.next(0x48)
        await player.connection.send(LAYOUT.pack(Push(by=1), 9, 0))
        assert await player.next(0x44) == b"\x44\x01\x09"


async def test_text_where_binary_is_due(server: RunningServer) -> None:
    async with upgraded(server) as player:
        player.frame(Opcode.TEXT, b'{"type":"hello","payload":{}}')
        end = await player.ending()
        assert end.code == CloseCode.WRONG_FORM
        assert b"WS-002" in end.frames[0][1]


async def test_binary_where_text_is_due(server: RunningServer) -> None:
    async with upgraded(server, Sec_WebSocket_Protocol="monkeytown.1.json") as player:
        player.frame(Opcode.BINARY, b"\x01\x80")
        end = await player.ending()
        assert end.code == CloseCode.WRONG_FORM
        assert b"WS-002" in end.frames[0][1]


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b'"\xc0\xaf"', b"abc\xf0\x9f"])
async def test_text_that_is_not_utf_8(server: RunningServer, text: bytes) -> None:
    async with upgraded(server, Sec_WebSocket_Protocol="monkeytown.1.json") as player:
        player.frame(Opcode.TEXT, text)
        assert (await player.ending()).code == RfcCode.INVALID_DATA


@pytest.mark.parametrize(
    "raw",
    [
        b"\x82\x05hello",
        b"\xc2\x80mask",
        b"\x83\x80mask",
        b"\x80\x80mask",
        b"\x09\x80mask",
        b"\x89\xfe\x00\x7emask" + b"\0" * 126,
        b"\x02\x80mask\x82\x80mask",
        b"\x88\x81mask\0",
    ],
)
async def test_frames_that_break_the_protocol(server: RunningServer, raw: bytes) -> None:
    async with upgraded(server) as player:
        player.send(raw)
        assert (await player.ending()).code == RfcCode.PROTOCOL_ERROR
    await empty(server)


class TestTime:
    async def test_a_request_that_does_not_end(self, serve: Serve) -> None:
        async with serve(handshake_seconds=0.2) as server, bare(server) as half, bare(server) as nothing:
            half.send(request(server)[:60])
            for slow in (half, nothing):
                answer = await asyncio.wait_for(slow.reader.read(), 10)
                assert answer.startswith(b"HTTP/1.1 408 ")
            await still_fine(server)

    async def test_dripping_does_not_buy_time(self, serve: Serve) -> None:
        async with serve(handshake_seconds=0.3) as server, bare(server) as slow:
            closed = asyncio.create_task(slow.closed())
            for byte in request(server):
                if closed.done():
                    break
                slow.send(bytes((byte,)))
                await asyncio.sleep(0.02)
            assert await asyncio.wait_for(closed, 10)

    async def test_headers_without_end(self, server: RunningServer) -> None:
        async with bare(server) as greedy:
            greedy.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"y" * 100_000)
            answer = await asyncio.wait_for(greedy.reader.read(), 10)
            assert answer.startswith(b"HTTP/1.1 431 ")

    async def test_who_says_nothing_after_the_upgrade(self, serve: Serve) -> None:
        async with serve(first_message_seconds=0.2) as server, upgraded(server) as silent:
            end = await silent.ending()
            assert end.code == CloseCode.NO_FIRST_MESSAGE
            assert b"WS-009" in end.frames[0][1]

    async def test_who_falls_silent(self, serve: Serve) -> None:
        async with serve(silence_seconds=0.3) as server, upgraded(server) as silent:
            silent.frame(Opcode.BINARY, HEARTBEAT)
            assert (await silent.ending()).code == CloseCode.SILENT

    async def test_who_does_not_answer_a_close_is_cut_off(self, serve: Serve) -> None:
        async with serve(silence_seconds=0.2, close_seconds=0.1) as server, upgraded(server) as silent:
            silent.frame(Opcode.BINARY, HEARTBEAT)
            assert (await silent.ending()).code == CloseCode.SILENT
            assert await silent.closed()
            await empty(server)

    async def test_who_goes_on_talking_into_a_close_is_cut_off(self, serve: Serve) -> None:
        async with serve(close_seconds=0.2) as server, upgraded(server) as talker:
            talker.frame(Opcode.TEXT, b"wrong")
            assert (await talker.ending()).code == CloseCode.WRONG_FORM
            talker.send(frame(HEARTBEAT, mask=b"1234") * 50_000)
            assert await talker.closed()
            await empty(server)


async def test_so_many_connections_from_one_address(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(connections_per_address=2) as server:
        monkeypatch.setattr(server.front.addresses, "_free_loopback", False)
        async with json_client(server), json_client(server):
            with pytest.raises(InvalidStatus) as refused:
                async with json_client(server):
                    pass
            assert refused.value.response.status_code == 429
            assert b"WS-008" in (refused.value.response.body or b"")
        await empty(server)
        await still_fine(server)


class TestWhoNeverReads:
    """The window, the kernel's buffers and the bound on events keep it small; then it is sent away."""

    async def silent_player(self, server: RunningServer) -> Bare:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, (server.host, server.port))
        reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
        player = Bare(reader, writer)
        player.send(request(server))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return player

    async def test_it_holds_little_and_is_sent_away(self, serve: Serve) -> None:
        async with serve(stalled_seconds=0.5, ack_window=0.2, close_seconds=0.2) as server:
            player = await self.silent_player(server)
            player.frame(Opcode.BINARY, b"\x02" + msgspec.msgpack.encode({"gameId": "dots"}))
            await eventually(lambda: server.metrics.closed)
            assert dict(server.metrics.closed) == {CloseCode.TOO_SLOW: 1}
            await empty(server)
            player.writer.transport.abort()

    async def test_too_many_events_send_it_away(self, serve: Serve) -> None:
        async with serve(
            close_seconds=0.2, chat_per_second=1e6, chat_burst=10**6, messages_per_second=1e6
        ) as server:
            player = await self.silent_player(server)
            player.frame(Opcode.BINARY, b"\x02" + msgspec.msgpack.encode({"gameId": "turns"}))
            async with json_client(server) as talker, asyncio.timeout(20):
                await talker.join("turns")
                (connection,) = (c for c in server.front.connections if not c.codec.is_text)
                most = 0
                while not server.metrics.closed:
                    await talker.say("chat_message", text="x" * 256)
                    await talker.next("game_event")
                    most = max(most, connection.pending)
                assert dict(server.metrics.closed) == {CloseCode.TOO_SLOW: 1}
                assert most <= 65536
                await talker.say("chat_message", text="still here")
                await talker.next("game_event")
            await empty(server)
            player.writer.transport.abort()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_a_hundred_lies_about_lengths_cost_no_memory(server: RunningServer) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    async def lie() -> None:
        async with upgraded(server) as player:
            player.send(b"\x82\xff" + struct.pack("!Q", (1 << 63) - 1) + b"mask")
            await player.ending()

    for _ in range(20):
        await lie()
    before = resident()
    for _ in range(100):
        await lie()
    assert resident() - before < 4 << 20
