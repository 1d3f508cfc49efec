"""Who is near whom, held against looking at every pair."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import collisions, nearest, neighbours, within

# On a lattice many distances are equal, and many points lie on the edges of cells.
lattice = st.integers(-6, 6).map(float)
single = st.floats(width=32, allow_nan=False, allow_infinity=False)
odd = st.sampled_from([nan, inf, -inf, 0.0, -0.0, 1e30, -1e30])
# Squares of these are infinite or nothing.
extreme = st.sampled_from(
    [1e155, 1e180, -1e180, 1.5e200, 1e300, -1e300, 1.7e308, -1.7e308, 1e-160, 1e-170, 1.5e-200]
)
numbers = st.one_of(lattice, lattice, lattice, single, odd, extreme)
points = st.lists(st.tuples(numbers, numbers, st.booleans()), max_size=40)
radii = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 5.0, inf]), st.floats(0, 2.0**60, width=32), extreme.map(abs)
)


def split(given: list[tuple[float, float, bool]]) -> tuple[Any, Any, Any]:
    x, y = array("d", [one[0] for one in given]), array("d", [one[1] for one in given])
    return x, y, memoryview(bytes(one[2] for one in given)).cast("?")


def finite(*values: float) -> bool:
    return all(-inf < value < inf for value in values)


def squares(*values: float) -> bool:
    """Whether they are as exact as their roots."""
    return all(1e-280 <= value <= 1e300 for value in values)


def length(dx: float, dy: float) -> float:
    """As the C library has it, to the last bit."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.hypot(dx, dy))


def near(dx: float, dy: float, radius: float) -> bool:
    if abs(dx) > radius or abs(dy) > radius:
        return False
    if squares(radius * radius):
        return dx * dx + dy * dy <= radius * radius
    return length(dx, dy) <= radius


def far(dx: float, dy: float) -> tuple[float, float]:
    """A distance, to be compared with others, and in numbers."""
    square = dx * dx + dy * dy
    apart = sqrt(square) if squares(square) else length(dx, dy)
    return (square if squares(square) else apart * apart, apart)


def pairs(found: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return list(zip(*found, strict=True))


@given(points, radii)
def test_neighbours_are_all_pairs_that_are_near(given: Any, radius: float) -> None:
    x, y, mask = split(given)
    there = [i for i in range(len(x)) if mask[i] and finite(x[i], y[i])]
    expected = [(i, j) for i in there for j in there if i < j and near(x[j] - x[i], y[j] - y[i], radius)]
    assert pairs(neighbours(x, y, radius, mask=mask)) == expected


@given(points, points, radii)
def test_within_is_every_point_near_each_query(asked: Any, given: Any, radius: float) -> None:
    xq, yq, _ = split(asked)
    x, y, mask = split(given)
    there = [j for j in range(len(x)) if mask[j] and finite(x[j], y[j])]
    expected = [
        (i, j)
        for i in range(len(xq))
        if finite(xq[i], yq[i])
        for j in there
        if near(x[j] - xq[i], y[j] - yq[i], radius)
    ]
    assert pairs(within(xq, yq, x, y, radius, mask=mask)) == expected


@given(points, points, radii)
def test_nearest_is_the_first_of_the_nearest(asked: Any, given: Any, radius: float) -> None:
    xq, yq, _ = split(asked)
    x, y, mask = split(given)
    there = [j for j in range(len(x)) if mask[j] and finite(x[j], y[j])]
    expected = []
    for i in range(len(xq)):
        found = [
            (far(x[j] - xq[i], y[j] - yq[i]), j)
            for j in there
            if finite(xq[i], yq[i]) and near(x[j] - xq[i], y[j] - yq[i], radius)
        ]
        best = min(found, default=None)
        expected.append((-1, inf) if best is None else (best[1], best[0][1]))
    assert pairs(nearest(xq, yq, x, y, radius=radius, mask=mask)) == expected


@given(
    points,
    st.one_of(
        lattice.map(abs),
        extreme.map(abs),
        st.lists(st.one_of(lattice, odd, extreme), min_size=40, max_size=40),
    ),
)
def test_collisions_are_all_circles_that_overlap(given: Any, radius: float | list[float]) -> None:
    x, y, mask = split(given)
    common = not isinstance(radius, list)
    sizes = array("d", radius[: len(x)] if isinstance(radius, list) else [radius] * len(x))
    there = [i for i in range(len(x)) if mask[i] and finite(x[i], y[i], sizes[i]) and sizes[i] >= 0]
    expected = []
    for i in there:
        for j in there:
            dx, dy = x[j] - x[i], y[j] - y[i]
            _, apart = far(dx, dy)
            if i < j and apart < sizes[i] + sizes[j]:
                normal = (dx / apart, dy / apart) if apart else (1.0, 0.0)
                expected.append((i, j, sizes[i] + sizes[j] - apart, *normal))
    assert pairs(collisions(x, y, radius if common else sizes, mask=mask)) == expected


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150, 1e300])
def test_points_at_any_scale_find_themselves(scale: float) -> None:
    x, y = np.arange(100.0) * scale, np.zeros(100)
    found, apart = nearest(x, y, x, y)
    assert list(found) == list(range(100))
    assert not any(apart)
    assert pairs(neighbours(x, y, 0)) == []
    assert len(pairs(neighbours(x, y, inf))) == 4950


