"""What waits to be published, in order, and never more of it than so many bytes.

Knows messages by channel, size and whether they may be dropped; no connection.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

__all__ = ["Backlog", "Waiting"]

FIXED_COST = 200
"""Bytes that a message takes besides its data: small ones are bounded as well."""


class Waiting(NamedTuple):
    channel: bytes
    data: bytes
    may_drop: bool

    @property
    def cost(self) -> int:
        """In bytes."""
        return len(self.data) + FIXED_COST


class Backlog:
    """At most `limit` bytes. Of what is too much, what may be dropped goes first, oldest first; if there is none, the oldest
    of all."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._number = 0
        self._waiting: OrderedDict[int, Waiting] = OrderedDict()
        self._droppable: deque[int] = deque()
        """Numbers, oldest first; some are gone already."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: Waiting) -> int:
        """Returns how many were dropped for it, itself perhaps among them."""
        self._number += 1
        self._waiting[self._number] = waiting
        self.bytes += waiting.cost
        if waiting.may_drop:
            self._droppable.append(self._number)
        dropped = 0
        while self.bytes > self.limit and self._waiting:
            self._drop()
            dropped += 1
        return dropped

    def _drop(self) -> None:
        while self._droppable:
            gone = self._waiting.pop(self._droppable.popleft(), None)
            if gone is not None:
                self.bytes -= gone.cost
                return
        self.bytes -= self._waiting.popitem(last=False)[1].cost

    def take(self, most: int) -> list[Waiting]:
        """The oldest, of `most` bytes together; a larger one alone."""
        taken: list[Waiting] = []
        size = 0
        while self._waiting:
            number, waiting = self._waiting.popitem(last=False)
            cost = waiting.cost
            if taken and size + cost > most:
                self._waiting[number] = waiting
                self._waiting.move_to_end(number, last=False)
                break
            taken.append(waiting)
            size += cost
        self.bytes -= size
        if not self._waiting:
            self._droppable.clear()
        return taken
