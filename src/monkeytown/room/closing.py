"""Why a room has ended, and with which code its players are sent away."""

from __future__ import annotations

from typing import NamedTuple

from monkeytown.errors import HookError

__all__ = ["HANDED_OVER", "PUT_AWAY", "ROOM_CLOSED", "ROOM_FAILED", "Closing"]

# Close codes of docs/reference/errors.md. The first says: come back; the others: do not, to this room.
GOING_AWAY = 4000
ROOM_FAILED = 4505
ROOM_CLOSED = 4506


class Closing(NamedTuple):
    """Why a room has ended. `error` is there when the rules failed."""

    reason: str
    code: int
    error: HookError | None = None


PUT_AWAY = Closing("the room is put away", GOING_AWAY)
"""Nothing happens here any more; the room goes on elsewhere, or later."""

HANDED_OVER = Closing("the room is handed over", GOING_AWAY)
"""The same, but its players go on with it and need not be sent away."""
