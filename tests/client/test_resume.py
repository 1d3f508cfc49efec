"""A client that comes back to its session: what goes on, what begins anew, what is said again."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from monkeytown.client import Client, Player, Reconnected, Room, connect, link
from monkeytown.client.shared import SharedMirrors
from monkeytown.protocol.messages import (
    ChatMessage,
    GameEvent,
    Hello,
    JoinGame,
    LeaveGame,
    PlayerInput,
    PlayerJoined,
    Resume,
)
from tests.client.arena import EPOCH, Arena, Rules
from tests.client.server import Fake, fake_server, until

SEATED = {"gameId": "arena-1", "recovered": True}
DELTA = {**SEATED, "resumed": "delta"}
SNAPSHOT = {**SEATED, "resumed": "snapshot"}
ADA, BO = PlayerJoined("p1", "Ada"), PlayerJoined("p2", "Bo")


class Board(Rules):
    """A game of actions, without an input class."""

    input = None


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with fake_server() as server:
        yield server


@pytest.fixture
async def client(fake: Fake) -> AsyncIterator[Client]:
    async with await connect(fake.url, name="Ada", random=Random(1)) as client:
        yield client


async def lose(fake: Fake, client: Client) -> Reconnected:
    """Cut the connection, and wait until the client is back."""
    back = asyncio.create_task(client.wait("reconnected"))
    await asyncio.sleep(0)
    fake.sockets[-1].transport.abort()
    reconnected: Reconnected = await back
    return reconnected


async def away(fake: Fake, client: Client) -> "asyncio.Task[Reconnected]":
    """Cut the connection, and wait until the client has noticed; the task ends when it is back."""
    gone, back = (asyncio.create_task(client.wait(event)) for event in ("reconnecting", "reconnected"))
    await asyncio.sleep(0)
    fake.sockets[-1].transport.abort()
    await gone
    return back


async def joined(fake: Fake, client: Client) -> Room:
    room = await client.join("arena")
    for player in (ADA, BO):
        await fake.event(fake.sockets[-1], "player_joined", player)
    await until(lambda: len(room.players) == 2)
    return room


def hellos(fake: Fake) -> list[Any]:
    return [message.resume for message in fake.said if isinstance(message, Hello)]


async def test_a_delta_goes_on_with_the_same_rows(fake: Fake, client: Client):
    room = await joined(fake, client)
    await fake.tick()
    await until(lambda: room.tick == 2)
    (monkey,) = room.tables["monkeys"]
    mirror, players = room.mirror, dict(room.players)
    assert room.input(turn=1) == 1
    fake.returns = DELTA
    assert await lose(fake, client) == Reconnected(True, True, "delta", True, 0)
    assert hellos(fake) == [None, Resume("s1", 2, "arena-1", EPOCH, 2)]
    assert (client.id, client.state, fake.joins) == ("p1", "open", ["arena"])
    assert (room.mirror, room.players, room.tick) == (mirror, players, 2)
    await fake.tick()
    await until(lambda: room.tick == 3)
    assert (monkey.alive, monkey.x, room.input(turn=1)) == (True, 2, 2)
    await until(lambda: fake.acks[-1].tick == 3)


async def test_what_was_missed_follows_and_is_counted(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.returns = DELTA
    heard: list[Any] = []
    room.on("boom", heard.append)
    await lose(fake, client)
    for count in range(2):
        await fake.event(fake.sockets[-1], "game_event", GameEvent("boom", count))
    await until(lambda: heard == [0, 1])
    assert await lose(fake, client) == Reconnected(True, True, "delta", True, 0)
    assert [resume.number for resume in hellos(fake)[1:]] == [2, 4]
    assert [resume.session for resume in hellos(fake)[1:]] == ["s1", "s2"]


async def test_with_a_snapshot_players_and_inputs_go_on(fake: Fake, client: Client):
    room = await joined(fake, client)
    assert room.input(turn=1) == 1
    fake.returns = SNAPSHOT
    fake.arena.commit()
    tables = room.tables
    assert await lose(fake, client) == Reconnected(True, True, "snapshot", True, 0)
    assert room.tables is not tables
    assert (room.tick, list(room.players), room.input(turn=1)) == (2, ["p1", "p2"], 2)
    assert fake.joins == ["arena"]


async def test_one_is_back_when_the_snapshot_is_in_whatever_else_comes_before(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.silent = True
    back = await away(fake, client)
    await until(lambda: len(hellos(fake)) == 2)
    socket = fake.sockets[-1]
    answer = {"playerId": "p1", "name": "Ada", "server": "fake", "session": "s2", "number": 2, **SNAPSHOT}
    await fake.tell(socket, "welcome", answer)
    refused = asyncio.create_task(room.wait("error"))
    await asyncio.sleep(0)
    fake.number = 2
    await fake.event(socket, "error", {"code": "GAME-100", "message": "not your turn"})
    assert (await refused).code == "GAME-100"
    assert (back.done(), client.state) == (False, "reconnecting")
    await fake.join(socket, "")
    assert await back == Reconnected(True, True, "snapshot", True, 0)


async def test_where_something_is_lost_the_players_come_anew(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.returns = {**SNAPSHOT, "recovered": False, "number": 40}
    assert await lose(fake, client) == Reconnected(True, True, "snapshot", False, 0)
    assert room.players == {}
    await fake.event(fake.sockets[-1], "player_joined", ADA)
    await until(lambda: room.players == {"p1": Player("p1", "Ada")})
    await until(lambda: client._session.number == 41)
    assert client.id == "p1"


async def test_who_comes_too_late_joins_anew_as_another(fake: Fake, client: Client):
    room = await joined(fake, client)
    errors: list[Any] = []
    client.on("error", errors.append)
    assert room.input(turn=1) == 1
    fake.deaf = True
    assert room.chat("did you hear that?")
    back = await away(fake, client)
    assert room.chat("and that?")
    fake.deaf = False
    assert await back == Reconnected(True, True, None, False, 2)
    assert (client.id, fake.joins, errors) == ("p2", ["arena", "arena-1"], [])
    assert (room.players, room.input(turn=1)) == ({}, 1)
    assert room.chat("hello again")
    await until(lambda: fake.taken == [(1, ChatMessage("hello again"))])
    fake.returns = {**DELTA, "playerId": "p2"}
    await lose(fake, client)
    assert hellos(fake)[-1] == Resume("s2", 1, "arena-1", EPOCH, 1)


async def test_a_known_player_without_a_room_joins_again_before_it_says_what_waits(
    fake: Fake, client: Client
):
    room = await joined(fake, client)
    fake.returns = {"recovered": True, "gameId": None, "resumed": None}
    back = await away(fake, client)
    assert room.chat("late")
    assert await back == Reconnected(True, True, None, True, 0)
    await until(lambda: fake.taken == [(1, ChatMessage("late"))])
    assert (client.id, fake.joins) == ("p1", ["arena", "arena-1"])


async def test_a_client_in_no_room_comes_back_to_none(fake: Fake, client: Client):
    fake.returns = {"recovered": True, "gameId": None, "resumed": None}
    assert await lose(fake, client) == Reconnected(True, True, None, True, 0)
    assert hellos(fake)[-1] == Resume("s1")
    assert (await client.join("arena")).tick == 1


async def test_a_session_that_has_ended_is_closed_for_good(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.silent = True
    closed = asyncio.create_task(room.wait("close"))
    await asyncio.sleep(0)
    fake.sockets[-1].transport.abort()
    await until(lambda: len(hellos(fake)) == 2)
    await fake.sockets[-1].close(4504, "the game has removed you")
    assert await closed == (4504, "the game has removed you")


async def test_what_the_server_has_not_got_is_said_again_once_and_in_order(fake: Fake, client: Client):
    fake.arena = Arena(Board)
    room = await client.join("arena")
    said: list[Any] = [PlayerInput({"place": number}) for number in range(4)]
    assert room.input(place=0) == 1
    await until(lambda: len(fake.taken) == 1)
    fake.deaf = True
    assert [room.input(place=1), room.chat("your turn")] == [2, True]
    said.insert(2, ChatMessage("your turn"))
    fake.returns = DELTA
    back = await away(fake, client)
    assert [room.input(place=2), room.input(place=3)] == [3, 4]
    fake.deaf = False
    assert (await back).lost == 0
    await until(lambda: fake.taken == list(enumerate(said, 1)))
    await lose(fake, client)
    assert room.input(place=4) == 5
    await until(lambda: len(fake.taken) == 6)


async def test_heartbeats_say_what_need_not_be_kept(
    fake: Fake, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(link, "HEARTBEAT_INTERVAL", 0.01)
    fake.returns = {"recovered": True, "gameId": None, "resumed": None}
    await lose(fake, client)
    room = await client.join("arena")
    fake.deaf = True
    assert room.chat("hello")
    await asyncio.sleep(0.05)
    assert len(client._session.outbox) == 1
    fake.deaf = False
    fake.returns = DELTA
    await lose(fake, client)
    await until(lambda: len(client._session.outbox) == 0)


async def test_too_much_is_refused(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.deaf = True
    assert [room.chat("x" * 4000) for _ in range(17)] == [True] * 16 + [False]
    assert not room.chat("x" * 5000)


async def test_nothing_is_said_between_the_hello_and_the_welcome(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.silent, fake.returns = True, DELTA
    back = await away(fake, client)
    await until(lambda: len(hellos(fake)) == 2)
    before = len(fake.said)
    assert (room.input(turn=1), room.chat("wait")) == (0, True)
    await asyncio.sleep(0.05)
    assert (len(fake.said), fake.taken) == (before, [])
    fake.silent = False
    await fake.welcome(fake.sockets[-1], fake.said[-1])
    await back
    await until(lambda: fake.taken == [(1, ChatMessage("wait"))])


async def test_a_room_that_was_left_while_away_is_left_when_back(fake: Fake, client: Client):
    room = await joined(fake, client)
    back = await away(fake, client)
    assert room.chat("bye")
    room.leave()
    fake.returns = SNAPSHOT
    await back
    await until(lambda: LeaveGame() in fake.said)
    assert hellos(fake)[-1] == Resume("s1", 2)
    assert fake.taken == [(1, ChatMessage("bye"))]
    other = await client.join("arena")
    assert other is not room
    assert (other.tick, client.room) == (1, other)


async def test_a_room_that_is_left_while_its_snapshot_is_due_does_not_keep_one_waiting(
    fake: Fake, client: Client
):
    room = await joined(fake, client)
    fake.silent = True
    back = await away(fake, client)
    await until(lambda: len(hellos(fake)) == 2)
    answer = {"playerId": "p1", "name": "Ada", "server": "fake", "session": "s2", "number": 2, **SNAPSHOT}
    await fake.tell(fake.sockets[-1], "welcome", answer)
    await until(lambda: client._asked == "state")
    room.leave()
    await fake.join(fake.sockets[-1], "")
    await back
    await until(lambda: LeaveGame() in fake.said)
    assert client.room is room


async def test_a_join_that_was_cut_off_is_taken_back(fake: Fake, client: Client):
    fake.silent = True
    joining = asyncio.create_task(client.join("arena"))
    await until(lambda: JoinGame("arena") in fake.said)
    fake.silent, fake.returns = False, SNAPSHOT
    await lose(fake, client)
    assert isinstance((await asyncio.gather(joining, return_exceptions=True))[0], Exception)
    await until(lambda: LeaveGame() in fake.said)
    assert client.room is None
    assert (await client.join("arena")).open


async def test_joining_anew_may_be_cut_off_too(fake: Fake, client: Client):
    room = await joined(fake, client)
    assert [room.input(turn=1), room.input(turn=1)] == [1, 2]
    fake.cuts["arena-1"] = {**SNAPSHOT, "playerId": "p2"}
    back = await away(fake, client)
    assert await back == Reconnected(True, True, "snapshot", False, 0)
    assert (hellos(fake)[-1].session, hellos(fake)[-1].game_id) == ("s2", None)
    assert (client.id, room.players, room.input(turn=1)) == ("p2", {}, 1)


async def test_tables_in_doubt_are_not_gone_on_with(fake: Fake, client: Client):
    room = await joined(fake, client)
    fake.returns = SNAPSHOT
    fake.arena.commit()
    back = asyncio.create_task(client.wait("reconnected"))
    await asyncio.sleep(0)
    await fake.tick()
    assert (await back).resumed == "snapshot"
    assert hellos(fake)[-1] == Resume("s1", 2)
    assert room.tick == 3
    await until(lambda: 1002 in fake.closes)


async def test_a_shared_mirror_is_not_gone_on_with(fake: Fake):
    mirrors = SharedMirrors()
    async with (
        await connect(fake.url, name="Ada", mirrors=mirrors) as ada,
        await connect(fake.url, name="Bo", mirrors=mirrors) as bo,
    ):
        here, there = await ada.join("arena"), await bo.join("arena")
        assert here.mirror is there.mirror
        fake.returns = {**SNAPSHOT, "playerId": "p2"}
        gone = await away(fake, bo)
        fake.arena.tables["monkeys"].row(0).x = 5
        await fake.sockets[0].send(fake.arena.delta(fake.arena.commit() - 1))
        await until(lambda: here.tick == 2)
        await gone
        assert hellos(fake)[-1] == Resume("s2", 0)
        assert here.mirror is there.mirror
        assert [(monkey.x, there.tick) for monkey in there.tables["monkeys"]] == [(5, 2)]


async def test_only_leaving_for_good_is_closed_with_1000(fake: Fake):
    async with await connect(fake.url, random=Random(1)) as client:
        await joined(fake, client)
        fake.returns = {"recovered": True, "gameId": None, "resumed": None}
        fake.refuse["arena-1"] = "GAME-002"
        back = await away(fake, client)
        await until(lambda: 1001 in fake.closes)
        assert client.state == "reconnecting"
        del fake.refuse["arena-1"]
        await back
    await until(lambda: fake.closes[-1] == 1000)
    assert fake.closes.count(1000) == 1
