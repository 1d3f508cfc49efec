"""What else a client receives and sends: private messages, numbered ones, inputs.

Knows: the recorder of tests/vectors/make.py, the naive packers, the core's private values and inputs.
Must not know: the server.
"""

import math
from typing import Any

import msgpack

from monkeytown import fields, schema
from monkeytown._core import inputs, values
from tests import naive_client
from tests.model import FieldSpec, TableSpec
from tests.naive_wire import varint
from tests.vectors.make import Recorder, Scenario

ANN, BEN = 1, 2
NO_ENTITY = b"\xff\x00"


def private() -> Recorder:
    """Owner-only values of one of two players: all, one changed, a row that changes hands, a row gone."""
    hidden = [
        FieldSpec("gold", "uint", bits=32, owner_only=True),
        FieldSpec("luck", "sint", bits=8, owner_only=True),
        FieldSpec("plan", "text", max=20, owner_only=True),
        FieldSpec("hand", "uint", bits=6, count=3, owner_only=True),
    ]
    monkeys = TableSpec("monkeys", (FieldSpec("x", "uint", bits=8), *hidden), 8)
    rocks = TableSpec("rocks", (FieldSpec("size", "uint", bits=4),), 8)
    chests = TableSpec("chests", (FieldSpec("key", "blob", max=4, owner_only=True),), 8)
    room = Recorder((monkeys, rocks, chests))
    twin = room.twin
    own: list[int] = []
    told: list[int] = []
    newest = 0

    def tell(input: int | None = None, entity: int | None = None) -> None:
        nonlocal newest
        flags, body = 0, b""
        if input is not None:
            flags, newest, body = flags | 1, input, varint(input)
        if entity is not None:
            flags, own[:] = flags | 2, [entity] if entity else []
            body += b"\x00" + varint(entity) if entity else NO_ENTITY
        reset, sections = values.private(twin.tables, ANN, told[0] if told else None)
        flags |= 4 * bool(sections) | 8 * bool(reset)
        told[:] = [twin.tick]
        known = {
            "values": twin.model.private(twin.tick, ANN),
            "ownEntity": ["monkeys", *own] if own else None,
            "acknowledgedInput": newest,
        }
        room.record(b"\x44" + bytes([flags]) + body + sections, private=known)

    mine = twin.spawn("monkeys", owner=ANN, x=1, gold=2**32 - 1, luck=-128, plan="eat", hand=[1, 2, 63])
    other = twin.spawn("monkeys", owner=BEN, x=2, gold=7, plan="hide")
    twin.spawn("rocks", size=3)
    twin.spawn("chests", owner=ANN, key=b"\x00\xff")
    room.deliver()
    tell(entity=mine)
    twin.assign("monkeys", mine, "gold", 300)
    twin.assign("monkeys", other, "gold", 8)
    twin.assign("monkeys", other, "x", 3)
    room.deliver()
    tell(input=1)
    twin.assign("monkeys", mine, "plan", "")
    twin.assign("monkeys", other, "x", 4)
    twin.own("monkeys", other, ANN)
    room.deliver()
    tell(input=200)
    twin.despawn("monkeys", mine)
    room.deliver()
    tell(entity=0)
    twin.own("monkeys", other, BEN)
    twin.assign("monkeys", other, "x", 5)
    room.deliver()
    tell(input=2**32 - 1, entity=0)
    return room


