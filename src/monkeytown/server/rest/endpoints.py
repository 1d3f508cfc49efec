"""What an endpoint is: where it stands, who may ask, what is asked and answered. Server and document are made of these.

Knows types and how requests are read into them; not what endpoints do.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from monkeytown.errors import ERROR_CODES, Refusal
from monkeytown.identity import PLAYER_ID, Identity
from monkeytown.server.rest.answers import Reply

__all__ = [
    "END",
    "PATH_TYPES",
    "Access",
    "Call",
    "Cursor",
    "Endpoint",
    "GameName",
    "Limit",
    "Mode",
    "PlayerId",
    "RoomId",
    "read_body",
    "read_path",
    "read_query",
]

# In Python `$` also matches before a last newline; the document leaves the second half of it out.
END = r"$(?!\n)"

RoomId = Annotated[str, Meta(pattern=f"^[A-Za-z0-9_-]{{1,64}}{END}", description="The id of a room.")]
GameName = Annotated[str, Meta(pattern=f"^[A-Za-z0-9_-]{{1,64}}{END}", description="The name of a game.")]
Mode = Annotated[
    str, Meta(pattern=f"^[A-Za-z0-9_-]{{0,64}}{END}", description="What kind of game; empty: the usual one.")
]
PlayerId = Annotated[str, Meta(pattern=f"^{PLAYER_ID}{END}", description="The id of a player.")]
Limit = Annotated[int, Meta(ge=1, le=100, description="Items of a page, at most.")]
Cursor = Annotated[
    str,
    Meta(
        pattern=f"^[A-Za-z0-9_-]{{1,512}}{END}",
        description="Where the page begins: `next` of the page before.",
        extra_json_schema={"format": "cursor"},
    ),
]
ReplayId = Annotated[str, Meta(pattern=f"^[A-Za-z0-9_-]{{1,64}}{END}", description="The id of a replay.")]

PATH_TYPES: dict[str, tuple[Any, str]] = {
    "room": (RoomId, "GAME-001"),
    "game": (GameName, "GAME-001"),
    "player": (PlayerId, "REST-003"),
    "replay": (ReplayId, "REST-003"),
}
"""What may stand in a path, by its name there, and what is answered for anything else: there is no such thing."""

MOST_PARAMETERS = 16
MOST_EXPLAINED = 200


class Access(Enum):
    """Who may ask."""

    ANYONE = "anyone"
    PLAYER = "player"
    ADMIN = "admin"


class Call(NamedTuple):
    """One request, as far as it is not what was asked."""

    path: Mapping[str, str]
    identity: Identity | None
    address: str

    @property
    def player(self) -> Identity:
        """Who asks, where only players may."""
        assert self.identity is not None
        return self.identity


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """`asks` is the type of the query of a GET, and of the body of anything else; `handle` is called with one of it."""

    method: str
    path: str
    handle: Callable[[Call, Any], Awaitable[Reply]]
    summary: str
    access: Access = Access.ANYONE
    asks: type[Struct] | None = None
    answers: Any = None
    status: int = 200
    refuses: tuple[Refusal, ...] = ()
    """Beside what any request may meet."""
    needs_store: bool = False
    confirmed: bool = False
    """Whether the header `Confirm: erase` must come along."""
    max_age: int | None = None
    """For how many seconds anybody may keep the answer; None: it is asked for again each time."""

    @property
    def reads_body(self) -> bool:
        return self.asks is not None and self.method != "GET"


def read_path(values: Mapping[str, str]) -> None:
    """Raises `Refusal` if something in a path cannot be what its place says."""
    for name, value in values.items():
        type, code = PATH_TYPES[name]
        try:
            msgspec.convert(value, type)
        except msgspec.ValidationError:
            raise Refusal(code=code) from None


def read_body(body: bytes, type: type[Struct]) -> Struct:
    """Raises `Refusal`. Nothing at all is an object without keys."""
    try:
        return msgspec.json.decode(body or b"{}", type=type)
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None


def read_query(query: bytes, type: type[Struct]) -> Struct:
    """Raises `Refusal`: also for a parameter that comes twice, or that nobody knows."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
        values = dict(pairs)
        if len(values) != len(pairs):
            raise ValueError("a parameter comes twice")
        kinds = _kinds(type)
        return msgspec.convert(
            {name: _plain(value, kinds.get(name, ())) for name, value in values.items()}, type
        )
    except ValueError as error:
        raise _malformed(error) from None


@cache
def _kinds(type: type[Struct]) -> dict[str, tuple[type, ...]]:
    """What each parameter is to be."""
    about = msgspec.inspect.type_info(type)
    assert isinstance(about, msgspec.inspect.StructType)
    return {field.encode_name: tuple(_parts(field.type)) for field in about.fields}


def _parts(kind: msgspec.inspect.Type) -> Iterator[type]:
    """The kinds of values that one may be."""
    if isinstance(kind, msgspec.inspect.UnionType):
        for one in kind.types:
            yield from _parts(one)
    elif isinstance(kind, msgspec.inspect.Metadata):
        yield from _parts(kind.type)
    else:
        yield type(kind)


def _plain(text: str, kinds: tuple[type, ...]) -> object:
    """A parameter as the number or truth that it is to be, if it is written like one."""
    if msgspec.inspect.BoolType in kinds and text in ("true", "false"):
        return text == "true"
    if msgspec.inspect.IntType in kinds and re.fullmatch(r"-?[0-9]{1,15}", text):
        return int(text)
    return text


def _malformed(error: Exception) -> Refusal:
    reason = str(error).replace("(?!\\\\n)", "") if isinstance(error, ValueError) else "it is too deep"
    return Refusal(f"{ERROR_CODES['REST-001'].rstrip('.')}: {reason[:MOST_EXPLAINED]}", "REST-001")
