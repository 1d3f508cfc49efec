"""What rules say beyond their room, and what they hear from others."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown import Entity, Game, Player, Refusal, table, uint
from monkeytown.room.closing import ROOM_FAILED
from monkeytown.room.publications import MAX_TOPIC, MOST_TOPICS, Publications
from monkeytown.room.room import Room


class Note(Entity):
    number = uint(8)


class Town(Game):
    notes = table(Note)

    def on_create(self) -> None:
        self.heard: list[tuple[str, str, Any]] = []
        self.subscribe("news")

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        self.publish("news", "said", action)
        self.tell("ada", "psst", 1)
        self.unsubscribe("news")

    def on_published(self, topic: str, event: str, data: Any) -> None:
        self.heard.append((topic, event, data))


class Deaf(Game):
    notes = table(Note)


def opened(game: type[Game]) -> Room:
    return Room(game, room_id="room")


def test_rules_speak_beyond_their_room() -> None:
    room = opened(Town)
    assert room.publications.topics == {"news"}
    room.join("ada")
    room.act("ada", {"a": 1})
    said = room.publications.take()
    assert [(one.topic, one.player, one.content) for one in said] == [
        ("news", "", ("said", {"a": 1})),
        ("", "ada", ("psst", 1)),
    ]
    assert room.publications.topics == set()
    assert room.publications.take() == []


def test_rules_hear_what_others_say() -> None:
    room = opened(Town)
    room.hear("news", "said", 7)
    assert room.game.heard == [("news", "said", 7)]
    room.dispose()
    room.hear("news", "said", 8)
    assert room.game.heard == [("news", "said", 7)]


def test_rules_without_the_hook_do_not_mind() -> None:
    room = opened(Deaf)
    room.hear("news", "said", 7)
    assert room.closed is None


@pytest.mark.parametrize("topic", ["", "x" * (MAX_TOPIC + 1)])
def test_topics_that_are_none(topic: str) -> None:
    with pytest.raises(ValueError, match="a topic has"):
        Publications().subscribe(topic)


def test_what_is_no_topic_no_player_and_no_event() -> None:
    publications = Publications()
    with pytest.raises(TypeError, match="a topic is a text"):
        publications.publish(7, "event", None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="by the id"):
        publications.tell("", "event", None)
    with pytest.raises(TypeError, match="has a name"):
        publications.publish("topic", 7, None)  # type: ignore[arg-type]
    assert publications.take() == []


def test_a_room_listens_to_so_many_topics() -> None:
    publications = Publications()
    for number in range(MOST_TOPICS):
        publications.subscribe(f"topic {number}")
    with pytest.raises(ValueError, match="at most"):
        publications.subscribe("one more")
    assert len(publications.topics) == MOST_TOPICS


def test_a_refusal_is_told_to_who_is_here() -> None:
    room = opened(Deaf)
    room.join("ada")
    member = room.members["ada"]
    member.take_mail()
    room.refuse("ada", Refusal(code="GAME-003"))
    room.refuse("ben", Refusal(code="GAME-003"))
    assert [news.type for news in member.take_mail()] == ["error"]


def test_rules_that_take_too_long_fail() -> None:
    room = opened(Deaf)
    room.overrun(0.2)
    assert room.closed is not None
    assert room.closed.code == ROOM_FAILED
    assert room.closed.error is not None
    assert "200 ms" in str(room.closed.error.__cause__ or room.closed.error)


def test_what_a_game_says_of_seats() -> None:
    room = opened(Deaf)
    assert room.seat_seconds is None
    assert room.max_players == 0
