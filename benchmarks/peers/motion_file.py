"""The one motion that all servers play, as a file that all can read.

`float32[ticks][50][4]`: x and y in whole sixteenths (so that float32, 16-bit integers and JSON all hold them exactly), the
heading in 256ths of a turn, the speed in sixteenths a tick.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.motion import SPEED, STEP, steering

__all__ = ["ENTITIES", "read", "write"]

ENTITIES = 50
TICKS = 3600
DIRECTIONS = 256


def write(path: Path) -> None:
    places = steering(ENTITIES, TICKS + 1)
    steps = np.diff(places, axis=0)
    motion = np.empty((TICKS, ENTITIES, 4), np.float32)
    motion[:, :, :2] = np.round(places[1:] / STEP) * STEP
    turns = np.arctan2(steps[:, :, 1], steps[:, :, 0]) / (2 * np.pi)
    motion[:, :, 2] = np.round(turns * DIRECTIONS) % DIRECTIONS
    motion[:, :, 3] = round(SPEED / STEP)
    path.write_bytes(motion.tobytes())


def read(path: Path) -> NDArray[np.float32]:
    return np.frombuffer(path.read_bytes(), np.float32).reshape(TICKS, ENTITIES, 4)
