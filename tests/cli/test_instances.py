"""`monkeytown instances`, `drain` and `move` as an operator uses them: real processes, one Redis."""

import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from monkeytown.client import Room, connect
from tests.cli.command import monkeytown
from tests.cli.test_workers import in_thread, plays
from tests.instances import SECRET, Instance, Instances

PATIENCE = 30.0


class Operator:
    """Whoever types commands, with the settings that the instances have."""

    def __init__(self, redis_url: str, prefix: str) -> None:
        self.settings = {
            "MONKEYTOWN_REDIS_URL": redis_url,
            "MONKEYTOWN_REDIS_PREFIX": prefix,
            "MONKEYTOWN_SECRET": SECRET,
        }

    async def types(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """The exit code, and what is printed."""
        done = await in_thread(lambda: monkeytown(*arguments, **{**self.settings, **settings}))
        return done.returncode, done.stdout, done.stderr

    async def sees(self) -> dict[str, tuple[str, int, int]]:
        """Of each instance by name: its id, players and rooms."""
        code, said, complaint = await self.types("instances")
        assert (code, complaint) == (0, "")
        head, *lines = said.splitlines()
        assert head.split() == ["name", "id", "players", "rooms", "load"]
        rows = [re.fullmatch(r"(\S+) +(\S+) +(\d+) +(\d+) +\d+%(  draining)?", line) for line in lines]
        return {row[1]: (row[2], int(row[3]), int(row[4])) for row in rows if row is not None}


@pytest.fixture
def prefix() -> str:
    return f"{uuid4().hex}:"


@pytest.fixture
def two(redis_url: str, prefix: str, tmp_path: Path) -> Any:
    with Instances(2, ["jungle"], redis_url, tmp_path, redis_prefix=prefix) as instances:
        yield instances


@pytest.fixture
def operator(redis_url: str, prefix: str) -> Operator:
    return Operator(redis_url, prefix)


async def leases(*instances: Instance) -> list[float]:
    return [await in_thread(one.metric, "leases") for one in instances]


def monkey(room: Room) -> int:
    assert room.entity is not None
    return room.entity.id


async def test_they_are_listed_with_what_they_do(two: Instances, operator: Operator):
    async with await connect(two[0].url, name="Ada") as ada:
        await ada.join("jungle")
        deadline = time.monotonic() + PATIENCE
        while (seen := await operator.sees())["i0"][1:] != (1, 1):
            assert time.monotonic() < deadline, seen
        assert seen.keys() == {"i0", "i1"}
        assert seen["i1"][1:] == (0, 0)
        assert seen["i0"][0] != seen["i1"][0]


async def test_a_room_is_moved_while_it_is_played(two: Instances, operator: Operator):
    async with await connect(two[0].url, name="Ada") as ada, await connect(two[1].url, name="Ben") as ben:
        rooms = [await ada.join("jungle"), await ben.join("jungle")]
        lost: list[Any] = []
        for client, room in zip((ada, ben), rooms, strict=True):
            client.on("reconnecting", lost.append)
            await plays(room)
        assert await leases(*two) == [1, 0]
        before = [(monkey(room), room.epoch) for room in rooms]
        id = (await operator.sees())["i0"][0]
        for name, held in (("i1", [0, 1]), (id, [1, 0]), ("i1", [0, 1])):
            assert await operator.types("move", rooms[0].id, name) == (
                0,
                f"{rooms[0].id} is at {name}\n",
                "",
            )
            assert await leases(*two) == held
            for room in rooms:
                await plays(room)
        assert [(monkey(room), room.epoch) for room in rooms] == before
        assert not lost


async def test_an_instance_is_drained(two: Instances, operator: Operator):
    async with await connect(two[0].url, name="Ada") as ada, await connect(two[1].url, name="Ben") as ben:
        room, other = await ada.join("jungle"), await ben.join("jungle")
        await plays(other)
        await plays(room)
        back: list[Any] = []
        ada.on("reconnected", back.append)
        number = monkey(room)
        ada.url = two[1].url
        assert await operator.types("drain", "i0") == (0, "i0 hands over what it has, and stops\n", "")
        assert await in_thread(two[0].ended) == 0
        await plays(other)
        await plays(room)
        assert [one.recovered for one in back] == [True]
        assert monkey(room) == number
        assert await leases(two[1]) == [1]
        assert (await operator.sees()).keys() == {"i1"}


async def test_what_cannot_be_is_one_line_and_exit_code_2(two: Instances, operator: Operator):
    async with await connect(two[0].url, name="Ada") as ada:
        room = await ada.join("jungle")
        await plays(room)
        for arguments, settings, why in (
            (["drain", "i7"], {}, "there is no instance i7"),
            (["move", room.id, "i7"], {}, "there is no instance i7"),
            (["move", "nowhere", "i1"], {}, "there is no room nowhere"),
            (["instances"], {"MONKEYTOWN_REDIS_URL": ""}, "set MONKEYTOWN_REDIS_URL"),
            (["instances"], {"MONKEYTOWN_SECRET": ""}, "needs MONKEYTOWN_SECRET"),
            (["instances"], {"MONKEYTOWN_REDIS_URL": "redis://127.0.0.1:1"}, "redis://127.0.0.1:1: "),
            (["instances"], {"MONKEYTOWN_REDIS_URL": "http://127.0.0.1"}, "redis"),
        ):
            code, said, complaint = await operator.types(*arguments, **settings)
            assert (code, said, complaint.count("\n")) == (2, "", 1), complaint
            assert complaint.startswith("monkeytown: ")
            assert why in complaint
        assert await leases(*two) == [1, 0]
