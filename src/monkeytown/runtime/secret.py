"""The secret with which a client comes back to its session: another one for each connection.

Knows strings only. A welcome that carries a new secret may never arrive, so the one that the client has shown stays good
until the client is known to have read the welcome; after that it opens nothing any more.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest

__all__ = ["ResumeSecret", "key_of"]

SECRET_BYTES = 24


class ResumeSecret:
    """Of one session. `token` is the whole string that its client is given: the session's key, a dot, the secret."""

    __slots__ = ("_current", "_former", "_key")

    def __init__(self, key: str, current: str = "", former: str = "") -> None:
        self._key = key
        self._current = current or secrets.token_urlsafe(SECRET_BYTES)
        self._former = former

    @property
    def token(self) -> str:
        return f"{self._key}.{self._current}"

    @property
    def both(self) -> tuple[str, str]:
        """The newest secret, and the token that may have to do once more."""
        return self._current, self._former

    def opened_by(self, token: str) -> bool:
        """Whether it is the newest token, or the one that may have to do once more."""
        given = token.encode(errors="replace")
        newest = compare_digest(given, self.token.encode())
        former = compare_digest(given, self._former.encode())
        return newest or (former and bool(self._former))

    def renew(self, shown: str) -> None:
        """The client has come back with a token, and is to be given another one."""
        self._former = shown
        self._current = secrets.token_urlsafe(SECRET_BYTES)

    def confirm(self) -> None:
        """The client has the newest one."""
        self._former = ""


def key_of(token: str) -> str:
    """The key of the session whose token it says it is."""
    return token.partition(".")[0]