def messages() -> Recorder:
    """Every message with a map, in the order of a short session; keys that a reader does not know."""
    room = Recorder((TableSpec("things", (FieldSpec("n", "uint", bits=8),), 4),))
    resumed = {"playerId": "p1", "name": "Änn", "server": "monkeytown 1", "session": "p1.b"}
    resumed |= {"recovered": True, "resumed": "delta", "received": 300, "number": 300, "gameId": "room"}
    back = {"session": "p1.a", "number": 300, "gameId": "room", "epoch": 7, "tick": 2**33}
    told: list[tuple[int, str, int, dict[str, Any]]] = [
        (0x41, "welcome", 0, {"playerId": "p1", "name": "Änn", "server": "monkeytown 1", "session": "p1.a"}),
        (0x42, "schema", 0, room.twin.map),
        (0x45, "player_joined", 1, {"id": "p1", "name": "Änn"}),
        (
            0x47,
            "game_event",
            2,
            {"event": "chat", "data": {"playerId": "p1", "name": "Änn", "text": "hello 🐒"}},
        ),
        (0x47, "game_event", 3, {"event": "over", "data": None, "unknown": [1, {"a": b"\x00"}]}),
        (0x48, "error", 4, {"code": "GAME-100", "message": "not your turn"}),
        (0x46, "player_left", 5, {"playerId": "p1"}),
        (0x49, "heartbeat", 0, {"timestamp": 1.5, "serverTime": 1700000000000.25, "received": 0}),
        (0x49, "heartbeat", 0, {"timestamp": 2**53, "serverTime": 0.0, "received": 300}),
        (0x41, "welcome", 0, resumed),
        (0x47, "game_event", 301, {"event": "meanwhile", "data": [1]}),
        (0x4A, "close", 0, {"code": 4507, "reason": "another connection took this place"}),
    ]
    for kind, name, number, body in told:
        frame = bytes([kind]) + (varint(number) if number else b"") + msgpack.packb(body)
        room.record(frame, event={"kind": name, "number": number, "body": body})
    sent: list[tuple[str, dict[str, Any]]] = [
        ("hello", {"name": "Änn", "token": "secret"}),
        ("hello", {}),
        ("hello", {"resume": {"session": "p1.a", "number": 0}}),
        ("hello", {"name": "Änn", "resume": back}),
        ("join_game", {"gameId": "jungle"}),
        ("leave_game", {}),
        ("player_input", {"place": 4, "marks": ["x", None]}),
        ("chat_message", {"text": "hello 🐒"}),
        ("heartbeat", {"timestamp": 1.5}),
        ("ack", {"epoch": 7, "tick": 2**33, "number": 300}),
        ("ack", {"epoch": 2**32 - 1, "tick": 2**62 - 1, "number": 0}),
        ("numbered", {"number": 1, "name": "chat_message", "body": {"text": "once"}}),
        ("numbered", {"number": 300, "name": "player_input", "body": {"place": 4}}),
        ("numbered", {"number": 2**32 - 1, "name": "join_game", "body": {"gameId": "jungle"}}),
        ("poll", {"session": "p1.a", "number": 1, "heard": 0, "wait": 0}),
        ("poll", {"session": "p1.a", "number": 300, "heard": 299, "wait": 25}),
    ]
    for name, body in sent:
        room.messages.append({"hex": naive_client.pack(name, body).hex(), "name": name, "body": body})
    return room


def steering() -> Recorder:
    """Inputs of every type, at their ends, packed across the borders of bytes."""

    class Steer(schema.Input):
        dx = fields.sint(3)
        jump = fields.boolean()
        aim = fields.angle(11)
        power = fields.fixed(-1.0, 1.0, step=0.01)
        tool = fields.enum("hand", "stone", "stick")
        target = fields.uint(32)
        far = fields.sint(32)

    room = Recorder((TableSpec("things", (FieldSpec("n", "uint", bits=8),), 4),), input=Steer)
    layout = room.twin.map["input"]
    packer = inputs.Layout(Steer, layout["hash"])
    cases: list[tuple[int, int, dict[str, Any], dict[str, int]]] = [
        (1, 0, {}, {"dx": 0, "jump": 0, "aim": 0, "power": 100, "tool": 0, "target": 0, "far": 0}),
        (
            127,
            300,
            {
                "dx": -4,
                "jump": True,
                "aim": -0.1,
                "power": 1.0,
                "tool": "stick",
                "target": 2**32 - 1,
                "far": -1,
            },
            {"dx": -4, "jump": 1, "aim": 2015, "power": 200, "tool": 2, "target": 2**32 - 1, "far": -1},
        ),
        (
            2**32 - 1,
            2**40,
            {"dx": 3, "aim": math.pi, "power": -1.0, "tool": "stone", "target": 1, "far": -(2**31)},
            {"dx": 3, "jump": 0, "aim": 1024, "power": 0, "tool": 1, "target": 1, "far": -(2**31)},
        ),
    ]
    for number, acknowledged, given, wire in cases:
        message = packer.pack(Steer(**given), number, acknowledged)
        told = {"hex": message.hex(), "number": number, "acknowledged": acknowledged, "fields": wire}
        room.inputs.append(told)
    return room


SCENARIOS: dict[str, Scenario] = {"private": private, "messages": messages, "steering": steering}
