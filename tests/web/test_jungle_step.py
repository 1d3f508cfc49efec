"""The step by which Jungle's page predicts a monkey, held to the rules: the same inputs, the same ticks."""

from __future__ import annotations

import json
import subprocess
from math import tau
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monkeytown.games.jungle import EDGE, SIZE, Jungle
from monkeytown.testing import play

TICKS = 900
PROGRAM = Path(__file__).parent / "jungle_step.mjs"
FIELDS = ("x", "y", "heading", "running", "stunned", "breath")


def fields(monkey: Any) -> dict[str, Any]:
    return {name: getattr(monkey, name) for name in FIELDS}


def predicted(node: str, begin: dict[str, Any], ticks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same ticks, made by the page."""
    told = json.dumps({"begin": begin, "ticks": ticks})
    done = subprocess.run(
        [node, str(PROGRAM)], input=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    made: list[dict[str, Any]] = json.loads(done.stdout)
    return made


def as_sent(monkey: dict[str, Any]) -> dict[str, Any]:
    """A monkey in the wire's integers."""
    places = {name: round(monkey[name] * 16) for name in ("x", "y")}
    return monkey | places | {"heading": round(monkey["heading"] / tau * 256) % 256}


@pytest.mark.parametrize("seed", range(6))
def test_the_page_makes_the_ticks_that_the_rules_make(seed: int, node_path: str) -> None:
    random = Random(seed)
    with play(Jungle, seed=seed) as room:
        for _ in range(random.randrange(1, 7)):  # whatever the tick in which somebody joins
            room.step()
        ada = room.join("Ada")
        monkey = ada.player.entity
        if seed % 2:  # where the edge is soon in the way
            monkey.x, monkey.y = (
                random.randrange(EDGE, EDGE + 40),
                random.randrange(SIZE - EDGE - 40, SIZE - EDGE),
            )
        begin = fields(monkey)
        wish = {"turn": 0.0, "run": False}
        ticks, expected = [], []
        for _ in range(TICKS):
            if random.random() < 0.1:
                wire = random.randrange(255)
                wish = {"turn": -1 + wire * (1 / 127), "run": random.random() < 0.6}
                ada.input(**wish)
            room.step()
            ticks.append({"tick": room.room.tick, "wish": dict(wish)})
            expected.append(fields(ada.entity))
    made = predicted(node_path, begin, ticks)
    differing = [
        (ticks[at], as_sent(made[at]), as_sent(expected[at]))
        for at in range(TICKS)
        if as_sent(made[at]) != as_sent(expected[at])
    ]
    assert differing == []
    assert any(monkey["running"] for monkey in expected)
    assert any(monkey["breath"] == 0 for monkey in expected), "none of it was out of breath"
