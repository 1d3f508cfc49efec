"""What all endpoints share: methods, types, sizes, origins, entity tags, rates, and a store that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monkeytown.errors import RecordRefused, StoreDown
from monkeytown.stores.store import Store
from tests.server.rest.stage import PAGE, Api, an_api, code

JSON = {"content-type": "application/json"}


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/games", "GET, HEAD, POST, OPTIONS"),
            ("DELETE", "/games/x", "GET, HEAD, OPTIONS"),
            ("GET", "/matches", "POST, OPTIONS"),
            ("GET", "/sessions", "POST, DELETE, OPTIONS"),
            ("PATCH", "/openapi.json", "GET, HEAD, OPTIONS"),
            ("TRACE", "/players/me", "GET, HEAD, PATCH, DELETE, OPTIONS"),
            ("BREW", "/games", "GET, HEAD, POST, OPTIONS"),
        ],
    )
    async def test_those_that_there_are_not(self, api: Api, method: str, path: str, allowed: str) -> None:
        answer = await (await api.client()).request(method, path)
        assert code(answer) == (405, "REST-004")
        assert answer.headers["allow"] == allowed

    @pytest.mark.parametrize(
        "path", ["", "/", "/nothing", "/games/", "/games/a/b/c", "/games/a%2Fb", "//games", "/Games"]
    )
    async def test_paths_that_there_are_not(self, api: Api, path: str) -> None:
        answer = await (await api.client()).get(path)
        assert code(answer) == (404, "REST-003")

    async def test_head_is_get_without_a_body(self, api: Api) -> None:
        http = await api.client()
        api.host.open_room("duel")
        head, get = await http.head("/games"), await http.get("/games")
        assert (head.status_code, head.content) == (200, b"")
        assert {**head.headers} == {**get.headers}


class TestBodies:
    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"[]",
            b"1",
            b"null",
            b'"x"',
            b"\xff",
            b"{}{}",
            b'{"a":1}',
            b'{"name":"\\ud800x"}',
            b"[" * 9000,
            b"{name:1}",
        ],
    )
    async def test_what_is_no_object_of_the_right_form(self, api: Api, content: bytes) -> None:
        answer = await (await api.client()).post("/sessions", content=content, headers=JSON)
        assert code(answer) == (400, "REST-001")

    @pytest.mark.parametrize(
        "headers",
        [
            {"content-type": "text/plain"},
            {"content-type": "application/x-www-form-urlencoded"},
            {"content-type": "multipart/form-data; boundary=x"},
            {"content-type": "application/jsonp"},
            {},
            {**JSON, "content-encoding": "gzip"},
        ],
    )
    async def test_what_is_not_json(self, api: Api, headers: dict[str, str]) -> None:
        answer = await (await api.client()).post("/sessions", content=b'{"name":"A"}', headers=headers)
        assert code(answer) == (415, "REST-005")

    @pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
    async def test_what_is_json(self, api: Api, kind: str) -> None:
        http = await api.client()
        answer = await http.post("/sessions", content=b'{"name":"A"}', headers={"content-type": kind})
        assert answer.status_code == 201

    async def test_what_is_too_long(self, api: Api) -> None:
        http = await api.client()

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b" " * 500

        for content in (b" " * 16385, pieces()):
            assert code(await http.post("/sessions", content=content, headers=JSON)) == (413, "REST-006")
        for length in ("x", "-1", "1e3", "99999999999999999999"):
            answer = await http.post("/sessions", content=b"{}", headers={**JSON, "content-length": length})
            assert code(answer) == (413, "REST-006")
        answer = await http.post("/sessions", content=b"{}" + b" " * 16382, headers=JSON)
        assert answer.status_code == 201

    @pytest.mark.parametrize("header", ["content-type", "content-length", "confirm", "content-encoding"])
    async def test_a_header_that_comes_twice(self, api: Api, header: str) -> None:
        ada = await api.as_player("ada")
        path, method = ("/players/me", "DELETE") if header == "confirm" else ("/games", "POST")
        answer = await ada.request(method, path, headers=[(header, "1"), (header, "1")])
        assert code(answer)[0] in (400, 413)

    async def test_two_tokens_are_none(self, api: Api) -> None:
        token, _ = api.auth.issue("ada", None, guest=True)
        headers = [("authorization", f"Bearer {token}")] * 2
        assert code(await (await api.client()).get("/sessions/current", headers=headers)) == (401, "AUTH-001")


class TestOrigins:
    async def test_a_page_that_may_reads_what_is_answered(self, api: Api) -> None:
        http = await api.client(Origin=PAGE)
        for answer in (await http.get("/games"), await http.get("/nothing"), await http.post("/matches")):
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
            assert "origin" in answer.headers["vary"]
            assert "etag" in answer.headers["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in answer.headers

    async def test_a_page_asks_before(self, api: Api) -> None:
        answer = await (await api.client(Origin=PAGE)).options(
            "/players/me", headers={"access-control-request-method": "PATCH"}
        )
        assert (answer.status_code, answer.content) == (204, b"")
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"]
        assert {"authorization", "content-type", "if-none-match", "confirm"} == set(allowed.split(", "))
        assert answer.headers["access-control-max-age"] == "600"

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "http://play.example", f"{PAGE}.evil", ""]
    )
    async def test_other_pages_are_refused(self, api: Api, origin: str) -> None:
        http = await api.client(Origin=origin)
        for answer in (
            await http.get("/games"),
            await http.options("/games"),
            await http.post("/sessions", json={}),
            await http.get("/nothing"),
        ):
            assert code(answer) == (403, "AUTH-002")
            assert "access-control-allow-origin" not in answer.headers

    async def test_the_servers_own_pages_may(self, api: Api) -> None:
        assert (await (await api.client(Origin="http://test")).get("/games")).status_code == 200

    async def test_who_is_no_page_may(self, api: Api) -> None:
        answer = await (await api.client()).get("/games")
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


class TestEntityTags:
    @pytest.mark.parametrize(
        "path", ["/games", "/players/ada", "/leaderboards/duel", "/openapi.json", "/games/room-1"]
    )
    async def test_what_is_known_is_not_sent_again(self, api: Api, path: str) -> None:
        await api.played("room-1", "ada")
        http = await api.client()
        tag = (await http.get(path)).headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = await http.get(path, headers={"if-none-match": known})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == tag
            assert "content-length" not in answer.headers
        for other in ('"other"', tag.strip('"'), ""):
            assert (await http.get(path, headers={"if-none-match": other})).status_code == 200

    async def test_what_has_changed_has_another(self, api: Api) -> None:
        http = await api.client()
        before = (await http.get("/games")).headers["etag"]
        api.host.open_room("duel")
        answer = await http.get("/games", headers={"if-none-match": before})
        assert answer.status_code == 200
        assert answer.headers["etag"] != before

    async def test_who_may_keep_what(self, api: Api) -> None:
        http, ada = await api.client(), await api.as_player("ada")
        assert (await http.get("/games")).headers["cache-control"] == "public, max-age=1"
        assert (await ada.get("/games")).headers["cache-control"] == "private, no-cache"
        assert (await ada.get("/players/me")).headers["cache-control"] == "private, no-cache"
        assert (await http.get("/openapi.json")).headers["cache-control"] == "public, max-age=60"
        answer = await ada.post("/games", json={"game": "duel"})
        assert answer.headers["cache-control"] == "no-store"
        for http_ in (http, ada):
            assert "authorization" in (await http_.get("/games")).headers["vary"]


class TestRates:
    async def test_a_player_has_one_whatever_the_address(self, tmp_path: Path) -> None:
        async with an_api(tmp_path, requests_per_second=2, requests_burst=3) as api:
            here, there = await api.as_player("ada"), await api.as_player("ada", address="198.51.100.2")
            bob = await api.as_player("bob")
            answers = [await http.get("/games") for http in (here, there, here, there)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert code(answers[-1]) == (429, "REST-002")
            assert answers[-1].headers["retry-after"] == "1"
            assert (await bob.get("/games")).status_code == 200
            api.clock.run(0.5)
            assert [(await here.get("/games")).status_code for _ in range(2)] == [200, 429]

    @pytest.mark.parametrize(
        ("addresses", "last"),
        [
            (("198.51.100.1",) * 4, 429),
            (("198.51.100.1",) * 3 + ("198.51.100.2",), 200),
            (("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"), 429),
            (("2001:db8::1",) * 3 + ("2001:db8:0:1::1",), 200),
            (("127.0.0.1",) * 4, 200),
            (("somewhere",) * 4, 429),
        ],
    )
    async def test_an_address_has_one(self, tmp_path: Path, addresses: tuple[str, ...], last: int) -> None:
        async with an_api(tmp_path, requests_per_second=1, requests_burst=3) as api:
            statuses = [
                (await (await api.client(address)).get("/games")).status_code for address in addresses
            ]
            assert statuses == [200, 200, 200, last]

    async def test_guests_of_one_address(self, tmp_path: Path) -> None:
        async with an_api(tmp_path, guests_per_minute=3) as api:
            http, other = await api.client(), await api.client("198.51.100.2")
            answers = [await http.post("/sessions", json={}) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
            assert answers[-1].headers["retry-after"] == "20"
            assert (await other.post("/sessions", json={})).status_code == 201

    async def test_tokens_are_not_guessed(self, api: Api) -> None:
        http = await api.client(Authorization="Bearer nonsense")
        answers = [await http.get("/games") for _ in range(25)]
        assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 5
        # Nor the administrator's, by the same address.
        answer = await http.post("/players/ada/ban", json={"reason": "x"})
        assert code(answer) == (429, "REST-002")
        assert (await (await api.as_player("ada", address="198.51.100.2")).get("/games")).status_code == 200


class Away(Store):
    """A store that cannot be reached, or cannot hold what it is given."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattribute__(self, name: str) -> Any:
        if name in ("error", "__class__"):
            return super().__getattribute__(name)

        async def fail(*arguments: Any, **options: Any) -> Any:
            raise self.error

        return fail


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StoreDown("away"), (503, "SYS-003")),
        (RecordRefused("too long"), (422, "REST-007")),
        (RuntimeError("a bug"), (500, "SYS-001")),
    ],
)
async def test_a_store_that_is_away(error: Exception, expected: tuple[int, str]) -> None:
    with capture_logs() as logs:
        await ask_in_vain(error, expected)
    assert len(logs) == (6 if expected[0] == 500 else 0)


