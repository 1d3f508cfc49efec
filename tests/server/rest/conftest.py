"""An API for every test of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.rest.stage import Api, an_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """With a store, guests and an administrator."""
    async with an_api(tmp_path) as api:
        yield api
