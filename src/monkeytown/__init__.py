"""Monkeytown: real-time multiplayer games from one Python file.

What a game may use is all here: `from monkeytown import Entity, Game, Input, fixed, table, …`.
"""

from monkeytown._core.grid import collisions, nearest, neighbours, within
from monkeytown.errors import (
    FieldError,
    Gone,
    HookError,
    MonkeytownError,
    NoSuchTick,
    Refusal,
    SchemaError,
    StartError,
    TableFull,
    WireError,
)
from monkeytown.game import Game, Player, Players, Timer
from monkeytown.schema import (
    Entity,
    Input,
    angle,
    array,
    blob,
    boolean,
    enum,
    fixed,
    ref,
    singleton,
    sint,
    table,
    text,
    uint,
)

__all__ = [
    "Entity",
    "FieldError",
    "Game",
    "Gone",
    "HookError",
    "Input",
    "MonkeytownError",
    "NoSuchTick",
    "Player",
    "Players",
    "Refusal",
    "SchemaError",
    "StartError",
    "TableFull",
    "Timer",
    "WireError",
    "angle",
    "array",
    "blob",
    "boolean",
    "collisions",
    "enum",
    "fixed",
    "nearest",
    "neighbours",
    "ref",
    "singleton",
    "sint",
    "table",
    "text",
    "uint",
    "within",
]