async def ask_in_vain(error: Exception, expected: tuple[int, str]) -> None:
    async with an_api(None, store=Away(error)) as api:
        api.auth._kept = None  # the gate has its own ways
        ada = await api.as_player("ada")
        asked: list[tuple[str, str, Any]] = [
            ("GET", "/players/bob", None),
            ("PATCH", "/players/me", {"name": "A"}),
            ("GET", "/leaderboards/duel", None),
            ("GET", "/games/x", None),
            ("GET", "/games/x/chat", None),
            ("GET", "/replays", None),
        ]
        for method, path, body in asked:
            answer = await ada.request(method, path, json=body)
            assert code(answer) == expected, path
            assert str(error) not in answer.text
        hosted = api.host.open_room("duel")
        assert (await ada.get(f"/games/{hosted.room.id}")).status_code == 200
        assert (await ada.post("/matches", json={"game": "duel"})).status_code == 201


async def test_a_request_that_ends_in_the_middle_disturbs_nothing(api: Api) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/sessions",
        "raw_path": b"/api/v1/sessions",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"10")],
        "client": None,
        "server": ("test", 80),
    }
    await api.app(scope, receive, send)
    assert sent[0]["status"] in (201, 400)


async def test_a_websocket_is_not_spoken_here(api: Api) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/api/v1/games",
        "root_path": "",
        "headers": [],
        "query_string": b"",
    }
    for path in ("/api/v1/games", "/api/v1/nothing"):
        await api.app({**scope, "path": path}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"] * 2
