"""The chat of a room: lines kept, slow mode, muting."""

from __future__ import annotations

from typing import Any, cast

import pytest

from monkeytown import Player, Refusal
from monkeytown.chat import Chat


class Clock:
    now = 100.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chat(clock: Clock) -> Chat:
    return Chat(3, lambda: clock.now)


def player(id: str) -> Player:
    return Player(cast(Any, None), id, id.title(), 1)


def refused(chat: Chat, id: str) -> str | None:
    try:
        chat.admit(id)
    except Refusal as refusal:
        return refusal.code
    return None


def test_the_last_lines_are_kept_in_order(chat: Chat) -> None:
    assert chat.lines == ()
    for text in "abcd":
        chat.add({"text": text})
    assert [line["text"] for line in chat.lines] == ["b", "c", "d"]


def test_who_is_muted_is_not_heard_until_it_is_over(chat: Chat, clock: Clock) -> None:
    ann = player("ann")
    assert not chat.is_muted(ann)
    chat.mute(ann, 60)
    assert chat.is_muted("ann")
    assert refused(chat, "ann") == "INPUT-006"
    assert refused(chat, "bob") is None
    chat.leave("ann")
    clock.now += 59.9
    assert refused(chat, "ann") == "INPUT-006"  # coming back does not help
    clock.now += 0.1
    assert refused(chat, "ann") is None
    chat.mute("ann")
    clock.now += 1e9
    assert refused(chat, "ann") == "INPUT-006"
    chat.unmute(ann)
    chat.unmute(ann)
    assert refused(chat, "ann") is None


def test_slow_mode_counts_for_each_player(chat: Chat, clock: Clock) -> None:
    assert refused(chat, "ann") is None
    assert refused(chat, "ann") is None  # it is off
    chat.slow_seconds = 5
    assert refused(chat, "ann") is None
    assert refused(chat, "ann") == "INPUT-007"
    assert refused(chat, "bob") is None
    clock.now += 4
    chat.leave("ann")  # to come back at once does not help
    assert refused(chat, "ann") == "INPUT-007"
    clock.now += 1
    chat.leave("bob")
    assert refused(chat, "ann") is None
    assert refused(chat, "bob") is None
