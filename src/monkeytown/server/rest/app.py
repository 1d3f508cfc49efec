"""The REST API as an ASGI application: joins the endpoints, what they know, and the document about them."""

from __future__ import annotations

from typing import Any

import msgspec

from monkeytown.readers.handshake import Origins
from monkeytown.runtime.bookings import Bookings
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.session import SERVER
from monkeytown.server.auth import Auth
from monkeytown.server.rest.answers import Reply, encode
from monkeytown.server.rest.boards import Boards
from monkeytown.server.rest.endpoints import Call, Endpoint
from monkeytown.server.rest.games import Games
from monkeytown.server.rest.history import History
from monkeytown.server.rest.openapi import document
from monkeytown.server.rest.paths import Paths
from monkeytown.server.rest.players import Players
from monkeytown.server.rest.quotas import Quotas
from monkeytown.server.rest.resources import Desk
from monkeytown.server.rest.sessions import Sessions
from monkeytown.server.rest.storing import Reach

__all__ = ["ROOT", "Rest"]

ROOT = "/api/v1"


class Rest:
    """`reach`: None for a server that keeps nothing. `admin_token`: None, if nobody is its administrator."""

    def __init__(
        self,
        host: Host,
        auth: Auth,
        reach: Reach | None,
        limits: Limits,
        *,
        origins: Origins,
        free_loopback: bool,
        admin_token: str | None = None,
    ) -> None:
        quotas = Quotas(limits, free_loopback=free_loopback, now=host.now)
        history = History(reach, host)
        admin = admin_token.encode() if admin_token else None
        self.endpoints: tuple[Endpoint, ...] = (
            *Sessions(auth, quotas).endpoints,
            *Games(host, Bookings(host, limits), history, quotas).endpoints,
            *history.endpoints,
            *Players(reach, auth, quotas, has_admin=admin is not None).endpoints,
            *Boards(reach).endpoints,
            Endpoint(
                method="GET",
                path="/openapi.json",
                handle=self._describe,
                summary="This document",
                answers=dict[str, Any],
                max_age=60,
            ),
        )
        self.document = document(self.endpoints, root=ROOT, version=SERVER.partition("/")[2])
        self._written = msgspec.Raw(encode(self.document))
        desk = Desk(auth, origins, quotas, has_store=reach is not None, admin_token=admin, root=ROOT)
        self.route = Paths(ROOT, desk, self.endpoints)

    async def _describe(self, call: Call, asked: None) -> Reply:
        return Reply(self._written)
