"""Statements whose conditions are those that are asked for, and no others, so that an index fits.

Knows texts of this package's own: a value never becomes part of a statement, it has a place in it.
"""

from __future__ import annotations

from functools import cache

__all__ = ["select"]


@cache
def select(head: str, conditions: tuple[str, ...], tail: str) -> str:
    """`head` ends in WHERE, `tail` orders and limits. Each `?` is a place for the next value."""
    parts = " ".join((head, " AND ".join(conditions) or "true", tail)).split("?")
    numbered = (f"{part}${number}" for number, part in enumerate(parts[:-1], 1))
    return "".join((*numbered, parts[-1]))
