"""What rules say beyond their room: to other rooms that listen to a topic, and to players wherever those are.

Knows topics and news; not where other rooms are, nor who is online.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from monkeytown.room.mail import News, packed

__all__ = ["MAX_TOPIC", "MOST_TOPICS", "Publication", "Publications"]

MAX_TOPIC = 128
"""Characters of a topic."""

MOST_TOPICS = 100
"""That one room listens to."""


class Publication(NamedTuple):
    """Something said beyond a room: to a topic, or (then that is empty) to the player of an id."""

    topic: str
    player: str
    news: News
    """A `game_event`."""

    @property
    def content(self) -> tuple[str, object]:
        """The event's name and data."""
        event = msgspec.msgpack.decode(self.news.payload)
        return event["event"], event["data"]


class Publications:
    """Of one room."""

    __slots__ = ("said", "topics")

    def __init__(self) -> None:
        self.said: list[Publication] = []
        """Since the host last took it."""
        self.topics: set[str] = set()
        """What the room listens to."""

    def publish(self, topic: str, event: str, data: object) -> None:
        self.said.append(Publication(_topic(topic), "", _event(event, data)))

    def tell(self, player_id: str, event: str, data: object) -> None:
        if not isinstance(player_id, str) or not player_id:
            raise TypeError(f"a player is told by the id, not {player_id!r}")
        self.said.append(Publication("", player_id, _event(event, data)))

    def subscribe(self, topic: str) -> None:
        self.topics.add(_topic(topic))
        if len(self.topics) > MOST_TOPICS:
            self.topics.discard(topic)
            raise ValueError(f"a room listens to {MOST_TOPICS} topics at most")

    def unsubscribe(self, topic: str) -> None:
        self.topics.discard(_topic(topic))

    def take(self) -> list[Publication]:
        said, self.said = self.said, []
        return said


def _topic(topic: object) -> str:
    if not isinstance(topic, str):
        raise TypeError(f"a topic is a text, not {topic!r}")
    if not 0 < len(topic) <= MAX_TOPIC:
        raise ValueError(f"a topic has 1 to {MAX_TOPIC} characters, not {len(topic)}")
    return topic


def _event(event: object, data: object) -> News:
    if not isinstance(event, str):
        raise TypeError(f"an event has a name, not {event!r}")
    return News("game_event", packed({"event": event, "data": data}))
