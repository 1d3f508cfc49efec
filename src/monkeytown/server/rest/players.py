"""`/players`: who somebody is, what they may change and take away, and what an administrator may do about them.

Knows what is kept of players, and the gate, which keeps them out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from monkeytown.errors import Refusal, StoreDown
from monkeytown.room.names import printed
from monkeytown.server.auth import FOR_GOOD, Auth
from monkeytown.server.rest.answers import Reply, Shape, encode
from monkeytown.server.rest.endpoints import Access, Call, Endpoint
from monkeytown.server.rest.quotas import Quotas
from monkeytown.server.rest.sessions import Name
from monkeytown.server.rest.storing import Reach, Storing

__all__ = ["Players"]

# Entries of an export that are written in one go.
AT_ONCE = 500


class Player(Shape):
    """What everybody may know."""

    player_id: str
    name: str | None
    guest: bool
    """Whether nobody vouches for who this is."""
    created: float | None
    """When they first came, in seconds since 1970; null: nothing is kept of them yet."""
    seen: float | None
    """When they last played; null: not yet."""


class Renamed(Shape):
    name: Name


class Data(Shape):
    """The player's document, as the rules of the games have written it."""

    data: msgspec.Raw


class Ban(Shape):
    """The player's connections end, and no token of theirs is taken."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    until: Annotated[float, Meta(ge=0, le=FOR_GOOD)] | None = None
    """Seconds since 1970; null: for good."""


class Players(Storing):
    def __init__(
        self,
        reach: Reach | None,
        auth: Auth,
        quotas: Quotas,
        *,
        has_admin: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(reach)
        self._auth = auth
        self._quotas = quotas
        self._clock = clock
        one = Endpoint(
            method="GET",
            path="/players/{player}",
            handle=self._show,
            summary="Who somebody is",
            answers=Player,
            refuses=(Refusal(code="REST-003"),),
            needs_store=True,
        )
        self.endpoints: tuple[Endpoint, ...] = (*self._for_oneself(), one)
        if has_admin:
            self.endpoints += self._for_admins()

    def _for_oneself(self) -> tuple[Endpoint, ...]:
        me, too_many = "/players/me", Refusal(code="REST-002")
        return (
            Endpoint(
                method="GET",
                path=me,
                handle=self._me,
                summary="Who asks",
                access=Access.PLAYER,
                answers=Player,
                needs_store=True,
            ),
            Endpoint(
                method="PATCH",
                path=me,
                handle=self._rename,
                summary="Another name; tokens carry it once they are refreshed",
                access=Access.PLAYER,
                asks=Renamed,
                answers=Player,
                needs_store=True,
            ),
            Endpoint(
                method="DELETE",
                path=me,
                handle=self._erase,
                summary="Forgets the player for good: name, document, scores, what they said; and logs them out",
                access=Access.PLAYER,
                status=204,
                refuses=(too_many,),
                needs_store=True,
                confirmed=True,
            ),
            Endpoint(
                method="GET",
                path=f"{me}/data",
                handle=self._data,
                summary="The player's document",
                access=Access.PLAYER,
                answers=Data,
                needs_store=True,
            ),
            Endpoint(
                method="GET",
                path=f"{me}/export",
                handle=self._export,
                summary="All that is stored of the player",
                access=Access.PLAYER,
                answers=dict[str, Any],
                refuses=(too_many,),
                needs_store=True,
            ),
        )

    def _for_admins(self) -> tuple[Endpoint, ...]:
        path = "/players/{player}/ban"
        down = (Refusal(code="REST-003"), Refusal(code="SYS-003"))
        return (
            Endpoint(
                method="POST",
                path=path,
                handle=self._ban,
                summary="Keeps a player out",
                access=Access.ADMIN,
                asks=Ban,
                status=204,
                refuses=down,
            ),
            Endpoint(
                method="DELETE",
                path=path,
                handle=self._unban,
                summary="Lets a player in again",
                access=Access.ADMIN,
                status=204,
                refuses=down,
            ),
        )

    async def _show(self, call: Call, asked: None) -> Reply:
        known = await self._kept.player(call.path["player"])
        if known is None or known.erased is not None:
            raise Refusal(code="REST-003")
        return Reply(
            Player(
                player_id=known.id,
                name=known.name or None,
                guest=known.guest,
                created=known.created,
                seen=known.seen,
            )
        )

    async def _me(self, call: Call, asked: None) -> Reply:
        known = await self._kept.player(call.player.id)
        return Reply(
            Player(
                player_id=call.player.id,
                name=call.player.name or (known.name if known is not None else "") or None,
                guest=call.player.guest,
                created=None if known is None else known.created,
                seen=None if known is None else known.seen,
            )
        )

    async def _rename(self, call: Call, asked: Renamed) -> Reply:
        name = printed(asked.name)
        await self._kept.rename(call.player.id, name)
        renamed = call._replace(identity=call.player._replace(name=name))
        return await self._me(renamed, None)

    async def _data(self, call: Call, asked: None) -> Reply:
        if not call.player.has_data:
            raise StoreDown("the document could not be read")
        return Reply(Data(data=msgspec.Raw(call.player.data)))

    async def _export(self, call: Call, asked: None) -> Reply:
        self._quotas.wants_all(call.player.id)
        return Reply(await _written(await self._kept.export(call.player.id)))

    async def _erase(self, call: Call, asked: None) -> Reply:
        player = call.player.id
        self._quotas.wants_all(player)
        await self._auth.log_out(player)
        await self._kept.erase(player, self._clock())
        return Reply()

    async def _ban(self, call: Call, asked: Ban) -> Reply:
        await self._auth.ban(call.path["player"], asked.until, asked.reason)
        return Reply()

    async def _unban(self, call: Call, asked: None) -> Reply:
        await self._auth.unban(call.path["player"])
        return Reply()


async def _written(everything: dict[str, object]) -> msgspec.Raw:
    """As JSON; it may be much, so other things have their turn meanwhile."""
    parts: list[bytes] = []
    for name, value in everything.items():
        if not isinstance(value, list):
            parts.append(encode(name) + b":" + encode(value))
            continue
        pieces = []
        for start in range(0, len(value), AT_ONCE):
            pieces.append(encode(value[start : start + AT_ONCE])[1:-1])
            await asyncio.sleep(0)
        parts.append(encode(name) + b":[" + b",".join(pieces) + b"]")
    return msgspec.Raw(b"{" + b",".join(parts) + b"}")
