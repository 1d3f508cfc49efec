"""What state frames do not say of tables: whose rows are, and what only their owners see. For copies that serve readers.

A supplement goes with the frame that leads to the same tick, and is applied behind it. What a copy then answers when it is
asked for what is private is what the original answers, from every tick that the copy has stood at.
"""

from typing import Any

from monkeytown._core.state import Table

def encode(tables: tuple[Table[Any], ...], base: int | None) -> bytes:
    """What has changed since tick `base`, or everything for None; empty if there is nothing."""

def apply(tables: tuple[Table[Any], ...], data: bytes, tick: int) -> bool:
    """Takes a supplement in, right after the frame that has led the tables to `tick`. WireError for bytes that are none.

    Returns whether it is not known whose rows changed hands: then everybody is to be told anew.
    """
