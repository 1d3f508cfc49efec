"""What of a player outlives a connection: how the server knows it again, and what each side has of the other's messages.

Pure: makes the hello and reads the welcome, as docs/reference/wire.md says. It must not know connections or tables.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from monkeytown.client.outbox import Outbox
from monkeytown.position import Position
from monkeytown.protocol.messages import Hello, Resume, Welcome

__all__ = ["Place", "Session", "Welcomed"]

SNAPSHOT = "snapshot"


class Place(NamedTuple):
    """The room that the player is in, and where its tables stand."""

    game_id: str
    position: Position


class Welcomed(NamedTuple):
    """What a welcome means: whether it is the session of before, and what of it goes on."""

    known: bool
    seated: bool
    """The server has the player in a room, as it was."""
    recovered: bool
    resumed: str | None
    lost: int
    """Messages of ours that were given up: the server may have taken them or not."""

    @property
    def awaits_state(self) -> bool:
        """A schema and a snapshot follow."""
        return self.seated and self.resumed == SNAPSHOT


class Session:
    """One player, from its first hello on. A new one begins here when the server does not know the old one any more."""

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self._secret = ""
        self.player_id = ""
        self.number = 0
        """The newest numbered message read."""
        self.outbox = Outbox()

    def hello(self, place: Place | None, token: str | None) -> Hello:
        """The first message of a connection; `place` if the state can go on from there."""
        about = msgspec.structs.replace(self._hello, token=token)
        if not self._secret:
            return about
        resume = Resume(self._secret, self.number)
        if place is not None:
            resume = Resume(self._secret, self.number, place.game_id, *place.position)
        return msgspec.structs.replace(about, resume=resume)

    def renew(self, welcome: Welcome) -> None:
        """Read the answer to another token: it tells of nothing but another secret."""
        self._secret = welcome.session

    def take(self, welcome: Welcome) -> Welcomed:
        """Read the answer to the hello."""
        # A token stands for the same player in another session as well; but in one that is known there is something to count.
        anew = welcome.recovered is False and not welcome.number and welcome.game_id is None
        known = welcome.player_id == self.player_id and not anew
        self.player_id, self._secret, self.number = welcome.player_id, welcome.session, welcome.number
        lost = 0
        if known:
            self.outbox.received(welcome.received)
        else:
            lost = self.outbox.restart()
        return Welcomed(
            known,
            known and welcome.game_id is not None,
            known and bool(welcome.recovered),
            welcome.resumed if known else None,
            lost,
        )
