"""What keeps a copy of a room on another instance level with it: the ordinary state frames, and what those do not say.

A copy is a reader like any other; beside its position it has a serial, which counts what has become known of members who are
there: which rows are theirs, what they look at, which of their inputs the rules have seen. Both are read from: a copy that
missed something is brought on from where it stands. Knows a room, not who copies it, nor how updates travel.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, NamedTuple

import msgspec

from monkeytown._core import delta, hidden
from monkeytown._core.batch import Seats
from monkeytown._core.state import Row, Table
from monkeytown.position import Position
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.views import LONGEST_DELAY

__all__ = ["ANYBODY", "NOWHERE", "Fact", "Feed", "Mark", "NamedRow", "Update", "fact_of"]

SERIAL_BITS = 52

ANYBODY = 0
"""A serial from which everything is new."""

_Natural = Annotated[int, msgspec.Meta(ge=0)]
_Player = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]

NamedRow = tuple[_Natural, Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]]
"""The number of its table, and its id; 0 for a row that is gone."""


class Mark(NamedTuple):
    """Where a copy stands."""

    position: Position | None
    serial: int


NOWHERE = Mark(None, ANYBODY)


class Fact(msgspec.Struct, array_like=True):
    """One member, as copies must know it."""

    player: _Player
    entity: NamedRow | None
    entity_tick: _Natural
    focus_row: NamedRow | None
    focus_place: tuple[float, float] | None
    seen_from: tuple[float, float] | None
    """Where its view is as long as there is no row to be around, as far as that is known here."""
    delay: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_DELAY)] | None
    """Of the view that shows everything; None: what the game's view shows."""


class Update(msgspec.Struct, array_like=True):
    """What brings a copy from a mark to another, at a later tick."""

    epoch: int
    tick: int
    """Where it leads."""
    base: int
    """Where it starts; -1: anywhere, it is everything anew."""
    frame: bytes
    """A `game_state`. Where nothing has changed but what is said of members, it is empty but for the tick."""
    hidden: bytes
    """Of the same ticks: `monkeytown._core.hidden`."""
    since: int
    serial: int
    facts: list[Fact]
    inputs: bytes
    """The newest of each member that the rules have seen: `monkeytown._core.batch.Seats.noted`."""

    @property
    def mark(self) -> Mark:
        """Where a copy stands that has taken it."""
        return Mark(Position(self.epoch, self.tick), self.serial)


class Feed:
    """Of one room, for all of its copies: what several need at once is made once."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._members: dict[int, Member] = {}
        self._seats = Seats()
        """The same, for compiled code."""
        # Another feed of the same room, before it was moved here, has counted elsewhere.
        self._first = self._serial = 1 + secrets.randbits(SERIAL_BITS)
        self._told: dict[int, int] = {}
        """The serial of each member's newest fact, the newest last."""
        self._new: set[Member] = set()
        self._made: dict[Mark, Update | None] = {}
        self._observed = -1

    def follow(self, member: Member) -> None:
        """Copies need to know of this one from now on."""
        self._members[member.number] = member
        self._seats.add(member)
        self._new.add(member)

    def forget(self, number: int) -> None:
        """They need not any more."""
        member = self._members.pop(number, None)
        self._told.pop(number, None)
        if member is not None:
            self._seats.remove(member)
            self._new.discard(member)

    def read(self, mark: Mark) -> Update | None:
        """What brings a copy to now; None if there is nothing, or nothing before the room's next step. To be asked right
        after a step.
        """
        if not self._room.is_disturbed:
            if self._observed != self._room.tick:
                self._observe()
            if mark not in self._made:
                self._made[mark] = self._make(mark)
        return self._made.get(mark)

    def _observe(self) -> None:
        """What has become of members since the last tick that was read. Once in a tick, so that it is always told with a
        later one than what was told before: by the tick a copy knows who of its readers has heard of it.
        """
        self._observed = self._room.tick
        self._made.clear()
        serial, members, told = self._serial + 1, self._members, self._told
        changed = self._seats.note(serial)
        for member in self._room.altered | self._new:
            if members.get(member.number) is member:
                told.pop(member.number, None)
                told[member.number] = serial
                changed = True
        self._room.altered.clear()
        self._new.clear()
        if changed:
            self._serial = serial

    def _make(self, mark: Mark) -> Update | None:
        room, position = self._room, mark.position
        if position == room.position or not room.is_readable:
            return None
        reading = room.read(position)
        frame, base, since = reading.frame, None, ANYBODY
        if position is not None and reading.reason.is_delta:
            base = position.tick
            if self._first <= mark.serial <= self._serial:
                since = mark.serial
            if frame is None and since == self._serial:
                return None
            if frame is None:
                frame = delta.encode(room.tables, room.epoch, base, room.tick)
        assert frame is not None
        return Update(
            epoch=room.epoch,
            tick=room.tick,
            base=-1 if base is None else base,
            frame=frame,
            hidden=hidden.encode(room.tables, base),
            since=since,
            serial=self._serial,
            facts=self._facts(since),
            inputs=self._seats.noted(since),
        )

    def _facts(self, since: int) -> list[Fact]:
        """What has become known since a serial, the newest first."""
        found = []
        for number in reversed(self._told):
            if self._told[number] <= since:
                break
            found.append(fact_of(self._members[number], self._room.tables))
        return found


def fact_of(member: Member, tables: tuple[Table[Any], ...]) -> Fact:
    """A member as it is now."""
    player, sight = member.player, member.sight
    entity, focus, view = player.entity, player.focus, player.view
    is_row = isinstance(focus, Row)
    return Fact(
        member.number,
        None if entity is None else _named(entity, tables),
        member.entity_tick,
        _named(focus, tables) if is_row else None,
        None if is_row or focus is None else (float(focus[0]), float(focus[1])),
        None if sight is None else sight.place,
        None if view is None else view.delay,
    )


def _named(row: Row, tables: tuple[Table[Any], ...]) -> NamedRow:
    return (tables.index(row.table), row.id) if row.alive else (0, 0)
