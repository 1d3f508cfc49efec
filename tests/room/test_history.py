"""One function decides between delta and snapshot, and says why."""

from __future__ import annotations

import pytest

from monkeytown.position import Position, Reason
from monkeytown.room.history import decide

NOW = Position(3, 100)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (None, Reason.FIRST_READ),
        (Position(2, 100), Reason.OTHER_EPOCH),
        (Position(4, 100), Reason.OTHER_EPOCH),
        (Position(3, 101), Reason.AHEAD),
        (Position(3, 49), Reason.TOO_OLD),
        (Position(3, 50), Reason.CONTINUED),
        (Position(3, 100), Reason.CONTINUED),
    ],
)
def test_each_way_to_stand_has_its_reason(position: Position | None, reason: Reason) -> None:
    assert decide(position, NOW, lambda tick: tick >= 50) is reason


def test_only_one_reason_leads_to_a_delta() -> None:
    assert [reason for reason in Reason if reason.is_delta] == [Reason.CONTINUED]


@pytest.mark.parametrize("position", [None, Position(2, 10), Position(3, 101)])
def test_what_is_remembered_is_asked_about_this_history_only(position: Position | None) -> None:
    asked: list[int] = []
    decide(position, NOW, lambda tick: bool(asked.append(tick)))
    assert asked == []
