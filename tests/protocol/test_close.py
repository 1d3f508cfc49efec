"""Close codes say why, and whether to come back."""

from __future__ import annotations

import pytest

from monkeytown.protocol.close import CloseCode, may_return
from monkeytown.room.room import ROOM_CLOSED, ROOM_FAILED


@pytest.mark.parametrize("code", CloseCode)
def test_the_code_alone_says_whether_to_come_back(code: CloseCode) -> None:
    assert 4000 <= code <= 4999
    assert code.may_return == (code < 4500)


def test_every_code_has_a_reason_that_fits_a_close_frame() -> None:
    reasons = [code.reason for code in CloseCode]
    assert len(set(reasons)) == len(reasons)
    assert all(0 < len(reason.encode()) <= 123 for reason in reasons)


def test_after_a_loss_without_a_code_of_ours_a_client_comes_back() -> None:
    assert may_return(1006)
    assert may_return(1012)


def test_a_code_is_the_number_that_travels() -> None:
    assert CloseCode(4504) is CloseCode.KICKED
    assert int(CloseCode.KICKED) == 4504


def test_the_room_and_the_protocol_mean_the_same_numbers() -> None:
    assert ROOM_FAILED == CloseCode.ROOM_FAILED
    assert ROOM_CLOSED == CloseCode.ROOM_CLOSED
