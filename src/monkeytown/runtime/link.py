"""What a session asks of the reader that carries its bytes.

Knows nothing of how they travel; the readers of floor 4 do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from monkeytown.position import Position
from monkeytown.protocol.codec import Codec
from monkeytown.room.member import Member

if TYPE_CHECKING:
    from monkeytown.runtime.place import Place
    from monkeytown.runtime.session import Session

__all__ = ["Link"]


class Link(Protocol):
    """One connection of a client, whatever it is made of. It carries one session, and not always the same one."""

    codec: Codec
    session: Session
    address: str
    """Where the client is."""

    @property
    def last_received(self) -> float:
        """When the client was heard last, in the seconds of a monotonic clock."""

    @property
    def acked_number(self) -> int:
        """The newest numbered message that the client says it has read on this connection."""

    def send(self, message: bytes) -> None:
        """Reliably and in order; with the next state at the latest."""

    def send_numbered(self, message: bytes, number: int) -> None:
        """The same, of a message that the client acknowledges by its number."""

    def count_from(self, number: int) -> None:
        """The client has read the numbered messages up to this one, over the links that it had before."""

    def flush(self) -> None:
        """Whatever was sent goes out now."""

    def enter(self, hosted: Place, member: Member, position: Position | None = None) -> None:
        """From now on this client reads the room's states, from where it is, and its packed inputs are the room's."""

    def leave(self) -> None:
        """It no longer does."""

    def acknowledge(self, epoch: int | None, tick: int, number: int) -> bool:
        """What the client says that it has; without an epoch it came inside an input. False: it cannot have that."""

    def seen(self, number: int) -> None:
        """The rules have seen the input of this number."""

    def close(self, code: int, reason: str) -> None:
        """The connection ends, once what was sent has gone out."""
