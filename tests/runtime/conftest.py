"""A clock, a host and clients for every test of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.sessions import Sessions
from tests.runtime.stage import Client, Clock, make_host


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def host(clock: Clock) -> Host:
    return make_host(clock)


@pytest.fixture
def sessions(host: Host, clock: Clock) -> Sessions:
    return Sessions(host, Limits(), now=clock.seconds)


@pytest.fixture
def client(host: Host, clock: Clock, sessions: Sessions) -> Callable[..., Client]:
    def make(*, limits: Limits | None = None, **options: Any) -> Client:
        shared = None if limits is not None else sessions
        return Client(host, clock, limits=limits, sessions=shared, **options)

    return make
