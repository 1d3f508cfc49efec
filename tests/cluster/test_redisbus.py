"""What is the bus's own: names, counts, and where a channel is in a cluster while that changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from monkeytown.cluster.redisbus import RedisBus
from monkeytown.cluster.redisdial import Node
from tests.cluster.ears import Ear, until
from tests.redis import RedisCluster, RedisServer

Open = Callable[..., Awaitable[RedisBus]]


async def hears(speaker: RedisBus, ear: Ear, channel: str) -> None:
    """What is published from now on is heard."""
    ear.clear()
    async with asyncio.timeout(20):
        while not ear:
            speaker.publish(channel, b"x", may_drop=True)
            await asyncio.sleep(0.01)


def channels_of(cluster: RedisCluster) -> dict[int, str]:
    """A channel on each node, by the node's port."""
    found: dict[int, str] = {}
    for number in range(1000):
        found.setdefault(cluster.owner(f"mt:{number}").port, str(number))
        if len(found) == len(cluster.nodes):
            return found
    raise LookupError


async def test_everything_stands_under_the_prefix(own_redis: RedisServer, redis_bus: Open) -> None:
    bus = await redis_bus(own_redis.url(), prefix="jungle:")
    bus.subscribe("town", Ear())
    await until(lambda: "jungle:town" in own_redis.run("PUBSUB", "CHANNELS"))
    assert all(name.startswith("jungle:") for name in own_redis.run("PUBSUB", "CHANNELS"))
    assert own_redis.run("PUBSUB", "NUMPAT") == 0
    assert own_redis.run("DBSIZE") == 0


async def test_other_prefixes_are_other_buses(redis_server: RedisServer, redis_bus: Open) -> None:
    here, there = Ear(), Ear()
    one = await redis_bus(redis_server.url(), prefix="one:")
    other = await redis_bus(redis_server.url(), prefix="other:")
    one.subscribe("town", here)
    other.subscribe("town", there)
    await hears(one, here, "town")
    assert there == []


async def test_it_counts_what_it_does(redis_server: RedisServer, redis_bus: Open) -> None:
    ear = Ear()
    bus = RedisBus(redis_server.url())
    bus.publish("counted", b"too early")
    assert bus.dropped == 1
    bus.subscribe("counted", ear)
    await bus.start()
    for _ in range(10):
        bus.publish("counted", b"x")
    await until(lambda: len(ear) == 10)
    bus.publish("nobody listens", b"x")
    await until(lambda: bus.published == 11)
    assert (bus.received, bus.dropped, bus.reconnects, bus.deaf) == (10, 1, 0, 0)
    await bus.close()
    bus.publish("counted", b"too late")
    assert bus.dropped == 2


async def test_nothing_is_left_when_it_is_closed(own_redis: RedisServer, redis_bus: Open) -> None:
    bus = await redis_bus(own_redis.url())
    bus.subscribe("town", Ear())
    await bus.close()
    await until(lambda: own_redis.run("PUBSUB", "CHANNELS") == [])
    await until(lambda: "monkeytown" not in own_redis.run("CLIENT", "LIST"))


async def test_unsubscribed_channels_are_left(own_redis: RedisServer, redis_bus: Open) -> None:
    bus = await redis_bus(own_redis.url())
    for number in range(100):
        bus.subscribe(f"town{number}", Ear())
    await until(lambda: len(own_redis.run("PUBSUB", "CHANNELS")) == 101)
    for number in range(100):
        bus.unsubscribe(f"town{number}")
    await until(lambda: len(own_redis.run("PUBSUB", "CHANNELS")) == 1)


async def test_each_node_of_a_cluster_has_its_share(redis_cluster: RedisCluster, redis_bus: Open) -> None:
    bus = await redis_bus(redis_cluster.url(), prefix="shares:")
    for number in range(200):
        bus.subscribe(str(number), Ear())
    shares: list[list[str]] = []

    def all_are_there() -> bool:
        shares[:] = [node.run("PUBSUB", "SHARDCHANNELS", "shares:*") for node in redis_cluster.nodes]
        return sum(map(len, shares)) == 200 + len(shares)

    await until(all_are_there)
    assert all(len(share) > 20 for share in shares)
    assert all(node.run("PUBSUB", "CHANNELS", "shares:*") == [] for node in redis_cluster.nodes)
    assert bus.reconnects == 0


