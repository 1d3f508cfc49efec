"""Who hears what rooms publish: those who listen at that moment, but not whoever says it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monkeytown.room.mail import News, packed
from monkeytown.room.publications import Publication
from monkeytown.runtime.topics import Topics


class Room:
    """As much of a room as topics know."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[Publication] = []

    def hear(self, publication: Publication) -> None:
        self.heard.append(publication)


class Desk:
    """Topics whose time the test moves."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []
        self.topics = Topics(self.later.append)
        self.followed: list[tuple[str, bool]] = []
        self.spread: list[Publication] = []
        self.told: list[Publication] = []
        self.topics.followed = lambda topic, followed: self.followed.append((topic, followed))
        self.topics.spread, self.topics.tell = self.spread.append, self.told.append

    def follow(self, room: Room, *topics: str, before: tuple[str, ...] = ()) -> None:
        self.topics.follow(room, set(topics), set(before))  # type: ignore[arg-type]

    def publish(self, publication: Publication, by: Room) -> None:
        self.topics.publish(publication, by)  # type: ignore[arg-type]

    def run(self) -> None:
        later, self.later[:] = list(self.later), []
        for call in later:
            call()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def said(topic: str = "", player: str = "") -> Publication:
    return Publication(topic, player, News("game_event", packed({"event": "news", "data": 1})))


def test_those_who_listen_hear_it_but_not_who_says_it(desk: Desk) -> None:
    ada, ben, eve = Room("ada"), Room("ben"), Room("eve")
    desk.follow(ada, "square")
    desk.follow(ben, "square")
    desk.follow(eve, "elsewhere")
    publication = said("square")
    desk.publish(publication, ada)
    assert ben.heard == []  # not inside the hook that says it
    desk.run()
    assert (ada.heard, ben.heard, eve.heard) == ([], [publication], [])
    assert desk.spread == [publication]


def test_what_others_have_spread_is_heard_by_all_and_not_spread_again(desk: Desk) -> None:
    ada, ben = Room("ada"), Room("ben")
    desk.follow(ada, "square")
    desk.follow(ben, "square")
    desk.topics.deliver(said("square"))
    desk.run()
    assert len(ada.heard) == len(ben.heard) == 1
    assert desk.spread == []


def test_all_that_is_said_at_once_is_delivered_in_order_and_once(desk: Desk) -> None:
    ben = Room("ben")
    desk.follow(ben, "square")
    publications = [said("square") for _ in range(3)]
    for publication in publications:
        desk.topics.deliver(publication)
    assert len(desk.later) == 1
    desk.run()
    assert all(one is other for one, other in zip(ben.heard, publications, strict=True))
    desk.run()
    assert len(ben.heard) == 3


def test_what_is_said_by_who_hears_comes_later(desk: Desk) -> None:
    ada, ben = Room("ada"), Room("ben")
    desk.follow(ada, "square")
    desk.follow(ben, "square")
    ben.hear = lambda publication: desk.publish(said("square"), ben)  # type: ignore[method-assign]
    desk.publish(said("square"), ada)
    desk.run()
    assert ada.heard == []
    desk.run()
    assert len(ada.heard) == 1


def test_the_first_that_listens_and_the_last_that_goes_are_told_of(desk: Desk) -> None:
    ada, ben = Room("ada"), Room("ben")
    desk.follow(ada, "square")
    desk.follow(ben, "square")
    desk.follow(ada, before=("square",))
    assert desk.followed == [("square", True)]
    desk.follow(ben, "other", before=("square",))
    assert desk.followed == [("square", True), ("other", True), ("square", False)]
    desk.follow(ben, before=("never",))
    assert len(desk.followed) == 3


def test_who_stops_listening_before_it_is_delivered_does_not_hear_it(desk: Desk) -> None:
    ada, ben = Room("ada"), Room("ben")
    desk.follow(ben, "square")
    desk.publish(said("square"), ada)
    desk.follow(ben, before=("square",))
    desk.run()
    assert ben.heard == []


def test_what_is_for_a_player_goes_to_nobody_else(desk: Desk) -> None:
    ada = Room("ada")
    desk.follow(ada, "")
    desk.topics.deliver(said(player="ben"))
    desk.run()
    assert [one.player for one in desk.told] == ["ben"]
    assert ada.heard == []
