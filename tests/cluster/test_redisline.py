"""Redis that is killed, frozen, deaf, full or forbidding: the bus finds out, says so once, and works again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from monkeytown.cluster.backlog import FIXED_COST
from monkeytown.cluster.redisbus import RedisBus
from tests.chaos.faults import Faults
from tests.chaos.proxy import Proxy
from tests.cluster.ears import Ear, until
from tests.redis import RedisServer

Open = Callable[..., Awaitable[RedisBus]]


async def hears_again(bus: RedisBus, ear: Ear, channel: str = "town") -> None:
    """What is published from now on is heard."""
    ear.clear()
    async with asyncio.timeout(20):
        while not ear:
            bus.publish(channel, b"again?", may_drop=True)
            await asyncio.sleep(0.01)


async def seconds(event: Awaitable[Any]) -> float:
    """How long it took."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    await event
    return loop.time() - since


async def listening(redis_bus: Open, url: str, **options: Any) -> tuple[RedisBus, Ear]:
    bus, ear = await redis_bus(url, **options), Ear()
    bus.subscribe("town", ear)
    await hears_again(bus, ear)
    return bus, ear


async def test_redis_that_is_killed_and_comes_back_empty(own_redis: RedisServer, redis_bus: Open) -> None:
    with structlog.testing.capture_logs() as logs:
        bus, ear = await listening(redis_bus, own_redis.url())
        own_redis.stop()
        await until(lambda: bus.trouble)
        await asyncio.sleep(1.5)  # it fails to connect a few times
        assert bus.trouble.startswith(f"redis://127.0.0.1:{own_redis.port} cannot be reached: ")
        own_redis.start()
        assert await seconds(hears_again(bus, ear)) < 2
        await until(lambda: not bus.trouble)
    assert [log["event"] for log in logs] == [
        "instances do not hear each other",
        "instances hear each other again",
    ]
    assert bus.reconnects == 2
    assert bus.deaf == 0


async def test_what_is_published_while_redis_is_away_is_said_once_it_is_back(
    own_redis: RedisServer, redis_bus: Open
) -> None:
    bus = await redis_bus(own_redis.url())
    own_redis.stop()
    await until(lambda: bus.trouble)
    for number in range(100):
        bus.publish("town", b"%d" % number)
    own_redis.start()
    await until(lambda: bus.published == 100)
    assert bus.dropped == 0


async def test_redis_that_is_frozen_for_a_while(own_redis: RedisServer, redis_bus: Open) -> None:
    bus, ear = await listening(redis_bus, own_redis.url())
    own_redis.pause()
    loop = asyncio.get_running_loop()
    since = loop.time()
    while loop.time() < since + 4:
        bus.publish("town", bytes(1000), may_drop=True)
        await asyncio.sleep(0.01)
    assert bus.trouble == f"redis://127.0.0.1:{own_redis.port} does not answer"
    own_redis.resume()
    assert await seconds(hears_again(bus, ear)) < 3
    await until(lambda: not bus.trouble)


async def test_frozen_redis_is_found_within_five_seconds(own_redis: RedisServer, redis_bus: Open) -> None:
    bus, _ = await listening(redis_bus, own_redis.url())
    own_redis.pause()
    assert await seconds(until(lambda: bus.trouble)) < 5
    assert await seconds(bus.close()) < 3  # also while it is frozen


async def test_subscriptions_that_are_killed_again_and_again(own_redis: RedisServer, redis_bus: Open) -> None:
    bus, ear = await listening(redis_bus, own_redis.url())
    for _ in range(8):
        own_redis.run("CLIENT", "KILL", "TYPE", "pubsub")
        assert await seconds(hears_again(bus, ear)) < 1
    assert bus.trouble
    await until(lambda: not bus.trouble)
    assert bus.reconnects >= 5


async def test_a_deaf_subscription_is_found_and_made_anew(own_redis: RedisServer, redis_bus: Open) -> None:
    async with Proxy("127.0.0.1", own_redis.port) as proxy:
        bus, ear = await listening(redis_bus, own_redis.url(port=proxy.port))
        deafen(proxy, own_redis)
        bus.publish("town", b"lost")
        assert await seconds(until(lambda: bus.deaf)) < 5
        await hears_again(bus, ear)
        assert bus.trouble.endswith("a subscription hears nothing of what is published")
        assert b"lost" not in ear
        assert bus.reconnects == 1
        await until(lambda: not bus.trouble)
        await bus.close()


