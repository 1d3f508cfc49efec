"""Who may connect, decided from the request alone."""

from __future__ import annotations

import msgspec
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from monkeytown.errors import ERROR_CODES
from monkeytown.readers.handshake import Addresses, Origins, Refused, examine, is_loopback

HOST = "play.example.com"


def allowed(
    origin: str | None, *, host: str = HOST, secure: bool = False, loopback: bool = False, more: str = ""
) -> bool:
    headers = Headers([("Host", host)])
    if origin is not None:
        headers["Origin"] = origin
    return Origins([more] if more else [], loopback=loopback).allow(headers, secure=secure)


@pytest.mark.parametrize("origin", [None, f"http://{HOST}", f"https://{HOST}"])
def test_the_servers_own_pages_may_connect(origin: str | None) -> None:
    assert allowed(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        f"https://{HOST}.evil.example",
        f"https://evil{HOST}",
        f"https://evil.{HOST}",
        f"https://{HOST}:8443",
        f"ftp://{HOST}",
        f"https://{HOST.upper()}",
        f"HTTPS://{HOST}",
        f"https://{HOST}/",
        f"https://user@{HOST}",
        f"https://{HOST}, https://evil.example",
        f"//{HOST}",
    ],
)
def test_other_pages_may_not(origin: str) -> None:
    assert not allowed(origin)


def test_two_origins_or_two_hosts_are_none() -> None:
    for name, value in (("Origin", f"http://{HOST}"), ("Host", HOST)):
        headers = Headers([("Host", HOST), ("Origin", f"http://{HOST}"), (name, value)])
        assert not Origins([], loopback=False).allow(headers, secure=False)


def test_a_page_of_the_list_may_connect() -> None:
    assert allowed("https://friend.example", more="https://friend.example")
    assert not allowed("https://friend.example:1", more="https://friend.example")


def test_a_plain_page_may_not_connect_where_tls_ends_here() -> None:
    assert allowed(f"https://{HOST}", secure=True)
    assert not allowed(f"http://{HOST}", secure=True)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_on_loopback_the_names_of_loopback_are_our_own(host: str) -> None:
    assert allowed(f"http://{host}", host=host, loopback=True)


@pytest.mark.parametrize("host", ["evil.example:8000", "localhost.evil.example:8000", "[::1:8000", ""])
def test_a_strangers_name_for_loopback_is_not(host: str) -> None:
    assert not allowed(f"http://{host}", host=host, loopback=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("host", False),
    ],
)
def test_loopback(name: str, expected: bool) -> None:
    assert is_loopback(name) is expected


def request(**headers: str) -> Request:
    all_headers = Headers(
        [("Host", HOST), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Protocol", "monkeytown.1")]
    )
    for name, value in ((name.replace("_", "-"), value) for name, value in headers.items()):
        if name in all_headers:
            del all_headers[name]
        if value:
            all_headers[name] = value
    return Request("/ws", all_headers)


def verdict(**headers: str) -> Refused | str:
    return examine(request(**headers), Origins([], loopback=False), secure=False)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("monkeytown.1", "monkeytown.1"),
        ("monkeytown.1.json", "monkeytown.1.json"),
        ("monkeytown.2, monkeytown.1", "monkeytown.1"),
        ("monkeytown.1.json, monkeytown.1", "monkeytown.1.json"),
    ],
)
def test_the_first_subprotocol_that_is_spoken_here(offered: str, chosen: str) -> None:
    assert verdict(Sec_WebSocket_Protocol=offered) == chosen


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Sec_WebSocket_Protocol": ""}, 400, "WS-001"),
        ({"Sec_WebSocket_Protocol": "monkeytown.2"}, 400, "WS-001"),
        ({"Sec_WebSocket_Protocol": "MONKEYTOWN.1"}, 400, "WS-001"),
        ({"Sec_WebSocket_Protocol": "x" * 5000}, 400, "WS-001"),
        ({"Sec_WebSocket_Version": "8"}, 426, "WS-001"),
        ({"Origin": "https://evil.example"}, 403, "AUTH-002"),
    ],
)
def test_refusals_are_a_status_and_a_numbered_error(headers: dict[str, str], status: int, code: str) -> None:
    refused = verdict(**headers)
    assert isinstance(refused, Refused)
    response = refused.response([("X-Test", "yes")])
    assert response.status_code == status
    assert msgspec.json.decode(response.body or b"") == {"code": code, "message": ERROR_CODES[code]}
    assert response.headers["X-Test"] == "yes"
    assert response.headers["Content-Length"] == str(len(response.body or b""))


def test_addresses_are_counted_and_forgotten() -> None:
    addresses = Addresses(2, free_loopback=False)
    for _ in range(2):
        assert not addresses.full("10.0.0.1")
        addresses.enter("10.0.0.1")
    assert addresses.full("10.0.0.1")
    assert not addresses.full("10.0.0.2")
    addresses.leave("10.0.0.1")
    assert not addresses.full("10.0.0.1")
    addresses.leave("10.0.0.1")
    assert len(addresses) == 0


def test_loopback_is_free_in_development_only() -> None:
    for free in (True, False):
        addresses = Addresses(1, free_loopback=free)
        addresses.enter("127.0.0.1")
        assert addresses.full("127.0.0.1") is not free


def test_no_limit_means_any_number() -> None:
    addresses = Addresses(0, free_loopback=False)
    for _ in range(100):
        addresses.enter("10.0.0.1")
    assert not addresses.full("10.0.0.1")
