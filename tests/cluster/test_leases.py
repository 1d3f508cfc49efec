"""Leases, as they are renewed and lost: a directory of this process, and rooms that only say what is done to them."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from monkeytown.cluster.cluster import Cluster
from monkeytown.cluster.directory import Lease, LocalDirectory
from monkeytown.cluster.leases import Leases
from monkeytown.cluster.node import Times


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def instance(directory: LocalDirectory, clock: Clock) -> tuple[Leases, list[Any]]:
    """The leases of "me", which has a room "r" in its first epoch; and the rooms that it lost."""
    room = SimpleNamespace(room=SimpleNamespace(id="r", epoch=1), in_doubt=False)
    node: Any = SimpleNamespace(
        now=clock,
        id="me",
        directory=directory,
        times=Times(lease=2.0, renewal=0.5, checkpoint=1.0, seat=300.0),
        counters=Counter(),
        host=SimpleNamespace(rooms={"r": room}),
    )
    lost: list[Any] = []
    leases = Leases(node, lambda room, entries: None)
    leases.lost = lost.append
    leases.add(Lease("r", "me", 1))
    return leases, lost


async def test_a_room_that_another_instance_has_is_lost():
    clock = Clock()
    directory = LocalDirectory(clock=clock)
    leases, lost = instance(directory, clock)
    assert await directory.claim("r", "me") == Lease("r", "me", 1)
    await leases.renew()
    assert (lost, "r" in leases) == ([], True)
    assert await directory.hand_over(Lease("r", "me", 1), "you")
    await leases.renew()
    assert (len(lost), "r" in leases) == (1, False)


async def test_a_room_on_its_way_to_another_instance_is_not_lost_when_that_one_has_it_first():
    clock = Clock()
    directory = LocalDirectory(clock=clock)
    leases, lost = instance(directory, clock)
    await directory.claim("r", "me")
    leases.leaving("r", True)
    assert await directory.hand_over(Lease("r", "me", 1), "you")
    await leases.renew()
    assert (lost, "r" in leases) == ([], True)
    leases.leaving("r", False)
    await leases.renew()
    assert (len(lost), "r" in leases) == (1, False)


async def test_a_new_rooms_lease_is_of_its_own_epoch_even_if_its_checkpoint_came_first():
    directory = LocalDirectory(clock=Clock())
    room: Any = SimpleNamespace(room=SimpleNamespace(id="r", epoch=1))
    cluster: Any = SimpleNamespace(node=SimpleNamespace(id="me", directory=directory))
    assert await directory.keep(Lease("r", "me", 1), b"saved", 60)
    await Cluster._claim(cluster, room)
    assert await directory.owner("r") == Lease("r", "me", 1)
