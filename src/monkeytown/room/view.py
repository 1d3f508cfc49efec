"""What part of a room's state a reader sees.

A view is a small value: readers with equal views at the same position share their frames. Owner-only columns
are in no view; they travel in each player's private part.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EVERYTHING", "View"]


class View(NamedTuple):
    """`key` names what is seen; two views with the same key see the same."""

    key: str


EVERYTHING = View("everything")
"""All rows and all shared columns of all tables."""
