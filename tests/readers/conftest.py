"""Servers of two small games, on the event loop that is used and on the one that must do as well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import uvloop

from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from tests.runtime.stage import Dots, Grumpy, Turns

Serve = Callable[..., AbstractAsyncContextManager[RunningServer]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here that waits runs on both."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
def serve() -> Serve:
    """A server with settings of the test's own."""

    def start(*, routes: Any = (), **settings: Any) -> AbstractAsyncContextManager[RunningServer]:
        return running([Dots, Turns, Grumpy], Settings(port=0, **settings), routes=routes)

    return start


@pytest.fixture
async def server(serve: Serve) -> AsyncIterator[RunningServer]:
    async with serve() as server:
        yield server
