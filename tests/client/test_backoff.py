"""Delays grow, stay in bounds, and differ between clients."""

from itertools import islice
from random import Random

from monkeytown.client.backoff import LONGEST, SHORTEST, delays


def test_delays_grow_from_a_tenth_of_a_second_to_five():
    many = [list(islice(delays(Random(seed)), 12)) for seed in range(200)]
    assert all(SHORTEST <= delay <= LONGEST for run in many for delay in run)
    limits = [max(run[attempt] for run in many) for attempt in range(12)]
    assert limits[0] <= 2 * SHORTEST
    assert limits[:6] == sorted(limits[:6])
    assert limits[-1] > 0.95 * LONGEST


def test_clients_do_not_come_back_together():
    assert len({round(next(delays(Random(seed))), 6) for seed in range(100)}) > 95
