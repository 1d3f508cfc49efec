"""What tests of the sending side stand on: everything is sent by one thread, by two and by four."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests._core.link import Stage


@pytest.fixture(params=[0, 1, 3], ids=lambda threads: f"{threads}-threads")
def make(request: Any) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, request.param)
