"""Who is in a room, put away with it: all that is needed for its players to go on elsewhere and notice nothing.

Not in it are attributes that the rules keep on players, nor what was on its way to them. Knows members and the rows that are
theirs; does not know when rooms are put away, and calls no hook.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec

from monkeytown._core.state import Row, Table
from monkeytown.errors import SchemaError, WireError
from monkeytown.player import Player
from monkeytown.room.documents import Document, written
from monkeytown.room.member import Member
from monkeytown.room.seating import Seating
from monkeytown.room.stage import RoomStage
from monkeytown.views import everything

__all__ = ["SavedMember", "SavedRow", "saved_members", "seat_members"]

GONE = 0, 0
"""In place of a row that is gone, or that stands for one since the room was brought back: that one is of no table."""

_Natural = Annotated[int, msgspec.Meta(ge=0)]

SavedRow = tuple[_Natural, _Natural]
"""The number of its table, and its id; 0 for a row that is gone."""

# What is found in members that contradict each other, the tables or the game.
_CONTRADICTIONS = (ArithmeticError, LookupError, SchemaError, TypeError, ValueError, msgspec.MsgspecError)


class SavedMember(msgspec.Struct, array_like=True, frozen=True):
    """A player at one moment. What `Member` and `Player` say of these holds here."""

    number: int
    id: str
    name: str
    guest: bool
    connected: bool
    document: bytes | None
    """What was kept last of `player.data`, as in the ledger; None if nothing is to be kept."""
    data: bytes
    """`player.data` in the same form; empty if it is what was kept last, or nothing."""
    entity: SavedRow | None
    entity_tick: int
    reowned: bool
    """Whether the entity is another one since the last tick."""
    focus_row: SavedRow | None
    focus_place: tuple[float, float] | None
    seen_from: tuple[float, float] | None
    """Where the view is as long as there is no row to be around."""
    delay: float | None
    """Seconds for which everything is shown late, 0 for at once; None: what the game's `view` shows."""
    input: _Natural
    seen_tick: _Natural


def saved_members(
    members: Iterable[Member], reowned: set[Member], tables: tuple[Table[Any], ...]
) -> list[SavedMember]:
    """Members in order of joining. Raises TypeError or ValueError for a `player.data` that cannot be kept."""
    places = {table.name: place for place, table in enumerate(tables)}
    return [_saved(member, member in reowned, places) for member in members]


def _saved(member: Member, reowned: bool, places: dict[str, int]) -> SavedMember:
    player, document, sight = member.player, member.document, member.sight
    entity, focus, view, data = player.entity, player.focus, player.view, player.data
    kept = None if document is None else document.kept
    now = written(data) if document is not None or data else b""
    is_row = isinstance(focus, Row)
    # By position: by name it would take five times as long, for all who are in the room, between two ticks.
    return SavedMember(
        member.number,
        player.id,
        player.name,
        player.guest,
        player.connected,
        kept,
        b"" if now == kept else now,
        None if entity is None else _row(entity, places),
        member.entity_tick,
        reowned,
        _row(focus, places) if is_row else None,
        None if is_row or focus is None else (float(focus[0]), float(focus[1])),
        None if sight is None else sight.place,
        None if view is None else view.delay,
        member.input,
        member.seen_tick,
    )


def _row(row: Any, places: dict[str, int]) -> SavedRow:
    return (places[row.table.name], row.id) if row.alive else GONE


def seat_members(
    saved: Sequence[SavedMember], seating: Seating, stage: RoomStage, tables: tuple[Table[Any], ...]
) -> None:
    """All of them have their seats again; nobody is told. Raises `WireError` if they cannot have been in this room."""
    last = 0
    for one in saved:
        if not last < one.number <= seating.last_number or one.id in stage.members:
            raise WireError("the players of this checkpoint are not each another")
        last = one.number
        try:
            member = seating.sit(Player(stage, one.id, one.name, one.number))
            _bring_back(member, one, tables)
        except _CONTRADICTIONS as error:
            raise WireError(f"a player of this checkpoint is none: {error}") from error
        if one.reowned:
            stage.reowned.add(member)


def _bring_back(member: Member, saved: SavedMember, tables: tuple[Table[Any], ...]) -> None:
    player = member.player
    player.guest, player.connected = saved.guest, saved.connected
    if data := saved.data or saved.document:
        player.data = msgspec.json.decode(data)["data"]
    if saved.document is not None:
        member.document = Document.again(player, saved.document)
    # Not by the setters: these are the rules', and would have others told.
    player._entity = member.entity = _found(saved.entity, tables)
    member.entity_tick = saved.entity_tick
    player._focus = saved.focus_place if saved.focus_row is None else _found(saved.focus_row, tables)
    player._view = None if saved.delay is None else everything(delay=saved.delay)
    member.input, member.seen_tick = saved.input, saved.seen_tick
    if member.sight is not None and saved.seen_from is not None:
        member.sight.look_at(*saved.seen_from)
    member.look()


def _found(row: SavedRow | None, tables: tuple[Table[Any], ...]) -> Any:
    """The row again; in place of one that is gone, one that never was: rules find both not alive."""
    if row is None:
        return None
    place, id = row
    return tables[place][id] if id else tables[place].entity()
