"""Tables brought back from what `dump` wrote of others of their kind."""

from collections.abc import Sequence
from typing import Any

from monkeytown._core.state import Table

def restore(tables: Sequence[Table[Any]], data: bytes) -> None:
    """Brings back what `dump` wrote into tables of the same schema that nothing has happened in.

    Readers at any position of the same history go on with deltas. WireError for bytes that are no dump of such
    tables, which are not to be used then; ValueError for tables in use.
    """
