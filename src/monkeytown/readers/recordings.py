"""The recordings of a server's rooms.

Joins recorders, each a reader of one room, to the folder that their files stand in; tells whoever wants to know
which files have come to be and which are gone. Does not know who keeps a list of them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from monkeytown.protocol.replay import Header
from monkeytown.readers.recorder import MILLISECONDS, Recorder
from monkeytown.readers.replayfolder import RecordedReplay, ReplayFolder, TapeFile
from monkeytown.room.room import Room

__all__ = ["Recordings"]

TIDY_SECONDS = 600.0
LONGEST_TITLE = 256
LONGEST_ROOM = 40
"""Characters of a room's id in the id of its replay, at most."""


class Recordings:
    """Records rooms, `rate` times a second. `finished`, `removed` and `is_private` are called in the thread that sweeps."""

    def __init__(
        self,
        folder: ReplayFolder,
        *,
        rate: float,
        finished: Callable[[RecordedReplay], object] = lambda replay: None,
        removed: Callable[[str], object] = lambda id: None,
        is_private: Callable[[Room], bool] = lambda room: False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.recorders: list[Recorder] = []
        """Of rooms that go on."""
        self._rate = rate
        self._finished = finished
        self._removed = removed
        self._is_private = is_private
        self._now = now
        self._tidied = now()

    def start(self) -> None:
        self.folder.start()

    def record(self, room: Room) -> Recorder:
        """A reader of the room, which records it from now on."""
        recorder = Recorder(room, self._load, rate=self._rate, now=self._now)
        self.recorders.append(recorder)
        return recorder

    def sweep(self, now: float) -> None:
        """Ends the recordings of rooms that have failed, and tells what has become of files; to be called now and then."""
        for recorder in self.recorders:
            if recorder.room.closed is not None:
                recorder.finish()
        self.recorders = [recorder for recorder in self.recorders if not recorder.is_over]
        if now - self._tidied >= TIDY_SECONDS:
            self._tidied = now
            self.folder.tidy()
        self._tell()

    async def close(self) -> None:
        """Ends all recordings; returns once they are written. To be called once the rooms have ended."""
        for recorder in self.recorders:
            recorder.finish()
        self.recorders = []
        await asyncio.to_thread(self.folder.close)
        self._tell()

    def _tell(self) -> None:
        outcomes = self.folder.outcomes
        while outcomes:
            outcome = outcomes.popleft()
            if isinstance(outcome, str):
                self._removed(outcome)
            else:
                self._finished(outcome)

    def _load(self, room: Room) -> TapeFile:
        started = self.folder.wall()
        schema = {"gameId": room.id, "game": room.name, "tickRate": room.tick_rate}
        return self.folder.begin(
            Header(
                id=_id(room.id, started),
                room=room.id,
                game=room.name,
                title=room.game.title[:LONGEST_TITLE],
                epoch=room.epoch,
                started=started,
                rate=room.tick_rate or MILLISECONDS,
                schema=schema | room.schema.describe(everything=True),
                private=self._is_private(room),
            )
        )


def _id(room: str, started: float) -> str:
    """Begins with the time, so that ids are in the order in which recordings began; has letters, digits, - and _ only."""
    time = datetime.fromtimestamp(started, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{time}{int(started * 1000) % 1000:03d}-{re.sub('[^A-Za-z0-9_-]', '_', room)[:LONGEST_ROOM]}"
