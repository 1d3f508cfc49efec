"""What the database refuses, in a file that a person may read: one JSON object a line.

Knows one file and how large it may become. Nothing reads it again.
"""

from __future__ import annotations

import base64
import errno
import os
import time
from pathlib import Path

import msgspec
import structlog

from monkeytown.stores.records import Record

__all__ = ["MAX_BYTES", "Refusals"]

log = structlog.get_logger()

MAX_BYTES = 16 * 1024 * 1024


class Refusals:
    """A file that lines are added to until it is as large as it may be."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def keep(self, record: Record | bytes, reason: str) -> None:
        """Adds a record, or bytes that are none, and returns when they are on disk. Whatever happens, the log has it too."""
        about: dict[str, object] = {"reason": reason}
        if isinstance(record, Record):
            about |= {
                "room": record.room,
                "epoch": record.epoch,
                "sequence": record.sequence,
                "kind": record.kind,
            }
            log.error("the database refuses a record", file=str(self.path), **about)
            about |= {"game": record.game, "time": record.time, "player": record.player}
            about["content"] = record.content.decode("utf-8", "backslashreplace")
        else:
            log.error("what stands in a spool is no record", file=str(self.path), **about)
            about["bytes"] = base64.b64encode(record).decode()
        try:
            self._add(msgspec.json.encode(about | {"refused": time.time()}) + b"\n")
        except OSError as error:
            log.error("a refused record cannot be kept", file=str(self.path), error=str(error), **about)

    def _add(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(line) > self._max_bytes:
                log.error("the file of refused records is full", file=str(self.path))
                return
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
