"""Columns: one field of all rows of a table."""

from collections.abc import Iterator
from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.fields import Field

@disjoint_base
class Column:
    """One field of all rows. `numpy.asarray(table.x)` shares its memory: shape (extent,), or (extent, n) for an array field.

    Values that NumPy writes out of range are clamped or refused when the tick is committed. Float fields are float64,
    integers and refs int64, bool and enum (the place of the name) one byte; text and blobs have no numbers to share.
    """

    field: Field[Any]
    bytes_encoded: int
    """Of this column in all state frames that were encoded."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@disjoint_base
class Places:
    """The places of an array field of one row: reads, writes, iterates like a list of fixed length."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __setitem__(self, index: int, value: Any, /) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
