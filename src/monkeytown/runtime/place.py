"""A room as those who sit in it and those who read it know it, wherever its rules run: here, or on another instance.

Knows the reading side of a room, its audiences and who holds its seats; not how it moves, nor what becomes of what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from monkeytown.identity import Identity
from monkeytown.protocol.codec import BINARY
from monkeytown.room.member import Member
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.view import EVERYTHING
from monkeytown.runtime.metrics import GameMetrics, Traffic

if TYPE_CHECKING:
    from monkeytown.runtime.session import Session

__all__ = ["Audience", "Holder", "Place"]


class Audience(Protocol):
    """The readers of one kind in one room."""

    def prepare(self, room: Any) -> None:
        """The room has moved: makes ready what brings its readers to now."""

    def send(self) -> None:
        """Sends what was made ready, unless the room has ended meanwhile."""

    def traffic(self) -> Traffic:
        """What was sent to them so far."""
        return Traffic()


class Holder(Protocol):
    """Who has a seat: a session of this instance, or what stands for one of another."""

    id: str
    """The player's."""
    key: str
    """The session's."""
    name: str | None
    identity: Identity | None

    def take_mail(self, member: Member) -> None:
        """What the room has for this player goes on its way."""

    def describe_anew(self, place: Any, member: Member) -> None:
        """The player sees the room in another way."""

    def flush(self) -> None:
        """Whatever it was told goes out now."""

    def dismiss(self, code: int, reason: str) -> None:
        """The game sends the player away, who has no seat any more."""

    def replaced(self) -> None:
        """The same player has come from elsewhere and has its seat now."""


class Place:
    """One room, for its readers and for the sessions that are in it."""

    is_mirror = False
    """Whether its rules run on another instance."""

    def __init__(self, room: ReadableRoom, metrics: GameMetrics) -> None:
        self.audiences: list[Audience] = []
        self._readable = room
        self._metrics = metrics
        self._schemas: dict[bool, bytes] = {}
        """By whether all is seen."""

    @property
    def room(self) -> ReadableRoom:
        """What readers read."""
        return self._readable

    @property
    def game_name(self) -> str:
        return self._readable.name

    @property
    def members(self) -> Mapping[str, Member]:
        """Those whose sessions can be here, by player id."""
        return self._readable.members

    def is_meant_by(self, game_id: str) -> bool:
        """Whether a `gameId` is the room's, or that of its game."""
        return game_id in (self._readable.name, self._readable.id)

    def schema(self, member: Member) -> bytes:
        """The `schema` message of the binary encoding: the same for all who see the room in the same way."""
        everything = member.view is EVERYTHING
        if everything not in self._schemas:
            self._schemas[everything] = BINARY.encode("schema", self._readable.describe(member))
        return self._schemas[everything]

    def traffic(self) -> Traffic:
        """What the room said to its readers so far."""
        room = self._readable
        traffic = Traffic(room.encoded.made, room.encoded.shared)
        if room.area is not None:
            traffic.frames_encoded += room.area.encoded
            traffic.frames_shared += room.area.shared
        for table in room.tables:
            rest = table.bytes_encoded
            for field, column in zip(table.entity.fields(), table.columns, strict=True):
                traffic.column_bytes[table.name, field.name] = column.bytes_encoded
                rest -= column.bytes_encoded
            traffic.column_bytes[table.name, ""] = rest
        for audience in self.audiences:
            traffic.add(audience.traffic())
        return traffic

    def retire(self, audience: Audience) -> None:
        """Nobody reads this way any more."""
        self.audiences.remove(audience)
        self._metrics.ended.add(audience.traffic())

    # What a session that sits here may do

    def drop(self, session: Session) -> None:
        """The session has no connection; its player's seat is kept."""
        raise NotImplementedError

    def resume(self, session: Session) -> None:
        """It has one again."""
        raise NotImplementedError

    def leave(self, session: Session) -> None:
        """The session's player is gone."""
        raise NotImplementedError

    def introduce_all(self, session: Session) -> None:
        """The player hears of everybody anew."""
        raise NotImplementedError

    def chat(self, session: Session, text: str) -> None:
        """The player says something. Raises `Refusal`."""
        raise NotImplementedError

    def act(self, session: Session, action: dict[str, Any], number: int, seen_tick: int) -> None:
        """The player does something that came as a map. Raises `Refusal`."""
        raise NotImplementedError

    def disturbed(self) -> None:
        """Something happened outside of a tick."""
        raise NotImplementedError
