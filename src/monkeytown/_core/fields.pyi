"""Fields: what one attribute of an entity or an input may hold, and how it becomes an integer on the wire."""

import builtins
from typing import Any, Generic, Literal, Self, TypeVar, overload

from typing_extensions import disjoint_base

_T = TypeVar("_T")

@disjoint_base
class Holder:
    """Something with fields: a row of a table or an input record."""

@disjoint_base
class Field(Generic[_T]):
    """One attribute of an entity or an input. Made by the functions of `monkeytown.schema`, which document the parameters."""

    name: str
    owner: str
    """The name of the class that the field belongs to."""
    type: str
    linear: bool
    owner_only: bool
    raises: bool
    bits: int
    count: int
    """Places of an array; 0 for a single value."""
    lo: float
    hi: float
    step: float
    max: int
    values: tuple[str, ...]
    enum_class: builtins.type | None
    target: Any
    default: _T
    index: int
    """Place among the fields of its class; -1 before it is bound."""

    def __init__(
        self,
        type: str,
        *,
        lo: float = 0,
        hi: float = 0,
        step: float = 1,
        bits: int = 0,
        max: int = 0,
        count: int = 0,
        values: tuple[str, ...] = (),
        enum_class: builtins.type | None = None,
        target: Any = None,
        predict: Literal["hold", "linear"] = "hold",
        overflow: Literal["clamp", "raise"] = "clamp",
        owner_only: bool = False,
        default: _T | None = None,
    ) -> None: ...
    @overload
    def __get__(self, holder: None, owner: Any, /) -> Self: ...
    @overload
    def __get__(self, holder: Holder, owner: Any, /) -> _T: ...
    def __set__(self, holder: Holder, value: _T, /) -> None: ...
    def __set_name__(self, owner: Any, name: str) -> None: ...
    def bind(self, owner: str, name: str, place: int) -> None:
        """Called once by the class that the field belongs to."""

    def repeated(self, count: int) -> Field[Any]:
        """The same field as an array of `count` places."""
