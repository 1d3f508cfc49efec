"""How long to wait before coming back after a lost connection. Pure: knows numbers only.

The delay doubles from a tenth of a second to five seconds, and each is drawn from its upper half: a thousand clients that
lose the same server must not return in the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

__all__ = ["LONGEST", "SHORTEST", "delays"]

SHORTEST = 0.1
LONGEST = 5.0


def delays(random: Random) -> Iterator[float]:
    """Endless delays in seconds, for one loss."""
    limit = 2 * SHORTEST
    while True:
        yield random.uniform(limit / 2, limit)
        limit = min(2 * limit, LONGEST)
