"""Messages to bytes and back, in the two encodings of docs/reference/wire.md and docs/reference/json.md.

Knows every message of `monkeytown.protocol.messages`; does not know sockets, rooms or who is at the other
end. States come ready encoded from the room, and the packed `player_input` of games with an `input` class
goes to the compiled queue: neither passes here.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final, NoReturn, Protocol

import msgspec

from monkeytown._core.wire import Reader, Writer
from monkeytown.errors import Refusal, WireError
from monkeytown.protocol.messages import (
    FROM_CLIENT,
    FROM_SERVER,
    Ack,
    ChatMessage,
    ClientMessage,
    JoinGame,
    LeaveGame,
    Numbered,
    PlayerInput,
    ServerMessage,
)

__all__ = ["BINARY", "CODECS", "JSON", "Binary", "Codec", "Json"]

ACTION_DEPTH = 16
"""How deep lists and maps may nest in an action: enough for any game, too little to exhaust a stack."""

_WHOLE = (-(2**63), 2**64 - 1)  # the integers of MessagePack; JSON alone could say more
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError, WireError)


NUMBERED_KIND = bytes((FROM_CLIENT["numbered"][0],))
_LAST_NUMBER = 2**32 - 1
_BINARY_ONLY = ("numbered", "poll")
_KINDS = {name: bytes((kind,)) for name, (kind, _) in FROM_SERVER.items()}
_SHORT = tuple(bytes((number,)) for number in range(0x80))


class Codec(Protocol):
    """One encoding.

    `name` is the room's name for it, `is_text` says which kind of WebSocket message carries it.
    """

    name: str
    subprotocol: str
    is_text: bool

    def decode(self, data: bytes) -> ClientMessage:
        """What a client says. Raises `Refusal` with the code that the client is to be told."""

    def encode(self, kind: str, payload: object, number: int | None = None) -> bytes:
        """What the server says; `number` for the messages that have one.

        `payload` is a message class, a map of the same shape, or that map as MessagePack in a `msgspec.Raw`.
        """


class Binary:
    """`monkeytown.1`: a byte of kind, then MessagePack."""

    name = "binary"
    subprotocol = "monkeytown.1"
    is_text = False

    def __init__(self) -> None:
        self._decoders = {
            kind: (name, msgspec.msgpack.Decoder(shape, ext_hook=_no_extensions))
            for name, (kind, shape) in FROM_CLIENT.items()
            if shape not in (Ack, PlayerInput, Numbered)
        }
        self._action = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=_no_extensions)

    def decode(self, data: bytes) -> ClientMessage:
        if not data:
            raise Refusal("The message is empty.", "WS-003")
        kind, body = data[0], data[1:]
        if kind == FROM_CLIENT["player_input"][0]:
            return self._input(body)
        if kind == FROM_CLIENT["ack"][0]:
            return _ack(body)
        if kind == FROM_CLIENT["numbered"][0]:
            return self._numbered(body)
        if kind not in self._decoders:
            raise Refusal(f"There is no message of kind 0x{kind:02x}.", "WS-005")
        name, decoder = self._decoders[kind]
        try:
            message: ClientMessage = decoder.decode(body)
        except _UNREADABLE as error:
            _refuse(name, error)
        return message

    def encode(self, kind: str, payload: object, number: int | None = None) -> bytes:
        # An event goes to many: what it holds is packed already, and only its number differs.
        body = payload if isinstance(payload, msgspec.Raw) else msgspec.msgpack.encode(payload)
        if number is None:
            return b"".join((_KINDS[kind], body))
        return b"".join((_KINDS[kind], _varint(number), body))

    def _input(self, body: bytes) -> PlayerInput:
        try:
            action = self._action.decode(body)
        except _UNREADABLE as error:
            raise Refusal(f"The action is malformed: {error}", "INPUT-001") from error
        return PlayerInput(checked_action(action))

    def _numbered(self, body: bytes) -> Numbered:
        reader = Reader(body)
        try:
            number = reader.varint()
        except WireError as error:
            _refuse("numbered message", error)
        inner = body[len(body) - reader.remaining :]
        return _numbered(number, lambda: self.decode(b"" if inner[:1] == NUMBERED_KIND else inner))


class Json:
    """`monkeytown.1.json`: `{"type": …, "seq": …, "payload": {…}}` as UTF-8 text."""

    name = "json"
    subprotocol = "monkeytown.1.json"
    is_text = True

    def __init__(self) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._decoders = {
            name: msgspec.json.Decoder(shape)
            for name, (_, shape) in FROM_CLIENT.items()
            if name not in _BINARY_ONLY
        }

    def decode(self, data: bytes) -> ClientMessage:
        try:
            envelope = self._envelope.decode(data)
        except _UNREADABLE as error:
            _refuse("message", error)
        if envelope.seq is None:
            return self._message(envelope)
        return _numbered(envelope.seq, lambda: self._message(envelope))

    def _message(self, envelope: _Envelope) -> ClientMessage:
        if envelope.type not in self._decoders:
            raise Refusal(f"There is no message of type {envelope.type[:32]!r}.", "WS-005")
        try:
            message: ClientMessage = self._decoders[envelope.type].decode(envelope.payload)
        except _UNREADABLE as error:
            if envelope.type == "player_input":
                raise Refusal(f"The input is malformed: {error}", "INPUT-001") from error
            _refuse(envelope.type, error)
        if isinstance(message, PlayerInput):
            checked_action(message.action)
        return message

    def encode(self, kind: str, payload: object, number: int | None = None) -> bytes:
        if isinstance(payload, msgspec.Raw):
            payload = msgspec.msgpack.decode(payload)
        if number is None:
            return msgspec.json.encode({"type": kind, "payload": payload})
        return msgspec.json.encode({"type": kind, "seq": number, "payload": payload})


class _Envelope(msgspec.Struct):
    type: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    seq: int | None = None


def server_message(kind: str, payload: bytes) -> ServerMessage:
    """A message of the server from its MessagePack map, for those who read it: clients, bots and tests."""
    message: ServerMessage = msgspec.msgpack.decode(payload, type=FROM_SERVER[kind][1])
    return message


def checked_action(value: dict[str, Any]) -> dict[str, Any]:
    """The action itself, once it is known that a game can pass any part of it on in either encoding."""
    try:
        _check(value, ACTION_DEPTH)
    except ValueError as error:
        raise Refusal(f"The action is malformed: {error}", "INPUT-001") from None
    return value


def _check(value: object, depth: int) -> None:
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("a number is not finite")
    elif isinstance(value, int):
        if not _WHOLE[0] <= value <= _WHOLE[1]:
            raise ValueError("a number needs more than 64 bits")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"it nests deeper than {ACTION_DEPTH}")
        for part in value:
            _check(part, depth - 1)
        if isinstance(value, dict):
            for part in value.values():
                _check(part, depth - 1)
    elif not isinstance(value, str | bytes | None):
        raise ValueError(f"it holds a {type(value).__name__}")


def _numbered(number: int, read: Callable[[], ClientMessage]) -> Numbered:
    """A message with its number. What cannot be read counts as well: it would be sent again for ever."""
    if not 1 <= number <= _LAST_NUMBER:
        raise Refusal("Messages are numbered from 1.", "WS-003")
    try:
        message = read()
    except Refusal as refusal:
        return Numbered(number, refusal)
    if not isinstance(message, ChatMessage | PlayerInput | JoinGame | LeaveGame):
        return Numbered(number, Refusal("A message of this kind is not numbered.", "WS-003"))
    return Numbered(number, message)


def _ack(body: bytes) -> Ack:
    reader = Reader(body)
    try:
        epoch, tick, number = reader.varint(), reader.varint64(), reader.varint()
        if reader.remaining:
            raise WireError("bytes are left over")
        return Ack(epoch, tick, number)
    except WireError as error:
        _refuse("ack", error)


def _varint(number: int) -> bytes:
    if number < len(_SHORT):
        return _SHORT[number]
    writer = Writer()
    writer.varint(number)
    return writer.getvalue()


def _no_extensions(code: int, data: memoryview) -> NoReturn:
    raise msgspec.ValidationError(f"MessagePack extension {code} is not spoken here")


def _refuse(name: str, error: BaseException) -> NoReturn:
    raise Refusal(f"The {name} is malformed: {error}", "WS-003") from error


BINARY: Final[Codec] = Binary()
JSON: Final[Codec] = Json()
CODECS: Final[dict[str, Codec]] = {codec.subprotocol: codec for codec in (BINARY, JSON)}
