"""What a server that is one of many asks the others for, on behalf of its sessions.

Knows the questions, not the answers: `monkeytown.cluster` has those. All answers come later, in their turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from monkeytown.identity import Identity
from monkeytown.room.member import Member

if TYPE_CHECKING:
    from monkeytown.runtime.place import Place
    from monkeytown.runtime.session import Session

__all__ = ["Elsewhere", "Seat"]


class Seat(NamedTuple):
    """A seat that a session's player has been given."""

    place: Place
    member: Member


class Elsewhere(Protocol):
    """The other instances."""

    async def seat(self, session: Session, game_id: str) -> Seat:
        """A seat in the room that a `gameId` means to a player, wherever that room is. Raises `Refusal`."""

    async def find(self, token: str, identity: Identity | None) -> Session | None:
        """The session that a token opens, fetched from where it was; None if there is none, or it is not theirs."""

    def changed(self, session: Session, urgent: bool) -> None:
        """Something of it is different that whoever goes on with it elsewhere must know; urgent: or it cannot go on."""

    def forgotten(self, session: Session) -> None:
        """It is over."""

    def sent_away(self, player_id: str, code: int) -> None:
        """A player's sessions are to end, wherever they are."""