def deafen(proxy: Proxy, server: RedisServer) -> None:
    """Nothing comes over the connection that subscribes any more; it stays open."""
    listed = server.run("CLIENT", "LIST", "TYPE", "pubsub")
    (passage,) = [
        passage
        for passage in proxy.passages
        if f"addr=127.0.0.1:{passage._sockets[1].getsockname()[1]} " in listed
    ]
    silence = Faults()
    silence.stalled = True
    passage._ways["down"]._faults = silence


async def test_a_publisher_that_is_never_answered_is_made_anew(
    own_redis: RedisServer, redis_bus: Open
) -> None:
    async with Proxy("127.0.0.1", own_redis.port) as proxy:
        bus, ear = await listening(redis_bus, own_redis.url(port=proxy.port))
        proxy.up.stalled = True
        lost = bus.dropped
        heard = Ear()
        bus.subscribe("other", heard)
        bus.publish("other", b"x")
        await until(lambda: bus.trouble)
        proxy.up.stalled = False
        await hears_again(bus, ear)
        assert bus.dropped > lost  # nobody knows whether it was published, so it is not said again
        assert heard.count(b"x") <= 1
        await bus.close()


async def test_too_much_for_a_redis_that_is_away_loses_the_oldest_that_may_be_dropped(
    redis_server: RedisServer, redis_bus: Open
) -> None:
    fits = 300
    _, witness = await listening(redis_bus, redis_server.url(), prefix="overflow:")
    async with Proxy("127.0.0.1", redis_server.port) as proxy:
        url = redis_server.url(port=proxy.port)
        bus = await redis_bus(url, prefix="overflow:", waiting=fits * (FIXED_COST + 10))
        proxy.accepting = False
        await proxy.cut()
        await until(lambda: bus.trouble)
        letters, states = [], []
        for number in range(1000):
            is_state = number % 10 != 0
            (states if is_state else letters).append(b"%010d" % number)
            bus.publish("town", b"%010d" % number, may_drop=is_state)
        assert bus.dropped == 1000 - fits
        kept = sorted(letters + states[-(fits - len(letters)) :])
        proxy.accepting = True
        await witness.hears(kept[-1])
        assert [data for data in witness if len(data) == 10] == kept
        await bus.close()


async def test_redis_that_forbids_to_publish_while_it_runs(own_redis: RedisServer, redis_bus: Open) -> None:
    own_redis.run("ACL", "SETUSER", "ape", "on", ">open", "allchannels", "+@pubsub", "+@connection")
    bus, ear = await listening(redis_bus, own_redis.url(user="ape", password="open"))
    own_redis.run("ACL", "SETUSER", "ape", "-publish")
    before = bus.dropped
    bus.publish("town", b"x")
    await until(lambda: bus.trouble)
    assert f"redis://127.0.0.1:{own_redis.port} refuses permission: " in bus.trouble
    await until(lambda: bus.dropped == before + 1)
    assert bus.deaf == 0
    own_redis.run("ACL", "SETUSER", "ape", "+publish")
    await hears_again(bus, ear)
    await until(lambda: not bus.trouble)


async def test_a_channel_that_is_forbidden_is_asked_for_until_it_is_not(
    own_redis: RedisServer, redis_bus: Open
) -> None:
    rights = ("resetchannels", "&mt:probe:*", "&mt:town", "+@pubsub", "+@connection")
    own_redis.run("ACL", "SETUSER", "ape", "on", ">open", *rights)
    bus, ear = await listening(redis_bus, own_redis.url(user="ape", password="open"))
    forbidden = Ear()
    bus.subscribe("jungle", forbidden)
    await until(lambda: "refuses permission" in bus.trouble)
    await hears_again(bus, ear)
    own_redis.run("ACL", "SETUSER", "ape", "&mt:jungle")
    await hears_again(bus, forbidden, "jungle")
    await until(lambda: not bus.trouble)


async def test_strangers_on_its_own_channel_do_not_mislead_it(
    own_redis: RedisServer, redis_bus: Open
) -> None:
    bus, ear = await listening(redis_bus, own_redis.url())
    (probe,) = [name for name in own_redis.run("PUBSUB", "CHANNELS") if "probe" in name]
    for data in ("", "99999999999999999999", "999", "-1", "nonsense", "1"):
        own_redis.run("PUBLISH", probe, data)
    await hears_again(bus, ear)
    assert (bus.reconnects, bus.trouble) == (0, "")


async def test_each_connection_has_a_name(own_redis: RedisServer, redis_bus: Open) -> None:
    await redis_bus(own_redis.url(), name="tree-7")
    assert own_redis.run("CLIENT", "LIST").count("name=monkeytown-tree-7 ") == 2
