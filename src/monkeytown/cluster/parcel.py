"""What travels between instances: parcels from one to another, and bundles for all who listen to a channel.

Knows MessagePack and sizes; does not know who sends, when, or what a message means. A parcel:

    [link, number, first, ack, [item, …], [state, …]]

`link` names the incarnation of the link and `number` counts its parcels from one side; `first` is the number of the first
item; `ack` is the last item that came from the other side, -1 if nothing ever came in this link. A bundle is a list of
messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw

__all__ = [
    "HIGHEST",
    "MAX_MESSAGE",
    "PARCEL_BYTES",
    "UNREADABLE",
    "BadParcel",
    "Packing",
    "Parcel",
    "Unreadable",
    "split",
]

PARCEL_BYTES = 1024 * 1024
"""Of messages in a parcel; a larger message has one of its own."""

MAX_MESSAGE = 32 * 1024 * 1024
"""Bytes of one message."""

MAX_PARCEL = MAX_MESSAGE + 1024
"""Bytes of a parcel: the largest message, and the numbers before it."""

HIGHEST = 2**62
"""No number is as high, whatever it counts."""

Number = Annotated[int, Meta(ge=1, lt=HIGHEST)]
Ack = Annotated[int, Meta(ge=-1, lt=HIGHEST)]

_UNFIT = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Unreadable:
    """Stands where a message was that is none of ours."""


UNREADABLE: Final = Unreadable()


class BadParcel(Exception):
    """Bytes that are no parcel, or no bundle; `reason` is a word for a counter."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Parcel(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One message on the bus from one instance to another."""

    link: Number
    number: Number
    first: Number
    ack: Ack
    items: list[Any]
    """What must arrive, in its order."""
    states: list[Any]
    """What may be lost."""


class _Unread(Parcel, array_like=True, forbid_unknown_fields=True, gc=False):
    items: list[Raw]
    states: list[Raw]


class Packing:
    """Makes parcels of messages, and messages of parcels. Every message is encoded once, wherever it travels."""

    def __init__(self, message_type: Any) -> None:
        read = msgspec.defstruct(
            "Parcel",
            [("items", list[message_type]), ("states", list[message_type])],
            bases=(Parcel,),
            array_like=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        self._encoder = msgspec.msgpack.Encoder()
        self._parcel: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(read)
        self._unread = msgspec.msgpack.Decoder(_Unread)
        self._bundle = msgspec.msgpack.Decoder(list[message_type])
        self._raws = msgspec.msgpack.Decoder(list[Raw])
        self._message = msgspec.msgpack.Decoder(message_type)

    def message(self, message: object) -> Raw:
        """The message as it travels. Raises `ValueError` for one that is too large."""
        encoded = self._encoder.encode(message)
        if len(encoded) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(encoded)} bytes is too large, {MAX_MESSAGE} are the most")
        return Raw(encoded)

    def parcel(
        self, link: int, number: int, first: int, ack: int, items: list[Raw], states: list[Raw]
    ) -> bytes:
        return self._encoder.encode((link, number, first, ack, items, states))

    def bundle(self, messages: list[Raw]) -> bytes:
        return self._encoder.encode(messages)

    def open(self, data: bytes) -> Parcel:
        """The parcel; what is no message in it is `UNREADABLE`. Raises `BadParcel`."""
        _weigh(data)
        try:
            parcel: Parcel = self._parcel.decode(data)
        except _UNFIT:
            pass  # perhaps one message of many, of an instance that is newer than this one
        else:
            return parcel
        try:
            parcel = self._unread.decode(data)
        except _UNFIT as error:
            raise BadParcel("parcel", str(error)) from None
        parcel.items = self._each(parcel.items)
        parcel.states = self._each(parcel.states)
        return parcel

    def open_bundle(self, data: bytes) -> list[Any]:
        """The messages of a bundle; what is none is `UNREADABLE`. Raises `BadParcel`."""
        _weigh(data)
        try:
            messages: list[Any] = self._bundle.decode(data)
        except _UNFIT:
            pass
        else:
            return messages
        try:
            return self._each(self._raws.decode(data))
        except _UNFIT as error:
            raise BadParcel("bundle", str(error)) from None

    def _each(self, raws: list[Raw]) -> list[Any]:
        messages: list[Any] = []
        for raw in raws:
            try:
                messages.append(self._message.decode(raw))
            except _UNFIT:
                messages.append(UNREADABLE)
        return messages


def split(raws: Sequence[Raw]) -> Iterator[list[Raw]]:
    """The same in their order, in pieces that fit into a parcel each; none of nothing."""
    piece: list[Raw] = []
    size = 0
    for raw in raws:
        length = len(memoryview(raw))
        if piece and size + length > PARCEL_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(raw)
        size += length
    if piece:
        yield piece


def _weigh(data: bytes) -> None:
    if len(data) > MAX_PARCEL:
        raise BadParcel("large", f"{len(data)} bytes are too many for a parcel")
