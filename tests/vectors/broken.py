"""What every reader must refuse: one broken rule of docs/reference/wire.md each, packed by hand.

Knows: that page, like tests/naive_reader.py. Must not know: anything of the package.
"""

from typing import Any

import msgpack

from tests.naive_wire import bit_string, crc


def a_field(name: str, type: str, bits: int, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": type,
        "count": 0,
        "predict": "hold",
        "ownerOnly": False,
        "bits": bits,
    } | more


def a_schema(*tables: dict[str, Any], layout: dict[str, Any] | None = None) -> dict[str, Any]:
    shape: dict[str, Any] = {"input": layout, "tables": list(tables)}
    return shape | {"gameId": "g", "game": "g", "tickRate": 60, "hash": crc(shape)}


def a_table(*fields: dict[str, Any], capacity: int = 4, single: bool = False) -> dict[str, Any]:
    return {
        "name": "things",
        "entity": "Thing",
        "capacity": capacity,
        "single": single,
        "fields": list(fields),
    }


def packed(width: int, *values: int) -> bytes:
    return bytes([width]) + bit_string((value, width) for value in values)


X = a_field("x", "fixed", 8, lo=0.0, hi=100.0, step=0.5, predict="linear")
N = a_field("n", "sint", 8)
TEXT = a_field("label", "text", 0, max=5)
THINGS = a_schema(a_table(X, N, TEXT))
# epoch 1, tick 300; slots 0 and 2 of generations 1 and 5; x = 10, 20 moving by +2, -3; n = -1, 4; labels
SNAPSHOT = (
    bytes.fromhex("43 01 01 ac02 00 02 02")
    + packed(1, 0, 1)
    + packed(3, 0, 4)
    + packed(5, 10, 20)
    + packed(3, 4, 5)
    + packed(4, 1, 8)
    + b"\x02hi\x00"
)

HEADER = "43 00 01 ad02 01"
BROKEN = {
    "an empty message": "",
    "an unused flag": "43 04 01 ad02 01",
    "corrections to a snapshot": "43 03 01 ad02",
    "a gap of zero": "43 00 01 ac02 00",
    "another epoch": "43 00 02 ad02 01",
    "another base": "43 00 01 ae02 01",
    "a varint of six bytes": "43 00 81 80 80 80 80 00 ad02 01",
    "a varint above 32 bits": "43 00 81 80 80 80 10 ad02 01",
    "a tick above 62 bits": "43 01 01 808080808080808040",
    "a tick of eleven bytes": "43 01 01 8080808080808080808000",
    "a table that does not exist": HEADER + "01 01 01 00",
    "a table twice": HEADER + "00 01 01 00 00 00 01 01 00 00",
    "no parts": HEADER + "00 00",
    "an unused part": HEADER + "00 08",
    "nobody gone": HEADER + "00 01 00 00",
    "a free slot gone": HEADER + "00 01 01 01 01",
    "more gone than there are": HEADER + "00 01 03 00",
    "nobody entered": HEADER + "00 02 00 00 00 00 00",
    "more entered than the capacity": HEADER + "00 02 05 00 00 00 00 00 00 00 00 00 00",
    "a slot beyond the capacity": HEADER + "00 02 01 03 04 00 00 00 00 00",
    "a generation above 4095": HEADER + "00 02 01 01 01 0c ff0f 00 00 00 00",
    "a width of 33": HEADER + "00 02 01 21 0000000000 00 00 00 00 00",
    "an unused bit of a packed value": HEADER + "00 02 01 01 03 00 00 00 00 00",
    "a fixed value above the largest": HEADER + "00 02 01 01 01 00 08 c9 00 00 00",
    "a sint of nine bits": HEADER + "00 02 01 01 01 00 00 00 09 0001 00",
    "an unknown row set": HEADER + "00 04 03 00",
    "an unused bit of a bitmap": HEADER + "00 04 01 04 00",
    "more selected than there are": HEADER + "00 04 02 03 00 00",
    "a selected row beyond the last": HEADER + "00 04 02 01 02 02 00",
    "an unused bit of a mask": HEADER + "00 04 00 08",
    "quotients that end early": HEADER + "00 04 00 01 80",
    "a quotient above 15": HEADER + "00 04 00 01 80 000003",
    "an unused bit behind quotients": HEADER + "00 04 00 01 80 07",
    "a width of 29 beside quotients": HEADER + "00 04 00 01 9d" + "00" * 8 + "03",
    "an outlier that has a quotient": HEADER + "00 04 00 01 c0 05 01 00 00 01 01",
    "a residual width of 33": HEADER + "00 04 00 01 21" + "00" * 9,
    "no outliers": HEADER + "00 04 00 01 40 00 00 00",
    "more outliers than rows": HEADER + "00 04 00 01 40 03 00 00",
    "an outlier that is not zero": HEADER + "00 04 00 01 41 01 01 00 01 01",
    "a residual that leaves the field": HEADER + "00 04 00 02 08 00fe",
    "text above its maximum": HEADER + "00 04 00 04 02 01 00 06 616161616161",
    "text that is not UTF-8": HEADER + "00 04 00 04 02 01 00 01 ff",
    "a length beyond the message": HEADER + "00 04 00 04 02 01 00 05 61",
    "a residual of a row that has just entered": HEADER + "00 06 01 01 01 00 00 00 00 00" + "00 02 02 08",
    "a text of a row that has just entered": HEADER + "00 06 01 01 01 00 00 00 00 00" + "00 04 01 02 00",
    "an end too early": HEADER + "00 04 00 01",
    "bytes left over": HEADER + "00",
    "a snapshot with gone rows": "43 01 01 ad02 00 01 01 00",
    "a map with something after it": "49" + msgpack.packb({"timestamp": 1, "serverTime": 0.0}).hex() + "00",
    "a map without its keys": "41 80",
    "an array for a map": "41 90",
    "a numbered message out of order": "46 02 81 a8 706c617965724964 a1 61",
    "private values of a free slot": "44 04 00 01 01",
    "private values of a row twice": "44 04 00 02 00 00",
    "private values of a table twice": "44 04 00 00 00 00",
    "an unused private flag": "44 10",
    "an own entity without a table": "44 02 ff 01",
}

