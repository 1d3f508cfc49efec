"""What a player must not miss: a numbered, bounded stream of events, resumed by number.

Knows numbers and bytes, not connections or encodings. Whatever is older than the window is gone, and asking
for it gets an honest None instead of a part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec

__all__ = ["MAX_EVENT", "Event", "Outbox", "packed"]

MAX_EVENT = 16 * 1024
"""Bytes of one event's payload at most: an event is news, not state."""

MAX_BYTES = 64 * 1024  # of payloads kept for a player; the oldest go first
MAX_EVENTS = 1024  # kept for a player


class Event(NamedTuple):
    """One numbered message.

    `payload` is its map as MessagePack, frozen when it was sent and shared by all who get it.
    """

    number: int
    type: str
    payload: msgspec.Raw


def packed(payload: Mapping[str, object]) -> msgspec.Raw:
    """A payload as it will travel.

    Raises where the rules sent it: TypeError or ValueError name what cannot be sent.
    """
    try:
        content = msgspec.msgpack.encode(payload, enc_hook=_plain)
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"an event cannot carry this: {error}") from None
    if len(content) > MAX_EVENT:
        raise ValueError(f"an event of {len(content)} bytes is too large; at most {MAX_EVENT} bytes")
    return msgspec.Raw(content)


def _plain(value: object) -> object:
    """NumPy's scalars as the numbers they are."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(
            f"an event cannot carry a {type(value).__name__}: use numbers, text, bytes, lists and maps"
        )
    return item()


class Outbox:
    """The events of one player, numbered from 1 without gaps."""

    __slots__ = ("_bytes", "_events", "last")

    def __init__(self) -> None:
        # Even an empty deque takes more than all else here, and most players have nothing waiting.
        self._events: deque[Event] | None = None
        self._bytes = 0
        self.last = 0
        """The number of the newest event; 0 before the first."""

    @property
    def first(self) -> int:
        """The number of the oldest event that is still kept; one more than `last` if none is."""
        return self.last + 1 - (len(self._events) if self._events is not None else 0)

    def append(self, type: str, payload: msgspec.Raw) -> int:
        """Adds an event and returns its number; the oldest make room for it."""
        self.last += 1
        if self._events is None:
            self._events = deque()
        self._events.append(Event(self.last, type, payload))
        self._bytes += len(payload)
        while self._bytes > MAX_BYTES or len(self._events) > MAX_EVENTS:
            self._bytes -= len(self._events.popleft().payload)
        return self.last

    def since(self, number: int) -> list[Event] | None:
        """All events after `number`, or None if they are not all here any more (or it is not a number of
        ours).
        """
        if not self.first - 1 <= number <= self.last:
            return None
        return list(islice(self._events or (), number + 1 - self.first, None))

    def acknowledge(self, number: int) -> None:
        """The player has everything up to `number`, which need not be kept any longer."""
        if number >= self.last:
            self._events, self._bytes = None, 0
        while self._events and self._events[0].number <= number:
            self._bytes -= len(self._events.popleft().payload)

    def take(self) -> Iterable[Event]:
        """All that is kept, which need not be kept any longer."""
        events, self._events, self._bytes = self._events or (), None, 0
        return events
