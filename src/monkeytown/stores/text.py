"""What may stand in a column of text or as an id, on every database alike. Pure."""

from __future__ import annotations

import re

from monkeytown.errors import RecordRefused

__all__ = ["MAX_ID", "an_id", "text"]

MAX_ID = 255
"""Characters of an id at most: indexes hold two of them, and PostgreSQL's hold 2,704 bytes."""

# PostgreSQL's text cannot hold NUL, and nobody's UTF-8 half a pair of surrogates.
_UNFIT = re.compile("[\0\ud800-\udfff]")


def text(value: str) -> str:
    """As it is stored, and found again: with U+FFFD for what cannot be."""
    return _UNFIT.sub("\ufffd", value)


def an_id(value: str) -> str:
    """An id as it is stored. Raises `RecordRefused` for one that is too long."""
    if len(value) > MAX_ID:
        raise RecordRefused(f"an id of {len(value)} characters; at most {MAX_ID} can be stored")
    return text(value)
