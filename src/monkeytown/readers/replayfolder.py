"""The folder of replays, and the thread that alone writes to it.

Knows files; blocks come to it in a queue, so that whoever makes them waits for no disk. Nothing goes wrong here that
ends more than one recording. A file is `ID.mtr.part` while it grows, and `ID.mtr` once it has its index. Whoever writes
it holds a lock on it, so that several servers can share a folder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, NamedTuple, TypeAlias

import structlog

from monkeytown.errors import WireError
from monkeytown.protocol.description import check_description
from monkeytown.protocol.replay import (
    BLOCK,
    HEADER,
    MAGIC,
    Block,
    Entry,
    Header,
    Index,
    chunk,
    encode_block,
    encode_header,
    entry_of,
)
from monkeytown.protocol.replayfile import ending, scan

__all__ = ["PART", "SUFFIX", "RecordedReplay", "ReplayFolder", "TapeFile"]

log = structlog.get_logger()

SUFFIX = ".mtr"
PART = ".mtr.part"
NEW = ".mtr.new"
"""Not locked yet: what is `.part` always is, as long as its process lives."""
DAY = 86_400.0
WAITING_BYTES = 64 << 20
"""What may wait for the disk, of all recordings together; beyond that the disk is too slow."""
CLOSE_SECONDS = 10.0


class RecordedReplay(NamedTuple):
    """A file that is complete, or as complete as it gets."""

    id: str
    room: str
    game: str
    started: float
    """Seconds since 1970, as `ended`."""
    ended: float
    ticks: int
    """From the first state to the last; milliseconds in a game without ticks."""
    size: int
    file: str
    """Its name in the folder."""
    complete: bool
    """Whether the recording lasted until the room ended."""
    private: bool


Outcome: TypeAlias = RecordedReplay | str
"""A file that is there from now on, or the id of one that is not any more."""


class ReplayFolder:
    """`keep_bytes` of files in all and `keep_days` of age (0: any) are kept; the oldest go."""

    def __init__(
        self, path: Path, *, keep_bytes: int, keep_days: float, wall: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.outcomes: deque[Outcome] = deque()
        """What has become of files; appended to by the thread, taken by whoever wants to know."""
        self.bytes_written = self.finished = self.failed = 0
        self.wall = wall
        self._keep_bytes = keep_bytes
        self._keep_days = keep_days
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="replays", daemon=True)
        self._handed = self._taken = 0
        """Bytes that were put into the queue, and that came out of it; each is counted by one thread alone."""
        self._used = 0
        """Bytes of the folder, as far as this process knows."""

    def start(self) -> None:
        """From now on files are written; those that another process left are closed first."""
        self._jobs.put(self._recover)
        self._thread.start()

    def begin(self, header: Header) -> TapeFile:
        """A new file."""
        tape = TapeFile(self, header)
        self.hand_over(tape.begin, 0)
        return tape

    def hand_over(self, job: Callable[[], None], size: int) -> bool:
        """Something for the thread to do, which holds so many bytes until then. False: too much is waiting already."""
        if self._handed - self._taken + size > WAITING_BYTES:
            return False
        self._handed += size
        self._jobs.put(partial(self._do, job, size))
        return True

    def tidy(self) -> None:
        """Has what is too old removed."""
        self._jobs.put(self._tidy)

    def close(self) -> None:
        """Returns once everything is written, unless the disk does not answer."""
        if self._thread.ident is None:
            return
        self._jobs.put(None)
        self._thread.join(CLOSE_SECONDS)

    # In the thread

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _do(self, job: Callable[[], None], size: int) -> None:
        self._taken += size
        job()

    def took(self, size: int) -> None:
        """So much was written."""
        self.bytes_written += size
        self._used += size

    def make_room(self) -> None:
        """Removes what is too much, oldest first. Raises OSError if that is not enough."""
        if self._used > self._keep_bytes:
            self._make_room()

    def has(self, replay: RecordedReplay) -> None:
        self.finished += 1
        self.outcomes.append(replay)

    def _files(self, suffix: str) -> list[Path]:
        """Oldest first: names begin with the time."""
        return sorted(self.path.glob(f"*{suffix}"))

    def _make_room(self) -> None:
        sizes = {path: _size(path) for suffix in (SUFFIX, PART) for path in self._files(suffix)}
        self._used = sum(sizes.values())
        for path in self._files(SUFFIX):
            if self._used <= self._keep_bytes:
                return
            self._remove(path)
            self._used -= sizes.get(path, 0)
        if self._used > self._keep_bytes:
            raise OSError(f"recordings under way take more than {self._keep_bytes} bytes")

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if path.suffix == SUFFIX:
            self.outcomes.append(path.stem)

    def _tidy(self) -> None:
        if not self._keep_days:
            return
        oldest = self.wall() - self._keep_days * DAY
        try:
            for path in [*self._files(SUFFIX), *self._files(NEW)]:
                if path.stat().st_mtime < oldest:
                    self._remove(path)
        except OSError as error:
            log.warning("old replays were not removed", folder=str(self.path), error=str(error))

    def _recover(self) -> None:
        """Gives files their index that a process left when it was killed."""
        try:
            for part in self._files(PART):
                try:
                    self._close_left(part)
                except (OSError, WireError, ValueError) as error:
                    log.warning("a replay could not be closed", file=part.name, error=str(error))
            self._make_room()
        except OSError as error:
            log.warning(
                "the folder of replays is not as it should be", folder=str(self.path), error=str(error)
            )
        self._tidy()

    def _close_left(self, part: Path) -> None:
        with part.open("r+b") as file:
            if not _lock(file):
                return  # another server is writing it
            try:
                found = scan(partial(_read, file), _size(part))
            except WireError:
                part.unlink()  # killed before anything was recorded
                raise
            file.truncate(found.end)
            file.seek(found.end)
            file.write(ending(found.index, found.end))
            file.flush()
            os.fsync(file.fileno())
            path = part.with_name(part.name.removesuffix(PART) + SUFFIX)
            part.rename(path)
        log.info("a replay was cut off and is closed", file=path.name, problem=found.problem)
        self.has(_recorded(found.header, found.index, path))


class TapeFile:
    """One file that grows. `put` and `finish` are called by the recorder, all else by the thread."""

    def __init__(self, folder: ReplayFolder, header: Header) -> None:
        self.failed = False
        """Told to the recorder, which puts no more then."""
        self._folder = folder
        self._header = header
        self._path = folder.path / f"{header.id}{PART}"
        self._finished = folder.path / f"{header.id}{SUFFIX}"
        self._file: BinaryIO | None = None
        self._size = 0
        self._entries: list[Entry] = []
        self._players = 0
        self._over = False

    def put(self, block: Block, size: int, players: int) -> None:
        if not self.failed and not self._folder.hand_over(
            partial(self._try, self._add, block, players), size
        ):
            self.failed = True
            self._folder.hand_over(
                partial(self._fail, "the disk is too slow"), 0
            )  # behind what waits already

    def finish(self, until: int, *, complete: bool) -> None:
        if not self.failed:
            self._folder.hand_over(partial(self._try, self._close, until, complete), 0)

    # In the thread

    def begin(self) -> None:
        self._try(self._open)

    def _try(self, do: Callable[..., None], *arguments: object) -> None:
        if self._over:
            return
        try:
            do(*arguments)
        except Exception as error:  # whatever it is, other recordings go on
            self._fail(f"{type(error).__name__}: {error}")

    def _open(self) -> None:
        self._folder.path.mkdir(parents=True, exist_ok=True)
        check_description(self._header.schema)  # what could not be read again need not be written
        if self._path.exists() or self._finished.exists():
            raise FileExistsError(f"{self._path.name} is there already")
        new = self._path.with_name(self._header.id + NEW)
        self._file = new.open("xb", buffering=0)
        _lock(self._file)
        new.rename(self._path)
        self._write(MAGIC + chunk(HEADER, encode_header(self._header)))

    def _add(self, block: Block, players: int) -> None:
        offset = self._size
        self._write(chunk(BLOCK, encode_block(block)))
        self._entries.append(entry_of(offset, block))
        self._players = players
        self._folder.make_room()

    def _write(self, data: bytes) -> None:
        """All of it, or nothing of it counts."""
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._size += len(data)
        self._folder.took(len(data))

    def _close(self, until: int, complete: bool) -> None:
        assert self._file is not None
        self._over = True
        if not self._entries:
            self._discard()
            return
        index = Index(
            blocks=tuple(self._entries),
            until=max(until, self._entries[-1].until),
            ended=self._folder.wall(),
            players=self._players,
            complete=complete,
        )
        self._write(ending(index, self._size))
        os.fsync(self._file.fileno())
        self._path.rename(self._finished)
        self._file.close()
        self._folder.has(_recorded(self._header, index, self._finished))

    def _discard(self) -> None:
        assert self._file is not None
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _fail(self, error: str) -> None:
        """The recording ends; what is written of it is closed if that is still possible."""
        self.failed = self._over = True
        self._folder.failed += 1
        log.error("a recording has ended", room=self._header.room, file=self._path.name, error=error)
        if self._file is None:
            return
        try:
            self._file.truncate(self._size)
            self._file.seek(self._size)
            self._close(0, False)
        except (OSError, ValueError):
            self._file.close()  # the next server to start closes it


def _recorded(header: Header, index: Index, path: Path) -> RecordedReplay:
    return RecordedReplay(
        id=header.id,
        room=header.room,
        game=header.game,
        started=header.started,
        ended=index.ended,
        ticks=index.until - index.blocks[0].at,
        size=_size(path),
        file=path.name,
        complete=index.complete,
        private=header.private,
    )


def _lock(file: BinaryIO) -> bool:
    """Makes it this process's own until it is closed; False if it is another's."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
