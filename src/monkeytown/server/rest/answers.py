"""What is answered: bodies, statuses, entity tags, pages and their cursors.

Knows HTTP and JSON; not what is asked for.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from monkeytown.errors import Refusal

__all__ = [
    "Error",
    "Forbidden",
    "Page",
    "Reply",
    "Shape",
    "TooMany",
    "cursor",
    "encode",
    "entity_tag",
    "explained",
    "matches",
    "page",
    "position",
    "status_of",
]

T = TypeVar("T")
E = TypeVar("E")

STATUSES: dict[str, HTTPStatus] = {
    "AUTH-001": HTTPStatus.UNAUTHORIZED,
    "AUTH-002": HTTPStatus.FORBIDDEN,
    "AUTH-004": HTTPStatus.UNAUTHORIZED,
    "AUTH-005": HTTPStatus.FORBIDDEN,
    "AUTH-006": HTTPStatus.UNAUTHORIZED,
    "GAME-001": HTTPStatus.NOT_FOUND,
    "GAME-002": HTTPStatus.CONFLICT,
    "GAME-005": HTTPStatus.INTERNAL_SERVER_ERROR,
    "GAME-007": HTTPStatus.TOO_MANY_REQUESTS,
    "GAME-008": HTTPStatus.SERVICE_UNAVAILABLE,
    "REST-001": HTTPStatus.BAD_REQUEST,
    "REST-002": HTTPStatus.TOO_MANY_REQUESTS,
    "REST-003": HTTPStatus.NOT_FOUND,
    "REST-004": HTTPStatus.METHOD_NOT_ALLOWED,
    "REST-005": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "REST-006": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "REST-007": HTTPStatus.UNPROCESSABLE_ENTITY,
    "SYS-001": HTTPStatus.INTERNAL_SERVER_ERROR,
    "SYS-002": HTTPStatus.SERVICE_UNAVAILABLE,
    "SYS-003": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""By error code. Whatever else the rules of a game refuse is a conflict with how things stand."""

encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


class Shape(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What all bodies share: the names of their keys, and that there are no others."""


class Error(Shape):
    """Why a request was not granted."""

    code: str
    """For programs: docs/reference/errors.md."""
    message: str
    """For people."""


class Page(Shape, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None
    """The cursor of what follows; null: nothing does."""


class Reply(NamedTuple):
    """What an endpoint answers; `location` is the path of what was made."""

    value: object = None
    location: str = ""


class TooMany(Refusal):
    """Not now; in so many seconds."""

    def __init__(self, seconds: float, code: str = "REST-002") -> None:
        super().__init__(code=code)
        self.seconds = max(1, math.ceil(seconds))


class Forbidden(Refusal):
    """Whoever asks, and with whatever token."""


def status_of(refusal: Refusal) -> HTTPStatus:
    if isinstance(refusal, Forbidden):
        return HTTPStatus.FORBIDDEN
    return STATUSES.get(refusal.code, HTTPStatus.CONFLICT)


def explained(refusal: Refusal) -> bytes:
    return encode(Error(code=refusal.code, message=refusal.message))


# Pages


def cursor(key: Sequence[object]) -> str:
    """A place in a list, as text that means nothing to anybody else."""
    return base64.urlsafe_b64encode(encode(key)).rstrip(b"=").decode()


def position(text: str | None, type: Any) -> Any:
    """The place again. Raises `Refusal` for a cursor that is not one of this list."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=type)
    except (binascii.Error, ValueError, RecursionError):
        raise Refusal("The cursor is not one of this list.", "REST-007") from None


def page(
    found: Sequence[E], limit: int, shape: Callable[[E], T], key: Callable[[E], Sequence[object]]
) -> Page[T]:
    """A page of what was found, which is one more than the page holds if more follows."""
    shown = found[:limit]
    more = len(found) > limit
    return Page(items=[shape(entry) for entry in shown], next=cursor(key(shown[-1])) if more else None)


# Entity tags (RFC 9110, 8.8.3)


def entity_tag(body: bytes) -> str:
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def matches(asked: Iterable[str], tag: str) -> bool:
    """Whether `If-None-Match` names a tag: weakly compared, as for all that is only read (13.1.2)."""
    for line in asked:
        for candidate in line.split(","):
            if candidate.strip().removeprefix("W/") in (tag, "*"):
                return True
    return False
