"""What whoever opens a room wants of it, before it begins.

Knows what may be wanted, not who wants it nor who gets to see the room: that is its host's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["AS_EVER", "Setup"]


class Setup(NamedTuple):
    """`max_players`: None, as the game says. The rules read `mode` and `options`; `private` is for those who list rooms."""

    max_players: int | None = None
    mode: str = ""
    private: bool = False
    options: Mapping[str, Any] = MappingProxyType({})


AS_EVER = Setup()
"""Nothing in particular."""
