"""Whose a folder is: one process has it, until it gives it up or is no more.

Knows a lock that the kernel lets go of when a process ends, however it ends, and numbered folders, of which each process has
one of its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from monkeytown.errors import StartError
from monkeytown.stores.segments import sync_folder

__all__ = ["FolderLock", "free_folders", "make_folder", "new_folder"]


def make_folder(folder: Path) -> None:
    """Makes it and those that it is in, for nobody else, so that what is durable in it is in something durable."""
    if not folder.is_dir():
        make_folder(folder.parent)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
        sync_folder(folder.parent)


class FolderLock:
    """Has the folder, which is made if it is not there. Raises OSError, and `StartError` if another one has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "lock"
        self._descriptor = -1
        while self._descriptor < 0:
            make_folder(folder)
            # Whoever had the folder before may remove it right now.
            with suppress(FileNotFoundError):
                self._descriptor = self._take()

    def _take(self) -> int:
        """The lock's descriptor; -1 if what was locked is not in the folder any more."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(self._path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise StartError(f"another server uses {self._folder}") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return -1

    def release(self) -> None:
        """Others may have it. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove_folder(self) -> None:
        """Gives the folder up and removes it, unless there is something in it beside the lock."""
        if not any(path != self._path for path in self._folder.iterdir()):
            self._path.unlink()
            # Somebody else may have made a lock of their own in it.
            with suppress(OSError):
                self._folder.rmdir()
        self.release()


def free_folders(root: Path) -> dict[Path, FolderLock]:
    """The numbered folders that nobody has, locked, the first one last. Raises OSError."""
    free = {}
    for folder in sorted(root.iterdir(), reverse=True):
        if folder.name.isascii() and folder.name.isdecimal() and folder.is_dir():
            try:
                free[folder] = FolderLock(folder)
            except StartError:
                continue
    return free


def new_folder(root: Path) -> tuple[Path, FolderLock]:
    """The first number that nobody has. Raises OSError."""
    number = 1
    while True:
        folder = root / f"{number:04d}"
        try:
            return folder, FolderLock(folder)
        except StartError:
            number += 1
