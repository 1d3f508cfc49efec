"""The past: what a table held in its last ticks, as readers of the wire had it."""

from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.columns import Column
from monkeytown._core.state import Row

@disjoint_base
class Moment:
    """A table as it was at one tick: `moment.x` is the read-only column of the field `x`, by slot.

    Columns have the types that they have in the game, and the values that the wire had. Stays as it is for as long as it
    is kept. Values in slots where `alive` is false mean nothing.
    """

    tick: int

    def __new__(cls) -> Moment: ...
    def __len__(self) -> int: ...
    def __getattr__(self, name: str) -> memoryview[Any]: ...
    def column(self, name: str) -> memoryview[Any]:
        """The column of a field, also of one whose name means something else here. KeyError if it is not kept."""

    def place_of(self, name: str) -> int:
        """Which of the kept columns is that of a field. KeyError if none is."""

    @property
    def ids(self) -> memoryview[int]:
        """Who stood in each slot, 0 for nobody: uint32."""

    @property
    def alive(self) -> memoryview[bool]:
        """Which slots were in use."""

    def row(self, slot: int) -> Ghost:
        """The values of who stood in a slot. KeyError if it was free."""

    def get(self, id: int | Row, default: Any = None) -> Any:
        """The values of an entity, or `default` if it was not there. Takes an id, or a row that is alive now."""

@disjoint_base
class Ghost:
    """One entity as it was. Its fields are read-only."""

    def __new__(cls) -> Ghost: ...
    def __getattr__(self, name: str) -> Any: ...
    @property
    def id(self) -> int: ...
    @property
    def slot(self) -> int: ...

@disjoint_base
class Past:
    """The last `length` commits of a table."""

    length: int

    def __new__(cls, table: str, entity: type[Row], columns: tuple[Column, ...], length: int) -> Past: ...
