"""PostgreSQL: a server that is stopped, frozen, restarted or cut off costs its deadline and no more, and loses nothing."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest

from monkeytown.errors import RecordRefused, StartError, StoreDown
from monkeytown.stores.address import database_at
from monkeytown.stores.database import Collided, Database, Forbidden, Transaction
from monkeytown.stores.known import Standing
from monkeytown.stores.postgres import CONNECTIONS, PostgreSQL
from monkeytown.stores.store import Store
from tests.chaos.proxy import Proxy
from tests.postgres import LOCKED, PASSWORD, Postgres
from tests.stores.records import Diary

DEADLINE = 0.3
PATIENCE = 5.0  # in which it must be usable again


@pytest.fixture
def steady(postgres: Postgres) -> Iterator[Postgres]:
    """A server that a test may stop and pause; it runs again for the next."""
    yield postgres
    postgres.stop()
    postgres.start()


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgreSQL]:
    database = PostgreSQL(postgres_url, seconds=DEADLINE)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def store(database: PostgreSQL) -> Store:
    store = Store(database)
    await store.open(migrate=True)
    return store


async def usable_again(store: Store) -> None:
    """Whoever asks again and again, as the shipper does, gets through in time."""

    async def answers() -> bool:
        with suppress(StoreDown):
            await store.ping()
            return True
        return False

    await until(answers)


async def until(happens: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if await happens():
                return
            await asyncio.sleep(0.01)


INSERT = "INSERT INTO boards VALUES ('jungle', 'best', 1)"


async def insert_and(store: Store, *, inside: str = "", before: Callable[[], None] = lambda: None) -> None:
    """A transaction: a row, then something that happens, then a statement, then the commit."""
    async with store.database.transaction() as transaction:
        await transaction.execute(INSERT)
        before()
        if inside:
            await transaction.fetch(inside)


async def insert_despite_an_error(store: Store) -> None:
    async with store.database.transaction() as transaction:
        await transaction.execute(INSERT)
        with pytest.raises(RecordRefused):
            await transaction.fetch("SELECT 1 / 0")


def line(room: str) -> Diary:
    diary = Diary(room)
    diary.joined("ann")
    diary.chat("ann", "hello")
    return diary


# ---- frozen ----


async def test_a_frozen_server_costs_the_deadline(store: Store, steady: Postgres) -> None:
    """Every operation ends, with an idle connection, a busy one or none; and afterwards everything works again."""
    await store.write(line("before").records)
    steady.pause()
    for attempt in range(3):
        began = monotonic()
        results = await asyncio.gather(
            store.ping(),
            store.write(line(f"room-{attempt}").records),
            store.player("ann"),
            store.erase("ben", 1.0),
            *(store.games(limit=1) for _ in range(2 * CONNECTIONS)),
            return_exceptions=True,
        )
        assert {type(result) for result in results} == {StoreDown}
        assert all("did not answer within 0.3 s" in str(result) for result in results)
        assert monotonic() - began < 20 * DEADLINE  # not for ever; how long exactly is the machine's affair
    steady.resume()
    await usable_again(store)
    for attempt in range(3):
        await store.write(line(f"room-{attempt}").records)
        assert len(await store.chat(f"room-{attempt}", limit=9)) == 1


async def test_a_server_that_freezes_in_a_transaction(store: Store, steady: Postgres) -> None:
    with pytest.raises(StoreDown, match="did not answer"):
        await insert_and(store, before=steady.pause, inside="SELECT 1")
    steady.resume()
    await usable_again(store)
    assert await store.database.fetch("SELECT * FROM boards") == []


async def test_a_server_that_freezes_at_the_commit(store: Store, steady: Postgres) -> None:
    with pytest.raises(StoreDown, match="did not answer"):
        await insert_and(store, before=steady.pause)
    steady.resume()
    await usable_again(store)


async def test_whoever_waits_for_a_frozen_server_can_be_cancelled(store: Store, steady: Postgres) -> None:
    steady.pause()
    waiting = [asyncio.create_task(store.games(limit=1)) for _ in range(2 * CONNECTIONS)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {asyncio.CancelledError}
    steady.resume()
    await usable_again(store)


async def test_a_store_over_a_frozen_server_can_be_closed(store: Store, steady: Postgres) -> None:
    await store.ping()
    steady.pause()
    asking = asyncio.create_task(store.ping())
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await store.close()
    with pytest.raises(StoreDown):
        await asking
    with pytest.raises(StoreDown, match="is not open"):
        await store.ping()


async def test_a_frozen_server_is_waited_for_at_the_start_no_longer_than_the_deadline(
    postgres_url: str, steady: Postgres
) -> None:
    steady.pause()
    store = Store(PostgreSQL(postgres_url, seconds=DEADLINE))
    with pytest.raises(StoreDown, match="did not answer"):
        await store.open(migrate=True)
    steady.resume()
    await usable_again(store)  # the tables are made once it is back
    assert await store.write(line("room").records) == 2
    await store.close()


async def test_a_slow_statement_is_given_up_on_both_sides(database: PostgreSQL, postgres: Postgres) -> None:
    with pytest.raises(StoreDown):
        await database.fetch("SELECT pg_sleep(60)")
    left = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"

    async def over() -> bool:
        return await postgres.run(left) == [(0,)]

    await until(over)
    await database.ping()


async def test_a_lock_is_waited_for_no_longer_than_the_deadline(store: Store, postgres_url: str) -> None:
    await store.rename("ann", "Ann")
    other = PostgreSQL(postgres_url)
    await other.open()
    async with other.transaction() as transaction:
        await transaction.fetch("SELECT * FROM players WHERE id = 'ann' FOR UPDATE")
        with pytest.raises(StoreDown):
            await store.rename("ann", "Anna")
    await store.rename("ann", "Anne")
    assert (await store.player("ann") or [None])[1] == "Anne"
    await other.close()


# ---- gone ----


async def test_a_server_that_is_stopped_and_started_again(store: Store, steady: Postgres) -> None:
    await store.write(line("before").records)
    steady.stop()
    for _ in range(3):
        with pytest.raises(StoreDown, match=r"Connect call failed|closed|terminat|reset"):
            await store.ping()
    steady.start()
    await usable_again(store)
    assert await store.write(line("after").records) == 2
    assert len(await store.chat("before", limit=9)) == 1


async def test_a_server_that_is_started_later(postgres_url: str, steady: Postgres) -> None:
    steady.stop()
    store = Store(PostgreSQL(postgres_url, seconds=DEADLINE))
    with pytest.raises(StoreDown):
        await store.open(migrate=True)
    with pytest.raises(StoreDown):
        await store.write(line("room").records)
    steady.start()
    await usable_again(store)
    assert await store.write(line("room").records) == 2
    await store.close()


async def test_connections_that_the_server_ends(store: Store, postgres: Postgres) -> None:
    await asyncio.gather(*(store.ping() for _ in range(CONNECTIONS)))
    ended = await postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'monkeytown' AND datname = "
        f"'{store.database.place.rpartition('/')[2]}'"
    )
    assert len(ended) == CONNECTIONS
    await usable_again(store)
    await asyncio.gather(*(store.ping() for _ in range(2 * CONNECTIONS)))


async def test_a_connection_that_ends_in_a_transaction(store: Store) -> None:
    with pytest.raises(StoreDown):
        await insert_and(store, inside="SELECT pg_terminate_backend(pg_backend_pid())")
    await usable_again(store)
    assert await store.database.fetch("SELECT * FROM boards") == []


class SilentCommits:
    """A database behind a proxy that lets nothing back from where the commit is sent."""

    def __init__(self, database: Database, proxy: Proxy) -> None:
        self._database = database
        self._proxy = proxy
        self.committing = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def transaction(self, *, seconds: float | None = None) -> AsyncIterator[Transaction]:
        async with self._database.transaction(seconds=seconds) as transaction:
            yield transaction
            self._proxy.down.stalled = True
            self.committing.set()


async def test_replies_to_commits_that_get_lost(postgres: Postgres, postgres_url: str) -> None:
    """Whether a batch is there is then not known. It is written again until it is known, and is there once."""
    near = Store(PostgreSQL(postgres_url))
    await near.open(migrate=True)
    async with Proxy("127.0.0.1", postgres.port) as proxy:
        name = postgres_url.rpartition("/")[2]
        database = PostgreSQL(postgres.url(name, port=proxy.port))
        far = Store(database)
        await far.open(migrate=False)
        for number in range(50):
            diary = line(f"room-{number}")
            diary.score("ann", 1, order="total")
            silent = SilentCommits(database, proxy)
            far.database = silent
            writing = asyncio.create_task(far.write(diary.records))
            await silent.committing.wait()
            await until(partial(_has_chat, near, diary.room))
            await proxy.cut()
            proxy.down.stalled = False
            with pytest.raises(StoreDown):
                await writing
            far.database = database
            assert await far.write(diary.records) == 0
        await far.close()
    assert await near.standing("jungle", "", "ann") == Standing(1, "ann", "Ann", 50)
    assert await near.database.fetch("SELECT count(*) FROM chat") == [(50,)]
    await near.close()


async def _has_chat(store: Store, room: str) -> bool:
    return bool(await store.chat(room, limit=1))


async def test_statements_that_get_lost_at_any_moment(postgres: Postgres, postgres_url: str) -> None:
    """The connection is cut after so many bytes from the server, now here, now there: tried again, all is there once."""
    random = Random(14)
    async with Proxy("127.0.0.1", postgres.port) as proxy:
        name = postgres_url.rpartition("/")[2]
        store = Store(PostgreSQL(postgres.url(name, port=proxy.port), seconds=PATIENCE))
        await store.open(migrate=True)
        rooms = [line(f"room-{number}") for number in range(40)]
        for diary in rooms:
            diary.score("ann", 1, order="total")
            cutting = asyncio.create_task(_cut_now_and_then(proxy, random))
            while True:
                try:
                    await store.write(diary.records)
                    break
                except StoreDown:
                    await asyncio.sleep(0)
            cutting.cancel()
            await asyncio.wait({cutting})
        assert await store.standing("jungle", "", "ann") == Standing(1, "ann", "Ann", 40)
        assert await store.database.fetch("SELECT count(*) FROM chat") == [(40,)]
        assert await store.write([record for diary in rooms for record in diary.records]) == 0
        await store.close()


async def _cut_now_and_then(proxy: Proxy, random: Random) -> None:
    for _ in range(5):
        for _ in range(random.randrange(40)):
            await asyncio.sleep(0)
        await proxy.cut()


# ---- what it says ----


async def test_what_cannot_be_held_is_told_from_what_cannot_be_reached(database: PostgreSQL) -> None:
    for statement, values in (
        ("SELECT 1 / $1::int", [0]),
        ("SELECT $1::int8", [2**70]),
        ("SELECT $1::text", ["\0"]),
        ("SELECT $1::text", ["\ud800"]),
        ("SELECT $1::int8", ["many"]),
        ("SELECT 1e308::float8 * $1::float8", [10.0]),
    ):
        with pytest.raises(RecordRefused):
            await database.fetch(statement, *values)
    with pytest.raises(StoreDown):
        await database.fetch("SELECT * FROM nowhere")
    assert await database.fetch("SELECT 1") == [(1,)]


async def test_deadlocks_are_collisions(store: Store) -> None:
    await store.rename("ann", "Ann")
    await store.rename("ben", "Ben")
    lock = "SELECT 1 FROM players WHERE id = $1 FOR UPDATE"
    both_have_one = asyncio.Barrier(2)

    async def take(first: str, second: str) -> None:
        async with store.database.transaction(seconds=PATIENCE) as transaction:
            await transaction.fetch(lock, first)
            await both_have_one.wait()
            await transaction.fetch(lock, second)

    results = await asyncio.gather(take("ann", "ben"), take("ben", "ann"), return_exceptions=True)
    assert sorted(type(result) for result in results if result) == [Collided]


async def test_a_transaction_in_which_something_failed_is_not_committed(store: Store) -> None:
    with pytest.raises(StoreDown, match="did not commit"):
        await insert_despite_an_error(store)
    assert await store.database.fetch("SELECT * FROM boards") == []


async def test_too_many_connections_are_no_reason_to_give_up(postgres: Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    await postgres.run(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    store = Store(PostgreSQL(postgres_url, seconds=DEADLINE))
    with pytest.raises(StoreDown, match="too many connections"):
        await store.open(migrate=True)
    await postgres.run(f"ALTER DATABASE {name} CONNECTION LIMIT 2")
    await usable_again(store)
    results = await asyncio.gather(
        *(store.games(limit=1) for _ in range(3 * CONNECTIONS)), return_exceptions=True
    )
    assert {type(result) for result in results} <= {list, StoreDown}
    assert [] in results
    await store.close()


async def test_a_database_that_becomes_read_only(store: Store, postgres: Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    await postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.database._forget()  # type: ignore[attr-defined]
    with pytest.raises(StoreDown, match="read-only"):
        await store.write(line("room").records)
    assert await store.chat("room", limit=9) == []
    await postgres.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    store.database._forget()  # type: ignore[attr-defined]
    assert await store.write(line("room").records) == 2


# ---- starting ----


async def told(url: str, *, migrate: bool = True) -> str:
    with pytest.raises(StartError) as refusal:
        await start(url, migrate)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


async def start(url: str, migrate: bool) -> None:
    database = database_at(url, Path())
    assert database is not None
    store = Store(database)
    try:
        await store.open(migrate=migrate)
    finally:
        await store.close()


async def test_what_is_wrong_at_the_start_is_one_line(postgres: Postgres, postgres_url: str) -> None:
    place = f"postgresql://127.0.0.1:{postgres.port}"
    assert await told(postgres.url("nowhere")) == f'{place}/nowhere: database "nowhere" does not exist'
    nobody = await told(postgres.url("postgres", user="nobody"))
    assert nobody == f'{place}/postgres: role "nobody" does not exist'
    assert await told(f"{postgres_url}?sslmode=odd") == (
        f"{postgres_url.replace('monkeytown@', '')}: the address cannot be read"
    )
    await postgres.run(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' OWNER monkeytown",
    )
    assert await told(postgres.url("latin")) == f"{place}/latin is encoded in LATIN1; UTF8 is needed"
    name = postgres_url.rpartition("/")[2]
    assert await told(postgres_url, migrate=False) == (
        f"{place}/{name} has schema 0 and 1 is needed: run `monkeytown db upgrade`"
    )
    await postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert await told(postgres_url) == f"{place}/{name} is read-only"


async def test_who_may_not_make_tables_is_told_so(postgres: Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    url = postgres.url(name, user=f"{LOCKED}:{quote(PASSWORD, safe='')}")
    assert await told(url) == (
        f"postgresql://127.0.0.1:{postgres.port}/{name}: permission denied for schema public"
    )
    database = PostgreSQL(url)
    await database.open()
    with pytest.raises(Forbidden):
        await database.execute("CREATE TABLE t (x int)")
    await database.close()


async def test_passwords_are_not_repeated(postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    host = f"127.0.0.1:{postgres.port}"
    for login in (f"{LOCKED}:wrong-horse", f"{LOCKED}:wrong/horse", f"{LOCKED}:wrong@horse", "x:wrong#horse"):
        for tail in ("postgres", "postgres?application_name=x@y", ""):
            said = await told(f"postgresql://{login}@{host}/{tail}")
            assert "wrong" not in said
            assert "horse" not in said
    assert "horse" not in caplog.text
    said = await told(f"postgresql://{LOCKED}@{host}/postgres?password=wrong@horse")
    assert "horse" not in said


async def test_passwords_are_used(postgres: Postgres) -> None:
    database = PostgreSQL(postgres.url("postgres", user=f"{LOCKED}:{quote(PASSWORD, safe='')}"))
    await database.open()
    assert await database.fetch("SELECT current_user, current_setting('application_name')") == [
        (LOCKED, "monkeytown")
    ]
    await database.close()


# ---- TLS ----


def certificate(folder: Path, name: str) -> Path:
    """One that vouches for itself and for 127.0.0.1; its key is beside it."""
    path = folder / f"{name}.crt"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=town -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [*command.split(), "-keyout", path.with_suffix(".key"), "-out", path], check=True, capture_output=True
    )
    return path


@pytest.fixture
async def encrypted(steady: Postgres) -> AsyncIterator[Path]:
    """The certificate of the server, which now speaks TLS to whoever wants it."""
    path = certificate(steady.data, "server")
    await steady.run("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    yield path
    await steady.run("ALTER SYSTEM RESET ssl")


async def test_tls_as_the_address_says(encrypted: Path, postgres_url: str, tmp_path: Path) -> None:
    database = PostgreSQL(f"{postgres_url}?sslmode=verify-full&sslrootcert={encrypted}")
    await database.open()
    assert await database.fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]
    await database.close()
    other = certificate(tmp_path, "other")
    said = await told(f"{postgres_url}?sslmode=verify-full&sslrootcert={other}")
    assert "certificate verify failed" in said


async def test_a_frozen_server_costs_the_deadline_over_tls_too(
    encrypted: Path, postgres_url: str, steady: Postgres
) -> None:
    store = Store(PostgreSQL(f"{postgres_url}?sslmode=require", seconds=DEADLINE))
    await store.open(migrate=True)
    steady.pause()
    for _ in range(3):
        with pytest.raises(StoreDown, match="did not answer"):
            await store.ping()
    steady.resume()
    await usable_again(store)
    await store.close()
