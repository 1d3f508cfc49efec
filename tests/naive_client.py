"""Packs and unpacks client messages from docs/reference/wire.md and nothing else.

Knows: the client's half of section 2, and section 6, rule by rule; every broken rule raises NaiveWireError.
Must not know: anything of the package (it never imports it), nor what the server does with a message.
"""

from collections.abc import Mapping
from typing import Any

import msgpack

from tests.naive_tables import largest_fixed
from tests.naive_wire import Cursor, bit_string, input_hash, require, signed, varint

KINDS = {
    "hello": 0x01,
    "join_game": 0x02,
    "leave_game": 0x03,
    "player_input": 0x04,
    "chat_message": 0x05,
    "heartbeat": 0x06,
    "ack": 0x07,
    "numbered": 0x08,
    "poll": 0x09,
}
MAY_BE_NUMBERED = ("chat_message", "join_game", "leave_game", "player_input")
POSITION = {"gameId", "epoch", "tick"}
NUMBER = (int, float)
REQUIRED: dict[str, dict[str, Any]] = {
    "hello": {},
    "join_game": {"gameId": str},
    "leave_game": {},
    "chat_message": {"text": str},
    "heartbeat": {"timestamp": NUMBER},
    "poll": {"session": str, "number": int, "heard": int, "wait": NUMBER},
    "resume": {"session": str, "number": int},
}
OPTIONAL: dict[str, dict[str, Any]] = {
    "hello": {"name": str, "token": str, "resume": dict},
    "resume": {"gameId": str, "epoch": int, "tick": int},
}
LARGEST_MESSAGE = 4096
LARGEST_INPUT = 64
INPUT_TYPES = ("fixed", "angle", "uint", "sint", "bool", "enum")


def pack(name: str, body: Mapping[str, Any], layout: Mapping[str, Any] | None = None) -> bytes:
    """One client message; `layout` is the schema's `input` (None: a player_input is a map)."""
    if name == "ack":
        payload = varint(body["epoch"]) + varint(body["tick"]) + varint(body["number"])
    elif name == "player_input" and layout is not None:
        payload = layout["hash"].to_bytes(2, "little") + varint(body["number"]) + varint(body["acknowledged"])
        payload += bit_string((body["fields"][spec["name"]], spec["bits"]) for spec in layout["fields"])
    elif name == "numbered":
        payload = varint(body["number"]) + pack(body["name"], body["body"])
    else:
        payload = msgpack.packb(body)
    return bytes([KINDS[name]]) + payload


def unpack(message: bytes, layout: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The name and body of one client message."""
    require(len(message) <= LARGEST_MESSAGE, "a client's message above 4 KiB")
    cursor = Cursor(message)
    kind = cursor.u8()
    name = {number: name for name, number in KINDS.items()}.get(kind, "")
    require(bool(name), f"unknown kind {kind:#04x}")
    if name == "ack":
        body: dict[str, Any] = {
            "epoch": cursor.varint(),
            "tick": cursor.varint64(),
            "number": cursor.varint(),
        }
    elif name == "player_input" and layout is not None:
        require(len(message) <= LARGEST_INPUT, "an input above 64 bytes")
        body = unpack_input(cursor, layout)
    elif name == "numbered":
        number = cursor.varint()
        require(number > 0, "messages are numbered from 1")
        inside, inner = unpack(cursor.data[cursor.at :])
        require(inside in MAY_BE_NUMBERED, f"{inside} is not numbered")
        return name, {"number": number, "name": inside, "body": inner}
    else:
        body = cursor.map()
        check_map(name, body)
        if "resume" in body:
            check_map("resume", body["resume"])
            require(len(POSITION & body["resume"].keys()) in (0, len(POSITION)), "a part of a position")
    cursor.finish()
    return name, body


def check_map(name: str, body: Mapping[str, Any]) -> None:
    for key, expected in REQUIRED.get(name, {}).items():
        require(key in body, f"{key} is missing")
        require(isinstance(body[key], expected) and not isinstance(body[key], bool), f"{key} of another type")
    for key, expected in OPTIONAL.get(name, {}).items():
        require(key not in body or isinstance(body[key], expected), f"{key} of another type")


def unpack_input(cursor: Cursor, layout: Mapping[str, Any]) -> dict[str, Any]:
    require(layout["hash"] == input_hash(layout), "the layout's own hash")
    require(cursor.u16() == layout["hash"], "an input of another schema")
    number, acknowledged = cursor.varint(), cursor.varint64()
    require(number >= 1, "inputs are counted from 1")
    rest = cursor.bits(sum(spec["bits"] for spec in layout["fields"]))
    fields = {}
    for spec in layout["fields"]:
        require(spec["type"] in INPUT_TYPES and not spec["count"], "a field no input can have")
        fields[spec["name"]] = input_value(spec, rest % (1 << spec["bits"]))
        rest >>= spec["bits"]
    return {"number": number, "acknowledged": acknowledged, "fields": fields}


def input_value(spec: Mapping[str, Any], wire: int) -> int:
    if spec["type"] == "sint":
        return signed(wire, spec["bits"])
    if spec["type"] == "fixed":
        return min(wire, largest_fixed(spec))
    if spec["type"] == "enum":
        return min(wire, len(spec["values"]) - 1)
    return wire
