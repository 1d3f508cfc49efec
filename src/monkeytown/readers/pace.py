"""When players' sockets are read: at once while little comes in, otherwise all that has come, every other millisecond.

Waking up costs several times what it costs to read one input, and a thousand players who steer would wake the event loop
tens of thousands of times a second. What they send is looked at when the next tick begins, and right before that it is read
in any case. Knows a descriptor and a call; not what is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Pace"]

PACE = 0.002
"""Seconds from one look to the next while anything comes: what an answer may be late by."""

PATIENCE = 50
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
        """Reads what has come since the last look, if it looks by the clock."""
        if self._timer is not None:
            self._read()

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
        self._timer = self._loop.call_later(PACE, self._look_again)
        self._in_vain = 0
        self._read()

    def _look_again(self) -> None:
        self._timer = self._loop.call_later(PACE, self._look_again)
        self._in_vain = 0 if self._read() else self._in_vain + 1
        if self._in_vain == PATIENCE and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.add_reader(self._fd, self._wake)
