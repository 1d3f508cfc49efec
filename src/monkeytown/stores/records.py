"""A record: one entry of a room's ledger with all that is needed to keep it, as bytes and back.

Knows its own form. `room`, `epoch` and `sequence` name it for ever, so that it can be stored twice and is there once.
"""

from __future__ import annotations

import msgspec

from monkeytown.room.ledger import Kind

__all__ = ["Record", "packed", "unpacked"]


class Record(msgspec.Struct, array_like=True, frozen=True):
    """`time` is in seconds since 1970; `content` is a JSON object with the keys that `Kind` lists."""

    room: str
    game: str
    epoch: int
    sequence: int
    time: float
    kind: Kind
    player: str
    content: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def packed(record: Record) -> bytes:
    """As it stands in the spool."""
    return _encoder.encode(record)


def unpacked(data: bytes) -> Record:
    """The record again. Raises `msgspec.MsgspecError` for bytes that are none."""
    return _decoder.decode(data)
