"""Why a room has ended, and with which code its players are sent away."""

from __future__ import annotations

from typing import NamedTuple

from monkeytown.errors import HookError

__all__ = ["ROOM_CLOSED", "ROOM_FAILED", "Closing"]

# Close codes of docs/reference/errors.md. Both say: do not come back to this room.
ROOM_FAILED = 4505
ROOM_CLOSED = 4506


class Closing(NamedTuple):
    """Why a room has ended. `error` is there when the rules failed."""

    reason: str
    code: int
    error: HookError | None = None
