"""What a client has said and the server may not have yet, so that after a loss nothing is missing and nothing comes twice.

Pure: knows messages as bytes, their numbers and how many may wait. It must not know what they mean or whether there is a
connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from monkeytown.client.messages import encode_numbered

__all__ = ["Outbox"]

MOST_MESSAGES = 256
MOST_BYTES = 64 * 1024
LARGEST_MESSAGE = 4096  # the server refuses a larger one, and what is refused would be sent again for ever


class Outbox:
    """The numbered messages of one session, from the oldest that the server may not have. Iterating goes through them."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._newest = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[bytes]:
        return iter(tuple(self._waiting))

    def add(self, message: bytes) -> bytes | None:
        """The message as it is to be sent, now and perhaps again; None if it cannot be kept."""
        numbered = encode_numbered(self._newest + 1, message)
        full = len(self._waiting) >= MOST_MESSAGES or self._bytes + len(numbered) > MOST_BYTES
        if full or len(numbered) > LARGEST_MESSAGE:
            return None
        self._newest += 1
        self._bytes += len(numbered)
        self._waiting.append(numbered)
        return numbered

    def received(self, number: int) -> None:
        """The server has all up to this number."""
        while self._waiting and self._newest - len(self._waiting) < number:
            self._bytes -= len(self._waiting.popleft())

    def restart(self) -> int:
        """Count anew, in another session; says how many are given up."""
        lost = len(self._waiting)
        self._waiting.clear()
        self._bytes = self._newest = 0
        return lost
