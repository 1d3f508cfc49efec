"""Why a connection is closed, and whether the client may come back.

Knows nothing of messages. Codes from 4000 to 4499 say come back, those from 4500 to 4999 say do not. Besides
these a client may see the codes of RFC 6455 (1001, 1002, 1007, 1009 …) where the WebSocket protocol itself
was broken.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CloseCode", "may_return"]

FIRST_FINAL_CODE = 4500  # what docs/reference/errors.md promises


def may_return(code: int) -> bool:
    """Whether a client that saw this close code should try again."""
    return not FIRST_FINAL_CODE <= code <= 4999


class CloseCode(IntEnum):
    """A close code with the `reason` that travels beside it."""

    reason: str

    def __new__(cls, code: int, reason: str) -> CloseCode:
        member = int.__new__(cls, code)
        member._value_ = code
        member.reason = reason
        return member

    GOING_AWAY = 4000, "the server is going away"
    TOO_SLOW = 4001, "the connection cannot keep up"
    SILENT = 4002, "nothing was heard for too long"
    NO_FIRST_MESSAGE = 4003, "the first message did not come in time"
    EXPIRED = 4004, "the token has expired"
    MALFORMED = 4500, "a message was malformed"
    WRONG_FORM = 4501, "text came where binary is due, or the reverse"
    FLOODING = 4503, "too many messages"
    KICKED = 4504, "the game has removed you"
    ROOM_FAILED = 4505, "the rules of the game failed"
    ROOM_CLOSED = 4506, "the room has closed"
    REPLACED = 4507, "another connection took this place"
    NOT_ALLOWED = 4508, "the token was refused"
    LOGGED_OUT = 4509, "the player has logged out"
    BANNED = 4510, "the player is banned"

    @property
    def may_return(self) -> bool:
        return may_return(self.value)
