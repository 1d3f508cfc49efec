"""Monkeytown: real-time multiplayer games from one Python file.

What a game may use is all here: `from monkeytown import Entity, Game, Input, fixed, table, …`.
"""

from monkeytown.errors import (
    FieldError,
    Gone,
    HookError,
    MonkeytownError,
    Refusal,
    SchemaError,
    StartError,
    TableFull,
    WireError,
)
from monkeytown.fields import angle, array, blob, boolean, enum, fixed, ref, sint, text, uint
from monkeytown.game import Game, Player, Players, Timer
from monkeytown.schema import Entity, Input, singleton, table
from monkeytown.views import area, everything

__all__ = [
    "Entity",
    "FieldError",
    "Game",
    "Gone",
    "HookError",
    "Input",
    "MonkeytownError",
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
    "enum",
    "everything",
    "fixed",
    "ref",
    "singleton",
    "sint",
    "table",
    "text",
    "uint",
]
