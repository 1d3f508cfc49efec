"""What a test hears on a bus, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["PATIENCE", "Ear", "until"]

PATIENCE = 20.0


class Ear(list[bytes]):
    """A receiver that keeps what it hears, in order."""

    def __call__(self, data: bytes) -> None:
        self.append(data)

    async def hears(self, *messages: bytes) -> None:
        """Waits until it has heard these among others."""
        await until(lambda: set(messages) <= set(self))


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - whatever it is, it tells nobody
            await asyncio.sleep(0.005)
