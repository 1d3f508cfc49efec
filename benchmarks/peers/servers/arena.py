"""Monkeytown: rooms whose players move along a given motion, written into the columns with NumPy."""

from __future__ import annotations

import os
from math import tau
from typing import ClassVar

import numpy as np

from monkeytown import Entity, Game, Player, angle, fixed, table, uint


class Mover(Entity):
    x = fixed(0, 2048, step=1 / 16, predict="linear")
    y = fixed(0, 2048, step=1 / 16, predict="linear")
    heading = angle(bits=8, predict="linear")
    speed = uint(8)


class Arena(Game):
    tick_rate = 60
    max_players = 50
    motion = np.fromfile(os.environ["PEER_MOTION"], np.float32).reshape(-1, 50, 4)
    opened: ClassVar[int] = 0

    movers = table(Mover, capacity=50)

    def on_create(self) -> None:
        self.at = Arena.opened * 37
        Arena.opened += 1

    def on_join(self, player: Player) -> None:
        player.entity = self.movers.spawn()

    def on_leave(self, player: Player) -> None:
        self.movers.despawn(player.entity)

    def on_tick(self, dt: float) -> None:
        self.at += 1
        span, extent = len(self.motion) - 1, self.movers.extent
        at = self.at % (2 * span)
        now = self.motion[min(at, 2 * span - at), :extent]
        movers = self.movers
        np.asarray(movers.x)[:], np.asarray(movers.y)[:] = now[:, 0], now[:, 1]
        np.asarray(movers.heading)[:] = now[:, 2] * (tau / 256)
        np.asarray(movers.speed)[:] = now[:, 3]
