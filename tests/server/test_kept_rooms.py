"""Rooms that outlive their server: asked to stop, killed, or started with other games."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monkeytown import Entity, Game, Player, singleton, text, uint
from monkeytown.client import Client, Room, connect
from monkeytown.errors import StartError
from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.room.checkpoint import unpacked
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from monkeytown.server.tokens import Tokens
from tests.readers.clients import eventually

SECRET = "s" * 32
TIMEOUT = 30


def settings(**more: Any) -> Settings:
    return Settings(port=0, secret=SECRET, **more)  # type: ignore[arg-type]


def token(id: str) -> str:
    return Tokens([SECRET]).issue(id, id.title(), guest=False, seconds=600)[0]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "rooms").rglob("*.room"))


async def on_disk(condition: Callable[[], object]) -> None:
    """Waits for what a thread of the server does in its own time; looks from another thread."""
    async with asyncio.timeout(TIMEOUT):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.01)


def only_room(server: RunningServer) -> HostedRoom:
    (hosted,) = server.rooms.rooms.values()
    return hosted


class Count(Entity):
    number = uint(16)
    last = text(20)


class Counter(Game):
    tick_rate = 0
    count = singleton(Count)

    def on_create(self) -> None:
        self.secret = "made"

    def save(self) -> Any:
        if self.count.last == "break":
            raise ValueError("this cannot be saved")
        return self.secret

    def load(self, saved: Any) -> None:
        self.secret = saved

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        self.count.number += 1
        self.count.last = str(action.get("say", ""))
        self.secret = "a secret"
        self.emit("counted", {"number": self.count.number})
        if self.count.last == "over":
            self.close("It is over.")


class Other(Game):
    count = singleton(Count)


async def counted(room: Room, number: int) -> None:
    await eventually(lambda: room.tables["count"].row(0).number == number)


async def play_once(server: RunningServer, say: str = "") -> str:
    """Ann joins, counts once, and leaves for now. The id of her room."""
    async with await connect(server.url, token=token("ann")) as ann:
        room = await ann.join("counter")
        room.input(say=say)
        await counted(room, 1)
        return room.id


async def test_a_server_that_stops_puts_its_rooms_away_and_the_next_one_opens_them(data_folder: Path) -> None:
    async with running([Counter], settings()) as town:
        ann = await connect(town.url, token=token("ann"))
        room = await ann.join("counter")
        room.input()
        await counted(room, 1)
        before = only_room(town).room
    await ann.close()
    assert before.closed is not None
    (file,) = await asyncio.to_thread(files, data_folder)
    saved = unpacked(await asyncio.to_thread(file.read_bytes))
    assert (saved.room, saved.final, saved.players) == (room.id, True, ["ann"])
    async with running([Counter], settings()) as town:
        after = only_room(town)
        assert (after.room.id, after.room.game.secret) == (room.id, "a secret")
        assert after.room.position == before.position  # the same history
        assert after.awaits("ann")
        async with (
            await connect(town.url, token=token("bob")) as bob,
            await connect(town.url, token=token("ann")) as ann,
        ):
            await bob.join("counter")
            room = await ann.join("counter")
            assert room.id == before.id
            await counted(room, 1)
            room.input()
            await counted(room, 2)
            assert not after.awaits("ann")
            store = town.archive.store
            assert store is not None
            await eventually(
                lambda: town.archive.shipper is not None and town.archive.shipper.lag_records == 0
            )
            events = await store.events(room.id, limit=10)
            assert [json.loads(event.data or b"") for event in events] == [{"number": 1}, {"number": 2}]


async def test_a_room_that_has_ended_is_not_kept(data_folder: Path) -> None:
    async with (
        running([Counter], settings(checkpoint_seconds=0.02)) as town,
        await connect(town.url, token=token("ann")) as ann,
    ):
        room = await ann.join("counter")
        await on_disk(lambda: files(data_folder))
        room.input(say="over")
        await eventually(lambda: not town.rooms.rooms)
        await on_disk(lambda: not files(data_folder))
    assert await asyncio.to_thread(files, data_folder) == []


@pytest.mark.parametrize("seconds", [0.02, 1000], ids=["while it runs", "when the server stops"])
async def test_a_save_that_fails_ends_its_room_and_no_other(data_folder: Path, seconds: float) -> None:
    with capture_logs() as logs:
        async with running([Counter], settings(checkpoint_seconds=seconds)) as town:
            broken = await play_once(town)
            town.rooms.rooms[broken].room.game.count.last = "break"
            other = town.rooms.open_room("counter").room
            if seconds < 1:
                await eventually(lambda: broken not in town.rooms.rooms)
            assert other.id in town.rooms.rooms
    (failed,) = (line for line in logs if line["event"] == "a hook failed; its room has ended")
    assert (failed["hook"], failed["file"]) == ("save", __file__)
    assert [path.stem for path in await asyncio.to_thread(files, data_folder)] == [other.id]


async def test_rooms_of_other_games_and_of_other_tables_stay_where_they_are(data_folder: Path) -> None:
    async with running([Counter], settings()) as town:
        id = await play_once(town)
    (file,) = await asyncio.to_thread(files, data_folder)
    before = await asyncio.to_thread(file.read_bytes)

    class Changed(Counter):
        name = "counter"
        more = singleton(Count)

    class Unkept(Game):
        name = "counter"
        count = singleton(Count)

    for games, event in (
        ([TicTacToe], "a room that was put away stays so: its game is not served"),
        ([Unkept, TicTacToe], "a room that was put away stays so: its game is not served"),
        ([Changed], "a room that was put away stays so"),
    ):
        with capture_logs() as logs:
            async with running(games, settings()) as town:
                assert town.rooms.rooms == {}
        assert [line["event"] for line in logs if "put away" in line["event"]] == [event]
        assert await asyncio.to_thread(file.read_bytes) == before
    async with running([Counter], settings()) as town:
        assert list(town.rooms.rooms) == [id]


async def test_a_damaged_file_and_rules_that_fail_keep_no_server_from_starting(data_folder: Path) -> None:
    async with running([Counter], settings()) as town:
        await play_once(town)
    (file,) = await asyncio.to_thread(files, data_folder)

    class Failing(Counter):
        name = "counter"

        def load(self, saved: Any) -> None:
            raise KeyError(saved)

    epochs = []
    for _ in range(2):
        with capture_logs() as logs:
            async with running([Failing], settings()) as town:
                assert town.rooms.rooms == {}
        assert [line["hook"] for line in logs if "a hook failed" in line["event"]] == ["load"]
        epochs.append(unpacked(await asyncio.to_thread(file.read_bytes)).epoch)
    assert epochs == [1, 2]  # what they noted is not of the history that goes on
    whole = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.write_bytes, whole[:-9])
    with capture_logs() as logs:
        async with running([Counter], settings()) as town:
            assert town.rooms.rooms == {}
    assert [line["error"] for line in logs if "put away" in line["event"]] == [
        "this checkpoint of a room is damaged"
    ]
    await asyncio.to_thread(file.write_bytes, whole)
    async with running([Counter], settings()) as town:
        assert only_room(town).room.epoch == 3


async def test_of_two_files_of_one_room_the_one_that_was_taken_over_counts(data_folder: Path) -> None:
    async with running([Counter], settings()) as town:
        id = await play_once(town)
    (file,) = await asyncio.to_thread(files, data_folder)
    other = data_folder / "rooms" / "0002" / file.name
    renamed = data_folder / "rooms" / "0002" / "another.room"

    def copy() -> None:
        other.parent.mkdir()
        other.write_bytes(file.read_bytes())
        renamed.write_bytes(file.read_bytes())

    await asyncio.to_thread(copy)
    with capture_logs() as logs:
        async with running([Counter], settings()) as town:
            assert list(town.rooms.rooms) == [id]
    assert [line["file"] for line in logs if "put away" in line["event"]] == [str(renamed)]
    assert await asyncio.to_thread(files, data_folder) == [file, renamed]


async def test_two_servers_in_one_folder_do_not_open_the_same_room() -> None:
    async with running([Counter], settings()) as town:
        id = await play_once(town)
    async with running([Counter], settings()) as first, running([Counter], settings()) as second:
        assert list(first.rooms.rooms) == [id]
        assert second.rooms.rooms == {}
        other = await play_once(second)
    async with running([Counter], settings()) as town:
        assert set(town.rooms.rooms) == {id, other}


async def test_a_room_waits_for_its_players_and_then_ends(data_folder: Path) -> None:
    async with running([Counter], settings()) as town:
        await play_once(town)
    async with running([Counter], settings(seat_seconds=0.3, empty_room_seconds=0)) as town:
        assert len(town.rooms.rooms) == 1
        await eventually(lambda: not town.rooms.rooms)
    assert await asyncio.to_thread(files, data_folder) == []


@pytest.mark.parametrize(("games", "more"), [([Counter], {"checkpoint_seconds": 0}), ([Other], {})])
async def test_nothing_need_be_kept(data_folder: Path, games: Any, more: dict[str, Any]) -> None:
    async with running(games, settings(**more)) as town:
        town.rooms.open_room(games[0].name)
    assert not await asyncio.to_thread((data_folder / "rooms").exists)


async def test_a_folder_that_cannot_be_used_is_told_of_at_the_start(data_folder: Path) -> None:
    await asyncio.to_thread(data_folder.mkdir)
    await asyncio.to_thread((data_folder / "rooms").write_text, "a file")
    with pytest.raises(StartError, match="no room can be kept"):
        async with running([Counter], settings()):
            pass


async def test_a_disk_that_fails_is_told_of_once(data_folder: Path) -> None:
    with capture_logs() as logs:
        async with running([Counter], settings(checkpoint_seconds=0.02)) as town:
            hosted = town.rooms.open_room("counter")
            await on_disk(lambda: files(data_folder))
            (file,) = await asyncio.to_thread(files, data_folder)
            obstacle = file.with_suffix(".new")
            await asyncio.to_thread(obstacle.mkdir)

            def failing() -> bool:
                hosted.disturbed()
                return any(line["event"] == "rooms cannot be put to disk" for line in logs)

            await eventually(failing)
            for _ in range(5):
                hosted.disturbed()
                await asyncio.sleep(0.05)
            await asyncio.to_thread(obstacle.rmdir)
            hosted.disturbed()
            await eventually(lambda: any(line["event"] == "rooms are put to disk again" for line in logs))
    assert len([line for line in logs if line["event"] == "rooms cannot be put to disk"]) == 1


# Processes


@asynccontextmanager
async def served(*games: str, **variables: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server of its own: the process, and where it is."""
    told = {"SECRET": SECRET, "LOG_FORMAT": "json", "PORT": "0", **variables}
    environment = {f"MONKEYTOWN_{name}": value for name, value in told.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monkeytown", "run", *games),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert process.stdout
        async with asyncio.timeout(TIMEOUT):
            async for line in process.stdout:
                said = json.loads(line)
                if said["event"] == "serving":
                    break
            yield process, said["url"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def seated(client: Client) -> Room:
    room = await client.join("tictactoe")
    await eventually(lambda: len(room.tables["board"]) == 1)
    return room


def cells(room: Room) -> list[str]:
    return list(room.tables["board"].row(0).cells)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_tic_tac_toe_goes_on_where_it_was(data_folder: Path, number: signal.Signals) -> None:
    async with served("tictactoe", CHECKPOINT_SECONDS="0.05") as (process, url):
        ann, bob = [await connect(url, token=token(id)) for id in ("ann", "bob")]
        rooms = [await seated(client) for client in (ann, bob)]
        for turn, cell in enumerate((0, 4, 8)):
            await eventually(lambda turn=turn: rooms[turn % 2].tables["board"].row(0).turn == "XO"[turn % 2])  # type: ignore[misc]
            rooms[turn % 2].input(place=cell)
        await eventually(lambda: cells(rooms[0])[8] == "X")
        if number is signal.SIGKILL:
            await on_disk(
                lambda: any(unpacked(file.read_bytes()).tick >= rooms[0].tick for file in files(data_folder))
            )
        before = rooms[0].id
        process.send_signal(number)
        assert await process.wait() == (0 if number is signal.SIGTERM else -9)
        for client in (ann, bob):
            await client.close()
    async with served("tictactoe") as (process, url):
        ann, bob = [await connect(url, token=token(id)) for id in ("ann", "bob")]
        rooms = [await seated(client) for client in (bob, ann)]
        assert [room.id for room in rooms] == [before, before]
        assert cells(rooms[0]) == ["X", "", "", "", "O", "", "", "", "X"]
        assert rooms[0].epoch == (1 if number is signal.SIGTERM else 2)
        rooms[0].input(place=1)
        await eventually(lambda: cells(rooms[1])[1] == "O")
        await eventually(lambda: rooms[1].tables["board"].row(0).turn == "X")
        for client in (ann, bob):
            await client.close()


async def test_clients_come_back_by_themselves(data_folder: Path) -> None:
    async with served("tictactoe") as (process, url):
        ann, bob = [await connect(url, token=token(id)) for id in ("ann", "bob")]
        rooms = [await seated(client) for client in (ann, bob)]
        rooms[0].input(place=4)
        await eventually(lambda: cells(rooms[1])[4] == "X")
        backs = [asyncio.create_task(client.wait("reconnected")) for client in (ann, bob)]
        await asyncio.sleep(0)
        process.terminate()
        assert await process.wait() == 0
    async with served("tictactoe", PORT=url.rpartition(":")[2]):
        async with asyncio.timeout(TIMEOUT):
            for back in backs:
                assert (await back).same_room
        rooms[1].input(place=0)
        await eventually(lambda: cells(rooms[0]) == ["O", "", "", "", "X", "", "", "", ""])
        for client in (ann, bob):
            await client.close()


async def test_a_room_of_jungle_is_there_again_without_its_monkeys(data_folder: Path) -> None:
    async with running([Jungle], settings()) as town, await connect(town.url) as ann:
        room = await ann.join("jungle")
        await eventually(lambda: len(room.tables["monkeys"]) == 1)
    async with running([Jungle], settings()) as town:
        after = only_room(town)
        assert after.room.id == room.id
        assert len(after.room.game.monkeys) == 0
        async with await connect(town.url) as bob:
            again = await bob.join("jungle")
            assert again.id == room.id
            await eventually(lambda: len(again.tables["monkeys"]) == 1)
            assert len(after.room.game.bananas) == len(again.tables["bananas"])
    async with running([Jungle], settings(seat_seconds=0.01)) as town:
        after = only_room(town)
        town.rooms._empty_seconds = 0.01
        await eventually(lambda: not town.rooms.rooms)
        await on_disk(lambda: not files(data_folder))
