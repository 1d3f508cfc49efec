"""A position is an epoch and a tick, compared as a value."""

from __future__ import annotations

from monkeytown.position import Position, Reason


def test_a_position_is_a_value() -> None:
    assert Position(1, 2) == Position(1, 2) == (1, 2)
    assert {Position(1, 2): "here"}[Position(1, 2)] == "here"
    assert Position(1, 2) != Position(2, 2)


def test_ticks_do_not_wrap() -> None:
    assert Position(1, 2**63 - 1).tick == 2**63 - 1


def test_reasons_have_names_that_can_be_logged_and_counted() -> None:
    assert [str(reason) for reason in Reason] == [
        "continued",
        "first_read",
        "other_epoch",
        "too_old",
        "ahead",
    ]
    assert Reason.CONTINUED.is_delta
    assert not Reason.TOO_OLD.is_delta
