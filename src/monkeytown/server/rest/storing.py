"""What endpoints have in common that need the store.

Knows that a server may keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from monkeytown.errors import StoreDown
from monkeytown.stores.store import Store

__all__ = ["Reach", "Storing"]

Reach = Callable[[], Store]


class Storing:
    """`reach` gives the store, or raises `Refusal` while it is known to be down; None for a server that keeps nothing."""

    def __init__(self, reach: Reach | None) -> None:
        self._reach = reach

    @property
    def _kept(self) -> Store:
        """Raises `Refusal` or `StoreDown`."""
        if self._reach is None:
            raise StoreDown("nothing is kept")
        return self._reach()
