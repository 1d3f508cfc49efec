"""Monkeytown: rooms whose players move along a given motion, written into the columns with NumPy."""

from __future__ import annotations

import os
from math import tau
from typing import ClassVar

import numpy as np

from monkeytown import Entity, Game, Player, angle, fixed, table, uint

MOTION = np.fromfile(os.environ["PEER_MOTION"], np.float32).reshape(-1, 50, 4)
SPAN = len(MOTION) - 1
# By tick and player, as the columns want them.
X, Y, HEADING = MOTION[..., 0].astype(float), MOTION[..., 1].astype(float), MOTION[..., 2] * (tau / 256)
SPEED = MOTION[..., 3].astype(np.int64)


class Mover(Entity):
    x = fixed(0, 2048, step=1 / 16, predict="linear")
    y = fixed(0, 2048, step=1 / 16, predict="linear")
    heading = angle(bits=8, predict="linear")
    speed = uint(8)


class Arena(Game):
    tick_rate = 60
    max_players = 50
    opened: ClassVar[int] = 0

    movers = table(Mover, capacity=50)

    def on_create(self) -> None:
        self.at = Arena.opened * 37
        Arena.opened += 1
        self.look()

    def look(self) -> None:
        """The columns as arrays, which are as long as the table: taken anew when somebody comes or goes."""
        movers = self.movers
        self.x, self.y, self.heading, self.speed = map(
            np.asarray, (movers.x, movers.y, movers.heading, movers.speed)
        )

    def on_join(self, player: Player) -> None:
        player.entity = self.movers.spawn()
        self.look()

    def on_leave(self, player: Player) -> None:
        self.movers.despawn(player.entity)
        self.look()

    def on_tick(self, dt: float) -> None:
        self.at += 1
        at = self.at % (2 * SPAN)
        at = min(at, 2 * SPAN - at)
        count = len(self.x)
        self.x[:], self.y[:] = X[at, :count], Y[at, :count]
        self.heading[:], self.speed[:] = HEADING[at, :count], SPEED[at, :count]