async def test_a_node_that_is_killed_takes_only_its_own_channels(
    own_cluster: RedisCluster, redis_bus: Open
) -> None:
    channels = channels_of(own_cluster)
    bus, other = await redis_bus(own_cluster.url()), await redis_bus(own_cluster.nodes[2].url())
    ears = {channel: Ear() for channel in channels.values()}
    for channel, ear in ears.items():
        bus.subscribe(channel, ear)
    for channel, ear in ears.items():
        await hears(other, ear, channel)
    node = own_cluster.nodes[0]
    node.stop()
    await until(lambda: bus.trouble and other.trouble)
    assert bus.trouble.startswith(f"redis://127.0.0.1:{node.port}")
    for port, channel in channels.items():
        if port != node.port:
            await hears(other, ears[channel], channel)
    assert bus.trouble
    node.start()
    await hears(other, ears[channels[node.port]], channels[node.port])
    await until(lambda: not (bus.trouble or other.trouble))


async def test_a_node_that_is_frozen_holds_up_only_its_own_channels(
    own_cluster: RedisCluster, redis_bus: Open
) -> None:
    channels = channels_of(own_cluster)
    bus = await redis_bus(own_cluster.url())
    frozen, well = own_cluster.nodes[0], own_cluster.nodes[1]
    ear, witness = Ear(), Ear()
    bus.subscribe(channels[frozen.port], ear)
    bus.subscribe(channels[well.port], witness)
    await hears(bus, ear, channels[frozen.port])
    frozen.pause()
    bus.publish(channels[frozen.port], b"late", may_drop=True)
    await until(lambda: bus.trouble == f"redis://127.0.0.1:{frozen.port} does not answer")
    await hears(bus, witness, channels[well.port])
    frozen.resume()
    await hears(bus, ear, channels[frozen.port])
    await until(lambda: not bus.trouble)


async def test_a_channel_whose_slot_moves_is_followed(own_cluster: RedisCluster, redis_bus: Open) -> None:
    bus, other = await redis_bus(own_cluster.url()), await redis_bus(own_cluster.url())
    ear = Ear()
    bus.subscribe("town", ear)
    await hears(other, ear, "town")
    owner = own_cluster.owner("mt:town")
    for to in [node for node in own_cluster.nodes if node is not owner]:
        own_cluster.move("mt:town", to)
        await until(lambda to=to: own_cluster.owner("mt:town") is to)  # type: ignore[misc]
        await hears(other, ear, "town")
        await hears(bus, ear, "town")
        assert to.run("PUBSUB", "SHARDCHANNELS", "mt:town") == ["mt:town"]


async def test_what_fails_while_channels_are_followed_is_tried_again(
    own_cluster: RedisCluster, redis_bus: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await redis_bus(own_cluster.url())
    arrange = bus._arrange
    failures = [LookupError("no such node")]

    async def fail_once(owners: list[Node | None]) -> None:
        if failures:
            raise failures.pop()
        await arrange(owners)

    monkeypatch.setattr(bus, "_arrange", fail_once)
    to = next(node for node in own_cluster.nodes if node is not own_cluster.owner("mt:town"))
    own_cluster.move("mt:town", to)
    ear = Ear()
    bus.subscribe("town", ear)
    await hears(bus, ear, "town")
    assert failures == []


async def test_what_it_listens_on_for_itself_may_move_too(own_cluster: RedisCluster, redis_bus: Open) -> None:
    bus = await redis_bus(own_cluster.url())
    source, target = own_cluster.nodes[:2]
    (probe,) = source.run("PUBSUB", "SHARDCHANNELS")
    own_cluster.move(probe, target)

    def has_another() -> bool:
        names = source.run("PUBSUB", "SHARDCHANNELS")
        return len(names) == 1 and names != [probe]

    await until(has_another)
    ear = Ear()
    bus.subscribe("town", ear)
    await hears(bus, ear, "town")
    await until(lambda: not bus.trouble)
    assert bus.deaf == 0


async def test_a_node_that_serves_nothing_any_more_is_left(
    own_cluster: RedisCluster, redis_bus: Open
) -> None:
    bus = await redis_bus(own_cluster.url())
    channels = channels_of(own_cluster)
    leaving, staying = own_cluster.nodes[0], own_cluster.nodes[1]
    ear = Ear()
    bus.subscribe(channels[leaving.port], ear)
    await hears(bus, ear, channels[leaving.port])
    slots = [
        slot
        for first, last, (_, port, *_), *_ in leaving.run("CLUSTER", "SLOTS")
        if port == leaving.port
        for slot in range(first, last + 1)
    ]
    name = staying.run("CLUSTER", "MYID")
    for node in (staying, leaving, own_cluster.nodes[2]):
        node.run_all([("CLUSTER", "SETSLOT", slot, "NODE", name) for slot in slots])
    await until(lambda: "name=monkeytown" not in leaving.run("CLIENT", "LIST"), 40)
    await hears(bus, ear, channels[leaving.port])
    await until(lambda: not bus.trouble)
