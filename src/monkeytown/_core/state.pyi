"""Tables: the state of a room, versioned by tick."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from typing_extensions import disjoint_base

from monkeytown._core.columns import Column
from monkeytown._core.fields import Holder

_R = TypeVar("_R", bound=Row)
_D = TypeVar("_D")

@disjoint_base
class Row(Holder):
    """One entity: a handle to a row of a table. Attributes that are no fields are the game's own and stay on the server."""

    owner: int
    """The number of the player who owns it, who alone sees its owner_only fields; 0 for none."""

    @property
    def id(self) -> int:
        """Names this entity for good: generation * 2**20 + slot. Raises Gone once it is gone."""

    @property
    def slot(self) -> int:
        """Its place in the columns of its table."""

    @property
    def table(self) -> Table[Any]: ...
    @property
    def alive(self) -> bool:
        """False once the entity is gone; its fields then raise Gone."""

@disjoint_base
class Table(Generic[_R]):
    """Rows of one entity class, up to `capacity` of them.

    Iterating gives the rows in order of their slots; rows may be spawned and despawned meanwhile. `table.x` is the column
    of the field `x`.
    """

    name: str
    entity: type[_R]
    single: bool
    has_private: bool
    """Whether some field is owner_only."""
    columns: tuple[Column, ...]
    tick: int
    """Of the newest commit."""
    changed_tick: int
    """The newest tick in which anything was corrected, entered or gone."""
    changed_before: int
    """The same without the newest tick."""
    moving: bool
    """Some predicted value is in motion."""
    bytes_encoded: int
    """Of this table in all state frames that were encoded: its columns, and which rows they are of."""

    def __new__(cls, name: str, entity: type[_R], capacity: int, single: bool = False) -> Table[_R]: ...
    def __class_getitem__(cls, item: Any, /) -> type[Table[Any]]: ...
    def __getattr__(self, name: str) -> Column: ...
    def column(self, name: str) -> Column:
        """The column of a field, also of one whose name means something else on a table. KeyError if there is none."""

    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __iter__(self) -> Iterator[_R]: ...
    def __getitem__(self, id: int, /) -> _R: ...
    def __contains__(self, key: object, /) -> bool: ...
    @overload
    def get(self, id: int) -> _R | None: ...
    @overload
    def get(self, id: int, default: _D) -> _R | _D: ...
    def row(self, slot: int) -> _R:
        """The row in a slot: what an index into a column belongs to. KeyError if the slot is free."""

    def spawn(self, *, owner: int = 0, **values: Any) -> _R:
        """A new row, with the defaults of its fields where no value is given. `owner` is a player's number.

        Raises TableFull at the capacity and FieldError for a value that its field refuses.
        """

    def despawn(self, row: _R | int) -> None:
        """Ends a row, given as itself or by id. KeyError if it is gone already."""

    def clear(self) -> None:
        """Ends all rows."""

    def id_for(self, row: _R | int) -> int: ...
    def bind_ref(self, field: str, target: Table[Any]) -> None: ...
    def pin(self) -> None:
        """From now on the arrays do not move: memory for the whole capacity is taken."""

    @property
    def capacity(self) -> int: ...
    @property
    def extent(self) -> int:
        """One more than the highest slot in use: the length of the columns."""

    @property
    def alive(self) -> memoryview:
        """Which slots are in use: a read-only copy of booleans as long as the columns."""

def commit(tables: Sequence[Table[Any]], tick: int) -> None:
    """Makes `tick` the newest version of all tables: what the game wrote since the last one is now what readers get.

    FieldError if a value that NumPy wrote is not a number, or out of range in a field that raises.
    """
