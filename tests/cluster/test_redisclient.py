"""A Redis that is dead, frozen, full, or not what it should be: whoever asks is told within a second, and operators once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

import redis
from monkeytown.cluster import redisclient
from monkeytown.cluster.directory import DirectoryDown, InstanceRecord, Lease
from monkeytown.cluster.redisdirectory import RedisDirectory
from monkeytown.errors import StartError
from tests.cluster.servers_for_directory import Server, free_port

SOON = 1.2
LEASE = Lease("beach", "ann", 1)
RECORD = InstanceRecord("id", "host:1", [], 0, 0, 0.0)
EVERYTHING: dict[str, Callable[[RedisDirectory], Awaitable[Any]]] = {
    "claim": lambda directory: directory.claim("beach", "ann"),
    "renew": lambda directory: directory.renew("ann", [("beach", 1)]),
    "release": lambda directory: directory.release(LEASE),
    "hand_over": lambda directory: directory.hand_over(LEASE, "bob"),
    "owner": lambda directory: directory.owner("beach"),
    "keep": lambda directory: directory.keep(LEASE, b"x", 1.0),
    "kept": lambda directory: directory.kept("beach"),
    "forget_room": lambda directory: directory.forget_room(LEASE),
    "announce": lambda directory: directory.announce(RECORD, 1.0),
    "retire": lambda directory: directory.retire("id"),
    "instances": lambda directory: directory.instances(),
    "put_sessions": lambda directory: directory.put_sessions([("key", b"x")], 1.0),
    "session": lambda directory: directory.session("key"),
    "take_session": lambda directory: directory.take_session("key"),
    "drop_sessions": lambda directory: directory.drop_sessions(["key"]),
    "put_players": lambda directory: directory.put_players([("id", b"x")], 1.0),
    "player": lambda directory: directory.player("id"),
    "drop_players": lambda directory: directory.drop_players(["id"]),
}
NEEDS_MEMORY = {"claim", "keep", "announce", "put_sessions", "put_players"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Iterator[Server]:
    """A server with nothing in it that a test may stop and pause; it runs again for the next."""
    shared.do("FLUSHALL")
    yield shared
    shared.stop()
    shared.start()


@pytest.fixture
async def directory(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisDirectory]:
    monkeypatch.setattr(redisclient, "CALM_SECONDS", 0.1)
    directory = RedisDirectory(server.url)
    await directory.start()
    yield directory
    await directory.close()


@asynccontextmanager
async def told_soon(kind: type[Exception], match: str) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(kind, match=match) as told:
        yield
    assert loop.time() - before < SOON
    assert "\n" not in str(told.value)


async def works(directory: RedisDirectory) -> None:
    """It does at once, and a little later there is no trouble any more."""
    await directory.put_sessions([("works", b"yes")], 60.0)
    await asyncio.sleep(0.15)
    assert await directory.session("works") == b"yes"
    assert directory.trouble == ""


# ---- failures ----


@pytest.mark.parametrize("name", EVERYTHING)
async def test_a_dead_server_is_told_by_everything(
    directory: RedisDirectory, server: Server, name: str
) -> None:
    await directory.put_sessions([("key", b"x")], 60.0)
    server.stop()
    for _ in range(2):
        async with told_soon(DirectoryDown, f"redis://127.0.0.1:{server.port}"):
            await EVERYTHING[name](directory)
        assert str(server.port) in directory.trouble
    server.start()
    await works(directory)


@pytest.mark.parametrize("name", EVERYTHING)
async def test_a_frozen_server_is_told_by_everything(
    directory: RedisDirectory, server: Server, name: str
) -> None:
    server.pause()
    async with told_soon(DirectoryDown, "did not answer"):
        await EVERYTHING[name](directory)
    server.resume()
    await works(directory)


async def test_many_who_wait_for_a_frozen_server_are_all_told(
    directory: RedisDirectory, server: Server
) -> None:
    sessions = [(f"key-{number}", f"{number}".encode()) for number in range(100)]
    await directory.put_sessions(sessions, 60.0)
    server.pause()
    async with told_soon(DirectoryDown, "did not answer"):
        results = await asyncio.gather(
            *(directory.session(key) for key, _ in sessions), return_exceptions=True
        )
        assert all(isinstance(result, DirectoryDown) for result in results)
        raise results[0]  # type: ignore[misc]
    server.resume()
    # The replies that came too late are nobody's.
    assert await asyncio.gather(*(directory.session(key) for key, _ in sessions)) == [
        value for _, value in sessions
    ]


async def test_whoever_does_not_wait_any_more_leaves_no_reply_behind(
    directory: RedisDirectory, server: Server
) -> None:
    await directory.put_sessions([("one", b"1"), ("two", b"2")], 60.0)
    server.pause()
    waiting = [asyncio.create_task(directory.session("one")) for _ in range(20)]
    await asyncio.sleep(0.1)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    server.resume()
    assert [await directory.session("two") for _ in range(20)] == [b"2"] * 20
    assert directory.trouble == "", "it was not the server's fault"


async def test_trouble_is_logged_when_it_begins_and_when_it_ends(
    directory: RedisDirectory, server: Server
) -> None:
    with capture_logs() as logs:
        server.stop()
        for _ in range(5):
            with pytest.raises(DirectoryDown):
                await directory.owner("beach")
        server.start()
        await works(directory)
        await works(directory)
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
    assert str(server.port) in logs[0]["trouble"]


async def test_trouble_with_a_part_is_not_over_because_another_part_works(
    directory: RedisDirectory, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redisclient, "CALM_SECONDS", 5.0)
    server.do("CONFIG", "SET", "maxmemory", 1)
    try:
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(DirectoryDown):
                    await directory.put_sessions([("key", b"x")], 1.0)
                assert await directory.session("key") is None
                assert "out of memory" in directory.trouble
    finally:
        server.do("CONFIG", "SET", "maxmemory", 0)
    assert len(logs) == 1


async def test_a_server_without_memory_still_renews(directory: RedisDirectory, server: Server) -> None:
    lease = await directory.claim("beach", "ann")
    spare = await directory.claim("swamp", "ann")
    server.do("CONFIG", "SET", "maxmemory", 1)
    try:
        for name in NEEDS_MEMORY - {"claim"}:
            async with told_soon(DirectoryDown, "out of memory"):
                await EVERYTHING[name](directory)
        async with told_soon(DirectoryDown, "out of memory"):
            await directory.claim("lagoon", "ann")
        assert await directory.renew("ann", [("beach", 1)]) == [True]
        assert await directory.owner("beach") == lease
        await directory.release(spare)
        assert await directory.owner("swamp") is None
        await directory.forget_room(lease)
        assert await directory.owner("beach") is None
    finally:
        server.do("CONFIG", "SET", "maxmemory", 0)
    assert (await directory.claim("beach", "bob")).epoch == 2
    await works(directory)


async def test_a_replica_is_told(directory: RedisDirectory, server: Server) -> None:
    server.do("REPLICAOF", "127.0.0.1", free_port())
    try:
        async with told_soon(DirectoryDown, "is a replica"):
            await directory.put_sessions([("key", b"x")], 1.0)
    finally:
        server.do("REPLICAOF", "NO", "ONE")


async def test_a_server_that_was_started_again_is_used_at_once(
    directory: RedisDirectory, server: Server
) -> None:
    """Its connections are gone, and it knows no script."""
    lease = await directory.claim("beach", "ann")
    server.stop()
    server.start()
    assert await directory.renew("ann", [("beach", 1), ("swamp", 4)]) == [True, True]
    assert await directory.owner("beach") == lease
    assert directory.trouble == ""


async def test_what_is_closed_is_not_there(server: Server) -> None:
    directory = RedisDirectory(server.url)
    with pytest.raises(DirectoryDown, match="not open"):
        await directory.owner("beach")
    await directory.start()
    server.pause()
    loop = asyncio.get_running_loop()
    before = loop.time()
    await directory.close()
    assert loop.time() - before < SOON
    server.resume()
    with pytest.raises(DirectoryDown, match="not open"):
        await directory.owner("beach")
    await directory.close()


# ---- at the start ----


async def test_a_server_that_is_not_there_is_told_at_the_start(server: Server) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}"
    async with told_soon(StartError, url.replace(":secret@", "") + ": "):
        await RedisDirectory(url).start()
    server.pause()
    async with told_soon(StartError, "did not answer"):
        await RedisDirectory(server.url).start()


async def test_a_wrong_password_is_told_at_the_start_and_not_repeated(server: Server) -> None:
    server.do("ACL", "SETUSER", "town", "reset", "on", ">right", "~*", "+@all")
    for name in ("town", "nobody"):
        async with told_soon(StartError, "refuses the user or the password"):
            await RedisDirectory(server.url.replace("//", f"//{name}:wrong@")).start()
    server.do("CONFIG", "SET", "requirepass", "right")
    try:
        with pytest.raises(StartError, match="refuses the user or the password"):
            await RedisDirectory(server.url).start()
        directory = RedisDirectory(server.url.replace("//", "//:right@"))
        await directory.start()
        await directory.close()
    finally:
        with redis.Redis(port=server.port, password="right") as client:
            client.config_set("requirepass", "")


async def test_a_full_server_is_told_at_the_start(server: Server) -> None:
    server.do("CONFIG", "SET", "maxmemory", 1)
    try:
        async with told_soon(StartError, "out of memory"):
            await RedisDirectory(server.url).start()
    finally:
        server.do("CONFIG", "SET", "maxmemory", 0)


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Something that says this to whatever it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


HELLO_6 = b"*4\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (HELLO_6, r"is Redis 6.2.14; 7.0 or newer is needed"),
        (b"-ERR unknown command 'HELLO'\r\n", "older than Redis 7, or no Redis"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "older than Redis 7, or no Redis"),
        (b"+OK\r\n", "older than Redis 7, or no Redis"),
        (b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "older than Redis 7, or no Redis"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING|loading"),
    ],
)
async def test_what_is_no_redis_or_an_old_one_is_told_at_the_start(answer: bytes, match: str) -> None:
    async with answering(answer) as url, told_soon(StartError, match):
        await RedisDirectory(url).start()


async def test_the_number_of_a_database_is_a_part_of_the_address(server: Server) -> None:
    directory = RedisDirectory(server.url + "/3")
    await directory.start()
    await directory.put_sessions([("key", b"x")], 60.0)
    assert server.do("EXISTS", "mt:session:key") == 0
    await directory.close()
    with pytest.raises(StartError, match=r"(?i)\bdb\b|database"):
        await RedisDirectory(server.url + "/99").start()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/name",
        "redis://",
        "redis://user:se/cret@host",
        "redis://user:secret@host:port",
        "redis://user:secret@host/name",
        "redis://user:secret@host/0?decode_responses=true",
        "unix://",
        "secret",
        "",
    ],
)
def test_an_address_of_another_form_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StartError, match="the address of Redis has one of these forms") as told:
        RedisDirectory(url)
    assert "secret" not in str(told.value)


def test_without_the_library_one_line_says_how_to_get_it() -> None:
    program = (
        "import asyncio, sys; sys.modules['redis'] = None\n"
        "from monkeytown.cluster.redisdirectory import RedisDirectory\n"
        "try: asyncio.run(RedisDirectory('redis://127.0.0.1').start())\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "StartError redis:// needs redis-py: pip install 'monkeytown[redis]'\n"
