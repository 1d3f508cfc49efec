"""Who comes in: tokens, a game's own `on_auth`, guests; and who must stay out.

Knows tokens, what is kept of players, and how to end a player's sessions. What is kept may be out of reach for a while: play
goes on then, with what this process knows of bans and logouts.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from monkeytown.errors import Refusal, StartError, StoreDown
from monkeytown.game import Game
from monkeytown.identity import Identity, is_player_id
from monkeytown.protocol.close import CloseCode
from monkeytown.server.tokens import Tokens

__all__ = ["FOR_GOOD", "Auth", "Kept", "KeptPlayer", "own_check"]

log = structlog.get_logger()

TOKEN_SECONDS = 24 * 3600.0
OWN_CHECK_SECONDS = 5.0
FOR_GOOD = 253402300799.0
"""The last second of the year 9999: what is later cannot be written as a date."""


class KeptPlayer(Protocol):
    """What is kept of a player. Times are in seconds since 1970; None: never, or nothing."""

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> bytes | None: ...
    @property
    def banned_until(self) -> float | None: ...
    @property
    def tokens_after(self) -> float | None: ...


class Kept(Protocol):
    """Where it is kept."""

    async def player(self, id: str) -> KeptPlayer | None:
        """Raises `StoreDown`."""

    async def ban(self, id: str, until: float, reason: str) -> None: ...
    async def unban(self, id: str) -> None: ...
    async def log_out(self, id: str, at: float) -> None: ...


Check = Callable[[str], object]


class Auth:
    """The gate of one server. `check` is a game's own `on_auth`; `kept` is None for a server that keeps nothing."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        guests: bool,
        kept: Kept | None = None,
        check: Check | None = None,
        newest: Callable[[str], bytes | None] = lambda id: None,
        send_away: Callable[[str, CloseCode], object] = lambda id, code: None,
        seconds: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.guests = guests
        """Whether those without a token are let in."""
        self.send_away = send_away
        """Ends all sessions of a player."""
        self._tokens = tokens
        self._kept = kept
        self._check = check
        self._newest = newest
        self._seconds = seconds
        self._now = now
        self._banned: dict[str, float] = {}
        """Until when, as far as this process was told: for when what is kept cannot be reached."""
        self._logged_out: dict[str, float] = {}

    async def identify(self, token: str) -> Identity:
        """Who a token stands for. Raises `Refusal`: AUTH-001 refused, AUTH-004 expired, AUTH-005 banned."""
        if self._check is None or self._tokens.is_own(token):
            identity = self._tokens.check(token)
        else:
            identity = await self._checked(self._check, token)
        return await self._with_what_is_kept(identity)

    def issue(self, player_id: str, name: str | None, *, guest: bool) -> tuple[str, float]:
        """A token of the server's own, and when it expires."""
        return self._tokens.issue(player_id, name, guest=guest, seconds=TOKEN_SECONDS)

    async def log_out(self, player_id: str) -> None:
        """All tokens that a player has are useless from now on, and all of its connections end. Raises `StoreDown`."""
        now = self._now()
        self._logged_out[player_id] = now
        self.send_away(player_id, CloseCode.LOGGED_OUT)
        if self._kept is not None:
            await self._kept.log_out(player_id, now)

    async def ban(self, player_id: str, until: float | None, reason: str) -> None:
        """The player stays out until then; None: for good. All of its connections end. Raises `StoreDown`."""
        end = FOR_GOOD if until is None else until
        self._banned[player_id] = end
        self.send_away(player_id, CloseCode.BANNED)
        if self._kept is not None:
            await self._kept.ban(player_id, end, reason)

    async def unban(self, player_id: str) -> None:
        """The player may come back. Raises `StoreDown`."""
        self._banned.pop(player_id, None)
        if self._kept is not None:
            await self._kept.unban(player_id)

    async def _checked(self, check: Check, token: str) -> Identity:
        """What the game's own check says."""
        try:
            answer = check(token)
            if inspect.isawaitable(answer):
                answer = await asyncio.wait_for(answer, OWN_CHECK_SECONDS)
        except Refusal:
            raise
        except TimeoutError:
            log.warning("on_auth did not answer in time", seconds=OWN_CHECK_SECONDS)
            raise Refusal(code="SYS-001") from None
        except Exception:
            log.exception("on_auth failed")
            raise Refusal(code="SYS-001") from None
        if answer is None:
            raise Refusal(code="AUTH-001")
        if not isinstance(answer, Identity) or not is_player_id(answer.id):
            log.error("on_auth gives an Identity with a player's id, or None", answer=type(answer).__name__)
            raise Refusal(code="SYS-001")
        if answer.expires is not None and answer.expires <= self._now():
            raise Refusal(code="AUTH-004")
        return answer

    async def _with_what_is_kept(self, identity: Identity) -> Identity:
        id = identity.id
        banned_until, tokens_after = self._banned.get(id, 0.0), self._logged_out.get(id, 0.0)
        if self._kept is not None:
            try:
                async with asyncio.timeout(self._seconds):
                    kept = await self._kept.player(id)
            except (StoreDown, TimeoutError):
                # Play goes on. What cannot be read is not written over either.
                identity = identity._replace(has_data=False)
                kept = None
            if kept is not None:
                banned_until = max(banned_until, kept.banned_until or 0.0)
                tokens_after = max(tokens_after, kept.tokens_after or 0.0)
                identity = identity._replace(
                    data=kept.data or b"{}",
                    name=(kept.name or identity.name) if identity.guest else identity.name,
                )
        if banned_until > self._now():
            raise Refusal(code="AUTH-005")
        # A token is dated by whole seconds: one of the same second as the logout may be older.
        if tokens_after and identity.issued <= tokens_after:
            raise Refusal(code="AUTH-001")
        newest = self._newest(id)
        return identity if newest is None else identity._replace(data=newest, has_data=True)


def own_check(games: Sequence[type[Game]]) -> Check | None:
    """The `on_auth` of the one game that has it. Raises `StartError` if there are two."""
    having = [game for game in games if getattr(game.on_auth, "__func__", game.on_auth) is not _NO_CHECK]
    if len({getattr(game.on_auth, "__func__", game.on_auth) for game in having}) > 1:
        names = " and ".join(game.__name__ for game in having)
        raise StartError(f"{names} have an on_auth each: a server has one")
    return having[0].on_auth if having else None


_NO_CHECK = Game.on_auth.__func__  # type: ignore[attr-defined]
