"""Rooms that are seen by area: what is around a player, wherever that is, and spectators who see all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from monkeytown import SchemaError, everything
from monkeytown._core.fanout import Group
from monkeytown.position import Reason
from monkeytown.room.encoded import Encoding, Reading
from monkeytown.room.room import Room
from monkeytown.room.view import EVERYTHING
from tests._core.link import Stage

from .meadow import Meadow, Reader, readers
from .pond import Pond, Wall, a_room, joined


class Broken(Meadow):
    def on_tick(self, dt: float) -> None:
        raise ZeroDivisionError


@pytest.fixture
def room() -> Room:
    return a_room(Meadow)


def step(room: Room, *who: Reader) -> None:
    room.step()
    for reader in who:
        reader.read()


def test_players_see_who_is_near(room: Room) -> None:
    ada, bob = readers(room, "Ada", "Bob")
    step(room, ada, bob)
    assert ada.names() == bob.names() == {"Ada", "Bob"}
    bob.member.player.entity.x = 900
    step(room, ada, bob)
    assert (ada.names(), bob.names()) == ({"Ada"}, {"Bob"})
    ada.member.player.entity.x = 880
    step(room, ada, bob)
    assert ada.names() == bob.names() == {"Ada", "Bob"}


def test_what_is_no_part_of_the_area_everybody_sees(room: Room) -> None:
    [ada] = readers(room, "Ada")
    room.game.sun.height = 7  # type: ignore[attr-defined]
    step(room, ada)
    assert [row["height"] for row in ada.eyes.tables["sun"].values()] == [7]
    room.game.sun.height = 9  # type: ignore[attr-defined]
    step(room, ada)
    assert [row["height"] for row in ada.eyes.tables["sun"].values()] == [9]


def test_a_room_at_rest_says_nothing(room: Room) -> None:
    [ada] = readers(room, "Ada")
    step(room, ada)
    room.step()
    reading = ada.read()
    assert (reading.frame, reading.reason) == (None, Reason.CONTINUED)
    room.game.bees.spawn(x=950, y=950)  # type: ignore[attr-defined]
    room.step()
    assert ada.read().frame is None, "what happens out of sight is no news"
    assert ada.read().frame is None, "and what was read once is none either"


def test_a_view_may_be_around_a_place_or_another_row(room: Room) -> None:
    ada, bob = readers(room, "Ada", "Bob")
    player = ada.member.player
    bob.member.player.entity.x = 500
    step(room, ada)
    assert ada.names() == {"Ada"}
    player.focus = (500, 10)
    step(room, ada)
    assert ada.names() == {"Bob"}
    player.focus = None
    step(room, ada)
    assert ada.names() == {"Ada"}
    player.focus = bob.member.player.entity
    step(room, ada)
    assert ada.names() == {"Bob"}
    with pytest.raises(ValueError, match="two numbers"):
        player.focus = (float("nan"), 1)
    with pytest.raises(TypeError):
        player.focus = "there"
    assert player.focus is bob.member.player.entity


def test_whose_entity_is_gone_sees_where_it_was(room: Room) -> None:
    ada, bob = readers(room, "Ada", "Bob")
    step(room, ada)
    room.game.bees.despawn(ada.member.player.entity)  # type: ignore[attr-defined]
    step(room, ada)
    assert ada.names() == {"Bob"}
    bob.member.player.entity.x = 700
    step(room, ada)
    assert ada.names() == set()
    ada.member.player.entity = None
    step(room, ada)
    assert ada.names() == set()


def test_without_a_focus_nobody_of_the_area_is_seen() -> None:
    class Lonely(Meadow):
        def on_join(self, player: Any) -> None:
            self.bees.spawn(name=player.name)

    room = a_room(Lonely)
    [ada] = readers(room, "Ada")
    step(room, ada)
    assert ada.names() == set()
    assert ada.eyes.tables["sun"]


def test_what_is_private_comes_with_the_row_that_it_belongs_to(room: Room) -> None:
    [ada] = readers(room, "Ada")
    game: Any = room.game
    hive = game.bees.spawn(name="Hive", x=600, y=10, owner=ada.member.number, nectar=40)
    step(room, ada)
    assert ada.nectar() == {"Ada": 0}
    ada.member.player.entity.nectar = 3
    step(room, ada)
    assert ada.nectar() == {"Ada": 3}
    ada.member.player.focus = hive
    step(room, ada)
    assert ada.nectar() == {"Hive": 40}
    hive.nectar = 41
    step(room, ada)
    assert ada.nectar() == {"Hive": 41}


def test_what_is_private_stays_with_a_row_that_goes_from_cell_to_cell(room: Room) -> None:
    [ada] = readers(room, "Ada")
    bee = ada.member.player.entity
    bee.nectar = 9
    step(room, ada)
    for _ in range(30):
        bee.x += 17
        room.step()
        ada.read()
        assert ada.nectar() == {"Ada": 9}
    assert bee.x > 400


def test_a_spectator_is_described_the_room_anew_and_sees_all_of_it(room: Room) -> None:
    ada, bob = readers(room, "Ada", "Bob")
    bob.member.player.entity.x = 900
    step(room, ada)
    assert room.reviewed == set()
    ada.member.player.view = everything()
    assert room.reviewed == {ada.member}
    ada.begin()
    step(room, ada)
    assert "area" not in ada.eyes.schema
    assert ada.names() == {"Ada", "Bob"}
    assert ada.member.view is EVERYTHING
    room.reviewed.clear()
    ada.member.player.view = everything()
    assert room.reviewed == set(), "nothing changes"
    ada.member.player.view = None
    ada.begin()
    step(room, ada)
    assert ada.names() == {"Ada"}


def test_who_is_a_spectator_from_the_start_is_not_described_anew() -> None:
    class Watched(Meadow):
        def on_join(self, player: Any) -> None:
            super().on_join(player)
            player.view = everything()

    room = a_room(Watched)
    [ada] = readers(room, "Ada")
    assert room.reviewed == set()
    step(room, ada)
    assert ada.names() == {"Ada"}


def test_a_view_that_cannot_be_is_refused(room: Room) -> None:
    [ada] = readers(room, "Ada")
    with pytest.raises(TypeError, match="everything"):
        ada.member.player.view = "all"
    wall = a_room(Wall)
    [eve] = joined(wall, "Eve")
    with pytest.raises(SchemaError, match="without ticks"):
        eve.player.view = everything(delay=3)
    assert eve.player.view is None
    assert eve.delay == 0


def test_a_focus_means_nothing_where_all_is_seen() -> None:
    [ada] = joined(a_room(Pond), "Ada")
    ada.player.focus = (1, 2)
    ada.player.focus = None
    assert ada.view is EVERYTHING


def test_who_has_left_has_no_view(room: Room) -> None:
    [ada] = readers(room, "Ada")
    player = ada.member.player
    room.leave("Ada")
    player.focus = (1, 2)
    player.view = everything()
    assert room.reviewed == set()


def test_between_two_versions_there_is_nothing_to_read(room: Room) -> None:
    [ada] = readers(room, "Ada")
    assert ada.read() == Reading(Reason.FIRST_READ, None, None), (
        "the rules have written since the last commit"
    )
    step(room, ada)
    assert ada.read() == Reading(Reason.CONTINUED, room.position, None), "that it has"


def test_a_reader_whose_sight_is_elsewhere_begins_anew(room: Room) -> None:
    [ada] = readers(room, "Ada")
    step(room, ada)
    before = ada.position
    ada.member.player.entity.x += 1
    step(room, ada)
    ada.member.player.entity.x += 1
    room.step()
    reading = room.read(before, ada.member.view)
    assert (reading.reason, reading.is_snapshot) == (Reason.TOO_OLD, True)


def test_once_the_rules_failed_nothing_is_read() -> None:
    room = a_room(Broken)
    [ada] = readers(room, "Ada")
    room.step()
    assert room.closed is not None
    assert ada.read().frame is None


def as_json(room: Room, reader: Reader) -> Any:
    reading = room.read(reader.position, reader.member.view, Encoding.JSON)
    reader.position = reading.position
    return None if reading.frame is None else json.loads(reading.frame)["payload"]["tables"]


def test_readers_of_json_see_the_same_part(room: Room) -> None:
    ada, bob = readers(room, "Ada", "Bob")
    own, other = (str(one.member.player.entity.id) for one in (ada, bob))
    room.step()
    first = as_json(room, ada)
    assert first["bees"]["set"].keys() == {own, other}
    assert first["bees"]["set"][other]["name"] == "Bob"
    room.step()
    assert as_json(room, ada) is None
    bob.member.player.entity.x = 900
    room.step()
    assert as_json(room, ada) == {"bees": {"gone": [other]}}
    bob.member.player.entity.y = 11
    room.step()
    assert as_json(room, ada) is None, "out of sight"
    bob.member.player.entity.x = 12
    room.step()
    assert as_json(room, ada)["bees"]["set"][other] == {"x": 12.0, "y": 11.0, "name": "Bob"}
    ada.member.player.entity.nectar = 5
    room.step()
    private = room.private(ada.member, room.tick - 1, Encoding.JSON)
    assert private is not None
    assert json.loads(private.message(Encoding.JSON))["payload"]["tables"]["bees"]["set"] == {
        own: {"nectar": 5}
    }


@pytest.fixture
def make() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, 1)


def planned(room: Room, group: Group) -> list[tuple[Reason, int, int]]:
    """Sends everybody who is due what they are to see: the reason, for how many there was something, and how many got it."""
    told = []
    for cohort, (base, _) in enumerate(group.due(room.tick, 1.0)):
        reason, count = room.plan(group, cohort, base)
        told.append((reason, count, group.send_planned(cohort, *room.position)))
    group.flush()
    return told


def test_many_are_planned_at_once_what_each_would_read_alone(room: Room, make: Stage) -> None:
    ada, bob, cid = readers(room, "Ada", "Bob", "Cid")
    group, connections = make.group(window=0), [make(), make()]
    for reader, connection in zip((ada, bob), connections, strict=True):
        connection.set_sight(reader.member.sight)
        group.add(connection)

    def got() -> list[set[str]]:
        for reader, connection in zip((ada, bob), connections, strict=True):
            for frame in connection.read():
                reader.eyes.apply(frame)
        return [ada.names(), bob.names()]

    assert planned(room, group) == [(Reason.FIRST_READ, 0, 0)], "the rules have written since the last commit"
    room.step()
    assert planned(room, group) == [(Reason.FIRST_READ, 2, 2)]
    assert got() == [{"Ada", "Bob", "Cid"}] * 2
    assert planned(room, group) == [(Reason.CONTINUED, 0, 0)], "they have it"
    room.step()
    assert planned(room, group) == [(Reason.CONTINUED, 0, 0)], "nothing is new"
    cid.member.player.entity.x = 900
    bob.member.player.entity.x = 880
    room.step()
    assert planned(room, group) == [(Reason.CONTINUED, 2, 2)]
    assert got() == [{"Ada"}, {"Bob", "Cid"}]


def test_nothing_is_planned_once_the_rules_failed(make: Stage) -> None:
    room = a_room(Broken)
    [ada] = readers(room, "Ada")
    group, connection = make.group(), make()
    connection.set_sight(ada.member.sight)
    group.add(connection)
    room.step()
    assert room.closed is not None
    assert planned(room, group) == [(Reason.CONTINUED, 0, 0)]
    assert connection.read() == []


def test_a_room_says_what_there_is_to_read(room: Room) -> None:
    [ada] = readers(room, "Ada")
    assert (room.area is not None, room.has_private) == (True, True)
    assert ada.member.sight is not None
    assert ada.member.sight.area is room.area
    wall = a_room(Wall)
    assert (wall.area, wall.has_private) == (None, False)
