"""What was played, who took part, what was said and what happened, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from monkeytown.stores.known import ChatLine, KnownEvent, KnownGame, Participant
from monkeytown.stores.store import Store
from tests.stores.records import WEEK_48, Diary


@pytest.fixture
async def played(store: Store) -> Store:
    """Twelve games: of two kinds, in two modes, every third still open; three of them begin at the same moment."""
    for number in range(12):
        time = WEEK_48 + (100 if number in (4, 5, 6) else number * 60)
        diary = Diary(f"room-{number:02}", game=("jungle", "maze")[number % 2], time=time)
        diary.opened(("duel", "open")[number // 2 % 2])
        diary.joined("ann" if number % 4 < 2 else "ben")
        if number % 3:
            diary.result(number)
            diary.closed("over")
        await store.write(diary.records)
    return store


async def pages(read: Callable[..., Awaitable[list[Any]]], key: Callable[[Any], Any], size: int) -> list[Any]:
    """All of it, read a page at a time."""
    found: list[Any] = []
    page = await read(limit=size)
    while page:
        assert len(page) <= size
        found += page
        page = await read(limit=size, after=key(page[-1]))
    return found


def by_time(game: KnownGame) -> tuple[float, str]:
    return game.opened, game.room


async def test_games_are_listed_newest_first(played: Store) -> None:
    games = await played.games(limit=100)
    assert len(games) == 12
    assert games == sorted(games, key=by_time, reverse=True)
    assert games[0] == KnownGame(
        room="room-11",
        game="maze",
        mode="open",
        private=False,
        opened=WEEK_48 + 11 * 60 + 1,
        closed=WEEK_48 + 11 * 60 + 4,
        reason="over",
        failed=False,
        result=b"11",
    )
    assert await played.games(limit=100, sort="oldest") == games[::-1]
    assert await played.games(limit=2) == games[:2]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_pages_neither_skip_nor_repeat(played: Store, sort: Any, size: int) -> None:
    everything = await played.games(limit=100, sort=sort)

    async def read(**page: Any) -> list[KnownGame]:
        return await played.games(sort=sort, **page)

    assert await pages(read, by_time, size) == everything


FILTERS = {
    "game": ("jungle", "maze", "chess"),
    "mode": ("duel", "open"),
    "state": ("open", "closed"),
    "player": ("ann", "ben", "cat"),
}


async def test_every_combination_of_filters(played: Store) -> None:
    everything = await played.games(limit=100)
    players = {game.room: {one.player for one in await played.participants(game.room)} for game in everything}
    for game, mode, state, player in product(*((None, *values) for values in FILTERS.values())):
        wanted = [
            known
            for known in everything
            if game in (None, known.game)
            and mode in (None, known.mode)
            and state in (None, "open" if known.closed is None else "closed")
            and (player is None or player in players[known.room])
        ]
        asked: Any = {"game": game, "mode": mode, "state": state, "player": player}
        assert await played.games(**asked, limit=100) == wanted
        assert await played.games(**asked, sort="oldest", limit=100) == wanted[::-1]
        if wanted:
            first = wanted[0]
            assert await played.games(**asked, limit=100, after=by_time(first)) == wanted[1:]


async def test_a_game_is_found_by_its_room(played: Store) -> None:
    game = await played.game("room-03")
    assert game
    assert (game.game, game.closed) == ("maze", None)
    assert await played.game("room-99") is None
    assert await played.game("r" * 10_000) is None


async def test_who_took_part(store: Store) -> None:
    diary = Diary()
    diary.joined("ben")
    diary.joined("ann")
    diary.left("ben")
    await store.write(diary.records)
    assert await store.participants("room-1") == [
        Participant("ben", "Ben", WEEK_48 + 1, WEEK_48 + 3),
        Participant("ann", "Ann", WEEK_48 + 2, None),
    ]
    assert await store.participants("room-2") == []
    assert [await store.took_part("room-1", player) for player in ("ann", "ben", "cid", "")] == [
        *(True, True),
        *(False, False),
    ]
    assert not await store.took_part("room-2", "ann")


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
async def test_who_took_part_by_pages(store: Store, limit: int) -> None:
    diary = Diary()
    for number in range(7):
        diary.time = WEEK_48 + number // 3  # some come at the same moment
        diary.joined(f"player-{6 - number}")
    await store.write(diary.records)
    everybody = await store.participants("room-1")
    found: list[Participant] = []
    while page := await store.participants(
        "room-1", limit=limit, after=(found[-1].joined, found[-1].player) if found else None
    ):
        assert len(page) <= limit
        found += page
    assert found == everybody
    assert len(found) == 7


@pytest.fixture
async def talked(store: Store) -> AsyncIterator[Store]:
    """Two epochs of a room: what was said, and what happened in between."""
    for epoch in (1, 2):
        diary = Diary(epoch=epoch, time=WEEK_48 + 1000 * epoch)
        for number in range(5):
            diary.chat("ann", f"line {epoch}.{number}")
            diary.event("moved", {"to": [epoch, number]})
        diary.joined("ann")
        await store.write(diary.records)
    return store


async def test_chat_is_read_newest_first(talked: Store) -> None:
    lines = await talked.chat("room-1", limit=100)
    assert lines[0] == ChatLine(2, 9, WEEK_48 + 2009, "ann", "Ann", "line 2.4")
    assert [line.text for line in lines] == [f"line {e}.{n}" for e in (2, 1) for n in (4, 3, 2, 1, 0)]
    before = await talked.chat("room-1", limit=3, before=(2, 3))
    assert [line.text for line in before] == ["line 2.0", "line 1.4", "line 1.3"]
    assert await talked.chat("room-1", limit=3, before=(1, 1)) == []
    assert await talked.chat("room-2", limit=3) == []


async def test_events_are_read_oldest_first(talked: Store) -> None:
    events = await talked.events("room-1", limit=100)
    assert events[0] == KnownEvent(1, 2, WEEK_48 + 1002, "", "moved", b'{"to":[1,0]}')
    assert [event.data for event in events] == [
        b'{"to":[%d,%d]}' % (epoch, number) for epoch in (1, 2) for number in range(5)
    ]

    async def read(**page: Any) -> list[KnownEvent]:
        return await talked.events("room-1", **page)

    for size in (1, 3, 4):
        assert await pages(read, lambda event: (event.epoch, event.sequence), size) == events
    assert await talked.events("room-2", limit=3) == []
