"""Tables put away: everything that a table holds, as bytes for another process of this kind of machine."""

from collections.abc import Sequence
from typing import Any

from monkeytown._core.state import Table

def dump(tables: Sequence[Table[Any]]) -> bytes:
    """All that these tables hold, for `restore.restore`: also what was written since the newest commit.

    Not in it: what `rewind` kept, and the residuals of the newest tick, so that deltas which lead to that very tick
    are made of corrections.
    """
