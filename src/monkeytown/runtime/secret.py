"""The secret with which a client comes back to its session: another one for each connection.

Knows strings only. A welcome that carries a new secret may never arrive, so the one that the client has shown stays good
until the client is known to have read the welcome; after that it opens nothing any more.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest

__all__ = ["ResumeSecret", "player_of"]

SECRET_BYTES = 24


class ResumeSecret:
    """Of one session. `token` is the whole string that its client is given: the player's id, a dot, the secret."""

    __slots__ = ("_current", "_former", "_id")

    def __init__(self, id: str) -> None:
        self._id = id
        self._current = secrets.token_urlsafe(SECRET_BYTES)
        self._former = ""

    @property
    def token(self) -> str:
        return f"{self._id}.{self._current}"

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


def player_of(token: str) -> str:
    """The id of the player whose token it says it is."""
    return token.partition(".")[0]