def test_squares_that_overflow_or_vanish_are_not_compared() -> None:
    at, nothing = np.zeros(1), np.zeros(2)
    for one, other in [(1e200, 1e180), (1e-180, 1e-200)]:
        x = np.array([one, other])
        assert pairs(nearest(at, at, x, nothing)) == [(1, other)]
        assert pairs(nearest(at, at, x, nothing, radius=other)) == [(1, other)]
        assert pairs(nearest(at, at, x, nothing, radius=other / 2)) == [(-1, inf)]
        assert pairs(within(at, at, x, x, other)) == []
        assert pairs(within(at, at, x, x, 1.5 * other)) == [(0, 1)]
        assert pairs(neighbours(x, x, one)) == []
        assert pairs(neighbours(x, x, 1.5 * one)) == [(0, 1)]
        assert pairs(collisions(x, nothing, 0.75 * one)) == [(0, 1, 1.5 * one - (one - other), -1.0, 0.0)]
        assert pairs(collisions(x, nothing, one / 4)) == []


def test_a_thousand_in_one_place_are_all_neighbours() -> None:
    x = np.full(1000, 7.0)
    first, second = neighbours(x, x, 0)
    upper = np.triu_indices(1000, 1)
    assert np.array_equal(first, upper[0])
    assert np.array_equal(second, upper[1])
    assert collisions(x, x, 0.0)[0].nbytes == 0


def test_results_are_shared_with_numpy_and_outlive_what_they_came_from() -> None:
    def found() -> Any:
        first, _, depth, *_ = collisions(np.zeros(2000), np.zeros(2000), 1.0)
        arrays = np.asarray(first), np.asarray(depth)
        assert np.shares_memory(arrays[0], np.asarray(first))
        return arrays

    first, depth = found()
    found()
    assert (first.dtype, depth.dtype) == (np.int32, np.float64)
    assert (depth == 2).all()
    assert first[-1] == 1998


X = np.zeros(3)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: neighbours(X, np.zeros(2), 1), ValueError),
        (lambda: neighbours(X, X, 1, mask=np.zeros(2, bool)), ValueError),
        (lambda: neighbours(X, X, 1, mask=np.zeros(3)), TypeError),
        (lambda: neighbours(X, X, 1, mask=np.zeros(6, bool)[::2]), TypeError),
        (lambda: neighbours(X, X, -1), ValueError),
        (lambda: within(X, X, X, X, nan), ValueError),
        (lambda: nearest(X, X, X, X, radius=nan), ValueError),
        (lambda: collisions(X, X, -1.0), ValueError),
        (lambda: collisions(X, X, np.zeros(2)), ValueError),
        (lambda: within(X, np.zeros(2), X, X, 1), ValueError),
        (lambda: neighbours(np.zeros(3, np.float32), X, 1), TypeError),
        (lambda: neighbours(np.zeros(3, np.int64), X, 1), TypeError),
        (lambda: neighbours(np.zeros(6)[::2], X, 1), TypeError),
        (lambda: neighbours(np.zeros((3, 1)), X, 1), TypeError),
        (lambda: neighbours([0.0, 0.0, 0.0], X, 1), TypeError),
        (lambda: neighbours(None, X, 1), TypeError),
    ],
)
def test_what_is_no_set_of_points_is_refused(call: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()
