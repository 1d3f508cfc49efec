"""The bus: what one instance says on a channel, others that listen there hear, or not.

Knows channels and bytes. At most once: what is said may be lost, and whoever needs more than that builds it on top.

`Hub` is a bus without a network, for instances that live in one process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

__all__ = ["Bus", "Hub", "Receive", "hand_over"]

Receive = Callable[[bytes], None]

log = structlog.get_logger()


class Bus(Protocol):
    """One instance's end. To be used within one event loop."""

    trouble: str
    """Empty while it works, else one line for operators."""

    async def start(self) -> None:
        """What was subscribed to before is heard from now on. Raises `StartError` with one clear line."""

    async def close(self) -> None:
        """Sends what was published, if that takes no longer than a moment. Nothing is heard any more."""

    def subscribe(self, channel: str, receive: Receive) -> None:
        """Returns at once and takes effect soon. A channel has one receiver: the newest."""

    def unsubscribe(self, channel: str) -> None:
        """Nothing is received there from now on. That there was a subscription is not needed."""

    def publish(self, channel: str, data: bytes, *, may_drop: bool = False) -> None:
        """To all who listen to the channel, oneself included. Never waits and never raises; a bus that is not open says
        nothing. Of what piles up, what `may_drop` goes first."""


class Hub:
    """Joins the buses of one process."""

    def __init__(self) -> None:
        self._open: list[_HubBus] = []

    def bus(self) -> Bus:
        """Another end of it."""
        return _HubBus(self._open)


class _HubBus:
    def __init__(self, others: list[_HubBus]) -> None:
        self.trouble = ""
        self._open = others
        self._receivers: dict[str, Receive] = {}
        self._is_open = False

    async def start(self) -> None:
        self._is_open = True
        self._open.append(self)

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._open.remove(self)

    def subscribe(self, channel: str, receive: Receive) -> None:
        self._receivers[channel] = receive

    def unsubscribe(self, channel: str) -> None:
        self._receivers.pop(channel, None)

    def publish(self, channel: str, data: bytes, *, may_drop: bool = False) -> None:
        if self._is_open:
            # Never from within `publish`, as over a network it would not come back either.
            asyncio.get_running_loop().call_soon(self._deliver, channel, bytes(data))

    def _deliver(self, channel: str, data: bytes) -> None:
        for bus in tuple(self._open):
            receive = bus._receivers.get(channel)
            if receive is not None and bus._is_open:
                hand_over(receive, channel, data)


def hand_over(receive: Receive, channel: str, data: bytes) -> None:
    """Whatever a receiver raises is logged, and disturbs no other."""
    try:
        receive(data)
    except Exception:
        log.exception("what came from another instance could not be received", channel=channel)
