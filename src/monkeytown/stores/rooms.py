"""Rooms on disk: one file for each, as it was put away last.

Knows folders, files and who has them: each process has a numbered folder of its own, and takes over those of processes that
are no more. A file is there whole or not at all. Must not know what is in it, nor when rooms are put away. What it does waits
for the disk, so it belongs in a thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from monkeytown.errors import StartError
from monkeytown.stores.folder import FolderLock, free_folders, make_folder, new_folder
from monkeytown.stores.segments import sync_folder

__all__ = ["RoomFiles"]

SUFFIX, UNFINISHED = ".room", ".new"


class RoomFiles:
    """The files of this process, which is the only one that has them. Raises `StartError`."""

    def __init__(self, root: Path) -> None:
        self._locks: dict[Path, FolderLock] = {}
        try:
            make_folder(root)
            self._locks = free_folders(root)
            self._folder, self._lock = self._locks.popitem() if self._locks else new_folder(root)
            for left in self._folder.glob("*" + UNFINISHED):
                left.unlink()
        except (OSError, StartError) as error:
            self.close()
            if isinstance(error, StartError):
                raise
            raise StartError(f"no room can be kept in {root}: {error.strerror or error}") from error

    def found(self) -> list[Path]:
        """The files that are there, also in the folders of processes that are no more."""
        folders = (self._folder, *self._locks)
        return sorted(path for folder in folders for path in folder.glob("*" + SUFFIX))

    def take_over(self, path: Path, room_id: str, data: bytes) -> None:
        """What was found is this process's from now on, with another content. Raises OSError."""
        self.write(room_id, data)
        if path != self._path(room_id):
            path.unlink(missing_ok=True)

    def write(self, room_id: str, data: bytes) -> None:
        """The file of a room is another one, and stays so if the machine fails. Raises OSError."""
        path = self._path(room_id)
        unfinished = path.with_suffix(UNFINISHED)
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_folder(self._folder)

    def remove(self, room_id: str) -> None:
        """The room is no more. Nothing happens if it has no file. Raises OSError."""
        self._path(room_id).unlink(missing_ok=True)

    def let_others_go(self) -> None:
        """What is left in the folders of others is not for this process."""
        while self._locks:
            _, lock = self._locks.popitem()
            with suppress(OSError):
                lock.remove_folder()
            lock.release()

    def close(self) -> None:
        """Another process may have the folders."""
        self.let_others_go()
        lock: FolderLock | None = getattr(self, "_lock", None)
        if lock is not None:
            lock.release()

    def _path(self, room_id: str) -> Path:
        return self._folder / (room_id + SUFFIX)
