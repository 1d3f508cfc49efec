"""What the servers in Python share: what they are told, and a clock that does not drift."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

__all__ = ["FRAME", "PORT", "ROOM", "every_tick"]

PORT = int(os.environ["PEER_PORT"])
ROOM = int(os.environ["PEER_ROOM"])
FRAME = bytes(index & 255 for index in range(int(os.environ.get("PEER_BYTES", "0"))))
PERIOD = 1 / 60


def every_tick(step: Callable[[], None]) -> None:
    """Calls `step` 60 times a second from now on. What is late by more than an interval is dropped."""
    loop = asyncio.get_running_loop()
    due = loop.time() + PERIOD

    def tick() -> None:
        nonlocal due
        step()
        due = max(due + PERIOD, loop.time() - PERIOD)
        loop.call_at(due, tick)

    loop.call_at(due, tick)
