"""Whatever anybody types comes back as it was typed: nothing of it is ever a part of a statement."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monkeytown.stores.known import KnownReplay
from monkeytown.stores.store import Store
from tests.stores.dump import contents
from tests.stores.records import Diary

STRINGS = {
    "quote": "'; DROP TABLE players; --",
    "double quote": '" OR ""="',
    "backslash": "\\'; SELECT pg_sleep(10); --",
    "dollars": "$1 $$ $tag$ ?1 :name %s {}",
    "like": "100%_[a-z]*",
    "comment": "/* */ -- #",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x85",
    "NUL": "a\0b\0",
    "four bytes": "🐒🍌\U0001d4b3\U0010ffff",
    "combining": "e\u0301 \u202egnp.exe\u202c \ufeff \u200d",
    "not characters": "\ufffe\uffff",
    "markup": "<script>alert(1)</script>&amp;",
    "long": "ab'🐒" * 1430,
    "spaces": "  \t x  ",
    "escapes": r"\u0000 \x00 \n %00",
    "JSON": '{"a": ["\\u0000"]}',
}
MAX_IN_AN_ID = 255


def stored(text: str) -> str:
    return text.replace("\0", "\ufffd")


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
async def test_every_field_holds_any_text(store: Store, text: str) -> None:
    id = text[:MAX_IN_AN_ID]
    diary = Diary(f"r{id}"[:MAX_IN_AN_ID], game=f"g{id}"[:MAX_IN_AN_ID])
    short = text[: 3 * MAX_IN_AN_ID]  # an entry has a size of its own
    diary.opened(text)
    diary.joined(id, text)
    diary.event(text, {short: [short]})
    diary.chat(id, text, short)
    diary.score(id, 1, name=text)
    diary.data(id, {short: short})
    diary.result({short: short})
    diary.closed(text)
    assert await store.write(diary.records) == len(diary.records)
    assert await store.write(diary.records) == 0

    player = await store.player(id)
    assert player
    assert (player.id, player.name) == (stored(id), stored(text))
    assert json.loads(player.data or b"") == {short: short}
    game = await store.game(diary.room)
    assert game
    assert (game.room, game.game) == (stored(diary.room), stored(diary.game))
    assert (game.mode, game.reason) == (stored(text), stored(text))
    assert json.loads(game.result or b"") == {short: short}
    for filters in ({"game": diary.game}, {"mode": text}, {"player": id}):
        filtered: Any = filters
        assert await store.games(**filtered, limit=9) == [game]
    assert await store.games(limit=9, after=(game.opened, diary.room)) == []
    assert [one[:2] for one in await store.participants(diary.room)] == [(stored(id), stored(text))]
    (line,) = await store.chat(diary.room, limit=9)
    assert (line.player, line.name, line.text) == (stored(id), stored(short), stored(text))
    (event,) = await store.events(diary.room, limit=9)
    assert (event.event, json.loads(event.data)) == (stored(text), {short: [short]})
    (standing,) = await store.leaderboard(diary.game, "", limit=9)
    assert standing == await store.standing(diary.game, "", id)
    assert (standing.player, standing.name) == (stored(id), stored(text))
    assert await store.leaderboard(diary.game, text, limit=9, after=(2, id)) == []
    assert (await store.export(id))["chat"] == [
        {"room": stored(diary.room), "time": line.time, "name": line.name, "text": line.text}
    ]


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
async def test_what_is_changed_holds_any_text(store: Store, text: str) -> None:
    id = text[:MAX_IN_AN_ID]
    await store.rename(id, text)
    await store.ban(id, 5.0, text)
    await store.log_out(id, 6.0)
    player = await store.player(id)
    assert player
    assert (player.name, player.ban_reason, player.tokens_after) == (stored(text), stored(text), 6.0)
    await store.unban(id)
    await store.erase(id, 7.0)
    assert (await store.player(id) or [None])[1] == ""
    replay = KnownReplay(id, id, id, 1.0, None, 0, 0, text, False)
    await store.add_replay(replay)
    (found,) = await store.replays(game=id, room=id, limit=9)
    assert found == await store.replay(id)
    assert found.file == stored(text)
    await store.remove_replay(id)
    assert await store.replays(limit=9) == []


async def test_halves_of_characters_are_not_stored(store: Store) -> None:
    await store.rename("ann", "\ud83d\ude00 \udc00")
    assert (await store.player("ann") or [None])[1] == "\ufffd\ufffd \ufffd"
    assert await store.player("\ud800") is None


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40))
async def test_any_text_at_all(store: Store, text: str) -> None:
    diary = Diary(f"room {text!a}"[:MAX_IN_AN_ID])
    diary.chat(text, text, text)
    await store.write(diary.records)
    (line,) = await store.chat(diary.room, limit=2)
    assert (line.player, line.name, line.text) == (stored(text), stored(text), stored(text))


async def test_all_tables_are_still_there(store: Store) -> None:
    for number, text in enumerate(STRINGS.values()):
        diary = Diary(f"room-{number}")
        diary.chat(text[:MAX_IN_AN_ID], text)
        await store.write(diary.records)
    assert len((await contents(store))["chat"]) == len(STRINGS)
