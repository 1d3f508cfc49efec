"""Who a player is, as far as a token says it.

Knows names and times, not tokens: whoever checks those answers with one of these. A game's own `on_auth` does so too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["PLAYER_ID", "Identity", "is_player_id"]

PLAYER_ID = "[A-Za-z0-9_.:@|-]{1,128}"
"""A pattern of what can name a player."""

_PLAYER_ID = re.compile(PLAYER_ID)


class Identity(NamedTuple):
    """One player. Times are in seconds since 1970."""

    id: str
    """Names the player for ever: at most 128 letters, digits and `_ . : @ | -`. Others see it."""
    name: str | None = None
    """What others see; None: whatever the player says."""
    guest: bool = False
    """Whether nobody vouches for who this is."""
    issued: float = 0.0
    """When the token was made: who logs out makes older ones useless."""
    expires: float | None = None
    """Until when it is good; None: for ever."""
    data: bytes = b"{}"
    """The player's document, a JSON object."""
    has_data: bool = True
    """Whether that is what was kept: a document that could not be read is not written over."""


def is_player_id(text: object) -> bool:
    """Whether this can name a player."""
    return isinstance(text, str) and _PLAYER_ID.fullmatch(text) is not None
