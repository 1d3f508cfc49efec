"""One instance among others, with parts that only say what is done to them."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from monkeytown.cluster import cluster as clusters
from monkeytown.cluster.cluster import Cluster
from monkeytown.cluster.directory import Lease, LocalDirectory


async def test_a_new_rooms_lease_is_of_its_own_epoch_even_if_its_checkpoint_came_first():
    directory = LocalDirectory()
    room: Any = SimpleNamespace(room=SimpleNamespace(id="r", epoch=1))
    cluster: Any = SimpleNamespace(node=SimpleNamespace(id="me", directory=directory))
    assert await directory.keep(Lease("r", "me", 1), b"saved", 60)
    await Cluster._claim(cluster, room)
    assert await directory.owner("r") == Lease("r", "me", 1)


async def test_one_that_stops_does_not_wait_for_ever_for_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clusters, "EMPTY_SECONDS", 0.05)
    done: list[str] = []

    async def announce() -> None:
        done.append("announced")

    async def empty(others: list[Any]) -> None:
        await asyncio.Event().wait()

    async def send_off() -> None:
        done.append("players sent off")

    cluster: Any = SimpleNamespace(
        matching=SimpleNamespace(draining=False),
        others=[],
        leases=["r"],
        handover=SimpleNamespace(empty=empty, send_off=send_off),
        _announce=announce,
    )
    async with asyncio.timeout(5):
        await Cluster.drain(cluster, lambda: done.append("not listening"))
    assert done == ["announced", "not listening", "players sent off"]
    assert cluster.matching.draining
