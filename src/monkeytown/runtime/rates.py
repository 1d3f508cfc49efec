"""A rate for each of many: players, addresses.

Knows keys and time. Who has asked for nothing in a while has its whole burst again, so it need not be remembered; how many
are is bounded whatever comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from monkeytown.runtime.limits import TokenBucket

__all__ = ["Rates"]

MOST_REMEMBERED = 10_000


class Rates:
    """A bucket for each key. Those that were used last are remembered."""

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        most: int = MOST_REMEMBERED,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._now = now
        self._buckets: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: str) -> float:
        """Seconds until this one may have one more. Counts nothing."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.wait(self._now())

    def take(self, key: str) -> float:
        """Counts one, and returns 0; or counts nothing, and returns the seconds to wait."""
        now = self._now()
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate, self._burst, now)
        self._buckets[key] = bucket
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        wait = bucket.wait(now)
        if not wait:
            bucket.take(now)
        return wait
