"""Steering motion: entities that run at one speed, each on a bend of its own that changes now and then.

The same motion is given to everything that is compared. Deterministic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monkeytown import Entity, fixed

__all__ = ["ARENA", "SPEED", "STEP", "Mover", "steering"]

ARENA = 2048.0
SPEED = 3.0
STEP = 1 / 16


class Mover(Entity):
    x = fixed(0, ARENA, step=STEP, predict="linear")
    y = fixed(0, ARENA, step=STEP, predict="linear")


def steering(entities: int, ticks: int, *, seed: int = 1) -> NDArray[np.float64]:
    """Positions by tick: shape (ticks, entities, 2). Nobody leaves the arena, so every value changes in every tick."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(100, ARENA - 100, (entities, 2))
    heading = rng.uniform(0, 2 * np.pi, entities)
    turn = np.zeros(entities)
    positions = np.empty((ticks, entities, 2))
    for tick in range(ticks):
        changes = rng.random(entities) < 0.05
        turn[changes] = rng.uniform(-0.08, 0.08, int(changes.sum()))
        heading += turn
        outside = np.any((place < 20) | (place > ARENA - 20), axis=1)
        to_middle = np.arctan2(ARENA / 2 - place[:, 1], ARENA / 2 - place[:, 0])
        heading = np.where(outside, to_middle, heading)
        place = place + SPEED * np.column_stack((np.cos(heading), np.sin(heading)))
        positions[tick] = place
    return positions
