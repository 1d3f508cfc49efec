"""How often something may be asked for: by a player, or else by an address.

Knows rates, addresses and players' ids; not what is asked for.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

from monkeytown.readers.handshake import is_loopback
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.rates import Rates
from monkeytown.server.rest.answers import TooMany

__all__ = ["Quotas"]

HOUR, MINUTE = 3600.0, 60.0

# Tokens that are refused, from one address: looking at one costs more than counting it.
FAILURES_PER_SECOND, FAILURES_AT_ONCE = 1.0, 20.0
# Rooms that one player has opened because no room suited. Whoever asks for what nobody else does opens one each time.
MATCHED_PER_MINUTE, MATCHED_AT_ONCE = 1.0, 20.0
# All that is stored of a player, in one piece, or gone for good.
WHOLE_PER_HOUR, WHOLE_AT_ONCE = 10.0, 3.0

# Whoever has one IPv6 address has a network of them (RFC 6177).
IPV6_NETWORK = 64


class Quotas:
    """Counts. On loopback in development addresses are not counted, players are."""

    def __init__(
        self, limits: Limits, *, free_loopback: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._free_loopback = free_loopback
        burst = max(limits.requests_burst, 1)
        self._requests = Rates(limits.requests_per_second, burst, now=now)
        self._failures = Rates(FAILURES_PER_SECOND, FAILURES_AT_ONCE, now=now)
        self._guests = Rates(limits.guests_per_minute / MINUTE, max(limits.guests_per_minute, 1), now=now)
        self._rooms = Rates(limits.rooms_per_hour / HOUR, max(limits.rooms_per_hour, 1), now=now)
        self._matched = Rates(MATCHED_PER_MINUTE / MINUTE, MATCHED_AT_ONCE, now=now)
        self._whole = Rates(WHOLE_PER_HOUR / HOUR, WHOLE_AT_ONCE, now=now)

    def player_asks(self, player: str) -> None:
        """One request of a player. This and all others raise `TooMany`."""
        _take(self._requests, f"player {player}")

    def address_asks(self, address: str) -> None:
        """One request of somebody who has not said who they are."""
        if not self._is_free(address):
            _take(self._requests, _network(address))

    def may_try(self, address: str) -> None:
        """Whether tokens of an address are still looked at."""
        wait = self._failures.wait(_network(address))
        if wait and not self._is_free(address):
            raise TooMany(wait)

    def failed(self, address: str) -> None:
        """A token of that address was refused."""
        self._failures.take(_network(address))

    def becomes_guest(self, address: str) -> None:
        if not self._is_free(address):
            _take(self._guests, _network(address))

    def opens_room(self, player: str) -> None:
        _take(self._rooms, player, "GAME-007")

    def opens_match(self, player: str) -> None:
        _take(self._matched, player, "GAME-007")

    def wants_all(self, player: str) -> None:
        """Wants all that is stored of them, or all of it gone."""
        _take(self._whole, player)

    def _is_free(self, address: str) -> bool:
        return self._free_loopback and is_loopback(address)


def _take(rates: Rates, key: str, code: str = "REST-002") -> None:
    wait = rates.take(key)
    if wait:
        raise TooMany(wait, code)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
