"""Rooms that outlive the server: those of games with a `save` go to disk while they run and when the server stops, and are
opened again when it starts.

Knows the host's rooms and their files, and when to take which to where. Between two ticks at most one room is put into bytes;
all that waits for the disk is done in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import structlog

from monkeytown.errors import Refusal, SchemaError, StartError, WireError
from monkeytown.position import Position
from monkeytown.room.checkpoint import going_on, packed, unpacked
from monkeytown.runtime.host import Host
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.server.settings import Settings
from monkeytown.stores.rooms import RoomFiles

__all__ = ["KeptRooms"]

log = structlog.get_logger()

ROOMS = "rooms"
"""Folder of their files, in the data folder."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds from one room to the next."""
LOOKED_AT = 100
"""Rooms, to find one that is due."""


class _Taken(NamedTuple):
    """When a room was put into bytes last, and where it stood."""

    at: float
    position: Position


class KeptRooms:
    """Of one server; without any, if no game has a `save` or nobody wants it. Raises `StartError`."""

    def __init__(self, host: Host, settings: Settings, *, wanted: bool = True) -> None:
        self._host = host
        self._seconds = settings.checkpoint_seconds
        self._seat_seconds = settings.seat_seconds
        wanted = wanted and self._seconds > 0 and any(map(host.keeps, host.games))
        self._files = RoomFiles(settings.folder / ROOMS) if wanted else None
        self._taken: dict[str, _Taken | None] = {}
        """Of the rooms that have files."""
        self._round: Iterator[HostedRoom] = iter(())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rooms")
        self._writing: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failing = False

    def start(self) -> None:
        """From now on, in this event loop."""
        if self._files is not None:
            self._sweep()

    def put_away(self) -> None:
        """The server stops: no room of these goes on here. Their players need not be told anything by the rules."""
        if self._timer is not None:
            self._timer.cancel()
        for hosted in self._rooms():
            saved = self._guarded(hosted.put_away)
            if saved is not None:
                self._write(hosted.room.id, saved)
            if hosted.room.id in self._host.rooms or saved is not None:
                self._taken.pop(hosted.room.id, None)  # its file stays

    async def close(self) -> None:
        """Waits until all is on disk."""
        if self._files is not None:
            self._remove_ended()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._files.close)
        self._thread.shutdown()

    # At the start

    def bring_back(self) -> None:
        """Opens the rooms that were put away, before anybody can come. Raises `StartError`."""
        files, brought = self._files, 0
        if files is None:
            return
        for path in files.found():
            try:
                brought += self._bring_back_one(files, path)
            except (WireError, SchemaError, Refusal) as error:
                log.error("a room that was put away stays so", file=str(path), error=str(error))
            except OSError as error:
                raise StartError(
                    f"no room can be kept in {path.parent}: {error.strerror or error}"
                ) from error
        files.let_others_go()
        if brought:
            log.info("rooms were brought back", rooms=brought)

    def _bring_back_one(self, files: RoomFiles, path: Path) -> bool:
        saved = going_on(unpacked(path.read_bytes()))
        if saved.room != path.stem:
            raise WireError(f"this is a checkpoint of room {saved.room}")
        if saved.room in self._taken:
            path.unlink()  # a process was killed while it took this file over from another
            return False
        if not self._host.keeps(saved.game):
            log.info(
                "a room that was put away stays so: its game is not served", file=str(path), game=saved.game
            )
            return False
        try:
            hosted = self._host.bring_back(saved, self._seat_seconds)
        except Refusal:
            # That its rules failed is in its ledger, in this epoch: whoever tries again does so in the next.
            files.take_over(path, saved.room, packed(saved))
            raise
        # Nothing has happened in it yet: nobody can come before the server has started.
        files.take_over(path, saved.room, packed(saved))
        self._taken[saved.room] = _Taken(self._host.now(), hosted.room.position)
        return True

    # While it runs

    def _rooms(self) -> list[HostedRoom]:
        if self._files is None:
            return []
        return [hosted for hosted in self._host.rooms.values() if self._host.keeps(hosted.game_name)]

    def _sweep(self) -> None:
        pause = self._seconds / (1 + len(self._taken))
        self._timer = asyncio.get_running_loop().call_later(
            min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE, self._seconds), self._sweep
        )
        self._remove_ended()
        if self._writing is not None and not self._writing.done():
            return  # the disk is slow; what would wait for it would be old when it is written
        hosted = self._next_due()
        if hosted is None:
            return
        saved = self._guarded(hosted.checkpoint)
        self._taken[hosted.room.id] = _Taken(self._host.now(), hosted.room.position)
        if saved is not None:
            self._write(hosted.room.id, saved)

    def _next_due(self) -> HostedRoom | None:
        """A room whose time has come and in which something has happened."""
        now = self._host.now()
        for _ in range(2):
            for hosted in islice(self._round, LOOKED_AT):
                taken = self._taken.get(hosted.room.id)
                if hosted.room.closed is not None or (taken and now - taken.at < self._seconds):
                    continue
                if taken is None or taken.position != hosted.room.position:
                    return hosted
            self._round = iter(self._rooms())
        return None

    def _guarded(self, call: Callable[[], bytes | None]) -> bytes | None:
        try:
            return call()
        except Exception:
            log.exception("a room could not be put away")
            return None

    # In the thread

    def _write(self, room_id: str, saved: bytes) -> None:
        assert self._files is not None
        self._writing = self._in_thread(self._files.write, room_id, saved)

    def _remove_ended(self) -> None:
        ended: Iterable[str] = self._taken.keys() - self._host.rooms.keys()
        for room_id in ended:
            del self._taken[room_id]
            assert self._files is not None
            self._in_thread(self._files.remove, room_id)

    def _in_thread(self, call: Callable[..., None], *arguments: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._try, call, *arguments)

    def _try(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except OSError as error:
            if not self._failing:
                log.error("rooms cannot be put to disk", error=error.strerror or str(error))
            self._failing = True
        else:
            if self._failing:
                log.info("rooms are put to disk again")
            self._failing = False
