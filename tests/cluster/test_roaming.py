"""Sessions that go from instance to instance: at most one has them, and none comes back that is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from monkeytown.cluster.mirrors import Mirror
from monkeytown.identity import Identity
from monkeytown.runtime.record import unpacked_record
from tests.cluster.test_instances import until
from tests.cluster.village import Village


@pytest_asyncio.fixture
async def village() -> AsyncIterator[Village]:
    village = Village()
    yield village
    for instance in village.instances:
        await instance.close()


class TestLetGo:
    async def test_a_session_that_two_want_at_once_goes_to_one(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        ben = await second.player(ada.session.hosted.room.id)
        assert isinstance(ben.session.hosted, Mirror)
        session = ben.session
        roaming = second.cluster.roaming
        released = await asyncio.gather(roaming.release(session), roaming.release(session))
        assert len([one for one in released if one is not None]) == 1
        assert await roaming.release(session) is None

    async def test_two_instances_that_fetch_a_session_do_not_both_get_it(self, village: Village) -> None:
        one, two, three, four = [await village.instance() for _ in range(4)]
        ada = await one.player("square")
        ben = await two.player(ada.session.hosted.room.id)
        token = ben.welcome["session"]
        await until(lambda: village.directory._sessions.get(ben.session.key))
        found = await asyncio.gather(three.cluster.find(token, None), four.cluster.find(token, None))
        assert len([session for session in found if session is not None]) == 1

    async def test_a_session_that_ends_on_its_way_is_over(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        ada = await first.player("square")
        hosted = ada.session.hosted
        ben = await second.player(hosted.room.id)
        session = ben.session
        letting_go = asyncio.create_task(second.cluster.roaming.release(session))
        await asyncio.sleep(0)
        session.lost(ben, for_good=True)
        assert await letting_go is None
        await until(lambda: session.id not in hosted.room.members)

    async def test_who_has_gone_elsewhere_is_not_sent_off_once_more(
        self, village: Village, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("monkeytown.cluster.handover.random.shuffle", lambda sessions: None)
        first, second = await village.instance(), await village.instance()
        clients = [await first.player("square") for _ in range(30)]
        await until(lambda: all(village.directory._sessions.get(one.session.key) for one in clients))
        leaving = asyncio.create_task(first.cluster.handover.send_off())
        await asyncio.sleep(0)
        other = first.sessions.all[-1]  # whose turn comes last
        found = await second.cluster.find(other.secret.token, None)
        await leaving
        assert len(first.sessions) == 0
        assert found is not None
        await until(lambda: not second.cluster.roaming._urgent)
        assert unpacked_record(village.directory._sessions.get(other.key) or b"").instance == second.id

    async def test_a_session_that_has_come_is_written_down_at_once(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        client = first.client()
        token, key = client.welcome["session"], client.session.key
        await until(lambda: village.directory._sessions.get(key))
        found = await second.cluster.find(token, None)
        assert found is not None
        assert found.hosted is None
        await until(
            lambda: unpacked_record(village.directory._sessions.get(key) or b"").instance == second.id, 1.0
        )


class TestSentAway:
    async def test_a_player_is_sent_away_while_the_session_is_on_its_way(
        self, village: Village, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = await village.instance(), await village.instance()
        client = first.client()
        session = client.session
        session.identity = Identity(session.id, "Ada")
        first.sessions.welcome(session)
        first.sessions.changed(session, urgent=True)
        token = client.welcome["session"]
        await until(lambda: b"Ada" in (village.directory._sessions.get(session.key) or b""))
        roaming = second.cluster.roaming
        fetched = roaming._fetched

        async def meanwhile(instance: str, token: str) -> bytes | None:
            record = await fetched(instance, token)
            assert session.has_moved
            roaming.sent_away(session.id)
            return record

        monkeypatch.setattr(roaming, "_fetched", meanwhile)
        assert await second.cluster.find(token, None) is None
        assert len(second.sessions) == 0
        assert second.cluster.roaming._sent_away == set()

    async def test_one_who_was_sent_away_before_may_come(self, village: Village) -> None:
        first, second = await village.instance(), await village.instance()
        client = first.client()
        await until(lambda: village.directory._sessions.get(client.session.key))
        second.cluster.roaming.sent_away(client.session.id)
        assert await second.cluster.find(client.welcome["session"], None) is not None
