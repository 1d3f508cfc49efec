"""Mirrors that are given up, and players who come and go at one while its room goes elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from monkeytown.cluster.messages import Join, Leave
from monkeytown.cluster.mirrors import LINGER_SECONDS, Mirror
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.runtime.hosted import HostedRoom
from tests.cluster.test_instances import until
from tests.cluster.village import Village


@pytest_asyncio.fixture
async def village() -> AsyncIterator[Village]:
    village = Village()
    yield village
    for instance in village.instances:
        await instance.close()


async def move(hosted: HostedRoom, village: Village, to: int) -> bool:
    """Hands a room over to the instance of a number."""
    owner = next(one for one in village.instances if hosted.room.id in one.host.rooms)
    return await owner.cluster.handover.hand_over(hosted, village.instances[to].id)


class TestWhoLeavesMeanwhile:
    async def test_a_player_of_the_owner(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada, eve = await first.player("square"), await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        moving = asyncio.create_task(move(hosted, village, 1))
        await asyncio.sleep(0)
        ada.session.lost(ada, for_good=True)
        assert await moving
        there = second.host.rooms[hosted.room.id]
        await until(lambda: set(there.room.members) == {eve.session.id}, 3)
        assert isinstance(eve.session.hosted, Mirror)
        assert eve.closed is None

    async def test_a_player_of_a_room_that_stays_after_all(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada, eve = await first.player("square"), await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        second.host.games.clear()
        moving = asyncio.create_task(move(hosted, village, 1))
        await asyncio.sleep(0)
        ada.session.lost(ada, for_good=True)
        assert not await moving
        assert set(hosted.room.members) == {eve.session.id}
        await until(lambda: eve.got("player_left"), 2)

    async def test_a_player_of_a_mirror_is_not_brought_back_by_the_next_owner(self, village: Village) -> None:
        first, second, third = [await village.instance() for _ in range(3)]
        ada = await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        room_id = hosted.room.id
        ben, eve = await second.player(room_id), await second.player(room_id)
        # The word that Ben has left gets lost with the owner.
        first.node.take(Leave, lambda instance, said: None)
        ben.session.lost(ben, for_good=True)
        assert await move(hosted, village, 2)
        there = third.host.rooms[room_id]
        await until(lambda: set(there.room.members) == {ada.session.id, eve.session.id}, 3)

    async def test_nor_by_its_own_instance(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        ben, eve = await second.player(hosted.room.id), await second.player(hosted.room.id)
        first.node.take(Leave, lambda instance, said: None)
        ben.session.lost(ben, for_good=True)
        assert await move(hosted, village, 1)
        there = second.host.rooms[hosted.room.id]
        assert set(there.room.members) == {ada.session.id, eve.session.id}

    async def test_who_only_loses_the_connection_keeps_the_seat_and_ends_nothing(
        self, village: Village
    ) -> None:
        first, second = await village.instance(), await village.instance()
        ada, eve = await first.player("square"), await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        moving = asyncio.create_task(move(hosted, village, 1))
        await asyncio.sleep(0)
        ada.lose()
        assert await moving
        there = second.host.rooms[hosted.room.id]
        await until(lambda: not there.room.members[ada.session.id].player.connected, 2)
        assert there.room.members[eve.session.id].player.connected
        assert eve.closed is None


class TestWhoGoesElsewhereMeanwhile:
    async def test_keeps_the_seat_that_is_claimed_there(self, village: Village) -> None:
        first, second, third = [await village.instance() for _ in range(3)]
        ada = await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        token = ada.welcome["session"]
        await until(lambda: village.directory._sessions.get(ada.session.key))
        moving = asyncio.create_task(move(hosted, village, 1))
        found = await third.cluster.find(token, None)
        assert await moving
        assert found is not None
        await until(lambda: found.hosted is not None, 3)
        there = second.host.rooms[hosted.room.id]
        assert there.sessions[found.id].instance == third.id  # type: ignore[attr-defined]
        assert len(first.sessions) == 0


class TestAMirrorThatNobodyNeeds:
    async def test_stays_while_somebody_is_about_to_sit_down(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        mirror = await second.cluster.places.reach(hosted.room.id)
        assert isinstance(mirror, Mirror)
        client = second.client()
        joining = asyncio.create_task(mirror.join(client.session))
        await asyncio.sleep(0)
        mirror.lonely_since = second.node.now() - LINGER_SECONDS - 1
        second.cluster.mirrors.sweep()
        assert second.cluster.mirrors.get(hosted.room.id) is mirror
        await joining
        second.cluster.mirrors.sweep()
        assert second.cluster.mirrors.get(hosted.room.id) is mirror

    async def test_a_seat_that_comes_too_late_is_given_back(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        mirror = await second.cluster.places.reach(hosted.room.id)
        assert isinstance(mirror, Mirror)
        client = second.client()
        waiting: list[Join] = []
        first.node.take(Join, lambda instance, said: waiting.append(said))
        joining = asyncio.create_task(mirror.join(client.session))
        await until(lambda: waiting)
        for question in second.node._asked.values():
            question.future.set_exception(TimeoutError())
        await asyncio.wait([joining])
        assert isinstance(joining.exception(), TimeoutError)
        first.cluster.owners._join(second.id, waiting[0])
        assert client.session.id in hosted.room.members
        await until(lambda: client.session.id not in hosted.room.members, 3)


class TestARoomWithoutTicks:
    async def test_is_played_from_a_mirror_and_goes_elsewhere_while_it_is(self, village: Village) -> None:
        games = (TicTacToe,)
        first, second, third = [await village.instance(*games) for _ in range(3)]
        ada = await first.player("tictactoe")
        hosted = ada.session.hosted
        assert isinstance(hosted, HostedRoom)
        ben = await second.player(hosted.room.id)
        mirror = ben.session.hosted
        assert isinstance(mirror, Mirror)
        board = mirror.room.tables[0]
        players = {"X": ada, "O": ben}

        def turn() -> str:
            return str(next(iter(board)).turn)

        await until(lambda: turn() in players, 3)
        for cell in (0, 1):
            mark = turn()
            players[mark].say("player_input", action={"place": cell})
            await until(lambda mark=mark: turn() not in ("", mark), 3)
        assert await move(hosted, village, 2)
        there = third.host.rooms[hosted.room.id]
        await until(lambda: mirror.owner == third.id and not mirror.is_lost, 3)
        await until(lambda: isinstance(ada.session.hosted, Mirror), 3)
        await asyncio.sleep(0.1)
        mark = turn()
        players[mark].say("player_input", action={"place": 2})
        await until(lambda: turn() not in ("", mark), 3)
        assert [bool(cell) for cell in next(iter(there.room.tables[0])).cells][:3] == [True] * 3
        assert ada.closed is None
        assert ben.closed is None
