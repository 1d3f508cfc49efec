"""A room in time, as far as it can be put down, put away, and handed over to go on elsewhere.

Knows the room and who holds its seats, which `hosted` makes; not where its bytes go.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from monkeytown.errors import HookError
from monkeytown.room.room import Room
from monkeytown.runtime.place import Holder, Place
from monkeytown.runtime.seats import Seats

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host
    from monkeytown.runtime.hosted import HostedRoom

__all__ = ["KeptRoom"]

BROUGHT_BACK = ""
"""Has reserved the seats of those who were in a room when it was put away. Nobody's id is empty."""


class KeptRoom(Place):
    """The side of a hosted room that goes away."""

    seats: Seats
    sessions: dict[str, Holder]
    empty_since: float | None
    _room: Room
    _host: Host
    _ended: bool

    @property
    @abstractmethod
    def _hosted(self) -> HostedRoom: ...
    @abstractmethod
    def advance(self) -> None: ...
    @abstractmethod
    def _settle(self) -> object: ...
    @abstractmethod
    def _start(self) -> None: ...
    @abstractmethod
    def _stop(self) -> None: ...

    def await_players(self, players: Collection[str], until: float) -> None:
        """The room was brought back: these have their seats until then, and it stays open as long."""
        self.seats.reserve(BROUGHT_BACK, players, until)
        self.empty_since = until

    def awaits(self, player_id: str) -> bool:
        """Whether the player was here when the room was put away, and has not come back yet."""
        return self.seats.waits_for(player_id, BROUGHT_BACK)

    def checkpoint(self) -> bytes | None:
        """The room as it is, to be brought back should the server end without a word; None if it has ended, or ends now."""
        return self._checkpoint(self._room.checkpoint)

    def checkpoint_with_members(self) -> bytes | None:
        """The same with all who are in it, who then need not come anew."""
        return self._checkpoint(lambda: self._room.checkpoint(members=True))

    def put_away(self) -> bytes | None:
        """The room stops here, to be brought back later; None if it has ended."""
        self.advance()
        self.disturbed()
        saved = self._checkpoint(self._room.put_away)
        if saved is not None:
            self._ended = True
            self._stop()
            self._host.forget(self._hosted)
            self._host.keep(self._room, self._room.keeping.ledger.take())
        return saved

    def hand_over(self) -> bytes | None:
        """The room stops, to go on elsewhere with all who are in it; None if it has ended, or ends now."""
        self.advance()
        self.disturbed()
        saved = self._checkpoint(self._room.hand_over)
        if saved is not None:
            self._stop()
        return saved

    def go_on(self) -> None:
        """Nobody has taken it: it goes on here."""
        self._room.revive()
        self._start()
        for player_id in [one for one in self._room.members if one not in self.sessions]:
            self._room.leave(player_id)  # meanwhile
        self.disturbed()

    def let_go(self) -> None:
        """It goes on elsewhere. Its sessions are seen to by whoever calls this."""
        self._ended = True
        self._stop()
        self.sessions.clear()
        self._host.forget(self._hosted)

    def _checkpoint(self, make: Callable[[], bytes]) -> bytes | None:
        if self._ended:
            return None
        try:
            return make()
        except HookError:
            self._settle()
            return None
