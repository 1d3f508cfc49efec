"""Two ends and a faulty line between them, in memory and in virtual time: the same seed gives the same run.

For tests of what is pure. Pieces arrive whole, as they were sent. The knobs are those of `tests.chaos.proxy`, which does the
same to real sockets.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Literal

from tests.chaos.faults import Faults, Line

__all__ = ["Clock", "End", "Pair"]

Ended = Literal["", "end", "reset"]


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something then; what is due at the same moment is done in the order in which it was asked for."""
        heapq.heappush(self._due, (max(when, self.now), next(self._order), action))

    def advance(self, seconds: float) -> None:
        """Let time pass, and do what is due in it."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = end

    def run(self) -> None:
        """Let time pass until nothing is due any more."""
        while self._due:
            self.advance(self._due[0][0] - self.now)


class End:
    """One end: what it is sent is kept in `received`, unless `on_data` is another function."""

    def __init__(self, direction: _Direction) -> None:
        self._direction = direction
        self.received: list[bytes] = []
        self.on_data: Callable[[bytes], None] = self.received.append
        self.on_end: Callable[[Ended], None] = lambda how: None
        self.ended: Ended = ""
        """How the other end has ended: not yet, after all it had sent, or by a reset that lost what was under way."""

    def send(self, data: bytes) -> bool:
        """False if it was closed or cut."""
        return self._direction.send(data)

    def close(self) -> None:
        """Send nothing more: the other end is told so after what is under way, and may go on sending."""
        self._direction.send(None)

    @property
    def under_way(self) -> int:
        """Bytes that were sent from here and have not arrived."""
        return self._direction.under_way

    def _end(self, how: Ended) -> None:
        if not self.ended:
            self.ended = how
            self.on_end(how)


class Pair:
    """Two ends, `a` and `b`, with faults in each direction."""

    def __init__(self, clock: Clock, *, seed: int = 0) -> None:
        random = Random(seed)
        self.a_to_b, self.b_to_a = Faults(), Faults()
        there, back = _Direction(clock, self.a_to_b, random), _Direction(clock, self.b_to_a, random)
        self.a, self.b = End(there), End(back)
        there.sink, back.sink = self.b, self.a

    def cut(self) -> None:
        """Break it: what is under way is lost, and both ends are told at once."""
        for end in (self.a, self.b):
            end._direction.cut()
        for end in (self.a, self.b):
            end._end("reset")


class _Direction:
    sink: End

    def __init__(self, clock: Clock, faults: Faults, random: Random) -> None:
        self._clock = clock
        self._faults = faults
        self._line = Line(faults, random)
        self._pieces: deque[tuple[float, bytes | None]] = deque()  # None: the end
        self._open = True
        faults.listen(lambda: clock.at(clock.now, self._deliver))

    @property
    def under_way(self) -> int:
        return sum(len(data or b"") for _, data in self._pieces)

    def send(self, data: bytes | None) -> bool:
        if not self._open:
            return False
        self._open = data is not None
        due = self._line.arrival(self._clock.now, len(data or b""))
        self._pieces.append((due, data))
        self._clock.at(due, self._deliver)
        return True

    def cut(self) -> None:
        self._open = False
        self._pieces.clear()

    def _deliver(self) -> None:
        while self._pieces and self._pieces[0][0] <= self._clock.now and not self._faults.stalled:
            _, data = self._pieces.popleft()
            if data is None:
                self.sink._end("end")
            else:
                self.sink.on_data(data)
