"""Players: what is known of them, who may not play, and how one is forgotten."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest

from monkeytown.errors import RecordRefused
from monkeytown.stores.address import database_at
from monkeytown.stores.known import KnownPlayer
from monkeytown.stores.store import Store
from tests.stores.dump import contents
from tests.stores.records import WEEK_48, Diary

NOW = WEEK_48 + 1000


@pytest.fixture
def store(store: Store) -> Store:
    """One that knows what time it is."""
    store._clock = lambda: NOW
    return store


def of_ann() -> Diary:
    diary = Diary()
    diary.opened()
    diary.joined("ann", guest=False)
    diary.joined("ben")
    diary.chat("ann", "it is me, Ann")
    diary.chat("ben", "hello Ann")
    diary.score("ann", 7)
    diary.score("ben", 5)
    diary.data("ann", {"level": 3})
    diary.left("ann")
    return diary


async def known(store: Store, id: str) -> KnownPlayer:
    player = await store.player(id)
    assert player
    return player


async def test_nobody_is_nobody(store: Store) -> None:
    assert await store.player("ann") is None
    assert await store.player("a" * 1000) is None
    assert await store.export("ann") == {}


async def test_what_is_known_of_a_player(store: Store) -> None:
    await store.write(of_ann().records)
    assert await store.player("ann") == KnownPlayer(
        id="ann",
        name="Ann",
        guest=False,
        data=b'{"level":3}',
        created=WEEK_48 + 2,
        seen=WEEK_48 + 9,
        banned_until=None,
        ban_reason="",
        tokens_after=None,
        erased=None,
    )


async def test_a_name_holds_until_a_newer_one(store: Store) -> None:
    await store.write(of_ann().records)
    await store.rename("ann", "Anna")
    await store.write(of_ann().records)
    assert (await known(store, "ann")).name == "Anna"
    later = Diary("room-2", time=NOW)
    later.joined("ann", "Ännchen")
    await store.write(later.records)
    assert (await known(store, "ann")).name == "Ännchen"


async def test_who_has_never_played_may_be_named_banned_and_logged_out(store: Store) -> None:
    await store.rename("ann", "Ann")
    await store.ban("ben", math.inf, "rude")
    await store.log_out("cat", 5.0)
    assert (await known(store, "ann"))[:6] == ("ann", "Ann", False, None, NOW, None)
    assert (await known(store, "ben"))[6:8] == (math.inf, "rude")
    assert (await known(store, "cat")).tokens_after == 5.0
    await store.write(of_ann().records)
    assert (await known(store, "ann")).created == WEEK_48 + 2
    assert (await known(store, "ben"))[6:8] == (math.inf, "rude")


async def test_a_ban_can_be_taken_back(store: Store) -> None:
    await store.ban("ann", NOW + 60, "rude")
    await store.ban("ann", NOW + 90, "very rude")
    assert (await known(store, "ann"))[6:8] == (NOW + 90, "very rude")
    await store.unban("ann")
    assert (await known(store, "ann"))[6:8] == (None, "")


async def test_a_log_out_is_not_taken_back_by_an_older_one(store: Store) -> None:
    await store.log_out("ann", 7.0)
    await store.log_out("ann", 5.0)
    assert (await known(store, "ann")).tokens_after == 7.0
    await store.log_out("ann", 9.0)
    assert (await known(store, "ann")).tokens_after == 9.0


async def test_all_that_is_stored_can_be_handed_out(store: Store) -> None:
    await store.write(of_ann().records)
    await store.ban("ann", NOW + 60, "rude")
    exported = await store.export("ann")
    assert json.loads(json.dumps(exported)) == {
        "player": {
            "id": "ann",
            "name": "Ann",
            "guest": False,
            "data": {"level": 3},
            "created": WEEK_48 + 2,
            "seen": WEEK_48 + 9,
            "banned_until": NOW + 60,
            "ban_reason": "rude",
            "tokens_after": None,
            "erased": None,
        },
        "games": [{"room": "room-1", "game": "jungle", "joined": WEEK_48 + 2, "left": WEEK_48 + 9}],
        "chat": [{"room": "room-1", "time": WEEK_48 + 4, "name": "Ann", "text": "it is me, Ann"}],
        "scores": [{"room": "room-1", "game": "jungle", "time": WEEK_48 + 6, "score": 7.0}],
    }


# ---- being forgotten ----


async def test_who_is_erased_leaves_an_id(store: Store) -> None:
    diary = of_ann()
    await store.write(diary.records)
    await store.ban("ann", NOW + 60, "rude")
    await store.erase("ann", NOW)
    assert await store.player("ann") == KnownPlayer(
        id="ann",
        name="",
        guest=False,
        data=None,
        created=WEEK_48 + 2,
        seen=WEEK_48 + 9,
        banned_until=NOW + 60,
        ban_reason="rude",
        tokens_after=NOW,
        erased=NOW,
    )
    assert [one[:2] for one in await store.participants("room-1")] == [("ann", ""), ("ben", "Ben")]
    assert [(line.name, line.text) for line in await store.chat("room-1", limit=9)] == [
        ("Ben", "hello Ann"),
        ("", ""),
    ]
    assert [standing.player for standing in await store.leaderboard("jungle", "", limit=9)] == ["ben"]
    assert [standing.player for standing in await store.leaderboard("jungle", "2026-W48", limit=9)] == ["ben"]
    assert await store.standing("jungle", "", "ann") is None
    assert (await store.standing("jungle", "", "ben") or [])[0] == 1
    exported = await store.export("ann")
    assert exported["chat"] == [{"room": "room-1", "time": WEEK_48 + 4, "name": "", "text": ""}]
    assert exported["scores"] == []


async def test_nothing_that_comes_in_later_brings_anybody_back(store: Store) -> None:
    """Neither what a spool still has from before, nor what comes after."""
    diary = of_ann()
    late, early = diary.records[:5], diary.records[5:]
    await store.write(early)
    await store.erase("ann", NOW)
    erased = await known(store, "ann")
    await store.write(late)
    await store.write(early)
    new = Diary("room-2", time=NOW + 100)
    new.joined("ann", "Ann again")
    new.chat("ann", "I am back", "Ann again")
    new.score("ann", 100)
    new.data("ann", {"level": 9})
    await store.write(new.records)
    back = await known(store, "ann")
    assert (back.name, back.data, back.erased) == ("", None, erased.erased)
    everything = repr(await contents(store))
    for trace in ("it is me, Ann", "Ann again", "I am back", '"level"', "'Ann'"):
        assert trace not in everything
    assert await store.standing("jungle", "", "ann") is None


async def test_erasing_twice_changes_nothing(store: Store) -> None:
    await store.write(of_ann().records)
    await store.erase("ann", NOW)
    there = await contents(store)
    await store.erase("ann", NOW - 5)
    assert await contents(store) == there


async def test_who_was_never_there_can_be_erased_beforehand(store: Store) -> None:
    await store.erase("ann", NOW)
    await store.rename("ann", "Ann")
    diary = of_ann()
    assert await store.write(diary.records) == len(diary.records) - 1  # her score is not kept
    assert (await known(store, "ann")).name == ""
    assert "it is me" not in repr(await contents(store))


async def test_who_is_erased_while_their_records_come_in_is_erased(
    store: Store, url: str, tmp_path: Path
) -> None:
    """At any moment of the write, over another connection."""
    database = database_at(url, tmp_path)
    assert database is not None
    other = Store(database)
    await other.open(migrate=False)
    for moment in range(40):
        id = f"ann-{moment}"
        diary = Diary(f"room-{moment}")
        diary.joined(id, "Ann")
        diary.chat(id, "it is me", "Ann")
        diary.score(id, 7, name="Ann")
        diary.data(id, {"name": "Ann"})
        writing = asyncio.create_task(store.write(diary.records))
        for _ in range(moment):
            await asyncio.sleep(0)
        await other.erase(id, NOW)
        await writing
    everything = repr(await contents(store))
    assert "Ann" not in everything
    assert "it is me" not in everything
    assert await store.leaderboard("jungle", "", limit=9) == []
    await other.close()


@pytest.mark.parametrize("id", ["a" * 256, "🐒" * 256])
async def test_ids_that_are_too_long_are_refused(store: Store, id: str) -> None:
    with pytest.raises(RecordRefused):
        await store.rename(id, "Ann")
    with pytest.raises(RecordRefused):
        await store.erase(id, NOW)


async def test_ids_may_be_as_long_as_they_may_be(store: Store) -> None:
    """In every index that has one or two of them. The characters are as long as any, and do not repeat."""
    first, second, third = ("".join(chr(0x20000 + 251 * n + k) for n in range(255)) for k in (0, 1, 2))
    diary = Diary(first, game=third)
    diary.opened()
    diary.joined(second)
    diary.score(second, 1)
    diary.chat(second, "it is me")
    await store.write(diary.records)
    assert (await known(store, second)).id == second
    assert [game.room for game in await store.games(player=second, game=third, limit=9)] == [first]
    assert (await store.standing(third, "", second) or [])[1] == second
