"""A clock, a host and clients for every test of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monkeytown.runtime.host import Host
from tests.runtime.stage import Client, Clock, make_host


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def host(clock: Clock) -> Host:
    return make_host(clock)


@pytest.fixture
def client(host: Host, clock: Clock) -> Callable[..., Client]:
    def make(**options: Any) -> Client:
        return Client(host, clock, **options)

    return make
