"""`monkeytown wire`: messages of `monkeytown.1` between people and bytes.

Knows both directions of the protocol and how a frame of a WebSocket wraps a message. States are read through the client's
mirror, so what is printed is what a client would hold.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from typing import Any

import click
import msgspec
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from monkeytown._core.inputs import Layout
from monkeytown._core.values import changes
from monkeytown._core.wire import Reader
from monkeytown.cli.loading import load
from monkeytown.client import messages
from monkeytown.client.mirror import Mirror, input_layout, is_snapshot
from monkeytown.errors import FieldError, MonkeytownError, Refusal, StartError, WireError
from monkeytown.position import Position
from monkeytown.protocol.codec import BINARY, JSON
from monkeytown.protocol.messages import FROM_CLIENT, FROM_SERVER, Ack, ClientMessage, Numbered, PlayerInput
from monkeytown.schema import Schema

__all__ = ["wire"]

game_option = click.option(
    "--game", help="FILE.py[:Class] or the name of a built-in game: its inputs and its states."
)


@click.group()
def wire() -> None:
    """Turn messages of monkeytown.1 from JSON into bytes and back."""


@wire.command()
@click.argument("text", metavar="JSON")
@click.option(
    "--frame", is_flag=True, help="Wrap it in one masked WebSocket frame, as a load generator sends it."
)
@game_option
def encode(text: str, frame: bool, game: str | None) -> None:
    """Print the bytes, in hex, of a message like '{"type": "join_game", "payload": {"gameId": "jungle"}}'."""
    try:
        data = _encode(text, Schema.of(load(game)) if game else None)
    except (Refusal, FieldError, msgspec.MsgspecError) as error:
        raise StartError(getattr(error, "message", str(error))) from error
    if frame:
        data = Frame(Opcode.BINARY, data).serialize(mask=True)
    click.echo(data.hex())


@wire.command()
@click.argument("texts", metavar="HEX...", nargs=-1, required=True)
@click.option("--frame", is_flag=True, help="Each is a whole WebSocket frame, masked or not.")
@game_option
def decode(texts: tuple[str, ...], frame: bool, game: str | None) -> None:
    """Print messages as JSON, one a line.

    A game_state that is a delta shows its tables when the states that it continues, from a snapshot on, are given before
    it, and --game.
    """
    reader = _Decoder(Schema.of(load(game)) if game else None)
    for text in texts:
        try:
            data = binascii.unhexlify("".join(text.split()))
            click.echo(json.dumps(reader.decode(_unwrap(data) if frame else data), ensure_ascii=False))
        except (MonkeytownError, WebSocketException, msgspec.MsgspecError, ValueError) as error:
            raise StartError(f"{text[:32]}: {getattr(error, 'message', error)}") from error


# ---- to bytes ----


def _encode(text: str, schema: Schema | None) -> bytes:
    envelope = msgspec.json.decode(text, type=dict[str, Any])
    kind, payload = envelope.get("type"), envelope.get("payload", {})
    if kind in FROM_SERVER and (kind not in FROM_CLIENT or "serverTime" in payload):
        shape = FROM_SERVER[kind][1]
        return BINARY.encode(kind, msgspec.convert(payload, shape), envelope.get("seq"))
    if kind in ("game_state", "private"):
        raise StartError(f"a {kind} is made from a room's tables, not from JSON")
    message = JSON.decode(text.encode())
    if isinstance(message, Numbered):
        return messages.encode_numbered(message.number, _packed(_readable(message), schema))
    return _packed(message, schema)


def _readable(numbered: Numbered) -> ClientMessage:
    if isinstance(numbered.message, Refusal):
        raise numbered.message
    return numbered.message


def _packed(message: ClientMessage, schema: Schema | None) -> bytes:
    if isinstance(message, Ack):
        return messages.encode_ack(message.epoch, message.tick, message.number)
    if not isinstance(message, PlayerInput):
        return messages.encode(message)
    layout = _layout(schema)
    if layout is None:
        return messages.encode_action(message.action)
    return layout.pack(layout.input_class(**message.action), message.number or 1, message.tick)


def _layout(schema: Schema | None) -> Layout | None:
    return input_layout(schema.describe()) if schema else None


# ---- from bytes ----


def _unwrap(data: bytes) -> bytes:
    """The payload of one whole frame; parsed by the WebSocket library, so that what it accepts is what counts."""
    stream = StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    masked = len(data) > 1 and bool(data[1] & 0x80)
    parsing = Frame.parse(stream.read_exact, mask=masked)
    try:
        while True:
            next(parsing)
    except StopIteration as parsed:
        frame: Frame = parsed.value
        return bytes(frame.data)
    except EOFError as error:
        raise WireError(f"the frame ends early: {error}") from error


class _Decoder:
    """Reads messages one after the other, since a delta is understood only after what it continues."""

    def __init__(self, schema: Schema | None) -> None:
        self.layout = _layout(schema)
        self.mirror = Mirror(schema.describe()) if schema else None
        self.field_names = [field.name for field in schema.input.fields()] if schema and schema.input else []
        self.position: Position | None = None

    def decode(self, data: bytes) -> dict[str, Any]:
        kind = data[0] if data else 0
        if kind < min(number for number, _ in FROM_SERVER.values()):
            return self.from_client(data)
        message = messages.decode(data)
        read: Callable[[bytes], dict[str, Any]] | None
        read = {"game_state": self.state, "private": self.private}.get(message.type)
        payload = read(data) if read else msgspec.to_builtins(message.payload)
        numbered = {"seq": message.number} if message.number else {}
        return {"type": message.type, **numbered, "payload": payload}

    def from_client(self, data: bytes) -> dict[str, Any]:
        if data[:1] == bytes((FROM_CLIENT["player_input"][0],)) and self.layout is not None:
            number, tick, record = self.layout.parse(data)
            action = {name: getattr(record, name) for name in self.field_names}
            return {"type": "player_input", "payload": {"action": action, "number": number, "tick": tick}}
        message = BINARY.decode(data)
        numbered = {}
        if isinstance(message, Numbered):
            numbered, message = {"seq": message.number}, _readable(message)
        name = next(name for name, (_, shape) in FROM_CLIENT.items() if shape is type(message))
        payload = {key: value for key, value in msgspec.to_builtins(message).items() if value is not None}
        return {"type": name, **numbered, "payload": payload}

    def state(self, frame: bytes) -> dict[str, Any]:
        reader = Reader(frame[1:])
        reader.u8()
        epoch, tick = reader.varint(), reader.varint64()
        base = None if is_snapshot(frame) else tick - reader.varint()
        shown: dict[str, Any] = {"epoch": epoch, "tick": tick, "base": base, "bytes": len(frame)}
        if self.mirror is None:
            click.echo("monkeytown: the tables of a game_state need --game", err=True)
        elif base is not None and self.position != (epoch, base):
            click.echo(
                f"monkeytown: the tables at tick {tick} need the state at tick {base} before them", err=True
            )
        else:
            self.position = self.mirror.apply(frame, self.position).position
            shown["tables"] = changes(tuple(self.mirror.tables.values()), base)
        return shown

    def private(self, data: bytes) -> dict[str, Any]:
        if self.mirror is None:
            raise StartError("a private message needs --game")
        private = self.mirror.read_private(data)
        shown: dict[str, Any] = {}
        if private.input_seen is not None:
            shown["input"] = private.input_seen
        if private.names_entity:
            shown["entity"] = str(private.entity.id) if private.entity else None
        return shown
