"""A PostgreSQL for those who break it, on the core of the load: the server's is the server's alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import postgres as postgresql

from benchmarks.chaos.crowd import on_the_loads_core


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgresql.Postgres]:
    programs = postgresql.find()
    if programs is None:
        pytest.fail(postgresql.HOW_TO_INSTALL)
    with on_the_loads_core(), postgresql.Postgres(tmp_path_factory.mktemp("postgres"), programs) as server:
        yield server
