"""A session as it travels: all that another instance needs to go on with it.

Knows the form, not when it is made nor where it is kept.
"""

from __future__ import annotations

import msgspec

from monkeytown.errors import WireError
from monkeytown.identity import Identity
from monkeytown.room.mail import News

__all__ = ["SessionRecord", "packed_record", "unpacked_record"]


class SessionRecord(msgspec.Struct, array_like=True, frozen=True):
    """One session at one moment."""

    key: str
    secrets: tuple[str, str]
    """The one that opens it, and the one that may have to do once more; the latter may be empty."""
    id: str
    """The player's."""
    name: str | None
    identity: Identity | None
    room: str
    """The id of the room that it is in; empty for none."""
    received: int
    """The newest numbered message that was taken from its client."""
    number: int
    """The newest that was sent to it."""
    news: list[News]
    """Those of the last that it may not have read."""
    described: tuple[bool, float] | None
    """What kind of view its client was last told of."""
    instance: str = ""
    """Where it was, when this was made."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SessionRecord)


def packed_record(record: SessionRecord) -> bytes:
    return _encoder.encode(record)


def unpacked_record(data: bytes) -> SessionRecord:
    """Raises `WireError`."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"this is no record of a session: {error}") from error
