"""What must last of a room: entries in the order in which they happened, numbered from 1.

Knows what an entry is, not where it goes, nor what time it is: whoever takes the entries stamps and keeps them. A room's id,
its epoch and an entry's number name the entry for ever, so that it can be handed over twice and is kept once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

__all__ = ["MAX_CONTENT", "Entry", "Kind", "Ledger", "as_json"]

MAX_CONTENT = 16 * 1024
"""Bytes of one entry's content at most."""


class Kind(StrEnum):
    """What an entry tells. Its content is a JSON object with these keys."""

    OPENED = "opened"
    """The room begins: `game`, `mode`, `private`."""
    JOINED = "joined"
    """A player has a seat: `name`, `guest`."""
    LEFT = "left"
    """It is no longer theirs."""
    EVENT = "event"
    """The rules emitted something: `event`, `data`."""
    CHAT = "chat"
    """A player said something: `name`, `text`."""
    SCORE = "score"
    """A player has a score: `score`, `name`, `guest`, `order`."""
    RESULT = "result"
    """The rules finished: `result`."""
    DATA = "data"
    """A player's document is another one: `data`."""
    CLOSED = "closed"
    """The room has ended: `reason`, `failed`."""


class Entry(NamedTuple):
    """`player` is an id, or empty if it is about nobody in particular; `content` is a JSON object."""

    sequence: int
    kind: Kind
    player: str
    content: bytes


class Ledger:
    """The entries of one room that nobody has taken yet."""

    __slots__ = ("entries", "last")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.last = 0
        """The number of the newest entry; 0 before the first."""

    def note(self, kind: Kind, player: str = "", **content: Any) -> None:
        """Adds an entry. Raises TypeError or ValueError for what JSON cannot hold, and for what is too large."""
        self.add(kind, player, as_json(content))

    def add(self, kind: Kind, player: str, content: bytes) -> None:
        """The same with content that is written already."""
        self.last += 1
        self.entries.append(Entry(self.last, kind, player, content))

    def undo(self, last: int) -> None:
        """What came after the entry of this number never happened. Nothing of it may have been taken."""
        while self.last > last:
            self.entries.pop()
            self.last -= 1

    def take(self) -> list[Entry]:
        """What was added since this was last called, oldest first."""
        taken, self.entries = self.entries, []
        return taken


def as_json(content: object, most: int = MAX_CONTENT) -> bytes:
    """As it is kept. Raises TypeError or ValueError for what JSON cannot hold, and for more than `most` bytes."""
    try:
        written = msgspec.json.encode(content, enc_hook=_plain)
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"this cannot be kept: {error}") from None
    if len(written) > most:
        raise ValueError(f"{len(written)} bytes are too many to keep; at most {most} bytes")
    return written


def _plain(value: object) -> object:
    """NumPy's scalars as the numbers they are."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"a {type(value).__name__} cannot be kept: use numbers, text, lists and maps")
    return item()
