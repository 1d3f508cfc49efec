"""A client's life: welcomed, in a room, away, back again, sent away."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from monkeytown.client import ConnectionLost, Reconnected, connect
from monkeytown.client.link import socket_url
from monkeytown.errors import Refusal
from monkeytown.protocol.messages import Hello, LeaveGame
from tests.client.server import TIMEOUT, Fake, fake_server, until


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with fake_server() as server:
        yield server


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("127.0.0.1:8000", "ws://127.0.0.1:8000/ws"),
        ("http://host", "ws://host/ws"),
        ("https://host/", "wss://host/ws"),
        ("ws://host/play/ws?a=b", "ws://host/play/ws?a=b"),
    ],
)
def test_addresses_are_completed(typed: str, meant: str):
    assert socket_url(typed) == meant


async def test_a_client_is_welcomed_and_joins(fake: Fake):
    async with await connect(fake.url, name="Ada", token="t") as client:
        assert (client.state, client.id, client.name, client.server) == ("open", "p1", "Ada", "fake")
        assert fake.said[0] == Hello("Ada", "t")
        room = await client.join("arena")
        assert client.room is room
        assert [monkey.name for monkey in room.tables["monkeys"]] == ["Ada"]
        await until(lambda: client.ping)
        assert client.server_time == pytest.approx(1e9, abs=TIMEOUT)
    assert client.state == "closed"
    assert not room.open


async def test_snapshots_are_acknowledged_at_once_and_states_some_times_a_second(fake: Fake):
    async with await connect(fake.url) as client:
        room = await client.join("arena")
        await until(lambda: [ack.tick for ack in fake.acks] == [1])
        for _ in range(40):
            await fake.tick()
            await asyncio.sleep(0.01)
        await until(lambda: room.tick == 41)
        ticks = [ack.tick for ack in fake.acks]
        assert ticks == sorted(ticks)
        assert 2 <= len(ticks) < 20


async def test_a_join_that_is_refused_says_why_and_leaves_the_client_free(fake: Fake):
    fake.refuse["chess"] = "GAME-001"
    async with await connect(fake.url) as client:
        with pytest.raises(Refusal, match="GAME-001"):
            await client.join("chess")
        room = await client.join("arena")
        with pytest.raises(Refusal, match="GAME-004"):
            await client.join("arena")
        room.leave()
        assert await client.join("arena") is not room
    assert LeaveGame() in fake.said


async def test_errors_reach_the_room_and_the_client(fake: Fake):
    async with await connect(fake.url) as client:
        room = await client.join("arena")
        heard = asyncio.gather(client.wait("error"), room.wait("error"))
        await asyncio.sleep(0)
        await fake.event(fake.sockets[-1], "error", {"code": "GAME-100", "message": "not your turn"})
        assert [error.message for error in await heard] == ["not your turn"] * 2


async def test_after_a_loss_the_client_is_back_in_its_room(fake: Fake):
    async with await connect(fake.url, name="Ada", random=Random(1)) as client:
        room = await client.join("arena")
        back = asyncio.create_task(client.wait("reconnected"))
        told = asyncio.create_task(room.wait("reconnecting"))
        await asyncio.sleep(0)
        await fake.sockets[-1].close(4000, "the server is going away")
        assert (await told)[::2] == (1, 4000)
        assert await back == Reconnected(True, True, None, False, 0)
        assert (client.state, client.id, fake.joins) == ("open", "p2", ["arena", "arena-1"])
        await fake.tick()
        await until(lambda: room.tick == 2)
        assert room.input(turn=1) == 1


async def test_a_room_that_is_gone_is_replaced_by_another_of_its_game(fake: Fake):
    async with await connect(fake.url) as client:
        room = await client.join("arena")
        fake.refuse["arena-1"] = "GAME-001"
        fake.arena.game_id = "arena-2"
        back = asyncio.create_task(client.wait("reconnected"))
        await asyncio.sleep(0)
        fake.sockets[-1].transport.abort()
        assert await back == Reconnected(False, True, None, False, 0)
        assert (room.id, fake.joins) == ("arena-2", ["arena", "arena-1", "arena"])


async def test_a_state_that_does_not_fit_is_mended_by_a_snapshot(fake: Fake):
    async with await connect(fake.url) as client:
        room = await client.join("arena")
        fake.arena.commit()
        back = asyncio.create_task(client.wait("reconnected"))
        await asyncio.sleep(0)
        await fake.tick()
        await back
        assert room.tick == 3
        assert [monkey.x for monkey in room.tables["monkeys"]] == [1]


async def test_a_final_close_code_is_obeyed(fake: Fake):
    async with await connect(fake.url) as client:
        room = await client.join("arena")
        closed = asyncio.create_task(room.wait("close"))
        await asyncio.sleep(0)
        await fake.sockets[-1].close(4504, "the game has removed you")
        assert await closed == (4504, "the game has removed you")
        assert (client.state, room.open, len(fake.sockets)) == ("closed", False, 1)
        assert room.input(turn=1) == 0
        with pytest.raises(ConnectionLost):
            await client.join("arena")


async def test_closing_while_away_ends_the_attempts(fake: Fake):
    client = await connect(fake.url)
    away = asyncio.create_task(client.wait("reconnecting"))
    await asyncio.sleep(0)
    await fake.sockets[-1].close(4000)
    await away
    await client.close()
    await client.close()
    assert client.state == "closed"


async def test_no_server_is_said_plainly():
    with pytest.raises(ConnectionLost, match=r"cannot connect to ws://127\.0\.0\.1:1/ws"):
        await connect("127.0.0.1:1")


async def test_a_server_that_closes_instead_of_answering_is_said_plainly(fake: Fake):
    fake.silent = True
    connecting = asyncio.create_task(connect(fake.url))
    await until(lambda: fake.said)
    await fake.sockets[0].close(4508, "the token was refused")
    with pytest.raises(ConnectionLost, match="4508 the token was refused"):
        await connecting


async def test_a_page_that_is_no_game_server_is_said_plainly(fake: Fake):
    with pytest.raises(ConnectionLost, match="cannot connect"):
        await connect(fake.url.replace("ws:", "wss:"))
