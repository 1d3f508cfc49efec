"""A database that crashes, and one that freezes, under a server that goes on: nothing is lost, and nobody who plays notices.

What is wrong fails the run: what is lost or comes twice, who cannot join. How fast, how late and how large is recorded.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.postgres import Postgres

from benchmarks.chaos.crowd import on_the_loads_core
from benchmarks.chaos.outages import Away, Outage, check, outage, tell
from benchmarks.chaos.town import Town


@pytest.mark.benchmark(group="chaos")
@pytest.mark.parametrize("what", ["crashes", "freezes"])
def test_a_database_that_is_away(
    benchmark: Any, quick: bool, postgres: Postgres, tmp_path: Path, what: str
) -> None:
    seconds, calm = (8.0, 4.0) if quick else (60.0, 60.0)
    away = {
        "crashes": Away(postgres.stop, postgres.start),
        "freezes": Away(postgres.pause, postgres.resume),
    }[what]

    def run() -> Outage:
        with on_the_loads_core():
            url = asyncio.run(postgres.database())
            with Town(tmp_path, url) as town:
                return uvloop.run(outage(town, url, away, seconds, calm))

    seen = benchmark.pedantic(run, rounds=1)
    check(seen, {"database_up": 0})
    tell(f"The database {what} for {seconds:g} s under 200 events a second", seen)
