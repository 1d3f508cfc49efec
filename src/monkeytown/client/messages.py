"""The client's half of `monkeytown.1`: what it sends as bytes, what it receives as messages.

Pure: bytes in, bytes out. It must not know tables (that is `mirror`) or connections (that is `connection`). The kinds and
their classes are those of `monkeytown.protocol.messages`; the forms those of docs/reference/wire.md, section 2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from monkeytown._core.wire import Reader, Writer
from monkeytown.errors import WireError
from monkeytown.protocol.codec import checked_action, server_message
from monkeytown.protocol.messages import FROM_CLIENT, FROM_SERVER, ClientMessage

__all__ = ["Message", "decode", "encode", "encode_ack", "encode_action", "encode_numbered"]

GAME_STATE = 0x43
PRIVATE = 0x44
NUMBERED = frozenset({"player_joined", "player_left", "game_event", "error"})
LONGEST_VARINT = 5

_NAMES = {kind: name for name, (kind, _) in FROM_SERVER.items()}
_KINDS = {payload: kind for kind, payload in FROM_CLIENT.values()}


class Message(NamedTuple):
    """One message of the server. For `game_state` and `private` the payload is the whole message as it came."""

    type: str
    payload: Any
    number: int = 0


def decode(data: bytes) -> Message:
    """Read one binary message of the server; raises WireError."""
    kind = data[0] if data else 0
    if kind == GAME_STATE:
        return Message("game_state", data)
    if kind == PRIVATE:
        return Message("private", data)
    if kind not in _NAMES:
        raise WireError(f"0x{kind:02x} is no kind of message from a server")
    name, number, start = _NAMES[kind], 0, 1
    if name in NUMBERED:
        reader = Reader(data[1 : 1 + LONGEST_VARINT])
        length = reader.remaining
        number = reader.varint()
        start += length - reader.remaining
    try:
        return Message(name, server_message(name, data[start:]), number)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise WireError(f"the map of {name} is malformed: {error}") from None


def encode(message: ClientMessage) -> bytes:
    """A message to the server whose body is one map; what is not given is left out."""
    body = _given(msgspec.to_builtins(message))
    return bytes((_KINDS[type(message)],)) + msgspec.msgpack.encode(body)


def encode_ack(epoch: int, tick: int, number: int) -> bytes:
    """The newest state applied and the newest numbered message read."""
    writer = Writer()
    writer.u8(FROM_CLIENT["ack"][0])
    writer.varint(epoch)
    writer.varint(tick)
    writer.varint(number)
    return writer.getvalue()


def encode_action(action: dict[str, Any]) -> bytes:
    """A `player_input` for a game without an input class: one map. Raises Refusal if no server would read it."""
    return bytes((FROM_CLIENT["player_input"][0],)) + msgspec.msgpack.encode(checked_action(action))


def encode_numbered(number: int, message: bytes) -> bytes:
    """A whole message with its number in the session, for what must be taken once and only once."""
    writer = Writer()
    writer.u8(FROM_CLIENT["numbered"][0])
    writer.varint(number)
    return writer.getvalue() + message


def _given(value: Any) -> Any:
    """The parts of a map that are given, in maps within it too."""
    if not isinstance(value, dict):
        return value
    return {key: _given(part) for key, part in value.items() if part is not None}
