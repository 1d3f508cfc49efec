"""What it costs to know who somebody is: a token's check, and a thousand players who come with a token each."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
import uvloop

from benchmarks import report
from benchmarks.arrivals import Arrival, arrive
from benchmarks.asking import inside
from benchmarks.chaos.crowd import on_the_loads_core
from benchmarks.issuer import AUDIENCE, NAME, Issuer
from monkeytown.server.tokens import KeyFile, Tokens

PLAYERS = 1000
ROOM = 50
CHECK_SECONDS = 100e-6
JOIN_SECONDS = 2.0
PATIENCE = 30.0


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
def test_a_token_is_checked(benchmark: Any, tmp_path: Path, algorithm: Literal["HS256", "RS256"]) -> None:
    issuer = Issuer(tmp_path, algorithm)
    keys = KeyFile(issuer.path, algorithm=algorithm, issuer=NAME, audience=AUDIENCE)
    tokens = Tokens(["s" * 32], keys=keys)
    identity = benchmark(tokens.check, issuer.token("ann"))
    assert (identity.id, identity.name, identity.guest) == ("ann", "Ann", False)
    each = benchmark.stats.stats.median
    report.record(
        f"A token of {algorithm} is checked in",
        f"{each * 1e6:.0f} µs",
        wanted="≤ 100 µs",
        held=each <= CHECK_SECONDS,
    )


def participants(file: Path) -> set[str]:
    """Who the database says has been in a room, once it has everybody."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT player FROM participants").fetchall()
        if len(rows) >= PLAYERS or time.monotonic() > deadline:
            assert len(rows) == len(set(rows))
            return {player for (player,) in rows}
        time.sleep(0.1)


@pytest.mark.benchmark(group="auth")
def test_a_thousand_players_with_tokens(benchmark: Any, tmp_path: Path, data_folder: Path) -> None:
    issuer = Issuer(tmp_path)
    ids = [f"player-{number}" for number in range(PLAYERS)]
    tokens = [issuer.token(id) for id in ids]

    def run() -> tuple[list[Arrival], float, dict[str, Any], set[str]]:
        with inside("moving", max_players=ROOM, guests=0, **issuer.settings) as server, on_the_loads_core():
            arrivals, seconds = uvloop.run(arrive(server.port, tokens, "moving"))
            return arrivals, seconds, server.ask(), participants(data_folder / "monkeytown.db")

    arrivals, seconds, said, kept = benchmark.pedantic(run, rounds=1)
    assert [arrival.id for arrival in arrivals] == ids
    assert said["joins"] == PLAYERS
    assert kept == set(ids)
    times = sorted(arrival.took for arrival in arrivals)
    report.record(
        f"{PLAYERS:,} players come at once with a token each, of RS256: the last one is in after",
        f"{seconds:.2f} s",
        yardstick=f"half of them after {times[PLAYERS // 2]:.2f} s",
        wanted="≤ 2 s",
        held=seconds <= JOIN_SECONDS,
    )
    report.record("… a tick of the server is late by at most", f"{said['late_ms']:.1f} ms")
