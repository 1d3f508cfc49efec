"""Delta or snapshot? The one place that decides.

Knows positions and whether the tables still remember what happened since; knows nothing of bytes or readers.
"""

from __future__ import annotations

from collections.abc import Callable

from monkeytown.position import Position, Reason

__all__ = ["decide"]

# It is the answer to nearly every read, and looking up an enum's member is slow.
_CONTINUED = Reason.CONTINUED


def decide(position: Position | None, now: Position, remembers: Callable[[int], bool]) -> Reason:
    """Why a reader at `position` gets a delta or a snapshot of a room that stands at `now`.

    `remembers(tick)` says whether all despawns since that tick are still known; it is asked last, and only
    about ticks of this history.
    """
    if position is None:
        return Reason.FIRST_READ
    if position.epoch != now.epoch:
        return Reason.OTHER_EPOCH
    if position.tick > now.tick:
        return Reason.AHEAD
    if not remembers(position.tick):
        return Reason.TOO_OLD
    return _CONTINUED
