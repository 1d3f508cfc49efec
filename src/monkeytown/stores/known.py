"""What a store knows, as it is handed out: values that nobody changes.

Times are in seconds since 1970; JSON is bytes, as it came.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "ChatLine",
    "KnownEvent",
    "KnownGame",
    "KnownPlayer",
    "KnownReplay",
    "Participant",
    "Ranking",
    "Standing",
]

Ranking = Literal["best", "lowest", "total"]
"""How a game's boards are ordered: the highest score first, the lowest, or the highest sum."""


class KnownPlayer(NamedTuple):
    """A player. Who was erased has no name and no document, and `erased` says since when."""

    id: str
    name: str
    guest: bool
    data: bytes | None
    """The player's document, JSON; None: there is none."""
    created: float
    seen: float | None
    """None: never played."""
    banned_until: float | None
    ban_reason: str
    tokens_after: float | None
    """Tokens from before this are not taken any more."""
    erased: float | None


class KnownGame(NamedTuple):
    """One game that was played, or is: a room."""

    room: str
    game: str
    mode: str
    private: bool
    opened: float
    closed: float | None
    reason: str
    failed: bool
    result: bytes | None
    """JSON; of a room that finished more than once the newest."""


class Participant(NamedTuple):
    """`joined` is when first, `left` when last; None: still there."""

    player: str
    name: str
    joined: float
    left: float | None


class ChatLine(NamedTuple):
    epoch: int
    sequence: int
    time: float
    player: str
    name: str
    text: str


class KnownEvent(NamedTuple):
    """What the rules emitted, and to whom, unless `player` is empty; `data` is JSON."""

    epoch: int
    sequence: int
    time: float
    player: str
    event: str
    data: bytes


class Standing(NamedTuple):
    """A player's place on a board: who has the same score has the same rank, and the next one is counted on (1, 2, 2, 4)."""

    rank: int
    player: str
    name: str
    score: float
    """An int where it is a whole number."""


class KnownReplay(NamedTuple):
    """A recording: `file` is its name in the data folder, `size` its bytes; `ended` is None while it goes on."""

    id: str
    room: str
    game: str
    started: float
    ended: float | None
    ticks: int
    size: int
    file: str
    complete: bool
