"""Envelopes: what one instance tells others, so sealed that who cannot know the secret cannot have written it.

Knows bytes; not what is in them, nor how they travel.

Whoever reaches Redis can publish what he likes, so what comes from there is not believed: not from whom it is, not on which
channel it was said, and not that it is said now. An envelope is

    magic, 2 bytes · form, 1 byte · length of the sender, 1 byte · number, 8 bytes · length of the payload, 4 bytes
    sender · payload · tag, 16 bytes

with big-endian numbers. The tag is BLAKE2b, keyed with the secret, over the channel and all that stands before it. The
number grows with each envelope of a sender, and a receiver takes on each channel only what is newer than what it has taken:
it remembers the newest number of the `SENDERS_KEPT` pairs of channel and sender that it heard last.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from struct import error as StructError

from monkeytown.errors import MonkeytownError

__all__ = ["OVERHEAD", "Envelopes", "Refused"]

MAGIC = b"MT"
FORM = 1
TAG_BYTES = 16
SENDERS_KEPT = 10_000
PURPOSE = b"monkeytown bus"
"""The same secret gives other keys for other purposes."""

_HEADER = Struct(">2sBBQI")
_CHANNEL_LENGTH = Struct(">I")

OVERHEAD = _HEADER.size + TAG_BYTES
"""Bytes of an envelope besides payload and sender."""


class Refused(MonkeytownError):
    """An envelope that is not opened. `reason` is malformed, forged, own or replayed."""

    def __init__(self, reason: str) -> None:
        super().__init__(_EXPLAINED[reason])
        self.reason = reason


_EXPLAINED = {
    "malformed": "no envelope of this form",
    "forged": "the tag is wrong: another secret, another channel, or other bytes",
    "own": "our own",
    "replayed": "not newer than what came before it",
}


class Envelopes:
    """Those that `sender` writes and reads, with a secret that all instances share.

    `sender` names one start of one instance: numbers begin anew with it. Raises `ValueError` for one of more than 255 bytes.
    """

    def __init__(self, secret: str, sender: str) -> None:
        self.refused: Counter[str] = Counter()
        """How many were, by reason."""
        self._sender = sender.encode()
        if len(self._sender) > 255:
            raise ValueError("a sender has at most 255 bytes")
        key = blake2b(secret.encode("utf-8", "surrogateescape"), digest_size=32, person=PURPOSE).digest()
        self._keyed = blake2b(key=key, digest_size=TAG_BYTES)
        self._number = 0
        self._newest: OrderedDict[tuple[str, bytes], int] = OrderedDict()

    def seal(self, channel: str, payload: bytes) -> bytes:
        """The payload as it is published on a channel. Raises `struct.error` for one of 4 GiB."""
        self._number += 1
        sender = self._sender
        head = _HEADER.pack(MAGIC, FORM, len(sender), self._number, len(payload)) + sender
        name = channel.encode()
        tag = self._keyed.copy()
        tag.update(_CHANNEL_LENGTH.pack(len(name)) + name + head)
        tag.update(payload)
        return b"".join((head, payload, tag.digest()))

    def open(self, channel: str, data: bytes) -> tuple[str, bytes]:
        """Who sent it, and the payload. Raises `Refused`."""
        try:
            magic, form, sender_length, number, length = _HEADER.unpack_from(data)
        except StructError:
            raise self._refuse("malformed") from None
        start = _HEADER.size + sender_length
        end = start + length
        if magic != MAGIC or form != FORM or len(data) != end + TAG_BYTES:
            raise self._refuse("malformed")
        head = data[:start]
        payload = data[start:end]
        name = channel.encode()
        tag = self._keyed.copy()
        tag.update(_CHANNEL_LENGTH.pack(len(name)) + name + head)
        tag.update(payload)
        if not compare_digest(tag.digest(), data[end:]):
            raise self._refuse("forged")
        sender = head[_HEADER.size :]
        if sender == self._sender:
            raise self._refuse("own")
        self._take_note((channel, sender), number)
        return sender.decode(), payload

    def _take_note(self, key: tuple[str, bytes], number: int) -> None:
        newest = self._newest
        if number <= newest.get(key, 0):
            raise self._refuse("replayed")
        newest[key] = number
        newest.move_to_end(key)
        if len(newest) > SENDERS_KEPT:
            newest.popitem(last=False)

    def _refuse(self, reason: str) -> Refused:
        self.refused[reason] += 1
        return Refused(reason)
