"""When players' sockets are read: at once while little comes in, otherwise all that has come, right before each tick.

Waking up costs several times what it costs to read one input, and a thousand players who steer would wake the event loop
tens of thousands of times a second. What they send is looked at when the next tick begins, and most of what it says to them
goes out with that. So in between, sockets are looked at only if there has been no tick for a while. Knows a descriptor and a
call; not what is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Pace"]

PACE = 0.010
"""Seconds from one look to the next while anything comes, at most: what an answer may be late by. Longer than half the
interval of 60 Hz, the two halves of which have a tick each where there are several rooms."""

PATIENCE = 25
"""Looks in vain before it is woken up again. Having an epoll set in another one costs a walk through all that is in it."""


class Pace:
    """Has `read` called for what a descriptor has to read. It returns whether there was anything."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, read: Callable[[], bool]) -> None:
        self._loop = loop
        self._fd = fd
        self._read = read
        self._timer: asyncio.TimerHandle | None = None
        self._in_vain = 0
        loop.add_reader(fd, self._wake)

    @property
    def is_busy(self) -> bool:
        """Whether it looks by the clock, not when it is woken up."""
        return self._timer is not None

    def look(self) -> None:
        """Reads what has come since the last look, if it looks by the clock: it is done for some time then."""
        if self._timer is not None:
            self._timer.cancel()
            self._look()

    def close(self) -> None:
        """Reads no more."""
        if self._timer is None:
            self._loop.remove_reader(self._fd)
        else:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._loop.remove_reader(self._fd)
        # First the timer: what is read may close this.
        self._timer = self._loop.call_later(PACE, self._look)
        self._in_vain = 0
        self._read()

    def _look(self) -> None:
        self._timer = self._loop.call_later(PACE, self._look)
        self._in_vain = 0 if self._read() else self._in_vain + 1
        if self._in_vain == PATIENCE and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.add_reader(self._fd, self._wake)
