"""What one player alone is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monkeytown.client.mirror import Mirror
from monkeytown.room.encoded import Encoding
from monkeytown.room.member import Member
from monkeytown.room.private import ENTITY, RESET, VALUES
from monkeytown.room.room import Room

from .pond import Pond, Wall, a_room, joined


@pytest.fixture
def room() -> Room:
    return a_room(Pond)


def as_json(room: Room, member: Member, base: int | None) -> Any:
    private = room.private(member, base, Encoding.JSON)
    return None if private is None else json.loads(private.message(Encoding.JSON))


def test_the_first_read_names_the_entity_and_all_values(room: Room) -> None:
    [ada] = joined(room, "Ada")
    ada.player.entity.flies = 2
    room.step()
    private = room.private(ada, None)
    assert private is not None
    assert private.flags == ENTITY | VALUES | RESET
    mirror = Mirror(room.schema.describe())
    mirror.apply(room.read(None).frame or b"", None)
    told = mirror.read_private(private.message())
    assert told.entity is not None
    assert (told.entity.id, told.entity.flies) == (ada.player.entity.id, 2)


def test_nothing_new_is_nothing(room: Room) -> None:
    [ada] = joined(room, "Ada")
    room.step()
    base = room.tick
    room.step()
    assert room.touched == set()
    assert room.private(ada, base) is None


def test_a_change_of_values_touches_their_owner_only(room: Room) -> None:
    ada, bob = joined(room, "Ada", "Bob")
    room.step()
    base = room.tick
    ada.player.entity.flies = 1
    room.step()
    assert room.touched == {ada}
    private = room.private(ada, base)
    assert private is not None
    assert private.flags == VALUES
    assert room.private(bob, base) is None


def test_a_change_of_shared_values_touches_nobody(room: Room) -> None:
    [ada] = joined(room, "Ada")
    room.step()
    ada.player.entity.x += 1
    room.step()
    assert room.touched == set()


def test_another_entity_is_named_and_the_old_one_is_nobodys(room: Room) -> None:
    [ada] = joined(room, "Ada")
    room.step()
    base, old = room.tick, ada.player.entity
    ada.player.entity = room.game.frogs.spawn(flies=3)
    room.step()
    assert room.touched == {ada}
    assert (old.owner, ada.player.entity.owner) == (0, 1)
    private = room.private(ada, base)
    assert private is not None
    assert private.flags & ENTITY


def test_no_entity_is_said_as_well(room: Room) -> None:
    [ada] = joined(room, "Ada")
    room.step()
    base = room.tick
    ada.player.entity = None
    room.step()
    private = room.private(ada, base)
    assert private is not None
    assert private.body[:2] == bytes((255, 0))
    assert as_json(room, ada, base)["payload"]["entity"] is None


def test_an_entity_that_is_gone_is_no_entity(room: Room) -> None:
    [ada] = joined(room, "Ada")
    room.game.frogs.despawn(ada.player.entity)
    room.step()
    assert as_json(room, ada, None)["payload"]["entity"] is None


def test_the_same_entity_again_changes_nothing_of_its_owner(room: Room) -> None:
    [ada] = joined(room, "Ada")
    frog = ada.player.entity
    ada.player.entity = frog
    assert frog.owner == 1


def test_only_a_row_can_be_an_entity(room: Room) -> None:
    [ada] = joined(room, "Ada")
    with pytest.raises(TypeError, match="a row of a table or None"):
        ada.player.entity = "frog"


def test_a_game_without_private_values_says_only_the_entity() -> None:
    room = a_room(Wall)
    [ada] = joined(room, "Ada")
    room.step()
    private = room.private(ada, None)
    assert private is not None
    assert private.flags == ENTITY
    assert as_json(room, ada, None) == {"type": "private", "payload": {"entity": None}}


def test_json_has_names_for_all_of_it(room: Room) -> None:
    [ada] = joined(room, "Ada")
    room.step()
    base, frog = room.tick, str(ada.player.entity.id)
    assert as_json(room, ada, None) == {
        "type": "private",
        "payload": {
            "reset": True,
            "entity": {"table": "frogs", "id": frog},
            "tables": {"frogs": {"set": {frog: {"flies": 0}}}},
        },
    }
    ada.player.entity.flies = 7
    room.step()
    assert as_json(room, ada, base)["payload"] == {"tables": {"frogs": {"set": {frog: {"flies": 7}}}}}
    assert as_json(room, ada, room.tick) is None


def test_who_leaves_is_not_touched_any_more(room: Room) -> None:
    ada, bob = joined(room, "Ada", "Bob")
    room.step()
    for member in (ada, bob):
        member.player.entity.flies = 1
    room.step()
    room.leave("Ada")
    assert room.touched == {bob}


def test_values_of_who_has_left_touch_nobody(room: Room) -> None:
    joined(room, "Ada")
    frog = room.game.frogs.spawn(owner=1)
    room.leave("Ada")
    frog.flies = 5
    room.step()
    assert room.touched == set()
