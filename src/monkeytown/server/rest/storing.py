"""What endpoints have in common that need the store.

Knows that a server may keep nothing.
"""

from __future__ import annotations

from monkeytown.errors import StoreDown
from monkeytown.stores.store import Store

__all__ = ["Storing"]


class Storing:
    """`store`: None for a server that keeps nothing."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    @property
    def _kept(self) -> Store:
        """Raises `StoreDown` where nothing is kept."""
        if self._store is None:
            raise StoreDown("nothing is kept")
        return self._store