BOARD = a_schema(
    a_table(a_field("n", "uint", 8), capacity=1, single=True) | {"name": "board", "entity": "Board"},
    a_table(a_field("label", "text", 0, max=5), a_field("picture", "blob", 0, max=3)),
)
# epoch 1, tick 300; the board with n = 5, and in slot 0 a thing with a label and a picture
BOARD_SNAPSHOT = (
    bytes.fromhex("43 01 01 ac02 00 02 01 00 00")
    + packed(3, 5)
    + bytes.fromhex("01 02 01 00 00 02 6869 01 ff")
)
BROKEN_BOARD = {
    "a snapshot of nothing, without the row of a single table": "43 01 01 ad02",
    "a snapshot without the row of a single table": "43 01 01 ad02 01 02 01 00 00 00 00",
    "the row of a single table gone": HEADER + "00 01 01 00",
    "a second row of a single table": HEADER + "00 02 01 01 01 00 00",
    "a text of a row that has just entered": HEADER + "01 06 01 01 01 00 00 00" + "00 01 00 0000",
    "a text of a row that has just taken a slot": HEADER + "01 06 01 00 01 01 00 00" + "00 01 02 01 00 00",
    "a blob of a row that has just entered": HEADER + "01 06 01 01 01 00 00 00" + "02 01 01 01 02 01 01 00",
}


def documents() -> dict[str, dict[str, Any]]:
    """As tests/vectors/make.py has them: where a reader stands, and what it must then refuse."""
    things = {
        str(1 << 20): {"x": 10, "n": -1, "label": "hi"},
        str(5 << 20 | 2): {"x": 20, "n": 4, "label": ""},
    }
    moving = {str(1 << 20): {"x": 2}, str(5 << 20 | 2): {"x": -3}}
    board = {str(1 << 20): {"n": 5}}
    shown = {str(1 << 20): {"label": "hi", "picture": "ff"}}
    still: dict[str, Any] = {str(1 << 20): {}}
    return {
        "broken": a_document("broken", THINGS, SNAPSHOT, {"things": things}, {"things": moving}, BROKEN),
        "broken_singletons": a_document(
            "broken_singletons",
            BOARD,
            BOARD_SNAPSHOT,
            {"board": board, "things": shown},
            {"board": still, "things": still},
            BROKEN_BOARD,
        ),
    }


def a_document(
    name: str,
    schema: dict[str, Any],
    snapshot: bytes,
    state: dict[str, Any],
    steps: dict[str, Any],
    broken: dict[str, str],
) -> dict[str, Any]:
    frame = {"hex": snapshot.hex(), "position": [1, 300], "state": state, "steps": steps}
    refused = [{"rule": rule, "hex": bytes.fromhex(hex).hex()} for rule, hex in broken.items()]
    return {"name": name, "schema": schema, "frames": [frame], "broken": refused}
