"""One world of a thousand walkers, each of whom sees some fifty others: the same for every run of one seed."""

from __future__ import annotations

import numpy as np

from monkeytown import Entity, Game, Player, angle, area, fixed, table

SIZE = 8192.0
PACE = 3.0  # units a tick
STEP = 1 / 16
SIGHT = 540.0


class Walker(Entity):
    x = fixed(0, SIZE, step=STEP, predict="linear")
    y = fixed(0, SIZE, step=STEP, predict="linear")
    heading = angle(bits=8)


class World(Game):
    """Everybody walks straight on and turns now and then; one walker in thirty does in each tick."""

    walkers = table(Walker, capacity=4096)
    view = area(SIGHT, walkers)

    def on_create(self) -> None:
        self.dice = np.random.default_rng(self.random.getrandbits(64))
        self.steps = np.zeros((2, self.walkers.capacity))

    def on_join(self, player: Player) -> None:
        x, y = self.dice.uniform(64, SIZE - 64, 2)
        player.entity = self.walkers.spawn(x=x, y=y, heading=self.dice.uniform(0, 2 * np.pi))
        self.turn(np.array([player.entity.slot]))

    def turn(self, slots: np.ndarray) -> None:
        heading = np.asarray(self.walkers.heading)[slots]
        self.steps[:, slots] = np.rint(PACE / STEP * np.array((np.cos(heading), np.sin(heading)))) * STEP

    def on_tick(self, dt: float) -> None:
        walkers = self.walkers
        count = walkers.extent
        x, y, heading = np.asarray(walkers.x), np.asarray(walkers.y), np.asarray(walkers.heading)
        x += self.steps[0, :count]
        y += self.steps[1, :count]
        some = np.arange(self.tick % 30, count, 30)
        heading[some] += self.dice.uniform(-1, 1, len(some))
        near_edge = some[(np.minimum(x, y)[some] < 96) | (np.maximum(x, y)[some] > SIZE - 96)]
        heading[near_edge] = np.arctan2(SIZE / 2 - y[near_edge], SIZE / 2 - x[near_edge])
        self.turn(some)
