"""The spools of one data folder: this process' own, and those that processes which are no more have left behind.

Knows numbered folders and who has them. Must not know where records go.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from monkeytown.errors import StartError
from monkeytown.stores.folder import FolderLock, free_folders, make_folder, new_folder
from monkeytown.stores.metrics import SpoolMetrics
from monkeytown.stores.spool import SEGMENT_BYTES, Spool

__all__ = ["Spools", "open_spools"]

log = structlog.get_logger()


@dataclass(slots=True)
class Spools:
    """`own` is appended to; `leftovers` are only to be emptied and removed, before it, since what is in them is older."""

    root: Path
    own: Spool
    leftovers: list[Spool]
    metrics: SpoolMetrics

    async def close(self) -> None:
        """Puts to disk what was appended, and gives all folders up."""
        for spool in (self.own, *self.leftovers):
            await spool.close()


def open_spools(root: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> Spools:
    """The first numbered folder of `root` that nobody has, or a new one, and all others that nobody has any more.

    To be called in the event loop that appends. Raises `StartError`.
    """
    metrics = SpoolMetrics()
    locks: dict[Path, FolderLock] = {}
    try:
        make_folder(root)
        locks = free_folders(root)
        folder, lock = locks.popitem() if locks else new_folder(root)
        own = Spool(folder, max_bytes=max_bytes, segment_bytes=segment_bytes, metrics=metrics, lock=lock)
    except (OSError, StartError) as error:
        for lock in locks.values():
            lock.release()
        if isinstance(error, StartError):
            raise
        raise StartError(f"nothing can be kept in {root}: {error.strerror or error}") from error
    leftovers = []
    for left, lock in reversed(locks.items()):
        try:
            spool = Spool(left, max_bytes=max_bytes, segment_bytes=segment_bytes, metrics=metrics, lock=lock)
        except (OSError, StartError) as error:
            log.error("a spool that was left behind cannot be read; it stays where it is", error=str(error))
            continue
        log.info("a spool was left behind", folder=str(left), records=spool.last - spool.trimmed)
        leftovers.append(spool)
    return Spools(root, own, leftovers, metrics)
