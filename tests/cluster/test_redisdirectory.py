"""What the directory leaves in Redis: keys that all have an end, that no id can escape, and that a cluster can hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from monkeytown.cluster.directory import DirectoryDown, InstanceRecord, Lease
from monkeytown.cluster.redisdirectory import HASHED, RedisDirectory
from monkeytown.errors import StartError
from tests.cluster.directories import RedisTown, redis_town
from tests.cluster.servers_for_directory import Cluster, Server

DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def town(server: Server) -> AsyncIterator[RedisTown]:
    async with redis_town(server) as town:
        yield town


def record(instance: str) -> InstanceRecord:
    return InstanceRecord(instance, "host:1", ["jungle"], 0, 0, 0.0)


async def fill(town: RedisTown, id_: str = "some-id") -> Lease:
    lease = await town.one.claim("beach", "ann")
    await town.one.keep(lease, b"x", 60.0)
    await town.one.announce(record(id_), 60.0)
    await town.one.put_sessions([(id_, b"x")], 60.0)
    await town.one.put_players([(id_, b"x")], 60.0)
    return lease


async def test_starting_leaves_nothing_that_stays(town: RedisTown, server: Server) -> None:
    await asyncio.sleep(0.01)
    left = server.keys()
    assert all(key.startswith("mt:room:{trial-") and key.endswith("}:epoch") for key in left)
    assert all(0 < end <= 60_000 for end in left.values())
    assert await town.one.instances() == []


async def test_every_key_has_the_prefix_and_an_end(town: RedisTown, server: Server) -> None:
    server.do("FLUSHALL")
    await fill(town)
    ends = server.keys()
    assert {key for key in ends if key.startswith("mt:room:")} == {
        f"mt:room:{{beach}}:{part}" for part in ("lease", "epoch", "kept")
    }
    assert ends.keys() - {key for key in ends if key.startswith("mt:room:")} == {
        "mt:instances",
        "mt:instance:some-id",
        "mt:session:some-id",
        "mt:player:some-id",
    }
    assert 0 < ends.pop("mt:room:{beach}:lease") <= 600
    assert DAY - 10_000 < ends.pop("mt:room:{beach}:epoch") <= DAY
    assert all(50_000 < end <= 60_000 for end in ends.values())


async def test_a_room_that_has_ended_leaves_its_epoch_for_a_minute(town: RedisTown, server: Server) -> None:
    server.do("FLUSHALL")
    await town.one.forget_room(await fill(town))
    rooms = {key: end for key, end in server.keys().items() if ":room:" in key}
    assert rooms.keys() == {"mt:room:{beach}:epoch"}
    assert 50_000 < rooms["mt:room:{beach}:epoch"] <= 60_000


async def test_the_set_of_instances_lives_as_long_as_the_last_and_loses_those_that_ended(
    town: RedisTown, server: Server
) -> None:
    await town.one.announce(record("long"), 60.0)
    await town.one.announce(record("short"), 0.05)
    assert server.keys()["mt:instances"] > 50_000
    await asyncio.sleep(0.1)
    await town.one.announce(record("long"), 60.0)
    assert server.do("ZCARD", "mt:instances") == 1


@pytest.mark.parametrize("id_", ["{beach}:lease", "../../etc", "*", "a b\r\n", "\x00", "x" * 65, "", "é:*"])
async def test_no_id_leads_to_another_key(town: RedisTown, server: Server, id_: str) -> None:
    server.do("FLUSHALL")
    await fill(town, id_)
    for key in list(server.keys()):
        if not key.startswith("mt:room:") and key != "mt:instances":
            kind, _, rest = key.removeprefix("mt:").partition(":")
            assert kind in ("instance", "session", "player")
            assert rest.startswith(HASHED)
            assert rest[1:].isalnum()
            # Whoever chooses an id that looks like the hash of another's gets another key.
            await town.one.put_sessions([(rest, b"other"), (rest[1:], b"other")], 60.0)
    assert await town.two.session(id_) == b"x"


async def test_a_record_of_another_version_is_left_out(town: RedisTown, server: Server) -> None:
    await town.one.announce(record("good"), 60.0)
    await town.one.announce(record("odd"), 60.0)
    server.do("SET", "mt:instance:odd", "\x01", "PX", 60_000)
    with capture_logs() as logs:
        assert await town.two.instances() == [record("good")]
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_a_newer_epoch_is_known_from_the_checkpoint_alone(town: RedisTown, server: Server) -> None:
    """Redis may be told to evict keys."""
    await town.one.claim("beach", "ann", floor=8)
    await town.one.keep(Lease("beach", "ann", 9), b"x", 60.0)
    server.do("DEL", "mt:room:{beach}:lease", "mt:room:{beach}:epoch")
    assert await town.one.renew("old", [("beach", 8)]) == [False]
    assert not await town.one.keep(Lease("beach", "old", 8), b"old", 60.0)
    assert await town.one.keep(Lease("beach", "ann", 9), b"y", 60.0)
    assert server.do("GET", "mt:room:{beach}:epoch") == b"9:ann"
    server.do("DEL", "mt:room:{beach}:epoch")
    assert await town.two.claim("beach", "bob") == Lease("beach", "bob", 10)


async def test_an_epoch_that_was_evicted_is_written_again_with_the_next_renewal(
    town: RedisTown, server: Server
) -> None:
    await town.one.claim("beach", "ann")
    server.do("DEL", "mt:room:{beach}:epoch")
    assert await town.one.renew("ann", [("beach", 1)]) == [True]
    assert server.do("GET", "mt:room:{beach}:epoch") == b"1:ann"


async def test_the_lease_alone_refuses_others_if_the_epoch_was_evicted(
    town: RedisTown, server: Server
) -> None:
    await town.one.claim("beach", "ann", floor=8)
    server.do("DEL", "mt:room:{beach}:epoch")
    for other in (Lease("beach", "old", 8), Lease("beach", "old", 9)):
        assert await town.two.renew("old", [("beach", other.epoch)]) == [False]
        assert not await town.two.keep(other, b"old", 60.0)
        await town.two.forget_room(other)
    assert await town.one.owner("beach") == Lease("beach", "ann", 9)


async def test_prefixes_keep_towns_apart(server: Server) -> None:
    server.do("FLUSHALL")
    other = RedisDirectory(server.url, prefix="other:")
    await other.start()
    async with redis_town(server) as town:
        await fill(town)
        assert await other.owner("beach") is None
        assert await other.session("some-id") is None
        assert await other.instances() == []
    await other.close()


@pytest.mark.parametrize("prefix", ["{a}", "a b", "*", "x" * 65, "ä"])
def test_a_prefix_that_could_be_more_than_a_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(StartError, match="a prefix of Redis keys"):
        RedisDirectory("redis://127.0.0.1", prefix=prefix)


# ---- what a user of few rights needs ----

COMMANDS = "+evalsha +eval +get +set +del +getdel +pexpire +pttl +getrange +time +zadd +zrem +zrange"
RIGHTS = f"{COMMANDS} +zremrangebyscore"


def user(server: Server, *rules: str) -> str:
    server.do("ACL", "SETUSER", "town", "reset", "on", ">p:w", *rules)
    return f"redis://town:p%3Aw@127.0.0.1:{server.port}"


async def test_these_rights_suffice(server: Server) -> None:
    directory = RedisDirectory(user(server, "~mt:*", *RIGHTS.split()))
    await directory.start()
    assert (await directory.claim("of-few-rights", "ann")).owner == "ann"
    await directory.close()


@pytest.mark.parametrize("missing", RIGHTS.split())
async def test_a_right_that_is_missing_is_told_at_the_start(server: Server, missing: str) -> None:
    if missing == "+eval":
        server.do("SCRIPT", "FLUSH")
    directory = RedisDirectory(user(server, "~mt:*", *RIGHTS.split(), missing.replace("+", "-")))
    with pytest.raises(StartError, match=r"(?i)permission|can't run") as told:
        await directory.start()
    assert "\n" not in str(told.value)
    assert "p:w" not in str(told.value)


async def test_keys_that_are_not_permitted_are_told_at_the_start(server: Server) -> None:
    with pytest.raises(StartError, match=r"(?i)permission"):
        await RedisDirectory(user(server, "~other:*", *RIGHTS.split())).start()


async def test_a_right_that_is_lost_later_is_trouble(server: Server) -> None:
    directory = RedisDirectory(user(server, "~mt:*", *RIGHTS.split()))
    await directory.start()
    user(server, "~mt:*", *RIGHTS.split(), "-set", "-evalsha")  # which ends the connections of that user
    for _ in range(2):
        with pytest.raises(DirectoryDown, match=r"permission"):
            await directory.put_sessions([("secret-key", b"secret")], 60.0)
    assert "permission" in directory.trouble
    assert "secret" not in directory.trouble
    await directory.close()


# ---- in a cluster ----


@pytest.fixture
async def spread(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Cluster, RedisDirectory]]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        directory = RedisDirectory(cluster.url, lease_seconds=60.0)
        await directory.start()
        yield cluster, directory
        await directory.close()


async def test_rooms_are_spread_over_a_cluster_and_renewed_together(
    spread: tuple[Cluster, RedisDirectory],
) -> None:
    cluster, directory = spread
    rooms = [f"room-{number}" for number in range(200)]
    leases = await asyncio.gather(*(directory.claim(room, "ann") for room in rooms))
    cluster.do("SCRIPT", "FLUSH")
    assert await directory.renew("ann", [(room, 1) for room in rooms]) == [True] * 200
    keys = [f"{number}:{{}}*" for number in range(200)]
    await directory.put_sessions([(key, key.encode()) for key in keys], 60.0)
    assert [await directory.session(key) for key in keys[:20]] == [key.encode() for key in keys[:20]]
    assert all(len(server.keys()) > 100 for server in cluster.servers)
    assert all(end > 0 for end in cluster.keys().values())
    await directory.drop_sessions(keys)
    await asyncio.gather(*map(directory.forget_room, leases))
    assert sum("trial" not in key for key in list(cluster.keys())) == 200, "only epochs"


async def test_in_a_cluster_a_user_needs_two_more_rights(spread: tuple[Cluster, RedisDirectory]) -> None:
    cluster, _ = spread
    for server in cluster.servers:
        url = user(server, "~mt:*", *RIGHTS.split(), "+command", "+cluster|slots")
    directory = RedisDirectory(url)
    await directory.start()
    assert await directory.renew("ann", [(room, 1) for room in "abcdef"]) == [True] * 6
    await directory.close()
    for server in cluster.servers:
        user(server, "~mt:*", *RIGHTS.split())
    with pytest.raises(StartError, match=r"(?i)permission"):
        await RedisDirectory(url).start()


async def test_a_cluster_has_no_other_database_than_the_first(
    spread: tuple[Cluster, RedisDirectory],
) -> None:
    with pytest.raises(StartError, match=r"(?i)\bdb\b|database|is a cluster"):
        await RedisDirectory(spread[0].url + "/3").start()


async def test_a_slot_that_moves_is_followed(spread: tuple[Cluster, RedisDirectory]) -> None:
    cluster, directory = spread
    await directory.claim("beach", "ann")
    slot = cluster.servers[0].do("CLUSTER", "KEYSLOT", "beach")
    assert isinstance(slot, int)
    old = cluster.servers[slot * 3 // 16384]
    new = cluster.servers[(slot * 3 // 16384 + 1) % 3]
    old.do("DEL", "mt:room:{beach}:lease", "mt:room:{beach}:epoch")
    name = new.do("CLUSTER", "MYID")
    assert isinstance(name, bytes)
    for server in (new, old, *cluster.servers):
        server.do("CLUSTER", "SETSLOT", slot, "NODE", name.decode())
    assert await directory.renew("ann", [("beach", 1), ("swamp", 1)]) == [True, True]
    assert "mt:room:{beach}:lease" in new.keys()  # noqa: SIM118 - keys of a server
    assert directory.trouble == ""


async def test_one_of_three_that_is_silent_or_dead_is_told_within_a_second(
    spread: tuple[Cluster, RedisDirectory],
) -> None:
    cluster, directory = spread
    rooms = [f"room-{number}" for number in range(30)]
    await asyncio.gather(*(directory.claim(room, "ann") for room in rooms))
    slow = cluster.servers[1]
    there = {key for key in slow.keys() if key.endswith("lease")}  # noqa: SIM118 - keys of a server
    elsewhere = next(room for room in rooms if f"mt:room:{{{room}}}:lease" not in there)
    slow.pause()
    loop = asyncio.get_running_loop()
    for _ in range(2):
        before = loop.time()
        with pytest.raises(DirectoryDown):
            await directory.renew("ann", [(room, 1) for room in rooms])
        assert loop.time() - before < 1.2
    assert (await directory.claim(elsewhere, "bob")).owner == "ann", "the others still answer"
    slow.resume()
    await eventually(directory, rooms)
    slow.stop()
    before = loop.time()
    with pytest.raises(DirectoryDown):
        await directory.renew("ann", [(room, 1) for room in rooms])
    assert loop.time() - before < 1.2


async def eventually(directory: RedisDirectory, rooms: list[str]) -> None:
    deadline = asyncio.get_running_loop().time() + 15.0
    while True:
        try:
            assert await directory.renew("ann", [(room, 1) for room in rooms]) == [True] * len(rooms)
            return
        except DirectoryDown:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)
