"""How often an instance that is too busy sends states: at each tick, at every second, at every third.

Arithmetic on times it is given; knows neither clocks nor rooms. The simulation and the inputs go on at the full rate: a
reader that was not sent to is behind, which frames take care of. So only the work of sending becomes less, and the rest
stays as it is.
"""

from __future__ import annotations

from math import exp

__all__ = ["MAX_STRIDE", "Shedding"]

MAX_STRIDE = 3

TOO_BUSY = 0.85
"""Share of the time; beyond it the next tick would soon be late."""

AT_EASE = 0.65
"""Share of the time that must not be exceeded with more frequent sends."""

CALM_SECONDS = 5.0
"""How long it must have been so."""

GAIN = 0.02
"""Share of the time that must be won; players are not made to see less for nothing."""

MEMORY_SECONDS = 1.0
LONGEST = 0.25
"""Seconds that one observation counts for at most: a single long pause is no load."""


class Shedding:
    """Observes how busy an instance is; `stride` is how many ticks lie between two states."""

    def __init__(self, max_stride: int = MAX_STRIDE) -> None:
        if not 1 <= max_stride <= MAX_STRIDE:
            raise ValueError(f"states are sent at every 1st to {MAX_STRIDE}rd tick, not {max_stride}")
        self.stride = 1
        self._max_stride = max_stride
        self._sending = 0.0
        self._rest = 0.0
        self._calm = 0.0

    @property
    def busy(self) -> float:
        """The share of the last second or so in which the instance worked."""
        return self._sending + self._rest

    def observe(self, elapsed: float, working: float, sending: float) -> bool:
        """Within `elapsed` seconds the instance worked for `working`, `sending` of them.

        Returns whether the stride changed.
        """
        if elapsed <= 0:
            return False
        weight = 1 - exp(-min(elapsed, LONGEST) / MEMORY_SECONDS)
        sending = min(sending, elapsed) / elapsed
        working = min(working, elapsed) / elapsed
        self._sending += weight * (sending - self._sending)
        self._rest += weight * (max(working - sending, 0.0) - self._rest)
        before = self.stride
        if self.busy > TOO_BUSY and self.stride < self._max_stride:
            if self._sending - self._sending_at(self.stride + 1) >= GAIN:
                self._change(self.stride + 1)
        elif self.stride > 1 and self._rest + self._sending_at(self.stride - 1) < AT_EASE:
            self._calm += elapsed
            if self._calm >= CALM_SECONDS:
                self._change(self.stride - 1)
        else:
            self._calm = 0.0
        return self.stride != before

    def _sending_at(self, stride: int) -> float:
        """The share that sending would take at another stride."""
        return self._sending * self.stride / stride

    def _change(self, stride: int) -> None:
        # What is expected stands in for what was not observed yet; otherwise one overload would lead to two steps.
        self._sending = self._sending_at(stride)
        self.stride = stride
        self._calm = 0.0
