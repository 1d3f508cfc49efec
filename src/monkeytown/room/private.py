"""What one player alone is told: which entity is its own, and the owner-only values of the rows it owns.

Knows the `private` message of docs/reference/wire.md, section 5, and its form in docs/reference/json.md; does
not know when it is due. The number of the newest input is not here: it changes with every input, and the
compiled fan-out writes it without help.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from monkeytown._core import values
from monkeytown._core.sight import Sight
from monkeytown._core.state import Table
from monkeytown._core.wire import Writer
from monkeytown.room.encoded import Encoding
from monkeytown.room.member import Member
from monkeytown.room.view import EVERYTHING

__all__ = ["ENTITY", "INPUT", "KIND", "RESET", "VALUES", "Private", "private_part"]

# Flags of the message.
INPUT = 0x01
ENTITY = 0x02
VALUES = 0x04
RESET = 0x08

KIND = 0x44
NO_TABLE = 255


class Private(NamedTuple):
    """The flags and the body of a `private` message.

    As JSON the body is what stands between the braces of the payload.
    """

    flags: int
    body: bytes

    def message(self, encoding: Encoding = Encoding.BINARY) -> bytes:
        """The whole message, for readers to whom no input is acknowledged beside it."""
        if encoding.is_text:
            return b'{"type":"private","payload":{' + self.body + b"}}"
        return bytes((KIND, self.flags)) + self.body


def private_part(
    tables: tuple[Table[Any], ...], member: Member, base: int | None, encoding: Encoding
) -> Private | None:
    """What a player who stands at tick `base` (None: nowhere) must be told for itself; None if nothing."""
    sight = None if member.view is EVERYTHING else member.sight
    reset, sections = values.private(tables, member.number, base, sight)
    flags = 0
    if base is None or member.entity_tick > base:
        flags |= ENTITY
    if reset and any(table.has_private for table in tables):
        flags |= RESET | VALUES
    elif sections:
        flags |= VALUES
    if not flags:
        return None
    if encoding.is_text:
        return Private(flags, _json_body(tables, member, None if reset else base, flags, sight))
    body = Writer()
    if flags & ENTITY:
        place, id = _entity(tables, member) or (NO_TABLE, 0)
        body.u8(place)
        body.varint(id)
    body.raw(sections)
    return Private(flags, body.getvalue())


def _json_body(
    tables: tuple[Table[Any], ...], member: Member, base: int | None, flags: int, sight: Sight | None
) -> bytes:
    payload: dict[str, object] = {}
    if flags & RESET:
        payload["reset"] = True
    if flags & ENTITY:
        entity = _entity(tables, member)
        payload["entity"] = entity and {"table": tables[entity[0]].name, "id": str(entity[1])}
    if flags & VALUES:
        found = values.private_values(tables, member.number, base, sight)
        payload["tables"] = {name: {"set": rows} for name, rows in found.items()}
    return msgspec.json.encode(payload)[1:-1]


def _entity(tables: tuple[Table[Any], ...], member: Member) -> tuple[int, int] | None:
    """The number of the table and the id of the player's own entity."""
    entity = member.player.entity
    if entity is None or not entity.alive:
        return None
    return tables.index(entity.table), entity.id
