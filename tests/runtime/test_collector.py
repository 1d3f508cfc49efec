"""When everything is collected: with counts that the test sets."""

from __future__ import annotations

import gc

import pytest

from monkeytown.runtime import collector
from monkeytown.runtime.collector import MOST, Collector


class Counts:
    def __init__(self) -> None:
        self.arrived = self.present = self.waiting = self.collections = 0
        self.collector = Collector(
            lambda: self.arrived,
            lambda: self.present,
            collect=self.collect,
            waiting=lambda: self.waiting,
        )

    def collect(self) -> None:
        self.collections += 1
        self.waiting = 0

    def come(self, players: int) -> None:
        self.arrived += players
        self.present += players

    def look(self) -> int:
        self.collector.look()
        return self.collections


def test_nothing_is_collected_while_players_come() -> None:
    counts = Counts()
    assert counts.look() == 0
    for _ in range(5):
        counts.come(100)
        assert counts.look() == 0
    assert counts.look() == 1
    assert counts.look() == 1


def test_a_few_newcomers_among_many_are_not_worth_it() -> None:
    counts = Counts()
    counts.come(100)
    counts.look()
    assert counts.look() == 1
    counts.come(30)
    counts.look()
    assert counts.look() == 1
    counts.come(5)
    counts.look()
    assert counts.look() == 2


def test_who_came_and_went_counts() -> None:
    counts = Counts()
    counts.come(40)
    counts.present = 0
    counts.look()
    assert counts.look() == 1


def test_garbage_of_games_does_not_wait_for_calm() -> None:
    counts = Counts()
    counts.waiting = MOST
    counts.come(1)
    assert counts.look() == 1


@pytest.mark.skipif(collector.INCREMENTAL, reason="Python looks at a part at a time")
async def test_python_is_left_the_young_generations_and_gets_back_the_old() -> None:
    before = gc.get_threshold()
    taken = Collector(lambda: 0, lambda: 0)
    taken.start()
    try:
        assert gc.get_threshold()[:2] == before[:2]
        assert gc.get_threshold()[2] > 10**6
    finally:
        taken.stop()
    assert gc.get_threshold() == before
