"""What a player without a person does next.

Pure: sees a room, returns the fields of an input. Knows how to draw plausible inputs from any schema, and how the games that
come with Monkeytown are played; it must not know connections or time.
"""

from __future__ import annotations

from math import atan2, hypot, pi, remainder, tau
from random import Random
from typing import Any, Protocol

from monkeytown.client.room import Room

__all__ = ["Brain", "Crosser", "Gatherer", "Wanderer", "brain_for"]


class Brain(Protocol):
    """Decides for one player. Called at the bot's pace."""

    def decide(self, room: Room) -> dict[str, Any] | None:
        """The fields of the next input, or None for none."""


class Wanderer:
    """Plays any game with an input class: values that fit, each held for a while as a person would."""

    HELD = 12  # decisions, on average

    def __init__(self, random: Random) -> None:
        self.random = random
        self.fields: dict[str, Any] = {}

    def decide(self, room: Room) -> dict[str, Any] | None:
        layout = room.schema["input"]
        if layout is None:
            return None
        for field in layout["fields"]:
            if field["name"] not in self.fields or self.random.random() < 1 / self.HELD:
                self.fields[field["name"]] = self.draw(field)
        return self.fields

    def draw(self, field: dict[str, Any]) -> Any:
        """A value that the field can hold."""
        kind = field["type"]
        if kind == "fixed":
            return self.random.uniform(field["lo"], field["hi"])
        if kind == "angle":
            return self.random.uniform(0, tau)
        if kind == "bool":
            return self.random.random() < 0.3
        if kind == "enum":
            return self.random.choice(field["values"])
        lowest = -(1 << field["bits"] - 1) if kind == "sint" else 0
        return lowest + self.random.getrandbits(field["bits"])


class Gatherer:
    """Plays Jungle: runs to a banana nearby, and picks another when that one is eaten."""

    NEARBY = 8  # of so many bananas seen at random the nearest is chosen, so that bots do not all want the same one
    FULL_TURN_AT = pi / 3

    LITTLE_BREATH, ENOUGH_BREATH = 3, 12  # of 15

    def __init__(self, random: Random) -> None:
        self.random = random
        self.banana = 0
        self.resting = False

    def decide(self, room: Room) -> dict[str, Any] | None:
        monkey = room.entity
        if monkey is None or not monkey.alive:
            return None
        banana = room.tables["bananas"].get(self.banana) or self.choose(monkey, list(room.tables["bananas"]))
        if banana is None:
            return {"turn": self.random.uniform(-1, 1), "run": False}
        direction = atan2(banana.y - monkey.y, banana.x - monkey.x)
        turn = remainder(direction - monkey.heading, tau) / self.FULL_TURN_AT
        # Who runs out of breath altogether must walk for longer than who stops in time.
        self.resting = monkey.breath < (self.ENOUGH_BREATH if self.resting else self.LITTLE_BREATH)
        return {"turn": max(-1.0, min(1.0, turn)), "run": abs(turn) < 1 and not self.resting}

    def choose(self, monkey: Any, bananas: list[Any]) -> Any:
        """One of those not far away, or None if there are none."""
        seen = self.random.sample(bananas, min(self.NEARBY, len(bananas)))
        best = min(seen, key=lambda banana: hypot(banana.x - monkey.x, banana.y - monkey.y), default=None)
        self.banana = best.id if best is not None else 0
        return best


class Crosser:
    """Plays tic-tac-toe, not well: any cell that is free, after a moment's thought."""

    THOUGHT = 8  # decisions, on average

    def __init__(self, random: Random) -> None:
        self.random = random

    def decide(self, room: Room) -> dict[str, Any] | None:
        board, seat = room.tables["board"].row(0), room.entity
        if seat is None or not seat.mark or self.random.random() > 1 / self.THOUGHT:
            return None
        if board.winner:
            return None if seat.rematch else {"rematch": True}
        free = [cell for cell, mark in enumerate(board.cells) if not mark]
        return {"place": self.random.choice(free)} if board.turn == seat.mark and free else None


def brain_for(room: Room, random: Random) -> Brain:
    """The best player there is for a room's game."""
    if room.game == "jungle":
        return Gatherer(random)
    return Crosser(random) if room.game == "tictactoe" else Wanderer(random)
