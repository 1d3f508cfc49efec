"""The store: all that lasts, behind one name.

Each part of it (`writing`, `players`, `history`, `boards`, `replays`) knows its own tables; this joins them.
"""

from __future__ import annotations

from monkeytown.stores.boards import Boards
from monkeytown.stores.history import History
from monkeytown.stores.players import Players
from monkeytown.stores.replays import Replays
from monkeytown.stores.writing import Writing

__all__ = ["Store"]


class Store(Writing, Players, History, Boards, Replays):
    """What lasts, in a database that was opened with `open`.

    Everything that awaits raises `StoreDown` when the database cannot be reached, and may then be tried again. What writes
    raises `RecordRefused` for what no database could hold, such as an id of more than 255 characters.
    """
