"""Who may become a game connection: decided from the request, before the upgrade.

Knows HTTP headers, subprotocols and origins; accepts or refuses nothing itself and knows no sockets. A refusal is an HTTP
status with the code and message of an `error` as JSON.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from websockets.datastructures import Headers, MultipleValuesError
from websockets.http11 import Request, Response

from monkeytown.errors import ERROR_CODES
from monkeytown.protocol.codec import CODECS

__all__ = ["Addresses", "Origins", "Refused", "examine", "is_loopback"]

VERSION = "13"  # RFC 6455, 4.1


class Refused(NamedTuple):
    """Why there is no upgrade."""

    status: HTTPStatus
    code: str

    def response(self, headers: Iterable[tuple[str, str]]) -> Response:
        body = msgspec.json.encode({"code": self.code, "message": ERROR_CODES[self.code]})
        all_headers = Headers(
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
                *headers,
            ]
        )
        if self.status is HTTPStatus.UPGRADE_REQUIRED:
            all_headers["Upgrade"] = "websocket"
            all_headers["Sec-WebSocket-Version"] = VERSION
        return Response(self.status.value, self.status.phrase, all_headers, body)


class Origins:
    """The pages that may connect: those of the server's own host, and those of a list.

    A request without an origin does not come from a page. A server on loopback answers to loopback's names alone, or any
    site could have its own name point here and be the server's own host.
    """

    def __init__(self, allowed: Iterable[str], *, loopback: bool) -> None:
        self._allowed = frozenset(allowed)
        self._loopback = loopback

    def allow(self, headers: Headers, *, secure: bool) -> bool:
        try:
            origin, host = headers.get("Origin"), headers.get("Host")
        except MultipleValuesError:
            return False
        if origin is None or origin in self._allowed:
            return True
        if host is None or (self._loopback and not is_loopback(_name(host))):
            return False
        # Behind a proxy that ends TLS the page is https although the request is not.
        return origin == f"https://{host}" or (not secure and origin == f"http://{host}")


class Addresses:
    """How many game connections there are from each address. 0: any number."""

    def __init__(self, limit: int, *, free_loopback: bool) -> None:
        self._limit = limit
        self._free_loopback = free_loopback
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def full(self, address: str) -> bool:
        if not self._limit or (self._free_loopback and is_loopback(address)):
            return False
        return self._open[address] >= self._limit if address in self._open else False

    def may_keep(self, address: str, count: int) -> bool:
        """Whether so many seats are kept for players of an address who have no connection."""
        return not self._limit or count <= self._limit or (self._free_loopback and is_loopback(address))

    def enter(self, address: str) -> None:
        self._open[address] += 1

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


def examine(request: Request, origins: Origins, *, secure: bool) -> Refused | str:
    """The subprotocol to speak, or why not. What RFC 6455 itself asks of the request is left to `websockets`."""
    headers = request.headers
    if headers.get_all("Sec-WebSocket-Version") not in ([VERSION], []):
        return Refused(HTTPStatus.UPGRADE_REQUIRED, "WS-001")
    if not origins.allow(headers, secure=secure):
        return Refused(HTTPStatus.FORBIDDEN, "AUTH-002")
    offered = [name.strip() for line in headers.get_all("Sec-WebSocket-Protocol") for name in line.split(",")]
    for name in offered:
        if name in CODECS:
            return name
    return Refused(HTTPStatus.BAD_REQUEST, "WS-001")


def is_loopback(name: str) -> bool:
    """Whether an address or a host's name is this machine's own."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """A Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
