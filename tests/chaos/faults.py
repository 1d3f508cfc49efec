"""What a faulty line does to what is sent over it, and when each piece arrives.

Pure: knows numbers only. It must not know sockets (that is `proxy`) or a clock (that is `tests.pair`).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

__all__ = ["Faults", "Line"]


class Faults:
    """The knobs of one direction. They may be turned at any time, and count for what is sent from then on.

    `delay` and `jitter` are in seconds: a piece takes from `delay` to `delay + jitter`. `rate` is in bytes a second; 0: any.
    """

    def __init__(self, delay: float = 0.0, jitter: float = 0.0, rate: float = 0.0) -> None:
        self.delay = delay
        self.jitter = jitter
        self.rate = rate
        self._stalled = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def stalled(self) -> bool:
        """While it is, nothing is taken from the sender and nothing arrives."""
        return self._stalled

    @stalled.setter
    def stalled(self, value: bool) -> None:
        self._stalled = value
        for listener in tuple(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the line stalls or flows again; returns a function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


class Line:
    """One connection's way in one direction: pieces arrive in the order in which they were sent."""

    def __init__(self, faults: Faults, random: Random) -> None:
        self._faults = faults
        self._random = random
        self.free_at = 0.0
        """When all that was sent has left the sender: with a rate, the next piece has to wait until then."""
        self._newest = 0.0

    def arrival(self, now: float, size: int) -> float:
        """When a piece of `size` bytes that is sent now arrives."""
        faults = self._faults
        self.free_at = max(self.free_at, now) + (size / faults.rate if faults.rate else 0.0)
        delay = faults.delay + self._random.uniform(0, faults.jitter)
        self._newest = max(self._newest, self.free_at + delay)
        return self._newest
