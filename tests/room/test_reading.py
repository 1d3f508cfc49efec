"""`room.read`: one way for every reader, and the bytes it gives bring it to now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monkeytown._core.mirror import apply
from monkeytown.position import Position, Reason
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.room import Room
from monkeytown.room.view import View
from monkeytown.schema import Schema

from .pond import Pond, Wall, a_room, joined


class Copy:
    """A reader's own tables."""

    def __init__(self, game: Any) -> None:
        self.tables = tuple(Schema.of(game).build().values())
        self.position: Position | None = None

    def read(self, room: Room) -> Reason:
        reading = room.read(self.position)
        if reading.frame is not None:
            assert apply(reading.frame, self.tables, self.position) == reading.position
        self.position = reading.position
        return reading.reason

    def seen(self) -> list[list[tuple[Any, ...]]]:
        return seen(self.tables)


def seen(tables: Any) -> list[list[tuple[Any, ...]]]:
    """All rows and shared values, those of `fixed` as the wire has them."""
    return [
        [
            (
                row.id,
                *(wire_value(row, column.field) for column in table.columns if not column.field.owner_only),
            )
            for row in table
        ]
        for table in tables
    ]


def wire_value(row: Any, field: Any) -> Any:
    value = getattr(row, field.name)
    return round((value - field.lo) / field.step) if field.type == "fixed" else value


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (None, Reason.FIRST_READ),
        (Position(2, 1), Reason.OTHER_EPOCH),
        (Position(1, 99), Reason.AHEAD),
        (Position(1, -5), Reason.TOO_OLD),
    ],
)
def test_who_cannot_continue_gets_the_same_snapshot_and_the_reason(
    position: Position | None, reason: Reason
) -> None:
    room = a_room(Pond)
    room.step()
    reading = room.read(position)
    assert reading.reason is reason
    assert reading.is_snapshot
    assert reading.position == room.position
    assert reading.frame is room.read(None).frame


def test_who_can_continue_gets_a_delta() -> None:
    room = a_room(Pond)
    start = room.position
    room.game.lilies.spawn(size=9)
    room.step()
    reading = room.read(start)
    assert reading.reason is Reason.CONTINUED
    assert not reading.is_snapshot
    assert reading.frame is not None
    assert len(reading.frame) < len(room.read(None).frame or b"")


def test_a_room_at_rest_says_nothing_and_moves_nobody() -> None:
    room = a_room(Pond)
    start = room.position
    for _ in range(100):
        room.step()
        assert room.read(start) == Reading(Reason.CONTINUED, start, None)
    assert room.read(room.position).frame is None


def test_a_frame_is_made_once_for_all_at_one_position() -> None:
    room = a_room(Pond)
    joined(room, "Ada")
    start = room.position
    room.step()
    frames = {id(room.read(Position(*start)).frame) for _ in range(50)}
    assert len(frames) == 1
    assert (room.encoded.made, room.encoded.shared) == (1, 49)


def test_other_views_are_read_apart() -> None:
    room = a_room(Pond)
    room.step()
    room.read(None)
    room.read(None, View("everything else"))
    assert room.encoded.made == 2


def test_between_two_versions_only_what_is_encoded_can_be_read() -> None:
    room = a_room(Pond)
    start = room.position
    room.step()
    snapshot = room.read(None)
    joined(room, "Ada")
    assert room.read(None) is snapshot
    assert room.read(start) == Reading(Reason.CONTINUED, start, None)
    assert room.read(Position(9, 9)) == Reading(Reason.OTHER_EPOCH, Position(9, 9), None)
    room.step()
    assert room.read(Position(9, 9)).frame is not None


class TestJson:
    def test_a_snapshot_has_the_platforms_shape(self) -> None:
        room = a_room(Wall)
        room.game.note.text = "hi"
        room.step()
        message = json.loads(room.read(None, encoding=Encoding.JSON).frame or b"")
        assert message == {
            "type": "game_state",
            "payload": {
                "gameId": "room-1",
                "epoch": 1,
                "tick": 2,
                "base": None,
                "tables": {"note": {"set": {"1048576": {"text": "hi", "count": 0}}}},
            },
        }

    def test_a_delta_names_its_base_and_what_differs(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.step()
        start = room.position
        ada.player.entity.x += 1
        gone = next(iter(room.game.lilies))
        gone_id = str(gone.id)
        room.game.lilies.despawn(gone)
        room.step()
        payload = json.loads(room.read(start, encoding=Encoding.JSON).frame or b"")["payload"]
        assert payload["base"] == start.tick
        assert payload["tables"] == {
            "frogs": {"set": {str(ada.player.entity.id): {"x": 101.0}}},
            "lilies": {"gone": [gone_id]},
        }

    def test_owner_only_values_are_in_no_shared_frame(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        room.step()
        assert b"flies" not in (room.read(None, encoding=Encoding.JSON).frame or b"")


# What may happen between two ticks: (what, where, how much).
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["spawn", "despawn", "move", "drift", "stop", "lily", "rest"]),
        st.integers(0, 9),
        st.integers(-2000, 2000),
    ),
    max_size=4,
)


def happen(room: Room, events: list[tuple[str, int, int]]) -> None:
    game = room.game
    for what, where, amount in events:
        frogs = list(game.frogs)
        frog = frogs[where % len(frogs)] if frogs else None
        if what == "spawn" and len(frogs) < 60:
            game.frogs.spawn(x=abs(amount) / 2, name=str(where)).pace = amount / 1000
        elif what == "lily":
            next(iter(game.lilies)).size = abs(amount) % 256
        elif frog is None:
            continue
        elif what == "despawn":
            game.frogs.despawn(frog)
        elif what == "move":
            frog.x += amount / 16
        elif what in ("drift", "stop"):
            frog.pace = amount / 1000 if what == "drift" else 0
    for frog in game.frogs:
        frog.x += frog.pace


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.sets(st.integers(0, 3))), min_size=1, max_size=40))
def test_every_reader_has_the_rooms_state_at_every_tick_it_reads(
    ticks: list[tuple[list[tuple[str, int, int]], set[int]]],
) -> None:
    room = a_room(Pond)
    readers = [Copy(Pond) for _ in range(4)]
    for events, reading in ticks:
        happen(room, events)
        room.step()
        for number in reading:
            readers[number].read(room)
            assert readers[number].seen() == seen(room.tables)
