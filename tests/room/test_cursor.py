"""A cursor is a place in a room and the step to now."""

from __future__ import annotations

from monkeytown.position import Reason
from monkeytown.room.cursor import Cursor
from monkeytown.room.encoded import Encoding
from monkeytown.room.view import EVERYTHING, View

from .pond import Pond, a_room, joined


def test_it_follows_the_room() -> None:
    room = a_room(Pond)
    room.step()
    cursor = Cursor()
    assert cursor.base is None
    assert cursor.read(room).reason is Reason.FIRST_READ
    assert cursor.position == room.position
    joined(room, "Ada")
    room.step()
    assert cursor.read(room).reason is Reason.CONTINUED
    assert cursor.base == room.tick


def test_it_stays_where_there_is_nothing_to_say() -> None:
    room = a_room(Pond)
    cursor = Cursor()
    cursor.read(room)
    start = cursor.position
    room.step()
    assert cursor.read(room).frame is None
    assert cursor.position == start


def test_it_keeps_its_view_and_encoding() -> None:
    room = a_room(Pond)
    cursor = Cursor(View("mine"), Encoding.JSON)
    assert (cursor.read(room).frame or b"").startswith(b'{"type":"game_state"')
    assert (None, View("mine"), Encoding.JSON) in room.encoded
    assert (None, EVERYTHING, Encoding.JSON) not in room.encoded
