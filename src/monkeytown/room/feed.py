"""What keeps a copy of a room on another instance level with it: the ordinary state frames, and what those do not say.

A copy is a reader like any other; beside its position it has a serial, which counts what has become known of members who are
there: which rows are theirs, what they look at, which of their inputs the rules have seen. Both are read from: a copy that
missed something is brought on from where it stands. Knows a room, not who copies it, nor how updates travel.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import msgspec

from monkeytown._core import hidden
from monkeytown._core.state import Row
from monkeytown.position import Position
from monkeytown.room.member import Member
from monkeytown.room.room import Room

__all__ = ["ANYBODY", "NOWHERE", "Fact", "Feed", "Mark", "Update"]

SERIAL_BITS = 52

ANYBODY = 0
"""A serial from which everything is new."""


class Mark(NamedTuple):
    """Where a copy stands."""

    position: Position | None
    serial: int


NOWHERE = Mark(None, ANYBODY)


class Fact(msgspec.Struct, array_like=True):
    """One member, as copies must know it. Rows are (number of the table, id)."""

    player: int
    entity: tuple[int, int] | None
    entity_tick: int
    focus_row: tuple[int, int] | None
    focus_place: tuple[float, float] | None
    delay: float | None
    """Of the view that shows everything; None: what the game's view shows."""


class Update(msgspec.Struct, array_like=True):
    """What brings a copy from a mark to another. Without a frame its position stays what it is."""

    epoch: int
    tick: int
    """Where it leads."""
    base: int
    """Where it starts; -1: anywhere, it is everything anew."""
    frame: bytes
    hidden: bytes
    """Of the same ticks: `monkeytown._core.hidden`."""
    since: int
    serial: int
    facts: list[Fact]
    inputs: list[int]
    """A player's number and that of the newest input that the rules have seen, by turns."""

    @property
    def mark(self) -> Mark:
        """Where a copy stands that has taken it."""
        return Mark(Position(self.epoch, self.tick) if self.tick >= 0 else None, self.serial)


class Feed:
    """Of one room, for all of its copies: what several need at once is made once."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._members: dict[int, Member] = {}
        # Another feed of the same room, before it was moved here, has counted elsewhere.
        self._first = self._serial = 1 + secrets.randbits(SERIAL_BITS)
        self._told: dict[int, int] = {}
        """The serial of each member's newest fact."""
        self._inputs: dict[int, tuple[int, int]] = {}
        """The newest input of each, and the serial with which it became that."""
        self._new: set[Member] = set()
        self._made: dict[Mark, Update | None] = {}
        self._observed = -1

    def follow(self, member: Member) -> None:
        """Copies need to know of this one from now on."""
        self._members[member.number] = member
        self._inputs[member.number] = (member.input, self._serial + 1)
        self._new.add(member)

    def forget(self, number: int) -> None:
        """They need not any more."""
        member = self._members.pop(number, None)
        self._told.pop(number, None)
        self._inputs.pop(number, None)
        if member is not None:
            self._new.discard(member)

    def read(self, mark: Mark) -> Update | None:
        """What brings a copy to now; None if there is nothing. To be asked right after a step."""
        if self._observed != self._room.tick or self._new:
            self._observe()
        if mark not in self._made:
            self._made[mark] = self._make(mark)
        return self._made[mark]

    def _observe(self) -> None:
        """What has become of members since the last tick that was read."""
        self._observed = self._room.tick
        self._made.clear()
        serial, changed = self._serial + 1, False
        for number, member in self._members.items():
            if self._inputs[number][0] != member.input:
                self._inputs[number] = member.input, serial
                changed = True
        altered, members = self._room.altered, self._members
        for member in altered | self._new if altered or self._new else ():
            if members.get(member.number) is member:
                self._told[member.number] = serial
                changed = True
        altered.clear()
        self._new.clear()
        if changed:
            self._serial = serial

    def _make(self, mark: Mark) -> Update | None:
        room, position = self._room, mark.position
        reading = room.read(position)
        goes_on = position is not None and reading.reason.is_delta
        since = mark.serial if goes_on and self._first <= mark.serial <= self._serial else ANYBODY
        if reading.frame is None and since == self._serial:
            return None
        base = position.tick if position is not None and goes_on else -1
        if reading.frame is None:
            if position is None:
                return None  # there is nothing to see yet
            epoch, tick, supplement = *position, b""
        else:
            epoch, tick = room.position
            supplement = hidden.encode(room.tables, None if base < 0 else base)
        return Update(
            epoch=epoch,
            tick=tick,
            base=base,
            frame=reading.frame or b"",
            hidden=supplement,
            since=since,
            serial=self._serial,
            facts=[self._fact(self._members[number]) for number, told in self._told.items() if told > since],
            inputs=[
                part
                for number, (newest, told) in self._inputs.items()
                if told > since
                for part in (number, newest)
            ],
        )

    def _fact(self, member: Member) -> Fact:
        player = member.player
        focus, view = player.focus, player.view
        row = self._row(focus) if isinstance(focus, Row) else None
        place = (float(focus[0]), float(focus[1])) if isinstance(focus, tuple | list) else None
        delay = None if view is None else view.delay
        return Fact(member.number, self._row(player.entity), member.entity_tick, row, place, delay)

    def _row(self, row: Row | None) -> tuple[int, int] | None:
        if row is None or not row.alive:
            return None
        return self._room.tables.index(row.table), row.id
