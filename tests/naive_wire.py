"""Section 1 of docs/reference/wire.md, naively: numbers, packing, row sets, maps; and the schema's hashes.

Knows: that section, rule by rule; every broken rule raises NaiveWireError.
Must not know: anything of the package (it never imports it), nor what the numbers mean.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgpack


class NaiveWireError(ValueError):
    """The bytes break a rule of wire.md."""


def require(truth: bool, rule: str) -> None:
    if not truth:
        raise NaiveWireError(rule)


def unzigzag(number: int) -> int:
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def signed(value: int, bits: int) -> int:
    value %= 1 << bits
    return value - (1 << bits) if value >= 1 << (bits - 1) else value


class Cursor:
    """Section 1: takes numbers from the front of a message and never reads past its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        require(size <= self.left, "the message ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def varint(self, size: int = 5, bits: int = 32) -> int:
        value = 0
        for place in range(size):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                require(value < 1 << bits, "a varint is too large")
                return value
        raise NaiveWireError("a varint is too long")

    def varint64(self) -> int:
        return self.varint(10, 62)

    def bits(self, count: int) -> int:
        """`count` bits, lowest first, as one number; the unused bits of the last byte are zero."""
        number = int.from_bytes(self.take((count + 7) // 8), "little")
        require(number < 1 << count, "an unused bit is set")
        return number

    def values(self, count: int, width: int) -> list[int]:
        require(width <= 32, "a packed width is above 32")
        number = self.bits(count * width)
        return [(number >> (place * width)) % (1 << width) for place in range(count)]

    def quotients(self, count: int) -> list[int]:
        """Each so many zero bits and a one; the unused bits of the last byte are zero."""
        found: list[int] = []
        zeros = byte = left = 0
        while len(found) < count:
            if not left:
                byte, left = self.u8(), 8
            byte, bit, left = byte >> 1, byte & 1, left - 1
            if bit:
                found.append(zeros)
            zeros = 0 if bit else zeros + 1
            require(zeros < 16, "a quotient is above 15")
        require(not byte, "an unused bit is set")
        return found

    def packed(self, count: int) -> list[int]:
        return self.values(count, self.u8())

    def gaps(self, count: int, limit: int) -> list[int]:
        """Ascending numbers below `limit`: the first, then each minus the previous one minus 1."""
        require(count <= limit, "more are selected than there are")
        numbers: list[int] = []
        for gap in self.packed(count):
            numbers.append(gap if not numbers else numbers[-1] + 1 + gap)
            require(numbers[-1] < limit, "a selected number is out of bounds")
        return numbers

    def mask(self, count: int) -> list[int]:
        number = self.bits(count)
        return [place for place in range(count) if number >> place & 1]

    def row_set(self, count: int) -> list[int]:
        kind = self.u8()
        require(kind <= 2, "an unknown kind of row set")
        if kind == 0:
            return list(range(count))
        if kind == 1:
            return self.mask(count)
        return self.gaps(self.varint(), count)

    def blob(self) -> bytes:
        return self.take(self.varint())

    def text(self) -> str:
        return decoded(self.blob())

    def map(self) -> dict[str, Any]:
        try:
            found = msgpack.unpackb(self.take(self.left), strict_map_key=False)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise NaiveWireError("not one MessagePack value") from error
        require(isinstance(found, dict), "not a MessagePack map")
        require(all(isinstance(key, str) for key in found), "a key that is not a string")
        return dict(found)

    def finish(self) -> None:
        require(not self.left, "bytes are left over")


def decoded(utf8: bytes) -> str:
    try:
        return utf8.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NaiveWireError("text that is not UTF-8") from error


def crc(value: Any) -> int:
    """CRC-32 of the compact JSON with sorted keys."""
    return zlib.crc32(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def input_hash(spec: Mapping[str, Any]) -> int:
    return crc({"name": spec["name"], "fields": spec["fields"]}) & 0xFFFF


def varint(number: int) -> bytes:
    """The shortest LEB128 of a number."""
    head = bytearray()
    while number >= 0x80:
        head.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*head, number])


def bit_string(fields: Iterable[tuple[int, int]]) -> bytes:
    """(value, bits) after one another, lowest bit first, without gaps."""
    number = size = 0
    for value, bits in fields:
        number |= (value & ((1 << bits) - 1)) << size
        size += bits
    return number.to_bytes((size + 7) // 8, "little")
