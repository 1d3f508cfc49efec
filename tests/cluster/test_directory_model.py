"""Random claims, renewals, hand-overs and losses by several owners: never two owners in one epoch, and never an older epoch.

In memory against what must be true of any history; and in Redis against the one in memory, answer by answer. There the end of
a lease is a key that is deleted, so that no time has to pass.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from monkeytown.cluster.directory import Directory, Lease, LocalDirectory
from monkeytown.cluster.redisdirectory import RedisDirectory
from tests.cluster.servers_for_directory import Server

OWNERS = st.sampled_from(["ann", "bob", "cleo"])
ROOMS = st.sampled_from(["beach", "swamp"])
LEASE_SECONDS = 10.0
OPTIONS = settings(stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


class History:
    """What has been granted of one room since the directory was empty last."""

    def __init__(self) -> None:
        self.holders: dict[int, str] = {}
        self.newest = 0
        self.is_open = False
        """Whether the last holder of the newest epoch has not given it back."""
        self.checkpoint: bytes | None = None

    def granted(self, lease: Lease) -> None:
        assert self.holders.setdefault(lease.epoch, lease.owner) == lease.owner, "two owners in one epoch"
        assert lease.epoch >= self.newest, "an epoch went back"
        self.newest = lease.epoch
        self.is_open = True

    def is_last(self, lease: Lease) -> bool:
        return lease.epoch == self.newest and self.holders[lease.epoch] == lease.owner and self.is_open


class DirectoryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = 0.0
        self.histories: dict[str, History] = {}
        self.given: list[Lease] = []
        """Every lease that anybody was ever told of, also before the directory was emptied: some owners know no better."""
        self.directories = self.make()

    def make(self) -> list[Directory]:
        return [LocalDirectory(lease_seconds=LEASE_SECONDS, clock=lambda: self.now)]

    def ask(self, method: str, *arguments: object, **options: object) -> object:
        """What all the directories answer."""
        answers = [
            self.runner.run(getattr(directory, method)(*arguments, **options))
            for directory in self.directories
        ]
        assert all(answer == answers[0] for answer in answers), (method, arguments, answers)
        return answers[0]

    def history(self, room: str) -> History:
        return self.histories.setdefault(room, History())

    def any_lease(self, number: int) -> Lease | None:
        return self.given[number % len(self.given)] if self.given else None

    @rule(room=ROOMS, owner=OWNERS, floor=st.integers(0, 6))
    def claim(self, room: str, owner: str, floor: int) -> None:
        before = self.ask("owner", room)
        lease = self.ask("claim", room, owner, floor=floor)
        assert isinstance(lease, Lease)
        if before is None:
            assert lease.owner == owner
            assert lease.epoch == max(self.history(room).newest, floor) + 1
            self.history(room).granted(lease)
            self.given.append(lease)
        else:
            assert lease == before

    @rule(number=st.integers(0))
    def renew(self, number: int) -> None:
        lease = self.any_lease(number)
        if lease is None:
            return
        history = self.history(lease.room)
        expected = lease.epoch > history.newest or history.is_last(lease)
        assert self.ask("renew", lease.owner, [(lease.room, lease.epoch)]) == [expected]
        if expected:
            history.granted(lease)
            assert self.ask("owner", lease.room) == lease
            # Whoever lives and had the highest of all epochs has it again, whatever others got meanwhile.
            assert history.newest >= lease.epoch

    @rule(number=st.integers(0), to=OWNERS)
    def hand_over(self, number: int, to: str) -> None:
        lease = self.any_lease(number)
        if lease is None:
            return
        held, wanted = self.ask("owner", lease.room), lease._replace(owner=to)
        assert self.ask("hand_over", lease, to) == (held in (lease, wanted))
        if held == lease:
            self.history(lease.room).holders[lease.epoch] = to
            self.given.append(wanted)
            assert self.ask("owner", lease.room) == wanted

    @rule(number=st.integers(0))
    def release(self, number: int) -> None:
        lease = self.any_lease(number)
        if lease is None:
            return
        held = self.ask("owner", lease.room)
        self.ask("release", lease)
        if held == lease:
            self.history(lease.room).is_open = False
        assert self.ask("owner", lease.room) == (None if held == lease else held)

    @rule(number=st.integers(0), checkpoint=st.binary(max_size=4))
    def keep(self, number: int, checkpoint: bytes) -> None:
        lease = self.any_lease(number)
        if lease is None:
            return
        history = self.history(lease.room)
        expected = lease.epoch > history.newest or history.is_last(lease)
        assert self.ask("keep", lease, checkpoint, 1e6) == expected
        if expected:
            history.granted(lease)
            history.checkpoint = checkpoint
        assert self.ask("kept", lease.room) == history.checkpoint

    @rule(number=st.integers(0))
    def forget(self, number: int) -> None:
        lease = self.any_lease(number)
        if lease is None:
            return
        history = self.history(lease.room)
        known = lease.epoch > history.newest or history.is_last(lease)
        self.ask("forget_room", lease)
        if known:
            history.granted(lease)
            history.is_open = False
            history.checkpoint = None
            assert self.ask("owner", lease.room) is None
        assert self.ask("kept", lease.room) == history.checkpoint

    @rule()
    def leases_end(self) -> None:
        # Not so long that an ended room's epoch is forgotten, as then nothing is known of it any more.
        self.now += LEASE_SECONDS + 0.001

    @rule()
    def comes_back_empty(self) -> None:
        self.directories[0] = LocalDirectory(lease_seconds=LEASE_SECONDS, clock=lambda: self.now)
        self.histories.clear()

    def teardown(self) -> None:
        for directory in self.directories:
            self.runner.run(directory.close())
        self.runner.close()


@contextmanager
def machine_of(server: Server) -> Iterator[type[DirectoryMachine]]:
    class InRedis(DirectoryMachine):
        def make(self) -> list[Directory]:
            server.do("FLUSHALL")
            redis = RedisDirectory(server.url, lease_seconds=3600.0)
            self.runner.run(redis.start())
            return [*super().make(), redis]

        @rule()
        def leases_end(self) -> None:
            super().leases_end()
            server.do("DEL", "mt:room:{beach}:lease", "mt:room:{swamp}:lease")

        @rule()
        def comes_back_empty(self) -> None:
            super().comes_back_empty()
            server.do("FLUSHALL")
            server.do("SCRIPT", "FLUSH")

    yield InRedis


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monkeytown.cluster.directory.FORGOTTEN_SECONDS", 1e6)


def test_in_memory() -> None:
    run_state_machine_as_test(DirectoryMachine, settings=settings(OPTIONS, max_examples=200))


def test_in_redis() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder)) as server,
        machine_of(server) as machine,
    ):
        run_state_machine_as_test(machine, settings=settings(OPTIONS, max_examples=25))
