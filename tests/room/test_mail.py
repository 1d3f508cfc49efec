"""News as it travels: frozen when it was sent, of what MessagePack can hold, and not too large."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy
import pytest

from monkeytown.player import Player
from monkeytown.room.mail import MAX_EVENT, News, packed
from monkeytown.room.member import Member
from monkeytown.room.stage import RoomStage


def test_news_is_frozen_when_it_is_sent() -> None:
    data = {"score": 1}
    payload = packed({"event": "score", "data": data})
    data["score"] = 2
    assert msgspec.msgpack.decode(payload) == {"event": "score", "data": {"score": 1}}


def test_mail_is_taken_once_and_in_order() -> None:
    member = Member(Player(RoomStage(), "ada", "Ada", 1))
    assert member.take_mail() == []
    news = [News("game_event", packed({"n": n})) for n in range(3)]
    for one in news:
        member.tell(one)
    assert member.take_mail() == news
    assert member.take_mail() == []


class TestPacked:
    def test_takes_numbers_of_numpy_for_what_they_are(self) -> None:
        payload = packed({"n": numpy.int64(5), "x": numpy.float64(0.5), "b": numpy.bool_(True)})
        assert msgspec.msgpack.decode(payload) == {"n": 5, "x": 0.5, "b": True}

    @pytest.mark.parametrize(
        ("value", "error", "words"),
        [
            (object(), TypeError, "cannot carry a object"),
            (2**70, ValueError, "cannot carry this"),
            ("\ud800", ValueError, "cannot carry this"),
            ("x" * MAX_EVENT, ValueError, "too large"),
        ],
    )
    def test_says_what_cannot_be_sent(self, value: Any, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            packed({"data": value})

    def test_refuses_what_holds_itself(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(ValueError, match="cannot carry this"):
            packed({"data": endless})
