"""The grid: which points of many are near each other.

Coordinates are one-dimensional, contiguous float64: columns of a table, NumPy arrays, `array.array("d")`. `mask` is booleans
of the same length, such as `table.alive`.

Points that are NaN, infinite or masked out are passed over. Results are views that NumPy reads
without a copy. TypeError for other types, ValueError for lengths that differ or a radius that is negative or NaN.
"""

from math import inf
from typing import Any

def neighbours(x: Any, y: Any, radius: float, *, mask: Any = None) -> tuple[memoryview[int], memoryview[int]]:
    """All pairs of points that are at most `radius` apart: two int32 arrays (first, second), first < second, in order."""

def within(
    xq: Any, yq: Any, x: Any, y: Any, radius: float, *, mask: Any = None
) -> tuple[memoryview[int], memoryview[int]]:
    """All points at most `radius` from each query: two int32 arrays (query, point), in order of both."""

def nearest(
    xq: Any, yq: Any, x: Any, y: Any, *, radius: float = inf, mask: Any = None
) -> tuple[memoryview[int], memoryview[float]]:
    """For each query the nearest point within `radius`: its index, or -1 (int32), and its distance, or infinity (float64)."""

def collisions(
    x: Any, y: Any, radius: Any, *, mask: Any = None
) -> tuple[memoryview[int], memoryview[int], memoryview[float], memoryview[float], memoryview[float]]:
    """All pairs of circles that overlap: (first, second, depth, normal_x, normal_y), in order, first < second.

    `radius` is one for all, or float64, one for each; a circle whose radius is negative or not finite is passed over. To
    end an overlap, move `second` by the depth along the normal, or each by half of it. Circles around one point are pushed
    apart along x.
    """
