"""Everything is encoded once a tick for all who share it."""

from __future__ import annotations

from monkeytown.position import Position, Reason
from monkeytown.room.encoded import Encoded, Encoding, Key, Reading
from monkeytown.room.view import EVERYTHING, View


def a_key(tick: int = 1, view: View = EVERYTHING, encoding: Encoding = Encoding.BINARY) -> Key:
    return Position(1, tick), view, encoding


def make(key: Key) -> Reading:
    return Reading(Reason.CONTINUED, Position(1, 9), repr(key).encode())


def test_a_reading_is_made_once_for_all_who_share_its_key() -> None:
    encoded = Encoded()
    first = encoded.get(a_key(), make)
    assert all(encoded.get(a_key(), make) is first for _ in range(9))
    assert (encoded.made, encoded.shared) == (1, 9)


def test_position_view_and_encoding_all_count() -> None:
    encoded = Encoded()
    keys = [a_key(), a_key(tick=2), a_key(view=View("cell")), a_key(encoding=Encoding.JSON)]
    assert len({encoded.get(key, make).frame for key in keys}) == 4


def test_a_new_tick_starts_empty() -> None:
    encoded = Encoded()
    encoded.get(a_key(), make)
    assert a_key() in encoded
    encoded.clear()
    assert a_key() not in encoded
    encoded.get(a_key(), make)
    assert encoded.made == 2


def test_only_a_frame_that_is_no_delta_is_a_snapshot() -> None:
    assert Reading(Reason.FIRST_READ, Position(1, 1), b"x").is_snapshot
    assert not Reading(Reason.CONTINUED, Position(1, 1), b"x").is_snapshot
    assert not Reading(Reason.FIRST_READ, None, None).is_snapshot
