"""Leases by a clock that tests move, with a directory that says what it is told to say."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from monkeytown.cluster.directory import DirectoryDown, Lease
from monkeytown.cluster.leases import MARGIN, Leases
from monkeytown.cluster.node import Times
from monkeytown.room.ledger import Entry, Kind
from monkeytown.runtime.hosted import HostedRoom
from tests.runtime.stage import Clock, make_host


class Answers:
    """A directory that renews what it is told to."""

    def __init__(self) -> None:
        self.down = False
        self.taken: set[str] = set()
        self.asked: list[list[tuple[str, int]]] = []

    async def renew(self, owner: str, leases: Sequence[tuple[str, int]]) -> list[bool]:
        self.asked.append(list(leases))
        if self.down:
            raise DirectoryDown("as the test wishes")
        return [room not in self.taken for room, _ in leases]


class FakeNode:
    """As much of a node as leases know."""

    id = "me"
    times = Times()

    def __init__(self) -> None:
        self.clock = Clock()
        self.host = make_host(self.clock)
        self.directory = Answers()
        self.counters: Counter[str] = Counter()

    def now(self) -> float:
        return self.clock.seconds()

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


class Desk:
    """Leases, what they kept, and whom they lost."""

    def __init__(self) -> None:
        self.node = FakeNode()
        self.kept: list[tuple[str, Any]] = []
        self.lost: list[HostedRoom] = []
        self.over: list[Lease] = []
        self.leases = Leases(self.node, self._keep)  # type: ignore[arg-type]
        self.leases.lost, self.leases.over = self.lost.append, self.over.append
        self.node.host.attentive = self.leases.attentive
        self.node.host.keep = self.leases.keep

    def _keep(self, room: Any, entries: list[Entry]) -> None:
        self.kept += [(room.id, entry.content) for entry in entries]

    def room(self) -> HostedRoom:
        hosted = self.node.host.open_room("dots")
        self.leases.begin(hosted)
        return hosted

    def note(self, hosted: HostedRoom, content: bytes) -> None:
        self.leases.keep(hosted.room, [Entry(0, Kind.CHAT, "ada", content)])

    @property
    def contents(self) -> list[bytes]:
        return [content for _, content in self.kept]


@pytest.fixture
def desk() -> Desk:
    return Desk()


CERTAIN = Times().lease - MARGIN


class TestLimbo:
    async def test_what_happens_under_a_certain_lease_is_kept_at_once(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN - 0.01)
        desk.note(hosted, b"one")
        assert desk.contents == [b"one"]

    async def test_what_happens_under_another_waits_for_the_answer(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN)
        desk.note(hosted, b"one")
        desk.node.directory.down = True
        assert not await desk.leases.renew()
        desk.note(hosted, b"two")
        assert desk.contents == []
        desk.node.directory.down = False
        assert await desk.leases.renew()
        desk.note(hosted, b"three")
        assert desk.contents == [b"one", b"two", b"three"]

    async def test_it_is_not_kept_if_another_instance_has_the_room(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN)
        desk.note(hosted, b"one")
        desk.node.directory.taken.add(hosted.room.id)
        assert await desk.leases.renew()
        assert desk.contents == []
        assert desk.lost == [hosted]
        assert hosted.in_doubt
        assert desk.node.counters["entries_fenced"] == 1
        assert hosted.room.id not in desk.leases

    async def test_what_waits_for_a_room_that_ends_meanwhile_is_kept_with_what_comes_last(
        self, desk: Desk
    ) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN)
        desk.note(hosted, b"one")
        assert desk.leases.end(hosted.room) is None
        del desk.node.host.rooms[hosted.room.id]
        desk.note(hosted, b"the last")
        assert desk.contents == []
        assert await desk.leases.renew()
        assert desk.contents == [b"one", b"the last"]
        assert desk.over == [Lease(hosted.room.id, "me", 1)]
        assert len(desk.leases) == 0

    async def test_a_room_that_ends_under_a_certain_lease_gives_it_up(self, desk: Desk) -> None:
        hosted = desk.room()
        assert desk.leases.end(hosted.room) == Lease(hosted.room.id, "me", 1)
        assert len(desk.leases) == 0

    async def test_what_waits_is_kept_when_another_instance_takes_the_room_from_us(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN)
        desk.note(hosted, b"one")
        desk.leases.handed_over(hosted.room)
        assert desk.contents == [b"one"]
        assert hosted.room.id not in desk.leases

    async def test_there_is_an_end_to_what_waits(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("monkeytown.cluster.leases.MOST_HELD", 2)
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN)
        for content in (b"one", b"two", b"three"):
            desk.note(hosted, content)
        await desk.leases.renew()
        assert desk.contents == [b"one", b"two"]
        assert desk.node.counters["entries_not_kept"] == 1


class TestOnItsWay:
    async def test_a_room_that_is_handed_over_is_not_lost_by_a_renewal(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.leases.leaving(hosted.room.id, True)
        desk.node.directory.taken.add(hosted.room.id)
        await desk.leases.renew()
        assert desk.lost == []
        assert hosted.room.id in desk.leases
        desk.leases.leaving(hosted.room.id, False)
        await desk.leases.renew()
        assert desk.lost == [hosted]

    async def test_a_room_that_arrives_is_not_lost_by_a_renewal_before_it_is_here(self, desk: Desk) -> None:
        hosted = desk.node.host.open_room("dots")
        desk.leases.add(Lease(hosted.room.id, "me", 1), is_arriving=True)
        desk.node.directory.taken.add(hosted.room.id)
        await desk.leases.renew()
        assert desk.lost == []
        desk.leases.arrived(hosted.room.id)
        await desk.leases.renew()
        assert desk.lost == [hosted]

    async def test_a_room_that_arrives_stays_in_doubt_when_the_others_are_not_any_more(
        self, desk: Desk
    ) -> None:
        other = desk.room()
        hosted = desk.node.host.open_room("dots")
        desk.leases.add(Lease(hosted.room.id, "me", 1), is_arriving=True)
        hosted.in_doubt = True
        desk.node.clock.sleep(3)
        assert not desk.leases.attentive()
        assert other.in_doubt
        await desk.leases.renew()
        assert desk.leases.attentive()
        assert not other.in_doubt
        assert hosted.in_doubt


class TestDoubt:
    async def test_a_short_pause_is_none(self, desk: Desk) -> None:
        hosted = desk.room()
        for _ in range(20):
            desk.node.clock.sleep(0.4)
            assert desk.leases.attentive()
        assert not hosted.in_doubt

    async def test_a_pause_within_a_lease_is_none(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN - 0.01)
        assert desk.leases.attentive()
        assert not hosted.in_doubt

    async def test_nothing_happens_after_a_pause_before_the_directory_has_spoken(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.clock.sleep(CERTAIN)
        assert not desk.leases.attentive()
        assert hosted.in_doubt
        tick = hosted.room.tick
        hosted.step(1)
        assert hosted.room.tick == tick
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.leases.attentive()
        hosted.step(1)
        assert hosted.room.tick == tick + 1
        assert desk.node.counters["doubts"] == 1

    async def test_an_answer_that_was_on_its_way_when_the_pause_began_says_nothing(self, desk: Desk) -> None:
        hosted = desk.room()
        renew = desk.node.directory.renew

        async def late(owner: str, leases: Sequence[tuple[str, int]]) -> list[bool]:
            answer = await renew(owner, leases)
            desk.node.clock.sleep(3)
            return answer

        desk.node.directory.renew = late  # type: ignore[method-assign]
        desk.node.clock.sleep(CERTAIN)
        assert not desk.leases.attentive()
        assert await desk.leases.renew()
        assert not desk.leases.attentive()
        assert hosted.in_doubt
        desk.node.directory.renew = renew  # type: ignore[method-assign]
        assert await desk.leases.renew()
        assert desk.leases.attentive()
        assert not hosted.in_doubt

    async def test_it_asks_again_until_there_is_an_answer(self, desk: Desk) -> None:
        hosted = desk.room()
        desk.node.directory.down = True
        desk.node.clock.sleep(CERTAIN)
        assert not desk.leases.attentive()
        await asyncio.sleep(0.2)
        assert len(desk.node.directory.asked) >= 2
        assert not desk.leases.attentive()
        assert desk.leases.troubled_at == desk.node.now()
        desk.node.directory.down = False
        await asyncio.sleep(0.1)
        assert desk.leases.attentive()
        assert not hosted.in_doubt

    async def test_a_room_that_was_taken_in_the_pause_is_let_go_and_the_others_go_on(
        self, desk: Desk
    ) -> None:
        mine, gone = desk.room(), desk.room()
        desk.node.directory.taken.add(gone.room.id)
        desk.node.clock.sleep(CERTAIN)
        assert not desk.leases.attentive()
        tick = gone.room.tick
        desk.leases.lost = lambda hosted: desk.lost.append(desk.node.host.rooms.pop(hosted.room.id))
        await desk.leases.renew()
        assert desk.lost == [gone]
        assert gone.in_doubt
        gone.step(1)
        assert gone.room.tick == tick
        assert not mine.in_doubt
