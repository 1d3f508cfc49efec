"""What instances say to each other, typed: whatever does not have this form is refused before anybody acts on it.

Knows forms only. Players of a room are named by their numbers, which are the room's own; an `ask` is a number with which the
answer comes back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monkeytown.identity import Identity
from monkeytown.room.feed import Update
from monkeytown.room.mail import News

__all__ = [
    "Act",
    "Attach",
    "Attached",
    "Back",
    "Behind",
    "Chat",
    "Claim",
    "Detach",
    "Done",
    "Drop",
    "Ended",
    "Fetch",
    "Fetched",
    "HandOver",
    "Inputs",
    "Introduce",
    "Join",
    "Joined",
    "Leave",
    "Mail",
    "Message",
    "Move",
    "Moved",
    "Open",
    "Opened",
    "Published",
    "Refused",
    "Release",
    "SendAway",
    "SentAway",
    "Stands",
    "State",
]


class _Message(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Of one kind, told apart by its tag."""


# From whoever mirrors a room to its owner


class Attach(_Message, tag=1):
    """I want to mirror the room from now on; I stand at this position of it, if I have it already."""

    ask: int
    room: str
    epoch: int
    tick: int
    """-1: nowhere."""
    serial: int


class Detach(_Message, tag=2):
    """I do not any more: no player of it is here."""

    room: str


class Behind(_Message, tag=3):
    """What I was sent does not go on where I stand."""

    room: str
    epoch: int
    tick: int
    """-1: nowhere."""
    serial: int


class Join(_Message, tag=4):
    """A player wants a seat."""

    ask: int
    room: str
    key: str
    """The session's."""
    id: str
    name: str | None
    identity: Identity | None


class Claim(_Message, tag=5):
    """The session of a player who has a seat is here now, connected or not."""

    ask: int
    room: str
    key: str
    id: str
    name: str | None
    identity: Identity | None


class Leave(_Message, tag=6):
    room: str
    player: int


class Drop(_Message, tag=7):
    """The player has no connection."""

    room: str
    player: int


class Back(_Message, tag=8):
    """It has one again."""

    room: str
    player: int


class Introduce(_Message, tag=9):
    """The player is to hear of everybody anew."""

    room: str
    player: int


class Chat(_Message, tag=10):
    room: str
    player: int
    text: str


class Act(_Message, tag=11):
    """What a player does that came as a map."""

    room: str
    player: int
    action: dict[str, Any]
    number: int
    seen_tick: int


class Release(_Message, tag=13):
    """The player's session is about to go on at another instance: what comes for it waits until that one claims the seat."""

    ask: int
    room: str
    player: int


class Inputs(_Message, tag=12):
    """The packed inputs of all players at a mirror."""

    room: str
    data: bytes


# From the owner of a room to whoever mirrors it


class Attached(_Message, tag=20):
    """You mirror the room from now on. `max_players`, `mode`, `private`, `options` are the room's setup."""

    ask: int
    game: str
    epoch: int
    max_players: int | None
    mode: str
    private: bool
    options: bytes
    """JSON."""


class State(_Message, tag=21):
    room: str
    update: Update


class Stands(_Message, tag=22):
    """Where what you were sent has led you."""

    room: str
    epoch: int
    tick: int
    serial: int


class Joined(_Message, tag=23):
    """The player has the seat."""

    ask: int
    player: int
    name: str
    id: str
    input: int


class Mail(_Message, tag=24):
    """News, each with the players that it is for."""

    room: str
    news: list[tuple[News, list[int]]]


class SentAway(_Message, tag=25):
    """The game sends a player away, who has no seat any more."""

    room: str
    player: int
    code: int
    reason: str


class Ended(_Message, tag=26):
    """There is no such room here (any more)."""

    room: str


class Moved(_Message, tag=27):
    """The room goes on at another instance."""

    room: str
    owner: str
    epoch: int


# Between any two


class Refused(_Message, tag=30):
    """What was asked is not granted."""

    ask: int
    code: str
    message: str


class Done(_Message, tag=31):
    """What was asked is done."""

    ask: int


class Open(_Message, tag=32):
    """Open a room: you have less to do than others."""

    ask: int
    game: str
    player: str
    """Who is about to come."""


class Opened(_Message, tag=33):
    ask: int
    room: str


class Fetch(_Message, tag=34):
    """A session's client has come to me, with this token."""

    ask: int
    token: str


class Fetched(_Message, tag=35):
    """The session, which is no longer here; empty: there is none."""

    ask: int
    record: bytes


class HandOver(_Message, tag=36):
    """The room is yours, if you take it."""

    ask: int
    room: str
    epoch: int
    saved: bytes
    inputs: bytes
    """Packed inputs that were waiting."""
    holders: list[tuple[str, str]]
    """Who has its seats: player ids and session keys."""


class Move(_Message, tag=37):
    """An operator's wish: hand a room over (empty: all of them, and go), to an instance (empty: any)."""

    ask: int
    room: str
    to: str


class SendAway(_Message, tag=38):
    """A player's sessions are to end, wherever they are."""

    player: str
    code: int


class Published(_Message, tag=39):
    """What a room publishes for others, or for a player."""

    topic: str
    """Of rooms; empty if it is for one player."""
    player: str
    event: msgspec.Raw
    """The payload of a `game_event`."""


Message = (
    Attach | Detach | Behind | Join | Claim | Leave | Drop | Back | Introduce | Chat | Act | Inputs | Release
    | Attached | State | Stands | Joined | Mail | SentAway | Ended | Moved
    | Refused | Done | Open | Opened | Fetch | Fetched | HandOver | Move | SendAway | Published
)  # fmt: skip
