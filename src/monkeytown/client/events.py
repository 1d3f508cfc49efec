"""Listeners: who wants to hear of what, and what they hear of a loss. Knows neither the wire nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from monkeytown.errors import MonkeytownError

__all__ = ["ConnectionLost", "Emitter", "Listener", "Reconnected", "Reconnecting"]

Listener = Callable[[Any], object]


class ConnectionLost(MonkeytownError):
    """There is no server at the address, or the connection ended before what was waited for came."""


class Reconnecting(NamedTuple):
    """`attempt` counts from 1 within one loss; `delay` is in seconds; `code` ended the last connection."""

    attempt: int
    delay: float
    code: int
    reason: str


class Reconnected(NamedTuple):
    """What the loss has cost."""

    same_room: bool
    """False if the old room was gone and another of the same game was joined."""
    same_schema: bool
    resumed: str | None
    """How the state goes on: as a `"delta"`, with the same rows, or with a `"snapshot"`; None if the room was joined anew."""
    recovered: bool
    """Whether every event of the time between has come, or is about to."""
    lost: int
    """Chat messages and actions that were given up; whether the server took them is not known."""


class Emitter:
    """`on` to listen, `wait` for the next one, `emit` to tell."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def on(self, event: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the data of every such event; returns a function that stops it."""
        self._listeners.setdefault(event, []).append(listener)
        return lambda: self.off(event, listener)

    def off(self, event: str, listener: Listener) -> None:
        """Stop a listener; one that is not there is left alone."""
        listeners = self._listeners.get(event, [])
        if listener in listeners:
            listeners.remove(listener)

    async def wait(self, event: str, condition: Callable[[Any], bool] | None = None) -> Any:
        """The data of the next such event, or of the next for which `condition` holds.

        Raises ConnectionLost when the connection is closed for good, since nothing follows.
        """
        heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def listener(data: Any) -> None:
            if not heard.done() and (condition is None or condition(data)):
                heard.set_result(data)

        def end(closed: Any) -> None:
            if not heard.done():
                heard.set_exception(ConnectionLost(f"closed while waiting for {event}: {closed}"))

        stops = [self.on(event, listener), self.on("close", end)]
        try:
            return await heard
        finally:
            for stop in stops:
                stop()

    def emit(self, event: str, data: Any) -> None:
        """Tell every listener, in the order in which they came."""
        for listener in tuple(self._listeners.get(event, ())):
            listener(data)
