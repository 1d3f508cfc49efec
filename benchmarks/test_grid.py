"""What the compiled grid costs for five thousand points, beside NumPy that looks at every pair."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from benchmarks import report
from monkeytown import collisions, nearest, neighbours, within

POINTS, QUERIES = 5000, 1000
SIZE, RADIUS = 4096.0, 48.0

DICE = np.random.default_rng(1)
X, Y = DICE.uniform(0, SIZE, (2, POINTS))
XQ, YQ = DICE.uniform(0, SIZE, (2, QUERIES))


def squares(xq: Any, yq: Any, x: Any, y: Any) -> Any:
    return (x - xq[:, None]) ** 2 + (y - yq[:, None]) ** 2


def all_neighbours() -> tuple[Any, ...]:
    first, second = np.nonzero(squares(X, Y, X, Y) <= RADIUS**2)
    return first[first < second], second[first < second]


def all_within() -> tuple[Any, ...]:
    return np.nonzero(squares(XQ, YQ, X, Y) <= RADIUS**2)


def all_nearest() -> tuple[Any, ...]:
    apart = squares(XQ, YQ, X, Y)
    found = apart.argmin(axis=1)
    return found, np.sqrt(apart[np.arange(QUERIES), found])


def all_collisions() -> tuple[Any, ...]:
    apart = np.sqrt(squares(X, Y, X, Y))
    first, second = np.nonzero(apart < RADIUS)
    first, second = first[first < second], second[first < second]
    return first, second, RADIUS - apart[first, second]


@pytest.mark.parametrize(
    ("what", "ours", "numpys"),
    [
        ("neighbours", lambda: neighbours(X, Y, RADIUS), all_neighbours),
        ("within", lambda: within(XQ, YQ, X, Y, RADIUS), all_within),
        ("nearest", lambda: nearest(XQ, YQ, X, Y), all_nearest),
        ("collisions", lambda: collisions(X, Y, RADIUS / 2)[:3], all_collisions),
    ],
)
def test_helpers(
    benchmark: Any, what: str, ours: Callable[[], tuple[Any, ...]], numpys: Callable[[], tuple[Any, ...]]
) -> None:
    found = benchmark.pedantic(ours, rounds=50, warmup_rounds=2)
    times = []
    for _ in range(3):
        began = perf_counter()
        expected = numpys()
        times.append(perf_counter() - began)
    for one, other in zip(map(np.asarray, found), expected, strict=True):
        assert np.allclose(one, other) if one.dtype == float else np.array_equal(one, other)
    each, beside = benchmark.stats.stats.median * 1e6, sorted(times)[1] * 1e6
    count = f"{len(found[0]):,} found"
    report.record(
        f"{what} among {POINTS:,} points, {count}",
        f"{each:.0f} µs",
        yardstick=f"NumPy, every pair: {beside:,.0f} µs",
        ratio=each / beside,
        wanted="≤ 0.05×",
        held=each <= beside / 20,
    )
