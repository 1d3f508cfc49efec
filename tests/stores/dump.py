"""All that is in a database, to be compared."""

from __future__ import annotations

from typing import Any

from monkeytown.stores.store import Store

__all__ = ["TABLES", "contents"]

TABLES = {
    table: f"SELECT * FROM {table}"
    for table in (
        *("players", "games", "participants", "events", "chat"),
        *("scores", "results", "boards", "standings", "replays"),
    )
}


async def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table, in an order of their own."""
    return {table: sorted(await store.database.fetch(sql), key=repr) for table, sql in TABLES.items()}
