"""News for players: what happened, as it will travel, frozen when it was sent and shared by all who get it.

Knows names and bytes, not connections or encodings. A room puts news into its members' mail; whoever takes it numbers it and
sees to it that nothing is missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

__all__ = ["MAX_EVENT", "News", "packed"]

MAX_EVENT = 16 * 1024
"""Bytes of one event's payload at most: an event is news, not state."""


class News(NamedTuple):
    """One message that must not be lost. `payload` is its map as MessagePack."""

    type: str
    payload: msgspec.Raw


def packed(payload: Mapping[str, object]) -> msgspec.Raw:
    """A payload as it will travel.

    Raises where the rules sent it: TypeError or ValueError name what cannot be sent.
    """
    try:
        content = msgspec.msgpack.encode(payload, enc_hook=_plain)
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"an event cannot carry this: {error}") from None
    if len(content) > MAX_EVENT:
        raise ValueError(f"an event of {len(content)} bytes is too large; at most {MAX_EVENT} bytes")
    return msgspec.Raw(content)


def _plain(value: object) -> object:
    """NumPy's scalars as the numbers they are."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(
            f"an event cannot carry a {type(value).__name__}: use numbers, text, bytes, lists and maps"
        )
    return item()
