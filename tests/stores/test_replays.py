"""The index of replays."""

from __future__ import annotations

import pytest

from monkeytown.errors import RecordRefused
from monkeytown.stores.known import KnownReplay
from monkeytown.stores.store import Store


def replay(number: int, **fields: object) -> KnownReplay:
    one = KnownReplay(
        id=f"replay-{number}",
        room=f"room-{number % 3}",
        game=("jungle", "maze")[number % 2],
        started=1000.0 + number // 2,
        ended=None,
        ticks=0,
        size=0,
        file=f"replays/{number}.mtr",
        complete=False,
    )
    return one._replace(**fields)


async def test_what_is_noted_is_found(store: Store) -> None:
    assert await store.replay("replay-1") is None
    await store.add_replay(replay(1))
    assert await store.replay("replay-1") == replay(1)
    done = replay(1, ended=2000.5, ticks=2**40, size=2**41, complete=True)
    await store.add_replay(done)
    assert await store.replay("replay-1") == done
    await store.remove_replay("replay-1")
    await store.remove_replay("replay-1")
    assert await store.replay("replay-1") is None


async def test_they_are_listed_newest_first(store: Store) -> None:
    everything = [replay(number) for number in range(10)]
    for one in everything:
        await store.add_replay(one)
    everything.sort(key=lambda one: (one.started, one.id), reverse=True)
    assert await store.replays(limit=100) == everything
    for size in (1, 3, 10):
        found: list[KnownReplay] = []
        page = await store.replays(limit=size)
        while page:
            found += page
            page = await store.replays(limit=size, after=(page[-1].started, page[-1].id))
        assert found == everything
    mazes = await store.replays(game="maze", limit=100)
    assert mazes == [one for one in everything if one.game == "maze"]
    both = await store.replays(game="maze", room="room-1", limit=1)
    assert both == [one for one in everything if (one.game, one.room) == ("maze", "room-1")][:1]
    assert await store.replays(room="room-9", limit=1) == []


async def test_ids_that_are_too_long_are_refused(store: Store) -> None:
    with pytest.raises(RecordRefused):
        await store.add_replay(replay(1, id="r" * 256))
