"""Kinds of fields: what one attribute of an entity or an input may hold.

Floor 2, pure. Knows the compiled core's `Field`, whose parameters it documents; nothing of entities, tables or games.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from monkeytown._core.fields import Field
from monkeytown.errors import SchemaError

if TYPE_CHECKING:
    from monkeytown.schema import Entity

__all__ = ["angle", "array", "blob", "boolean", "enum", "fixed", "ref", "sint", "text", "uint"]

Predict = Literal["hold", "linear"]
Overflow = Literal["clamp", "raise"]

E = TypeVar("E", bound="Entity")
M = TypeVar("M", bound=Enum)


def fixed(
    lo: float,
    hi: float,
    *,
    step: float = 1.0,
    predict: Predict = "hold",
    overflow: Overflow = "clamp",
    owner_only: bool = False,
    default: float | None = None,
) -> Field[float]:
    """A number from `lo` to `hi` that travels in multiples of `step`; a plain float in the game.

    `predict="linear"` is for what moves: readers go on by the last tick's change, and only what differs travels.
    A value out of range is clamped, or raises FieldError with `overflow="raise"`; NaN always raises.
    """
    return Field(
        "fixed",
        lo=lo,
        hi=hi,
        step=step,
        predict=predict,
        overflow=overflow,
        owner_only=owner_only,
        default=default,
    )


def angle(
    bits: int = 8, *, predict: Predict = "hold", owner_only: bool = False, default: float | None = None
) -> Field[float]:
    """An angle in radians, any number of turns in the game; 2**bits directions on the wire (1 to 31 bits)."""
    return Field("angle", bits=bits, predict=predict, owner_only=owner_only, default=default)


def uint(
    bits: int = 32,
    *,
    predict: Predict = "hold",
    overflow: Overflow = "clamp",
    owner_only: bool = False,
    default: int | None = None,
) -> Field[int]:
    """A whole number from 0 to 2**bits - 1 (`bits` from 1 to 32)."""
    return Field(
        "uint", bits=bits, predict=predict, overflow=overflow, owner_only=owner_only, default=default
    )


def sint(
    bits: int = 32,
    *,
    predict: Predict = "hold",
    overflow: Overflow = "clamp",
    owner_only: bool = False,
    default: int | None = None,
) -> Field[int]:
    """A whole number from -2**(bits - 1) to 2**(bits - 1) - 1 (`bits` from 1 to 32)."""
    return Field(
        "sint", bits=bits, predict=predict, overflow=overflow, owner_only=owner_only, default=default
    )


def boolean(*, owner_only: bool = False, default: bool = False) -> Field[bool]:
    """True or false. In a class body the builtin `bool` may stand for `boolean()`."""
    return Field("bool", owner_only=owner_only, default=default)


@overload
def enum(values: type[M], /, *, owner_only: bool = False, default: M | None = None) -> Field[M]: ...
@overload
def enum(*values: str, owner_only: bool = False, default: str | None = None) -> Field[str]: ...
def enum(*values: Any, owner_only: bool = False, default: Any = None) -> Field[Any]:
    """One of up to 256 names, or one member of an Enum class. The first is the default."""
    if len(values) == 1 and isinstance(values[0], type) and issubclass(values[0], Enum):
        return Field("enum", enum_class=values[0], owner_only=owner_only, default=default)
    return Field("enum", values=values, owner_only=owner_only, default=default)


def text(
    max: int, *, overflow: Overflow = "clamp", owner_only: bool = False, default: str = ""
) -> Field[str]:
    """Text of at most `max` characters; longer text is cut, or raises FieldError with `overflow="raise"`."""
    return Field("text", max=max, overflow=overflow, owner_only=owner_only, default=default)


def blob(
    max: int, *, overflow: Overflow = "clamp", owner_only: bool = False, default: bytes = b""
) -> Field[bytes]:
    """At most `max` bytes; more are cut, or raise FieldError with `overflow="raise"`."""
    return Field("blob", max=max, overflow=overflow, owner_only=owner_only, default=default)


@overload
def ref(entity: type[E], /, *, owner_only: bool = False) -> Field[E | None]: ...
@overload
def ref(entity: str, /, *, owner_only: bool = False) -> Field[Any]: ...
def ref(entity: Any, /, *, owner_only: bool = False) -> Field[Any]:
    """Another entity of the room, or None; None too once that entity is gone.

    A class that is not defined yet (or the class itself) is given by its name. Exactly one table of the game
    holds it.
    """
    return Field("ref", target=entity, owner_only=owner_only)


def array(field: Field[Any] | type[bool], n: int) -> Field[Any]:
    """`n` values of a numeric field, `bool` or `enum` side by side, used like a list of fixed length."""
    if field is bool:
        field = boolean()
    if not isinstance(field, Field) or field.type in ("text", "blob") or field.count:
        raise SchemaError("array(field, n) takes a numeric field, bool or enum")
    if not 1 <= n <= 1024:
        raise SchemaError("array(field, n) takes 1 to 1024 places")
    return field.repeated(n)
