"""A REST API over a host whose clock the test moves, a real gate and a real SQLite store; clients with and without tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette

from monkeytown import Entity, Game, Player, Refusal, fixed, table
from monkeytown.readers.handshake import Origins
from monkeytown.room.ledger import Kind, as_json
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.server.auth import Auth
from monkeytown.server.rest.app import ROOT, Rest
from monkeytown.server.tokens import Tokens
from monkeytown.stores.records import Record
from monkeytown.stores.sqlite import SQLite
from monkeytown.stores.store import Store
from tests.runtime.stage import Client, Clock, make_host

ADMIN = "the administrator's token, which nobody guesses"
PAGE = "https://play.example"
EPOCH = 1_795_600_000.0  # a Wednesday of November 2026


class Stone(Entity):
    x = fixed(0, 100)


class Duel(Game):
    """Turns, for two; does not want every option."""

    tick_rate = 0
    max_players = 2
    stones = table(Stone)

    def on_create(self) -> None:
        if self.options.get("map") == "none":
            raise Refusal("There is no such map.", "GAME-101")
        if self.options.get("map") == "broken":
            raise RuntimeError("a bug of the game")


class Crowd(Game):
    """Turns, for any number."""

    tick_rate = 0
    stones = table(Stone)

    def on_join(self, player: Player) -> None:
        player.entity = self.stones.spawn()


class Api:
    """All of it. `as_player` gives a client with a token, `client` one without."""

    def __init__(self, host: Host, clock: Clock, auth: Auth, store: Store | None, rest: Rest) -> None:
        self.host = host
        self.clock = clock
        self.auth = auth
        self.store = store
        self.endpoints = rest.endpoints
        self.app = Starlette(routes=[rest.route])
        self.stack = AsyncExitStack()
        self._sequence = 0
        self._pending: list[Record] = []

    async def client(self, address: str = "198.51.100.1", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        http = httpx.AsyncClient(transport=transport, base_url=f"http://test{ROOT}", headers=headers)
        return await self.stack.enter_async_context(http)

    async def as_player(
        self, id: str, name: str | None = None, *, guest: bool = True, **options: Any
    ) -> httpx.AsyncClient:
        token, _ = self.auth.issue(id, name, guest=guest)
        return await self.client(**options, Authorization=f"Bearer {token}")

    async def ask(
        self, method: str, path: str, body: bytes = b"", *, token: str = "", query: bytes = b""
    ) -> tuple[int, Any]:
        """One request without a client around it, for thousands of them. `path` is taken as it is."""
        headers = [(b"content-type", b"application/json"), (b"host", b"test")]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        answered: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            answered.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": ROOT + path,
            "root_path": "",
            "query_string": query,
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        await self.app(scope, receive, send)
        content = answered[1]["body"]
        return answered[0]["status"], msgspec.json.decode(content) if content else None

    def token(self, player: str) -> str:
        return self.auth.issue(player, None, guest=True)[0]

    def sit(self, player: str, game_id: str) -> Client:
        """A player joins over a socket."""
        client = Client(self.host, self.clock)
        client.session.id = player
        client.say("join_game", gameId=game_id)
        return client

    async def note(
        self,
        room: str,
        kind: Kind,
        player: str = "",
        *,
        game: str = "duel",
        at: float = EPOCH,
        **content: Any,
    ) -> None:
        """Something that must last of a room gets there."""
        self.pending(room, kind, player, game=game, at=at, **content)
        await self.write()

    def pending(
        self,
        room: str,
        kind: Kind,
        player: str = "",
        *,
        game: str = "duel",
        at: float = EPOCH,
        **content: Any,
    ) -> None:
        """Something that is to get there with the next `write`."""
        self._sequence += 1
        self._pending.append(Record(room, game, 1, self._sequence, at, kind, player, as_json(content)))

    async def write(self) -> None:
        assert self.store is not None
        records, self._pending = self._pending, []
        await self.store.write(records)

    async def played(self, room: str, *players: str, private: bool = False, at: float = EPOCH) -> None:
        """A game that is over."""
        await self.note(room, Kind.OPENED, game="duel", mode="", private=private, at=at)
        for player in players:
            await self.note(room, Kind.JOINED, player, name=player.title(), guest=False, at=at)
        await self.note(room, Kind.RESULT, result={"winner": players[0]}, at=at + 60)
        await self.note(room, Kind.CLOSED, reason="It is over.", failed=False, at=at + 60)


@asynccontextmanager
async def an_api(
    folder: Path | None,
    *,
    clock: Clock | None = None,
    guests: bool = True,
    admin: str | None = ADMIN,
    store: Any = None,
    **limits: Any,
) -> AsyncIterator[Api]:
    """`folder` is where the store is; None: nothing is kept."""
    clock = clock or Clock()
    host = make_host(clock, Duel, Crowd, max_rooms=limits.get("max_rooms", 0))
    if folder is not None and store is None:
        store = Store(SQLite(folder / "town.db"))
        await store.open(migrate=True)
    auth = Auth(Tokens(["a secret of the tests, long enough"]), guests=guests, kept=store)
    generous = {"requests_per_second": 1e6, "requests_burst": 1_000_000, "rooms_per_hour": 1e6}
    rest = Rest(
        host,
        auth,
        None if store is None else lambda: store,
        Limits(**(generous | limits)),
        origins=Origins([PAGE], loopback=False),
        free_loopback=True,
        admin_token=admin,
    )
    api = Api(host, clock, auth, store, rest)
    try:
        async with api.stack:
            yield api
    finally:
        host.close()
        if folder is not None:
            await store.close()


def code(response: httpx.Response) -> tuple[int, str]:
    """The status, and the code of what went wrong, in the one form that it has."""
    body = response.json()
    assert body.keys() == {"code", "message"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, body["code"]
