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
from monkeytown.fields import angle, array, blob, boolean, enum, fixed, ref, sint, text, uint
from monkeytown.game import Game
from monkeytown.identity import Identity
from monkeytown.player import Player, Players, Timer
from monkeytown.schema import Entity, Input, singleton, table
from monkeytown.views import area, everything

__all__ = [
    "Entity",
    "FieldError",
    "Game",
    "Gone",
    "HookError",
    "Identity",
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
    "area",
    "array",
    "blob",
    "boolean",
    "collisions",
    "enum",
    "everything",
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
