"""A real server in a thread of its own, with something in its store, for tools that ask over real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from monkeytown.room.ledger import Kind, as_json
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from monkeytown.stores.known import KnownReplay
from monkeytown.stores.records import Record
from monkeytown.stores.store import Store
from tests.server.rest.stage import ADMIN, EPOCH, Crowd, Duel

__all__ = ["SECRET", "beside"]

SECRET = "a secret of the tests, long enough"


@contextmanager
def beside(folder: Path) -> Iterator[RunningServer]:
    """The server, whose parts are not to be touched from here but for its gate's tokens."""
    settings = Settings(
        port=0,
        secret=SecretStr(SECRET),
        data_folder=str(folder),
        admin_token=ADMIN,
        requests_per_second=1e6,
        requests_burst=1_000_000,
        rooms_per_hour=1e6,
        max_rooms=0,
        empty_room_seconds=1,
    )
    started, stop = threading.Event(), asyncio.Event()
    found: list[RunningServer] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        try:
            async with running([Duel, Crowd], settings) as server:
                await _fill(server.archive.reachable())
                found.append(server)
                started.set()
                await stop.wait()
        finally:
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait()
    assert found, "the server did not start"
    try:
        yield found[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


async def _fill(store: Store) -> None:
    """Some games, public and private, of some players."""
    records: list[Record] = []

    def note(room: str, kind: Kind, player: str = "", **content: object) -> None:
        number = len(records) + 1
        records.append(Record(room, "duel", 1, number, EPOCH + number, kind, player, as_json(content)))

    for room, private in (("room-1", False), ("room-2", True), ("room-3", False)):
        note(room, Kind.OPENED, game="duel", mode="", private=private)
        for number in range(40):
            player = f"p{number}"
            note(room, Kind.JOINED, player, name=player.title(), guest=False)
            note(room, Kind.CHAT, player, name=player.title(), text="Hello\x00")
            note(room, Kind.EVENT, event="goal", data={"number": number})
            note(room, Kind.SCORE, player, score=number // 3, name=player, guest=False, order="best")
            note(room, Kind.DATA, player, data={"coins": number})
        note(room, Kind.RESULT, result=[1, 2, 3])
        note(room, Kind.CLOSED, reason="It is over.", failed=False)
    await store.write(records)
    for number in range(40):
        room = f"room-{number % 3 + 1}"
        await store.add_replay(
            KnownReplay(f"replay-{number}", room, "duel", EPOCH, EPOCH + number, 10, 100, "file", True)
        )
