"""Tables put away and brought back: everything that a table holds, as bytes for another process of this kind of machine."""

from collections.abc import Sequence
from typing import Any

from monkeytown._core.state import Table

def dump(tables: Sequence[Table[Any]]) -> bytes:
    """All that these tables hold, for `restore`: also what was written since the newest commit.

    Not in it: what `rewind` kept, and the residuals of the newest tick, so that deltas which lead to that very tick
    are made of corrections.
    """

def restore(tables: Sequence[Table[Any]], data: bytes) -> None:
    """Brings back what `dump` wrote into tables of the same schema that nothing has happened in.

    Readers at any position of the same history go on with deltas. WireError for bytes that are no dump of such
    tables, which are not to be used then; ValueError for tables in use.
    """
