"""What every directory promises, of the one in memory, of one in a Redis and of one in a Redis Cluster of three."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from monkeytown.cluster.directory import InstanceRecord, Lease, LocalDirectory, WaitingRoom
from tests.cluster.directories import LEASE_SECONDS, LocalTown, Town, redis_town
from tests.cluster.servers_for_directory import Cluster, Server, programs

AFTER = LEASE_SECONDS + 0.1
WHILE = LEASE_SECONDS / 3
STRANGE = ["{a}", "a}b", "*", "a:b", "../x", "a b", "\r\nDEL x", "é", "\udc80", "x" * 5000, "\x00", ""]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("redis"), program=programs().get("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=["local", "server", "redis", "cluster"])
async def town(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    if request.param == "local":
        yield LocalTown()
        return
    async with redis_town(request.getfixturevalue(request.param)) as town:
        yield town


# ---- leases ----


async def test_a_room_has_one_owner(town: Town) -> None:
    assert await town.one.owner("beach") is None
    lease = await town.one.claim("beach", "ann")
    assert lease == Lease("beach", "ann", 1)
    assert await town.two.claim("beach", "bob") == lease
    assert await town.one.claim("beach", "ann", floor=7) == lease
    assert await town.two.owner("beach") == lease


async def test_of_many_who_claim_at_once_one_gets_it(town: Town) -> None:
    names = [f"owner-{number}" for number in range(12)]
    claims = [(town.one, town.two)[number % 2].claim("beach", name) for number, name in enumerate(names)]
    leases = set(await asyncio.gather(*claims))
    assert len(leases) == 1
    assert leases.pop().epoch == 1


async def test_a_lease_that_nobody_renews_ends_and_the_next_epoch_is_higher(town: Town) -> None:
    await town.one.claim("beach", "ann")
    await town.passes(AFTER)
    assert await town.one.owner("beach") is None
    assert await town.two.claim("beach", "bob") == Lease("beach", "bob", 2)
    assert await town.one.renew("ann", [("beach", 1)]) == [False]
    assert await town.one.owner("beach") == Lease("beach", "bob", 2)


async def test_a_new_epoch_is_above_the_floor(town: Town) -> None:
    assert (await town.one.claim("beach", "ann", floor=41)).epoch == 42
    await town.passes(AFTER)
    assert (await town.one.claim("beach", "ann", floor=5)).epoch == 43
    assert (await town.one.claim("large", "ann", floor=2**53 - 2)).epoch == 2**53 - 1
    assert await town.one.renew("ann", [("large", 2**53 - 1)]) == [True]
    assert await town.two.owner("large") == Lease("large", "ann", 2**53 - 1)


async def test_a_lease_lasts_as_long_as_it_is_renewed(town: Town) -> None:
    lease = await town.one.claim("beach", "ann")
    for _ in range(5):
        await town.passes(WHILE)
        assert await town.one.renew("ann", [("beach", 1)]) == [True]
    assert await town.two.owner("beach") == lease


async def test_renewals_are_answered_one_by_one(town: Town) -> None:
    rooms = [f"room-{number}" for number in range(40)]
    for number, room in enumerate(rooms):
        await town.one.claim(room, ("ann", "bob")[number % 2])
    asked = [*((room, 1) for room in rooms), ("no room", 1), ("room-0", 0), ("room-1", 2**60)]
    answers = await town.one.renew("ann", asked)
    assert answers == [number % 2 == 0 for number in range(40)] + [False, False, False]
    assert await town.one.renew("ann", []) == []
    assert await town.one.renew("", [("room-0", 1)]) == [False]


async def test_a_lease_that_ended_is_renewed_if_nobody_has_taken_it_since(town: Town) -> None:
    await town.one.claim("beach", "ann")
    await town.passes(AFTER)
    assert await town.one.renew("ann", [("beach", 1)]) == [True]
    assert await town.two.owner("beach") == Lease("beach", "ann", 1)
    assert (await town.two.claim("beach", "bob")).owner == "ann"


async def test_a_lease_that_is_given_back_is_free_at_once_and_cannot_be_renewed(town: Town) -> None:
    lease = await town.one.claim("beach", "ann")
    await town.two.release(lease._replace(owner="bob"))
    await town.two.release(lease._replace(epoch=2))
    assert await town.two.owner("beach") == lease
    await town.one.release(lease)
    assert await town.two.owner("beach") is None
    assert await town.one.renew("ann", [("beach", 1)]) == [False]
    assert not await town.one.keep(lease, b"late", 60.0)
    assert (await town.two.claim("beach", "bob")).epoch == 2
    await town.one.release(lease)
    assert await town.two.owner("beach") == Lease("beach", "bob", 2)


async def test_a_room_is_handed_over_in_its_epoch(town: Town) -> None:
    lease = await town.one.claim("beach", "ann")
    await town.passes(WHILE * 2)
    assert await town.one.hand_over(lease, "bob")
    assert await town.one.hand_over(lease, "bob"), "as when the first answer was lost"
    await town.passes(WHILE * 2)
    assert await town.two.owner("beach") == Lease("beach", "bob", 1), "for as long as a new one"
    assert not await town.two.hand_over(lease, "cleo")
    assert await town.one.renew("ann", [("beach", 1)]) == [False]
    assert not await town.one.keep(lease, b"late", 60.0)
    assert await town.two.renew("bob", [("beach", 1)]) == [True]


async def test_who_has_handed_over_does_not_get_the_epoch_back_when_the_other_is_gone(town: Town) -> None:
    lease = await town.one.claim("beach", "ann")
    await town.one.hand_over(lease, "bob")
    await town.passes(AFTER)
    assert await town.one.renew("ann", [("beach", 1)]) == [False]
    assert not await town.one.hand_over(lease, "cleo")
    assert not await town.one.hand_over(Lease("nowhere", "ann", 1), "bob")
    assert await town.one.claim("beach", "ann") == Lease("beach", "ann", 2)


async def test_an_epoch_that_the_directory_has_forgotten_is_known_again_from_its_owner(town: Town) -> None:
    assert await town.one.renew("ann", [("beach", 7)]) == [True]
    assert await town.two.owner("beach") == Lease("beach", "ann", 7)
    await town.passes(AFTER)
    assert (await town.two.claim("beach", "bob")).epoch == 8


async def test_the_higher_of_two_epochs_that_the_directory_has_forgotten_wins(town: Town) -> None:
    assert await town.one.renew("old", [("beach", 5)]) == [True]
    assert await town.two.renew("new", [("beach", 6)]) == [True]
    assert await town.one.renew("old", [("beach", 5)]) == [False]
    assert await town.two.owner("beach") == Lease("beach", "new", 6)
    assert await town.one.renew("other", [("beach", 6)]) == [False]


@pytest.mark.parametrize("room", ["", "a}b", "a b", "x" * 65, "ä", "*", "a\n", "\udc80"])
async def test_an_id_of_another_form_is_of_no_room(town: Town, room: str) -> None:
    with pytest.raises(ValueError, match="no room has the id"):
        await town.one.claim(room, "ann")
    lease = Lease(room, "ann", 1)
    assert await town.one.owner(room) is None
    assert await town.one.kept(room) is None
    assert await town.one.renew("ann", [(room, 1)]) == [False]
    assert not await town.one.keep(lease, b"", 1.0)
    await town.one.release(lease)
    await town.one.forget_room(lease)
    with pytest.raises(ValueError, match="no room has the id"):
        await town.one.hand_over(lease, "bob")


async def test_what_no_lease_can_have_is_refused(town: Town) -> None:
    with pytest.raises(ValueError, match="an owner has a name"):
        await town.one.claim("beach", "")
    with pytest.raises(ValueError, match="no epoch is higher"):
        await town.one.claim("beach", "ann", floor=2**53)
    lease = await town.one.claim("beach", "ann")
    with pytest.raises(ValueError, match="an owner has a name"):
        await town.one.hand_over(lease, "")
    assert not await town.one.hand_over(Lease("beach", "ann", 0), "bob")


async def test_an_owner_may_have_any_name(town: Town) -> None:
    lease = await town.one.claim("beach", "a:b\n{c}%s é")
    assert await town.two.owner("beach") == lease
    assert await town.one.renew(lease.owner, [("beach", 1)]) == [True]


# ---- checkpoints ----


async def test_a_checkpoint_is_kept_for_its_time(town: Town) -> None:
    lease = await town.one.claim("beach", "ann")
    assert await town.two.kept("beach") is None
    data = bytes(range(256)) * 200
    assert await town.one.keep(lease, data, 60.0)
    assert await town.two.kept("beach") == data
    assert await town.one.keep(lease, b"", 0.3)
    assert await town.two.kept("beach") == b""
    await town.passes(0.4)
    assert await town.two.kept("beach") is None


async def test_a_checkpoint_of_an_older_epoch_is_refused(town: Town) -> None:
    old = await town.one.claim("beach", "ann")
    assert await town.one.keep(old, b"old", 60.0)
    await town.passes(AFTER)
    assert await town.one.keep(old, b"old, but the last", 60.0), "nobody has taken it"
    new = await town.two.claim("beach", "bob")
    assert not await town.one.keep(old, b"too old", 60.0)
    assert await town.two.kept("beach") == b"old, but the last"
    assert await town.two.keep(new, b"new", 60.0)
    await town.passes(AFTER)
    assert not await town.one.keep(old, b"too old", 60.0)
    assert await town.two.kept("beach") == b"new"


async def test_a_checkpoint_tells_the_directory_an_epoch_that_it_has_forgotten(town: Town) -> None:
    assert await town.one.keep(Lease("beach", "ann", 7), b"x", 60.0)
    assert await town.two.claim("beach", "bob") == Lease("beach", "bob", 8)


async def test_of_a_room_that_has_ended_nothing_is_found(town: Town) -> None:
    lease = await town.one.claim("beach", "ann")
    await town.one.keep(lease, b"x", 60.0)
    await town.two.forget_room(lease._replace(owner="bob"))
    assert await town.two.kept("beach") == b"x"
    await town.one.forget_room(lease)
    assert await town.two.owner("beach") is None
    assert await town.two.kept("beach") is None
    assert await town.one.renew("ann", [("beach", 1)]) == [False], "it does not come back"
    assert not await town.one.keep(lease, b"late", 60.0)


async def test_who_lost_a_room_cannot_end_it(town: Town) -> None:
    old = await town.one.claim("beach", "ann")
    await town.passes(AFTER)
    new = await town.two.claim("beach", "bob")
    await town.two.keep(new, b"new", 60.0)
    await town.one.forget_room(old)
    assert await town.two.owner("beach") == new
    assert await town.two.kept("beach") == b"new"


# ---- instances ----


def record(instance: str, **more: object) -> InstanceRecord:
    about = {
        "name": "host:1",
        "games": ["jungle"],
        "players": 3,
        "rooms": 2,
        "load": 0.25,
    }
    return InstanceRecord(id=instance, **(about | more))  # type: ignore[arg-type]


async def test_instances_are_known_for_as_long_as_they_say_so(town: Town) -> None:
    assert await town.one.instances() == []
    waiting = [WaitingRoom("beach", "jungle", "", -1, 1234.5)]
    first, second = record("a", waiting=waiting), record("b", draining=True)
    await town.two.announce(second, 0.4)
    await town.one.announce(first, 60.0)
    assert await town.two.instances() == [first, second]
    await town.passes(0.5)
    assert await town.two.instances() == [first]
    again = record("a", players=4)
    await town.one.announce(again, 60.0)
    assert await town.two.instances() == [again]
    await town.two.retire("a")
    assert await town.one.instances() == []


@pytest.mark.parametrize("instance", STRANGE[:8])
async def test_an_instance_may_have_any_id(town: Town, instance: str) -> None:
    await town.one.announce(record(instance), 60.0)
    assert await town.two.instances() == [record(instance)]
    await town.one.retire(instance)
    assert await town.two.instances() == []


# ---- sessions and players ----


async def test_sessions_are_found_from_anywhere_for_their_time(town: Town) -> None:
    await town.one.put_sessions([("k1", b"one"), ("k2", b"\x00two"), ("k3", b"")], 60.0)
    await town.one.put_sessions([("k4", b"four")], 0.3)
    await town.one.put_sessions([], 60.0)
    found = [await town.two.session(key) for key in ("k1", "k2", "k3", "k4", "k5")]
    assert found == [b"one", b"\x00two", b"", b"four", None]
    await town.passes(0.4)
    assert await town.two.session("k4") is None
    await town.two.drop_sessions(["k1", "k5"])
    await town.two.drop_sessions([])
    assert await town.one.session("k1") is None
    assert await town.one.session("k2") == b"\x00two"


async def test_a_session_is_taken_once(town: Town) -> None:
    await town.one.put_sessions([("key", b"it")], 60.0)
    takers = [(town.one, town.two)[number % 2].take_session("key") for number in range(10)]
    taken = await asyncio.gather(*takers)
    assert sorted(taken, key=str) == [None] * 9 + [b"it"] or sorted(taken, key=str) == [b"it"] + [None] * 9
    assert await town.one.session("key") is None


async def test_players_are_found_by_any_id(town: Town) -> None:
    players = [(player_id, f"{number}".encode()) for number, player_id in enumerate(STRANGE)]
    await town.one.put_players(players, 60.0)
    await town.one.put_sessions([(key, b"session") for key in STRANGE], 60.0)
    assert [await town.two.player(player_id) for player_id in STRANGE] == [value for _, value in players]
    await town.two.drop_players(STRANGE[1:])
    assert [await town.two.player(player_id) for player_id in STRANGE] == [b"0"] + [None] * (len(STRANGE) - 1)
    assert [await town.two.session(key) for key in STRANGE] == [b"session"] * len(STRANGE)


# ---- in memory ----


async def test_what_has_ended_takes_no_memory() -> None:
    now = 0.0
    directory = LocalDirectory(clock=lambda: now)
    for number in range(10_000):
        now += 1.0
        await directory.put_sessions([(f"key-{number}", b"x")], 5.0)
    assert len(directory._sessions._values) < 50
    await directory.start()
    await directory.close()
    assert directory.trouble == ""
