"""A game that is seen by area, for the tests of rooms: bees fly, flowers stand, the sun shines for all."""

from __future__ import annotations

from typing import Any

from monkeytown import Entity, Game, Player, area, fixed, singleton, table, text, uint
from monkeytown.position import Position
from monkeytown.room.member import Member
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.room import Room
from tests.naive_reader import NaiveReader


class Bee(Entity):
    x = fixed(0, 1000, step=1 / 8, predict="linear")
    y = fixed(0, 1000, step=1 / 8, predict="linear")
    name = text(24)
    nectar = uint(8, owner_only=True)


class Flower(Entity):
    x = fixed(0, 1000)
    y = fixed(0, 1000)


class Sun(Entity):
    height = uint(8)


class Meadow(Game):
    """Everybody begins in the lowest corner."""

    tick_rate = 20
    bees = table(Bee, capacity=64)
    flowers = table(Flower, capacity=64)
    sun = singleton(Sun)
    view = area(80, bees, flowers)

    def on_join(self, player: Player) -> None:
        player.entity = self.bees.spawn(name=player.name, x=10, y=10)


class Reader:
    """One player of a meadow, who reads it as a connection would, with the naive reader for eyes."""

    def __init__(self, room: ReadableRoom, member: Member) -> None:
        self.room, self.member = room, member
        self.position: Position | None = None
        self.private_base: int | None = None
        self.begin()

    def begin(self) -> None:
        """The room is described, at first or anew."""
        self.position = self.private_base = None
        self.eyes = NaiveReader(self.room.describe(self.member))

    def read(self) -> Any:
        """A state, and what is private."""
        reading = self.room.read(self.position, self.member.view)
        self.position = reading.position
        if reading.frame is not None:
            self.eyes.apply(reading.frame)
        private = self.room.private(self.member, None if reading.is_snapshot else self.private_base)
        self.private_base = self.room.tick
        if private is not None:
            self.eyes.apply(private.message())
        return reading

    def names(self) -> set[str]:
        """Of the bees that it sees."""
        return {row["name"] for row in self.eyes.tables["bees"].values()}

    def nectar(self) -> dict[str, int]:
        """What it knows of the nectar of the bees that it sees."""
        rows, private = self.eyes.tables["bees"], self.eyes.private["bees"]
        return {rows[id]["name"]: private[id]["nectar"] for id in rows}


def readers(room: Room, *names: str) -> list[Reader]:
    for name in names:
        room.join(name, name)
    return [Reader(room, room.members[name]) for name in names]
