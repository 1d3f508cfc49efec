"""Views are values: equal ones share their frames."""

from __future__ import annotations

from monkeytown.room.view import EVERYTHING, View


def test_equal_views_are_one_key() -> None:
    assert {EVERYTHING: 1}[View("everything")] == 1
    assert View("cell 4") != EVERYTHING
