"""Belfries: bells that ring 25 times a second each, and are counted; people come by, say something and score.

A game file as a developer writes one, served with `monkeytown run benchmarks/chaos/belfry.py`. Whatever its rules emit or score,
everybody in the room is told in the same order, so that whoever listens from the first moment on knows what must last of it.
"""

from __future__ import annotations

from typing import Any

from monkeytown import Entity, Game, Player, singleton, uint

RATE = 60
RINGS = 25
"""A second and room: eight rooms emit two hundred events a second."""


class Bell(Entity):
    rung = uint(32)


class Belfry(Game):
    name = "belfry"
    tick_rate = RATE
    max_players = 1  # until whoever comes first opens the door: so the first ones open a room each
    leaderboard = "total"
    bell = singleton(Bell)

    def on_create(self) -> None:
        self.ringing = False

    def on_tick(self, dt: float) -> None:
        if self.ringing and self.tick * RINGS // RATE > (self.tick - 1) * RINGS // RATE:
            self.bell.rung += 1
            self.emit("ring", self.bell.rung)

    def on_leave(self, player: Player) -> None:
        if not self.ringing and not self.players:
            self.close("the last one is gone")

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        match action:
            case {"open": True}:
                self.max_players = 0
                self.ringing = True
            case {"score": int(points)}:
                self.score(player, points)
                self.emit("scored", [player.id, points])
            case {"silence": True}:
                self.ringing = False
                self.finish(self.bell.rung)
                self.broadcast("silent", self.bell.rung)
