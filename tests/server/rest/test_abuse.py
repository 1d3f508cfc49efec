"""What nobody asks for in earnest: strings made to break things, rooms by the thousand, everybody at once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from monkeytown.server.rest.endpoints import Access, Endpoint
from tests.server.rest.stage import ADMIN, Api, an_api

STRINGS = [
    "'; DROP TABLE players; --",
    "' OR '1'='1",
    '" OR ""="',
    "%' ESCAPE '\\",
    "\x00",
    "a\x00b",
    "\x01\x02\x1b[2J\x7f",
    "\r\nSet-Cookie: a=b",
    "\u202egnp.exe",
    "\ufeff\u200b\u2028",
    "\ud800",
    "\udfff\ud800",
    "😀" * 50,
    "x" * 10_000,
    "../../etc/passwd",
    "{{7*7}}${7*7}",
    "<script>alert(1)</script>",
    "NaN",
    "-0",
    "1e999",
    "null",
    "",
    " ",
    "me",
    "٣",
]
VALUES: list[Any] = [
    *STRINGS,
    None,
    True,
    -1,
    2**63,
    -(2**63) - 1,
    10**40,
    1e308,
    [],
    {},
    [[]],
    {"a": {"a": []}},
]


def written(value: object) -> bytes:
    """As JSON, lone surrogates too, which are only ever escaped."""
    if isinstance(value, str):
        return (
            b'"'
            + "".join(
                character if " " <= character < "\x7f" and character not in '"\\' else escaped(character)
                for character in value
            ).encode()
            + b'"'
        )
    return msgspec.json.encode(value)


def escaped(character: str) -> str:
    if ord(character) > 0xFFFF:
        high, low = divmod(ord(character) - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{ord(character):04x}"


def in_an_address(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def requests(endpoint: Endpoint) -> Iterator[tuple[str, bytes, bytes]]:
    """Paths, queries and bodies with each of the strings in each place that an endpoint has."""
    path = endpoint.path.replace("{", "").replace("}", "")
    if "{" in endpoint.path:
        first = endpoint.path.index("{")
        rest = endpoint.path[endpoint.path.index("}") + 1 :].replace("{", "").replace("}", "")
        for text in STRINGS:
            yield endpoint.path[:first] + text + rest, b"", b"{}"
    if endpoint.asks is None:
        yield path, b"", b""
        return
    fields = msgspec.structs.fields(endpoint.asks)
    good = {"game": b'"crowd"', "name": b'"A"', "reason": b'"x"'}
    for field in fields:
        if not endpoint.reads_body:
            for text in STRINGS:
                yield path, f"{field.encode_name}={in_an_address(text)}".encode(), b""
            continue
        others = [
            b'"%s":%s' % (name.encode(), value) for name, value in good.items() if name != field.encode_name
        ]
        known = {f.encode_name for f in fields}
        others = [other for other in others if other[1 : other.index(b'"', 1)].decode() in known]
        for value in VALUES:
            for nested in (b"%s", b"[%s]", b'{"a":%s}', b"{%s:1}" if isinstance(value, str) else b"%s"):
                item = b'"%s":' % field.encode_name.encode() + nested % written(value)
                yield path, b"", b"{" + b",".join([*others, item]) + b"}"


async def test_no_string_anywhere_breaks_anything(api: Api) -> None:
    asked = 0
    statuses: Counter[int] = Counter()
    for endpoint in api.endpoints:
        for number, (path, query, body) in enumerate(requests(endpoint)):
            # A player of its own for each: some are erased, some logged out.
            token = ADMIN if endpoint.access is Access.ADMIN else api.token(f"p{asked}")
            status, content = await api.ask(endpoint.method, path, body, token=token, query=query)
            asked += 1
            statuses[status] += 1
            assert status < 500, (endpoint.method, path, query, body[:200], content)
            if status >= 400:
                assert content.keys() == {"code", "message"}, (number, path)
                assert len(content["message"]) < 300
    assert asked > 2000, statuses
    assert sum(count for status, count in statuses.items() if status < 300) > 150
    assert statuses[400] > 1000


async def test_what_was_stored_comes_back_as_it_was(api: Api) -> None:
    """Whatever is taken as a name is there afterwards, printed, and nothing else is disturbed by it."""
    for number, text in enumerate(STRINGS):
        token = api.token(f"p{number}")
        status, _ = await api.ask("PATCH", "/players/me", b'{"name":' + written(text) + b"}", token=token)
        if status == 200:
            _, shown = await api.ask("GET", f"/players/p{number}")
            assert shown["name"] is None or (shown["name"].isprintable() and len(shown["name"]) <= 24)
        else:
            assert status == 400


async def test_ten_thousand_rooms_of_one_player(tmp_path: Path) -> None:
    async with an_api(tmp_path, rooms_per_hour=5) as api:
        token = api.token("ada")
        statuses = Counter(
            [(await api.ask("POST", "/games", b'{"game":"crowd"}', token=token))[0] for _ in range(10_000)]
        )
        assert statuses == {201: 5, 429: 9995}
        assert len(api.host.rooms) == 5
        rooms = [weakref.ref(hosted) for hosted in api.host.rooms.values()]
        api.clock.run(16)
        api.host.sweep(api.clock.seconds())
        assert api.host.rooms == {}
        for _ in range(72):
            api.clock.run(10)
            api.host.sweep(api.clock.seconds())
        assert (await api.ask("POST", "/games", b'{"game":"crowd"}', token=token))[0] == 201
        gc.collect()
        assert [room() for room in rooms] == [None] * 5


async def test_rooms_that_nobody_comes_to_are_reclaimed(tmp_path: Path) -> None:
    async with an_api(tmp_path, max_rooms=500) as api:
        for turn in range(3):
            tokens = [api.token(f"p{turn}-{number}") for number in range(600)]
            answers = [await api.ask("POST", "/games", b'{"game":"duel"}', token=token) for token in tokens]
            assert Counter(status for status, _ in answers) == {201: 500, 503: 100}
            api.clock.run(16)
            api.host.sweep(api.clock.seconds())
            assert api.host.rooms == {}
        assert list(api.host.waiting.of("duel", "")) == []


@pytest.mark.parametrize("party", [1, 2])
async def test_a_thousand_quick_matches_at_once(api: Api, party: int) -> None:
    async def match(number: int) -> str:
        others = msgspec.json.encode([f"p{number}-{other}" for other in range(1, party)])
        body = b'{"game":"duel","party":' + others + b"}"
        status, seats = await api.ask("POST", "/matches", body, token=api.token(f"p{number}"))
        assert status == 201
        return str(seats["gameId"])

    found = await asyncio.gather(*(match(number) for number in range(1000)))
    seats = Counter(found)
    assert set(seats.values()) == {2 // party}
    assert len(api.host.rooms) == len(seats) == 500 * party
    # Everybody gets the seat that was promised, and nobody else one.
    for number, room in enumerate(found):
        for other in range(party):
            player = f"p{number}" if other == 0 else f"p{number}-{other}"
            assert api.sit(player, room).errors == []
        assert api.sit(f"nobody{number}", room).errors == ["GAME-001"]
    assert all(len(hosted.room.members) == 2 for hosted in api.host.rooms.values())


async def test_seats_asked_for_at_once_are_not_given_twice(api: Api) -> None:
    room = api.host.open_room("duel").room.id
    answers = await asyncio.gather(
        *(api.ask("POST", f"/games/{room}/seats", b"{}", token=api.token(f"p{n}")) for n in range(200))
    )
    assert Counter(status for status, _ in answers) == {201: 2, 404: 198}
