"""Plazas: everybody has a dot, a clock ticks, and who says a number has it emitted, so that it must last.

A game file as a developer writes one, served with `monkeytown run benchmarks/chaos/plaza.py` by instances that are killed,
frozen and cut off. What a player sees tells which process has made it: each one that begins or takes up a room puts a mark of
its own into the state.
"""

from __future__ import annotations

import os
import time
from typing import Any

from monkeytown import Entity, Game, Input, Player, fixed, singleton, table, text, uint

MARKS = 2**16


class Clock(Entity):
    beat = uint(32)
    """Ticks of the room since it began, whoever counted them."""
    mark = uint(16)
    """Whose rules these are."""


class Dot(Entity):
    x = fixed(0, 1000, step=1 / 8, predict="linear")
    name = text(24)
    steps = uint(32)
    said = uint(32)


class Step(Input):
    dx = fixed(-1, 1, step=1 / 8)


class Plaza(Game):
    name = "plaza"
    tick_rate = 60
    max_players = 256
    seat_seconds = 30
    input = Step
    dots = table(Dot, capacity=512)
    clock = singleton(Clock)

    def on_create(self) -> None:
        self.clock.mark = _mark()

    def save(self) -> dict[str, Any]:
        return {}

    def load(self, saved: dict[str, Any]) -> None:
        self.clock.mark = _mark()

    def on_join(self, player: Player) -> None:
        player.entity = self.dots.spawn(name=player.name, x=player.number)

    def on_leave(self, player: Player) -> None:
        self.dots.despawn(player.entity)

    def on_input(self, player: Player, step: Step) -> None:
        dot = player.entity
        dot.x = (dot.x + step.dx) % 1000
        dot.steps += 1

    def on_chat(self, player: Player, text: str) -> str | None:
        number = int(text)
        player.entity.said = number
        self.emit("did", [player.name, number])
        return None

    def on_tick(self, dt: float) -> None:
        self.clock.beat += 1


class Brittle(Plaza):
    """One that may be made to fail, or to take too long."""

    name = "brittle"

    def on_create(self) -> None:
        super().on_create()
        self.seconds = 0.0

    def load(self, saved: dict[str, Any]) -> None:
        super().load(saved)
        self.seconds = 0.0

    def on_chat(self, player: Player, text: str) -> str | None:
        match text.split():
            case ["burn", seconds]:
                self.seconds = float(seconds)
            case ["fail"]:
                raise RuntimeError("as wished")
            case _:
                return super().on_chat(player, text)
        return None

    def on_tick(self, dt: float) -> None:
        super().on_tick(dt)
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            pass


class Quartet(Plaza):
    """For four."""

    name = "quartet"
    max_players = 4


def _mark() -> int:
    return int.from_bytes(os.urandom(2)) % MARKS
