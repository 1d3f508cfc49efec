"""Rooms that are looked for, taken up and sat down in, whatever else happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog

from monkeytown.cluster.mirrors import Mirror
from monkeytown.errors import Refusal
from tests.cluster.test_instances import until
from tests.cluster.village import Village


@pytest_asyncio.fixture
async def village() -> AsyncIterator[Village]:
    village = Village()
    yield village
    for instance in village.instances:
        await instance.close()


class TestTakingUp:
    async def test_two_who_look_for_a_room_at_once_take_it_once(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        room_id = ada.session.hosted.room.id
        await until(lambda: village.directory._kept.get(room_id))
        await first.die()
        await until(lambda: village.directory._leases.get(room_id) is None)
        restored = []
        restore = second.cluster.places.restore
        second.cluster.places.restore = lambda *about, **more: (
            restored.append(restore(*about, **more)) or restored[-1]
        )
        taken = await asyncio.gather(
            second.cluster.places.take_up(room_id, 0), second.cluster.places.take_up(room_id, 0)
        )
        assert len(restored) == 1
        assert taken[0] is taken[1] is second.host.rooms[room_id]

    async def test_a_mirror_whose_room_was_taken_by_its_own_instance_gives_its_players_seats_there(
        self, village: Village
    ) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        room_id = ada.session.hosted.room.id
        ben = await second.player(room_id)
        assert isinstance(ben.session.hosted, Mirror)
        await asyncio.sleep(1.2)
        await first.die()
        await until(lambda: village.directory._leases.get(room_id) is None)
        # Somebody comes for the room before its mirror has noticed anything.
        hosted = await second.cluster.places.take_up(room_id, 0)
        assert hosted is not None
        await until(lambda: ben.session.hosted is hosted)
        assert hosted.sessions[ben.session.id] is ben.session
        assert len(second.cluster.mirrors) == 0

    async def test_a_room_that_is_nowhere_is_no_failure_of_the_cluster(self, village: Village) -> None:
        alone = await village.instance()
        with structlog.testing.capture_logs() as logs, pytest.raises(Refusal):
            await alone.cluster.places.reach("nowhere")
        assert logs == []
