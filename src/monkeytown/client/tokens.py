"""Where a client has its token from, and whether there is another one when that has expired.

Knows nothing of what a token holds.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from monkeytown.protocol.close import CloseCode, may_return

__all__ = ["Token", "TokenSource"]

Token: TypeAlias = str | Callable[[], "str | Awaitable[str | None] | None"] | None
"""One that stays as it is, or what is called for one, or none."""


class TokenSource:
    """Of one client."""

    def __init__(self, token: Token) -> None:
        self._token = token

    @property
    def has_others(self) -> bool:
        return callable(self._token)

    async def another(self) -> str | None:
        """The token to show now."""
        token = self._token() if callable(self._token) else self._token
        return await token if inspect.isawaitable(token) else token

    def may_return(self, code: int) -> bool:
        """Whether there is any use in coming back after a connection that was closed with this code."""
        return self.has_others if code == CloseCode.EXPIRED else may_return(code)
