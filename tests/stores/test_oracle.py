"""The store answers as one that looks through all records each time, whatever came when, in which batches and how often."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monkeytown.room.ledger import Kind
from monkeytown.stores.address import database_at
from monkeytown.stores.records import Record
from monkeytown.stores.store import Store
from tests.postgres import Postgres
from tests.stores.dump import TABLES
from tests.stores.naive import Naive
from tests.stores.records import WEEK_48, Diary

PLAYERS = ("ann", "ben", "cat")
ROOMS = 3
DAY = 86_400.0
# A game counts its scores in one way; three games, so that there are three ways.
ORDERS = {"jungle": "best", "maze": "lowest", "town": "total"}

names = st.sampled_from(["Ann", "Ben", "Ännchen", "猿🐒", "nul\0nul"])
moves = st.one_of(
    st.tuples(st.just(Kind.JOINED), st.sampled_from(PLAYERS), names),
    st.tuples(st.just(Kind.LEFT), st.sampled_from(PLAYERS)),
    st.tuples(st.just(Kind.EVENT), st.integers(0, 9)),
    st.tuples(st.just(Kind.CHAT), st.sampled_from(PLAYERS), st.text(max_size=8)),
    st.tuples(st.just(Kind.SCORE), st.sampled_from(PLAYERS), names, st.integers(-3, 3)),
    st.tuples(st.just(Kind.DATA), st.sampled_from(PLAYERS), st.integers(0, 9)),
    st.tuples(st.just(Kind.RESULT), st.integers(0, 9)),
)
rooms = st.lists(
    st.tuples(st.lists(moves, max_size=12), st.sampled_from(sorted(ORDERS)), st.integers(0, 16)),
    min_size=ROOMS,
    max_size=ROOMS,
)
# What a shipper does: some records of some rooms, not always from where it was; or a player is erased.
steps = st.lists(
    st.one_of(
        st.lists(
            st.tuples(st.integers(0, ROOMS - 1), st.integers(0, 14), st.integers(1, 15)),
            min_size=1,
            max_size=4,
        ),
        st.sampled_from(PLAYERS),
    ),
    max_size=10,
)


def played(number: int, room: tuple[list[Any], str, int]) -> list[Record]:
    """The records of a room. No two of any room have the same time."""
    script, game, day = room
    diary = Diary(f"room-{number}", game=game, time=WEEK_48 + day * DAY + number / 8)
    diary.opened(("", "duel", "open")[number])
    for kind, *what in script:
        match kind, what:
            case Kind.JOINED, (player, name):
                diary.joined(player, name)
            case Kind.LEFT, (player,):
                diary.left(player)
            case Kind.EVENT, (value,):
                diary.event("moved", {"to": value})
            case Kind.CHAT, (player, text):
                diary.chat(player, text)
            case Kind.SCORE, (player, name, score):
                diary.score(player, score, name=name, order=ORDERS[game])
            case Kind.DATA, (player, value):
                diary.data(player, {"level": value})
            case Kind.RESULT, (value,):
                diary.result([value])
    diary.closed("over")
    return diary.records


async def compare(store: Store, naive: Naive) -> None:
    for player in PLAYERS:
        known = await store.player(player)
        name = known.name if known else ""
        document = json.loads(known.data) if known and known.data else None
        assert (name, document) == (naive.name(player).replace("\0", "\ufffd"), naive.document(player))
    games = [
        (game.room, game.mode, game.opened, game.closed, game.reason, game.result and json.loads(game.result))
        for game in await store.games(limit=10)
    ]
    assert games == naive.games()
    said = {
        (record.room, record.epoch, record.sequence): ""
        if record.player in naive.erased
        else content["text"].replace("\0", "\ufffd")
        for record, content in naive.of(Kind.CHAT)
    }
    happened = [(record.room, record.sequence, content["data"]) for record, content in naive.of(Kind.EVENT)]
    lines, events = {}, []
    for number in range(ROOMS):
        room = f"room-{number}"
        lines |= {(room, line.epoch, line.sequence): line.text for line in await store.chat(room, limit=50)}
        events += [
            (room, event.sequence, json.loads(event.data)) for event in await store.events(room, limit=50)
        ]
        participants = [tuple(one) for one in await store.participants(room)]
        wanted = [(id, name.replace("\0", "\ufffd"), *at) for id, name, *at in naive.participants(room)]
        assert participants == wanted
    assert (lines, events) == (said, happened)
    for game in ORDERS:
        for week in ("", "2026-W48", "2026-W49", "2026-W50"):
            board = [tuple(standing) for standing in await store.leaderboard(game, week, limit=10)]
            wanted_board = [
                (rank, id, name.replace("\0", "\ufffd"), score)
                for rank, id, name, score in naive.board(game, week)
            ]
            assert board == wanted_board
            for standing in await store.leaderboard(game, week, limit=10):
                assert await store.standing(game, week, standing.player) == standing


async def run(store: Store, rooms: list[Any], steps: list[Any]) -> None:
    scripts = [played(number, room) for number, room in enumerate(rooms)]
    naive = Naive()
    for step in steps:
        if isinstance(step, str):
            await store.erase(step, WEEK_48)
            naive.erase(step)
            continue
        records = [record for room, start, count in step for record in scripts[room][start : start + count]]
        assert await store.write(records) == naive.write(records)
    await compare(store, naive)
    everything = [record for script in scripts for record in script]
    assert await store.write(everything) == naive.write(everything)
    await compare(store, naive)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@settings(deadline=None, max_examples=60)
@given(rooms, steps)
def test_sqlite_answers_as_the_oracle(rooms: list[Any], steps: list[Any]) -> None:
    async def with_a_store() -> None:
        with folder() as path:
            database = database_at("", path)
            assert database is not None
            store = Store(database)
            await store.open(migrate=True)
            try:
                await run(store, rooms, steps)
            finally:
                await store.close()

    asyncio.run(with_a_store())


EMPTY = f"TRUNCATE {', '.join(TABLES)}"


@pytest.fixture
def empty_url(postgres: Postgres) -> str:
    return asyncio.run(postgres.database())


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rooms, steps)
def test_postgresql_answers_as_the_oracle(empty_url: str, rooms: list[Any], steps: list[Any]) -> None:
    async def with_a_store() -> None:
        database = database_at(empty_url, Path())
        assert database is not None
        store = Store(database)
        await store.open(migrate=True)
        try:
            await database.execute(EMPTY)
            await run(store, rooms, steps)
        finally:
            await store.close()

    asyncio.run(with_a_store())
