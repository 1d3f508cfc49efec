"""What a reader of cells must refuse: one broken rule of *Cells* or *Cells in a state* each, packed by hand.

Knows: docs/reference/wire.md, like broken.py. Must not know: anything of the package.
"""

from typing import Any

from tests.naive_wire import crc
from tests.vectors.broken import TEXT, X, a_field, a_schema, a_table, packed

AREA = {"tables": [1], "columns": 4, "rows": 2, "x": 0.0, "y": 0.0, "size": 25.0}


def with_area(schema: dict[str, Any], area: dict[str, Any]) -> dict[str, Any]:
    shape = {"input": schema["input"], "tables": schema["tables"], "area": area}
    return schema | {"area": area, "hash": crc(shape)}


BOARD = a_table(a_field("n", "uint", 8), capacity=1, single=True) | {"name": "board", "entity": "Board"}
PLACES = with_area(a_schema(BOARD, a_table(X, TEXT, capacity=6)), AREA)


def a_thing(slot: int, generation: int, x: int, step: int, label: str) -> str:
    """An *entered* part of one row; `step` as its zigzag."""
    row = packed(3, slot) + packed(12, generation - 1) + packed(8, x) + packed(4, step)
    return (b"\x01" + row + bytes([len(label)]) + label.encode()).hex()


BOARD_SECTION = "00 02 01 00 00" + packed(3, 5).hex()
# epoch 1, tick 300; cells 0 and 1 near, 2 far; x = 10, 20 and 100, moving by +2, -3 and +1
PLACES_SNAPSHOT = bytes.fromhex(
    "43 05 01 ac02"
    + ("00 02 00 01 02 02" + BOARD_SECTION)
    + ("01 02 00" + a_thing(0, 1, 10, 4, "hi"))
    + ("01 02 01" + a_thing(2, 5, 20, 5, ""))
    + ("01 02 02" + a_thing(3, 1, 100, 2, "far"))
)

STATE = "43 00 01 ad02 01"
VIEW = "43 04 01 ad02 01"
FAR = "43 08 01 ad02 01 01"
SNAPSHOT = "43 05 01 ad02"
FIRST_GONE = "01 01 00 01 00"
BROKEN_CELLS = {
    "an unused flag": "43 10 01 ad02 01",
    "a far gap of zero": "43 08 01 ad02 01 00",
    "another far tick": "43 08 01 ad02 01 02",
    "a view that ends early": VIEW + "00 00",
    "a cell lost that was not in the view": VIEW + "01 02 03 00 00",
    "a cell lost twice": VIEW + "02 00 00 01",
    "a cell beyond the last": VIEW + "00 01 04 08 00",
    "more cells than there are": VIEW + "00 09 00 00",
    "a cell that is near and far": VIEW + "00 01 02 03 01 02 03",
    "a far cell that comes near without the far ring": VIEW + "00 01 02 02 00",
    "a near cell that goes far without the far ring": VIEW + "00 00 01 00",
    "a cell that comes into the far ring without the far ring": VIEW + "00 00 01 02 03",
    "a far cell that begins anew without the far ring": VIEW + "01 02 02 00 01 02 02",
    "a cell lost in a snapshot": SNAPSHOT + "01 00 00 00" + BOARD_SECTION,
    "a snapshot with rows gone from a cell": SNAPSHOT + "00 01 00 00" + BOARD_SECTION + FIRST_GONE,
    "a snapshot with rows of a cell that is not seen": "43 01 01 ad02"
    + BOARD_SECTION
    + "01 02 00"
    + a_thing(0, 1, 10, 4, ""),
    "a cell that is not in the view": STATE + "01 02 03" + a_thing(1, 1, 1, 0, ""),
    "a cell beyond the last has a section": STATE + "01 02 08" + a_thing(1, 1, 1, 0, ""),
    "a cell that was lost has a section": VIEW + "01 00 00 00" + "01 02 00" + a_thing(1, 1, 1, 0, ""),
    "a row gone from a cell that was emptied": VIEW + "01 00 01 00 00" + FIRST_GONE,
    "a far cell without the far ring": STATE + "01 02 02" + a_thing(1, 1, 1, 0, ""),
    "a table that everybody sees after the cells": STATE + FIRST_GONE + "00 04 00 01 02 02",
    "a table that does not exist": STATE + "02 01 00 01 00",
    "cells out of order": STATE + "01 01 01 01 02 02" + FIRST_GONE,
    "a cell twice": STATE + FIRST_GONE + "01 02 00" + a_thing(1, 1, 1, 0, ""),
    "no parts": STATE + "01 00 00",
    "an unused part": STATE + "01 10 00",
    "residuals and corrections": STATE + "01 0c 00 00 00 00",
    "nobody gone": STATE + "01 01 00 00 00",
    "a row gone from a cell that it is not in": STATE + "01 01 00 01 02 02",
    "more gone than there are in the cell": STATE + "01 01 00 02 00",
    "more selected than there are in the cell": STATE + "01 04 00 02 02 00 00",
    "a row selected that has come into another cell": STATE
    + ("01 02 00" + a_thing(2, 5, 20, 5, ""))
    + "01 04 01 02 01 00 01 00",
    "a text of a row that has just entered": STATE + "01 06 00" + a_thing(1, 1, 1, 0, "") + "01 02 02 00 00",
    "a residual that leaves the field": STATE + "01 04 00 00 01 08 ff",
    "a corrected value above the largest": STATE + "01 08 00 01 00 08 c9 00",
    "corrected rows beyond those of the cell": STATE + "01 08 00 01 01 02 00 00",
    "a slot beyond the capacity": STATE + "01 02 00" + a_thing(6, 1, 1, 0, ""),
}


def documents() -> dict[str, dict[str, Any]]:
    """As tests/vectors/make.py has them."""
    frame = {
        "hex": PLACES_SNAPSHOT.hex(),
        "position": [1, 300],
        "farTick": 300,
        "view": {"0": "near", "1": "near", "2": "far"},
        "cells": {"things": {str(1 << 20): 0, str(5 << 20 | 2): 1, str(1 << 20 | 3): 2}},
        "state": {
            "board": {str(1 << 20): {"n": 5}},
            "things": {
                str(1 << 20): {"x": 10, "label": "hi"},
                str(5 << 20 | 2): {"x": 20, "label": ""},
                str(1 << 20 | 3): {"x": 100, "label": "far"},
            },
        },
        "steps": {
            "board": {str(1 << 20): {}},
            "things": {str(1 << 20): {"x": 2}, str(5 << 20 | 2): {"x": -3}, str(1 << 20 | 3): {"x": 1}},
        },
    }
    refused = [{"rule": rule, "hex": bytes.fromhex(hex).hex()} for rule, hex in BROKEN_CELLS.items()]
    return {"broken_cells": {"name": "broken_cells", "schema": PLACES, "frames": [frame], "broken": refused}}
