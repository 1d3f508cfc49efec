"""What a player must not miss: a numbered, bounded stream of news, kept until it is acknowledged and resumed by number.

Knows numbers and bytes, not connections or encodings. Whatever is older than the window is gone, and asking for it gets an
honest None instead of a part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from monkeytown.room.mail import News

__all__ = ["MAX_BYTES", "MAX_NEWS", "Outbox"]

MAX_BYTES = 64 * 1024
"""Of payloads kept for a player; the oldest go first."""

MAX_NEWS = 1024
"""Kept for a player."""


class Outbox:
    """The news of one player, numbered from 1 without gaps."""

    __slots__ = ("_bytes", "_news", "last")

    def __init__(self) -> None:
        # Even an empty deque takes more than all else here, and most players have nothing waiting.
        self._news: deque[News] | None = None
        self._bytes = 0
        self.last = 0
        """The number of the newest; 0 before the first."""

    @property
    def first(self) -> int:
        """The number of the oldest that is still kept; one more than `last` if none is."""
        return self.last + 1 - (len(self._news) if self._news is not None else 0)

    def append(self, news: News) -> int:
        """Adds news and returns its number; the oldest make room for it."""
        self.last += 1
        if self._news is None:
            self._news = deque()
        self._news.append(news)
        self._bytes += len(news.payload)
        while self._bytes > MAX_BYTES or len(self._news) > MAX_NEWS:
            self._bytes -= len(self._news.popleft().payload)
        return self.last

    def since(self, number: int) -> list[tuple[int, News]] | None:
        """All news after `number`, each with its own; None if they are not all kept, or it is not a number of ours."""
        if not self.first - 1 <= number <= self.last:
            return None
        return list(enumerate(islice(self._news or (), number + 1 - self.first, None), number + 1))

    @property
    def kept(self) -> list[News]:
        """Those that are still kept, the newest last."""
        return list(self._news or ())

    def skip(self) -> None:
        """Something is lost that should stand here: nobody goes on from before it."""
        self.last += 1
        self._news, self._bytes = None, 0

    def restore(self, last: int, news: Iterable[News]) -> None:
        """Goes on where another one was, which had this news left."""
        self.last, self._bytes = last, 0
        self._news = deque(news)
        self._bytes = sum(len(one.payload) for one in self._news)

    def acknowledge(self, number: int) -> None:
        """The player has everything up to `number`, which need not be kept any longer."""
        if number >= self.last:
            self._news, self._bytes = None, 0
        while self._news and self.first <= number:
            self._bytes -= len(self._news.popleft().payload)
