"""What a bus does not start with, and the one line that says why."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monkeytown.cluster.redisbus import RedisBus
from monkeytown.cluster.redisdial import Dial, Node
from monkeytown.errors import StartError
from tests.redis import RedisServer, free_port

FORMS = "the address of Redis has one of these forms: "
Open = Callable[..., Awaitable[RedisBus]]


async def refusal(url: str) -> str:
    """Why a bus does not start with it."""
    bus = RedisBus(url)
    with pytest.raises(StartError) as error:
        await bus.start()
    line = str(error.value)
    assert "\n" not in line
    assert "sesame" not in line
    assert bus.trouble == ""
    await bus.close()
    return line


@asynccontextmanager
async def fake(hello: bytes = b"", *, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says this of itself, and nothing else but that all is well; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if hello:
                writer.write(b"+OK\r\n" * data.count(b"CLIENT") + hello * data.count(b"HELLO"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.05)  # what serves notices


def greeting(version: str, mode: str = "standalone") -> bytes:
    words = ["server", "redis", "version", version, "mode", mode]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w.encode()) for w in words)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://",
        "http://localhost:6379",
        "localhost:6379",
        "redis://:sesame@localhost:port",
        "redis://:sesame@localhost/zero",
        "redis://localhost?sesame=1",
        "redis://localhost:70000",
        "rediss://localhost?ssl_sesame=1",
        "unix://",
    ],
)
def test_an_address_of_no_known_form(url: str) -> None:
    with pytest.raises(StartError) as error:
        RedisBus(url)
    assert str(error.value).startswith(FORMS)
    assert "sesame" not in str(error.value)


async def test_nobody_there() -> None:
    async with fake() as port:
        pass
    line = await refusal(f"redis://:sesame@127.0.0.1:{port}/3")
    assert line.startswith(f"redis://127.0.0.1:{port} cannot be reached: ")


async def test_a_name_that_nobody_knows() -> None:
    line = await refusal("redis://no-such-host.invalid")
    assert line.startswith("redis://no-such-host.invalid:6379 ")


async def test_a_server_that_says_nothing() -> None:
    async with fake() as port:
        assert await refusal(f"redis://127.0.0.1:{port}") == f"redis://127.0.0.1:{port} does not answer"


async def test_redis_that_is_too_old() -> None:
    async with fake(greeting("6.2.14")) as port:
        line = await refusal(f"redis://127.0.0.1:{port}")
    assert line == f"redis://127.0.0.1:{port} is Redis 6.2.14; 7.0 or newer is needed"


async def test_redis_that_is_older_than_that() -> None:
    async with fake(b"-ERR unknown command 'HELLO'\r\n") as port:
        line = await refusal(f"redis://127.0.0.1:{port}")
    assert line == f"redis://127.0.0.1:{port} is older than Redis 7, or no Redis"


async def test_a_sentinel() -> None:
    async with fake(greeting("7.0.0", "sentinel")) as port:
        line = await refusal(f"redis://127.0.0.1:{port}")
    assert line.endswith("is a Sentinel; the address of the Redis behind it is needed")


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*0\r\n", b"+OK\r\n", b"*1\r\n:1\r\n"]
)
async def test_no_redis_at_all(answer: bytes) -> None:
    async with fake(answer) as port:
        line = await refusal(f"redis://127.0.0.1:{port}")
    assert line.startswith(f"redis://127.0.0.1:{port} is ")
    assert line.endswith("no Redis")


async def test_a_wrong_password(own_redis: RedisServer) -> None:
    own_redis.run("CONFIG", "SET", "requirepass", "open/sesame")
    place = f"redis://127.0.0.1:{own_redis.port}"
    for url in (
        own_redis.url(),
        own_redis.url(password="sesame"),
        own_redis.url(user="ape", password="sesame"),
    ):
        assert (await refusal(url)).startswith(f"{place} refuses the user or the password: ")


async def test_the_right_password_and_a_database(own_redis: RedisServer, redis_bus: Open) -> None:
    own_redis.run("CONFIG", "SET", "requirepass", "open/sesame")
    assert (await redis_bus(own_redis.url(password="open%2Fsesame", database=3))).trouble == ""


@pytest.mark.parametrize("lacking", ["-publish", "-subscribe"])
async def test_a_user_without_the_right(own_redis: RedisServer, lacking: str) -> None:
    rights = ("on", ">sesame", "allchannels", "+@pubsub", lacking, "+@connection")
    own_redis.run("ACL", "SETUSER", "ape", *rights)
    line = await refusal(own_redis.url(user="ape", password="sesame"))
    assert line.startswith(f"redis://127.0.0.1:{own_redis.port} refuses permission: ")


async def test_a_user_without_the_right_to_our_channels(own_redis: RedisServer, redis_bus: Open) -> None:
    rights = ("on", ">sesame", "resetchannels", "&mt:*", "nocommands", "+publish", "+subscribe")
    own_redis.run("ACL", "SETUSER", "ape", *rights)
    url = own_redis.url(user="ape", password="sesame")
    assert (await redis_bus(url)).trouble == ""
    with pytest.raises(StartError, match="refuses permission"):
        await redis_bus(url, prefix="other:")


async def test_a_cluster_that_is_not_one_yet(redis_program: Path, tmp_path: Path) -> None:
    flags = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with RedisServer(tmp_path / "redis", redis_program, *flags) as server:
        line = await refusal(server.url())
    assert line == f"redis://127.0.0.1:{server.port} is of a cluster without slots"


async def test_tls_where_there_is_none(redis_server: RedisServer) -> None:
    line = await refusal(f"rediss://127.0.0.1:{redis_server.port}")
    assert line.startswith(f"rediss://127.0.0.1:{redis_server.port}")


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    context = certified(tmp_path)
    async with fake(greeting("7.2.4"), context=context) as port:
        line = await refusal(f"rediss://127.0.0.1:{port}")
    assert line.startswith(f"rediss://127.0.0.1:{port}: its certificate is not trusted: ")


async def test_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    context = certified(tmp_path)
    async with fake(greeting("7.2.4"), context=context) as port:
        dial = Dial(f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path / 'certificate'}", "monkeytown")
        assert await dial.look() is False


def certified(folder: Path) -> ssl.SSLContext:
    """A server's context whose certificate is for this machine, and is nobody's but its own."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StartError, match=r"pip install 'monkeytown\[redis\]'"):
        RedisBus("redis://localhost")


def test_places_are_told_without_what_is_secret() -> None:
    dial = Dial("rediss://ape:sesame@db.example/1?ssl_cert_reqs=none", "monkeytown")
    assert dial.place == "rediss://db.example:6379"
    assert dial.place_of(Node("10.0.0.1", 7000)) == "rediss://10.0.0.1:7000"
    assert dial.place_of(Node("fd00::1", 7000)) == "rediss://[fd00::1]:7000"
    assert Dial("redis://[::1]:7000", "monkeytown").place == "redis://[::1]:7000"
    assert Dial("unix:///run/redis", "monkeytown").place == "unix:///run/redis"
