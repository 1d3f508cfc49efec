"""Recordings of a real server: made while people play, listed, sent in parts, and nothing else of the disk with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from monkeytown.client.replay import Replay
from monkeytown.readers.replayfolder import SUFFIX
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from tests.naive_replay import NaiveReplay
from tests.readers.clients import eventually, json_client
from tests.readers.test_recordings import Place
from tests.runtime.stage import Dots, Grumpy, Turns


class Filmed(Dots):
    """Recorded."""

    record = True
    title = "Dots on film"


class Chess(Turns):
    record = True


class Doomed(Grumpy):
    record = True


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = Settings(
        port=0, data_folder=str(tmp_path), database_url="none", empty_room_seconds=0.0, record_rate=50
    )
    async with running([Filmed, Chess, Doomed, Dots], settings) as server:
        yield server


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def play(server: RunningServer, game: str, *actions: dict[str, Any]) -> None:
    async with json_client(server) as client:
        await client.join(game)
        await client.say("chat_message", text="hello")
        await client.next("game_event")
        for action in actions:
            await client.say("player_input", action=action)
            await client.next("game_state")
        await client.say("leave_game")
        await client.connection.close()


async def items(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get("/api/v1/replays", params=query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def finished(server: RunningServer, count: int) -> None:
    await eventually(lambda: server.recordings.folder.finished == count)


async def test_a_game_that_was_played_can_be_watched(
    server: RunningServer, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    assert await items(http) == []
    await play(server, "filmed", {"by": 3})
    await finished(server, 1)
    (item,) = await items(http)
    assert (item["game"], item["title"], item["players"], item["complete"]) == (
        "filmed",
        "Dots on film",
        1,
        True,
    )
    answer = await http.get(f"/api/v1/replays/{item['replayId']}/file")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert len(answer.content) == item["size"]
    replay = NaiveReplay(answer.content)
    moments = list(replay.play())
    said = [moment.event[1] for moment in moments if moment.event and moment.event[0] == "game_event"]
    assert [event["data"]["text"] for event in said] == ["hello"]
    assert {row["x"] for moment in moments for row in moment.tables["dots"].values()} == {0, 3}
    with Replay.open(tmp_path / "replays" / f"{item['replayId']}{SUFFIX}") as played:
        assert played.check() == []


async def test_games_are_recorded_that_say_so_and_no_others(
    server: RunningServer, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    for game in ("dots", "filmed", "chess"):
        await play(server, game)
    await finished(server, 2)
    assert [item["game"] for item in await items(http)] == ["chess", "filmed"]
    assert not server.recordings.recorders


async def test_a_game_of_turns_is_recorded(server: RunningServer, http: httpx.AsyncClient) -> None:
    await play(server, "chess", {}, {})
    await finished(server, 1)
    (item,) = await items(http)
    replay = NaiveReplay((await http.get(f"/api/v1/replays/{item['replayId']}/file")).content)
    assert [row["x"] for moment in replay.play() for row in moment.tables["dots"].values()][-1] == 2


async def test_a_room_that_fails_is_recorded_up_to_then(
    server: RunningServer, http: httpx.AsyncClient
) -> None:
    async with json_client(server) as client:
        await client.join("doomed")
        await client.next("error")
    await finished(server, 1)
    (item,) = await items(http)
    assert item["complete"] is True


async def test_a_server_that_stops_finishes_its_recordings(tmp_path: Path) -> None:
    settings = Settings(port=0, data_folder=str(tmp_path), database_url="none")
    async with running([Filmed], settings) as server, json_client(server) as client:
        await client.join("filmed")
    (file,) = (tmp_path / "replays").iterdir()
    with Replay.open(file) as replay:
        assert replay.check() == []
        assert replay.recording.index.complete


async def test_a_server_without_games_to_record_makes_no_folder(tmp_path: Path) -> None:
    async with running([Dots], Settings(port=0, data_folder=str(tmp_path), database_url="none")) as server:
        await play(server, "dots")
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert await items(http) == []
    assert not (tmp_path / "replays").exists()


@pytest.fixture
async def shelf(server: RunningServer, tmp_path: Path) -> Place:
    """Five recordings, one of them of a private room, and what else may lie there."""
    place = Place(tmp_path / "replays")
    place.recordings.start()
    place.private.add("secret")
    for name in ("one", "two", "secret", "three", "four"):
        place.record(name, ticks=100)
    await place.recordings.close()
    (place.path / f"broken{SUFFIX}").write_bytes(b"this is no replay")
    (place.path / f"strange name{SUFFIX}").write_bytes(b"nor is this")
    (place.path / f"growing{SUFFIX}.part").write_bytes(b"not yet")
    (tmp_path / f"outside{SUFFIX}").write_bytes(b"nobody's business")
    return place


async def test_recordings_are_listed_newest_first_page_by_page(shelf: Place, http: httpx.AsyncClient) -> None:
    rooms = [item["gameId"] for item in await items(http)]
    assert rooms == ["four", "three", "two", "one"]
    seen, query = [], {"limit": "3"}
    for _ in range(2):
        page = (await http.get("/api/v1/replays", params=query)).json()
        seen += [item["gameId"] for item in page["items"]]
        query["cursor"] = page["next"]
    assert (seen, page["next"]) == (rooms, None)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"game": "pond"}, 4),
        ({"game": "chess"}, 0),
        ({"room": "two"}, 1),
        ({"room": "two", "game": "chess"}, 0),
        ({"limit": "0"}, 1),
        ({"limit": "-1"}, 4),
        ({"limit": "many"}, 4),
        ({"limit": "9" * 5000}, 4),
        ({"limit": "٣"}, 4),
        ({"cursor": ""}, 0),
        ({"cursor": "zzz"}, 4),
        ({"cursor": "../../"}, 0),
    ],
)
async def test_whatever_is_asked_of_the_list(
    shelf: Place, http: httpx.AsyncClient, query: dict[str, str], count: int
) -> None:
    assert len(await items(http, **query)) == count


async def test_a_recording_that_is_replaced_or_removed_is_looked_at_anew(
    shelf: Place, http: httpx.AsyncClient
) -> None:
    newest, second, *_ = await items(http)
    (shelf.path / f"{newest['replayId']}{SUFFIX}").unlink()
    (shelf.path / f"{second['replayId']}{SUFFIX}").write_bytes(b"damaged")
    assert [item["gameId"] for item in await items(http)] == ["two", "one"]
    assert (await http.get(f"/api/v1/replays/{newest['replayId']}/file")).status_code == 404


async def test_a_private_recording_is_had_by_who_knows_its_id(shelf: Place, http: httpx.AsyncClient) -> None:
    (private,) = (replay for replay in shelf.finished if replay.private)
    answer = await http.get(f"/api/v1/replays/{private.id}/file")
    assert answer.status_code == 200
    assert NaiveReplay(answer.content).header["private"] is True


async def test_a_file_is_sent_in_parts(shelf: Place, http: httpx.AsyncClient) -> None:
    replay = shelf.finished[0]
    whole = (shelf.path / replay.file).read_bytes()
    path = f"/api/v1/replays/{replay.id}/file"
    full = await http.get(path)
    assert (full.status_code, full.content, full.headers["accept-ranges"]) == (200, whole, "bytes")
    parts = {"bytes=0-99": whole[:100], "bytes=100-": whole[100:], "bytes=-16": whole[-16:]}
    parts[f"bytes=5-{10**9}"] = whole[5:]
    for part, content in parts.items():
        answer = await http.get(path, headers={"Range": part})
        assert (answer.status_code, answer.content) == (206, content), part
        start = len(whole) - len(content) if not part.startswith("bytes=0") else 0
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(content) - 1}/{len(whole)}"
    assert (await http.get(path, headers={"Range": f"bytes={len(whole)}-"})).status_code == 416
    assert (await http.get(path, headers={"Range": "bytes=9-5"})).status_code in (400, 416)
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await http.get(path, headers=other)).content == whole
    head = await http.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(whole)), b"")


@pytest.mark.parametrize(
    "id",
    [
        "..",
        "../outside",
        "..%2foutside",
        "%2e%2e%2foutside",
        "..%5coutside",
        "%2fetc%2fpasswd",
        "strange name",
        "strange%20name",
        "nothing",
        "growing.mtr.part",
        "growing",
        "x" * 65,
        "%00",
        "ä",
        "one%0a",
        "broken%0a",
    ],
)
async def test_no_id_leads_anywhere_else(shelf: Place, server: RunningServer, id: str) -> None:
    """By a connection of our own: a client would make a path of it first."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    path = f"/api/v1/replays/{id}/file".replace(" ", "%20").encode()
    writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    status = answer.split(b" ", 2)[1]
    assert status in (b"404", b"400"), answer
    assert b"nobody's business" not in answer


async def test_no_page_of_another_site_may_ask(shelf: Place, http: httpx.AsyncClient) -> None:
    id = shelf.finished[0].id
    for path in ("/api/v1/replays", f"/api/v1/replays/{id}/file"):
        answer = await http.get(path, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-002")
        assert (await http.get(path, headers={"Origin": str(http.base_url).rstrip("/")})).status_code == 200
        assert (await http.post(path)).status_code in (404, 405)


async def test_recordings_are_counted(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with json_client(server) as client:
        await client.join("filmed")
        found = {family.name: family for family in parse((await http.get("/metrics")).text)}
        assert found["monkeytown_recordings_open"].samples[0].value == 1
    await play(server, "chess")
    await eventually(lambda: server.recordings.folder.finished >= 1)
    found = {family.name: family for family in parse((await http.get("/metrics")).text)}
    assert found["monkeytown_recordings_finished"].samples[0].value >= 1
    assert found["monkeytown_recordings_bytes"].samples[0].value > 500
    assert found["monkeytown_recordings_failed"].samples[0].value == 0
