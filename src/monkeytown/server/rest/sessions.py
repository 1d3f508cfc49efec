"""`/sessions`: tokens for players who bring none, another one for those who have one, and an end to all of them.

Knows the gate and what it makes; not what tokens are.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from msgspec import Meta

from monkeytown.errors import Refusal
from monkeytown.room.names import printed
from monkeytown.server.auth import Auth
from monkeytown.server.rest.answers import Forbidden, Reply, Shape
from monkeytown.server.rest.endpoints import Access, Call, Endpoint
from monkeytown.server.rest.quotas import Quotas

__all__ = ["Name", "Sessions"]

GUEST_BYTES = 16
NO_GUESTS = Forbidden(code="AUTH-006")

Name = Annotated[
    str, Meta(max_length=64, description="What others see: what prints of it, at most 24 characters.")
]


class NewSession(Shape):
    """A guest comes."""

    name: Name | None = None


class Session(Shape):
    """A token, and whose it is."""

    token: str
    """For `Authorization: Bearer …`, and for the `token` of `hello`."""
    expires: float
    """Seconds since 1970."""
    player_id: str
    name: str | None
    guest: bool


class CurrentSession(Shape):
    """What a token says."""

    player_id: str
    name: str | None
    guest: bool
    """Whether nobody vouches for who this is."""
    issued: float
    """Seconds since 1970."""
    expires: float | None
    """null: for ever."""


class Sessions:
    def __init__(self, auth: Auth, quotas: Quotas) -> None:
        self._auth = auth
        self._quotas = quotas
        path = "/sessions"
        self.endpoints = (
            Endpoint(
                method="POST",
                path=path,
                handle=self._begin,
                summary="A guest's token",
                asks=NewSession,
                answers=Session,
                status=201,
                refuses=(NO_GUESTS,),
            ),
            Endpoint(
                method="DELETE",
                path=path,
                handle=self._end,
                summary="Logs the player out everywhere: all of their tokens are useless, all of their connections end",
                access=Access.PLAYER,
                status=204,
                refuses=(Refusal(code="SYS-003"),),
            ),
            Endpoint(
                method="GET",
                path=f"{path}/current",
                handle=self._current,
                summary="Whose token this is",
                access=Access.PLAYER,
                answers=CurrentSession,
            ),
            Endpoint(
                method="POST",
                path=f"{path}/refresh",
                handle=self._refresh,
                summary="A new token for who has one; the one before stays good until it expires",
                access=Access.PLAYER,
                answers=Session,
                status=201,
            ),
        )

    async def _begin(self, call: Call, asked: NewSession) -> Reply:
        if not self._auth.guests:
            raise Forbidden(code="AUTH-006")
        self._quotas.becomes_guest(call.address)
        return self._issued(secrets.token_urlsafe(GUEST_BYTES), printed(asked.name) or None, guest=True)

    async def _current(self, call: Call, asked: None) -> Reply:
        player = call.player
        return Reply(
            CurrentSession(
                player_id=player.id,
                name=player.name,
                guest=player.guest,
                issued=player.issued,
                expires=player.expires,
            )
        )

    async def _refresh(self, call: Call, asked: None) -> Reply:
        return self._issued(call.player.id, call.player.name, guest=call.player.guest)

    async def _end(self, call: Call, asked: None) -> Reply:
        await self._auth.log_out(call.player.id)
        return Reply()

    def _issued(self, player_id: str, name: str | None, *, guest: bool) -> Reply:
        token, expires = self._auth.issue(player_id, name, guest=guest)
        return Reply(Session(token=token, expires=expires, player_id=player_id, name=name, guest=guest))
