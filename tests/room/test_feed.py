"""Feeds and copies of rooms: whoever reads a copy sees what is to be seen at the room itself."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Game
from monkeytown.errors import WireError
from monkeytown.position import Position, Reason
from monkeytown.room import mirrored
from monkeytown.room.checkpoint import going_on, unpacked
from monkeytown.room.delayed import Delayed
from monkeytown.room.feed import NOWHERE, Fact, Feed, Update
from monkeytown.room.member import Member
from monkeytown.room.mirrored import MirroredRoom
from monkeytown.room.room import Room
from monkeytown.room.setup import Setup
from tests.randomgames import examples

from .grove import Copies, Grove, Jungle, sent
from .meadow import Meadow, Reader
from .pond import Pond, a_room, joined


@pytest.mark.parametrize("game", [Grove, Jungle])
@examples(40)
@given(seed=st.integers(0, 2**32 - 1))
def test_readers_of_copies_see_what_is(game: type[Game], seed: int) -> None:
    copies = Copies(game, seed)
    for _ in range(60):
        copies.tick()
    for copy in copies.copies:
        copies.bring(copy)
    for eyes in copies.readers.values():
        copies.look(eyes)


@pytest.mark.parametrize("game", [Grove, Jungle])
@examples(25)
@given(
    seed=st.integers(0, 2**32 - 1),
    moves=st.lists(st.integers(3, 30), min_size=1, max_size=3),
    over=st.booleans(),
)
def test_readers_see_what_is_when_the_room_moves(
    game: type[Game], seed: int, moves: list[int], over: bool
) -> None:
    copies = Copies(game, seed)
    for ticks in moves:
        for _ in range(ticks):
            copies.tick()
        if over:
            copies.take_over()
        else:
            copies.hand_over()
    for _ in range(10):
        copies.tick()


def a_copy(room: Room, feed: Feed) -> MirroredRoom:
    copy = MirroredRoom(type(room.game), room_id=room.id, epoch=room.epoch, setup=room.setup)
    bring(copy, feed)
    return copy


def bring(copy: MirroredRoom, feed: Feed) -> Update:
    update = feed.read(copy.mark)
    assert update is not None
    assert copy.apply(sent(update))
    return update


def followed(room: Room, feed: Feed, *names: str) -> list[Member]:
    members = joined(room, *names)
    for member in members:
        feed.follow(member)
    room.step()
    return members


@pytest.fixture
def room() -> Room:
    return a_room(Pond)


@pytest.fixture
def feed(room: Room) -> Feed:
    return Feed(room)


def test_copies_at_one_place_share_an_update(room: Room, feed: Feed) -> None:
    room.step()
    assert feed.read(NOWHERE) is feed.read(NOWHERE)


def test_there_is_nothing_to_say_of_a_room_at_rest(room: Room, feed: Feed) -> None:
    room.step()
    copy = a_copy(room, feed)
    assert feed.read(copy.mark) is None
    room.step()
    assert feed.read(copy.mark) is None


def test_there_is_nothing_to_read_between_something_that_happens_and_the_next_step(
    room: Room, feed: Feed
) -> None:
    room.step()
    mark = a_copy(room, feed).mark
    [member] = joined(room, "a")
    feed.follow(member)
    assert feed.read(mark) is None
    room.step()
    update = feed.read(mark)
    assert update is not None
    room.chat("a", "hello")
    assert feed.read(mark) is update
    assert feed.read(NOWHERE) is None


def test_there_is_nothing_to_read_of_rules_that_failed(room: Room, feed: Feed) -> None:
    room.step()
    room._rules.fail("on_tick", room.game.on_tick, ValueError())
    room._reader.disturbed = False
    assert feed.read(NOWHERE) is None


def test_what_is_said_of_members_moves_a_copy_of_a_room_at_rest(room: Room, feed: Feed) -> None:
    a, b = followed(room, feed, "a", "b")
    copy = a_copy(room, feed)
    member = copy.seat("a", "a", a.number)
    assert member.player.entity.id == a.player.entity.id
    reader = Reader(copy, member)
    reader.read()
    copy.shown()
    a.player.entity = None
    room.step()
    update = bring(copy, feed)
    assert [fact.player for fact in update.facts] == [a.number]
    assert copy.position == room.position
    assert copy.touched == {member}
    reader.read()
    assert reader.eyes.own_entity is None
    assert copy.private(member, copy.tick) is None
    assert b.player.entity.alive


def test_newest_inputs_that_the_rules_have_seen_travel_and_are_kept_for_who_comes(
    room: Room, feed: Feed
) -> None:
    a, b = followed(room, feed, "a", "b")
    copy = a_copy(room, feed)
    here = copy.seat("a", "a", a.number)
    room.act("a", {"by": 1}, 7)
    room.act("b", {"by": 1}, 300)
    room.step()
    bring(copy, feed)
    assert here.input == 7
    assert copy.seat("b", "b", b.number).input == 300
    copy.unseat(here)
    copy.unseat(here)
    assert copy.seat("a", "a", a.number).input == 7
    assert set(copy.members) == {"a", "b"}


def test_of_who_is_forgotten_nothing_is_said_any_more(room: Room, feed: Feed) -> None:
    a, b = followed(room, feed, "a", "b")
    copy = a_copy(room, feed)
    feed.forget(a.number)
    feed.forget(99)
    for member in (a, b):
        member.player.entity = None
    room.step()
    update = bring(copy, feed)
    assert [fact.player for fact in update.facts] == [b.number]
    room.leave("b")
    flow(room)
    assert bring(copy, feed).facts == []


def test_a_copy_says_what_the_room_says_of_itself() -> None:
    room = a_room(Pond, setup=Setup(max_players=3))
    copy = MirroredRoom(Pond, room_id=room.id, setup=room.setup)
    assert (copy.max_players, copy.seat_seconds) == (room.max_players, room.seat_seconds) == (3, None)
    assert MirroredRoom(Pond, room_id=room.id).max_players == Pond.max_players
    [member] = joined(room, "a")
    assert copy.describe(copy.seat("a", "a", 1)) == room.describe(member)
    assert copy.is_disturbed
    assert copy.read(None).frame is None


def test_what_was_lost_is_read_from_where_the_copy_stands(room: Room, feed: Feed) -> None:
    followed(room, feed, "a")
    copy = a_copy(room, feed)
    mark = copy.mark
    room.act("a", {"by": 1}, 1)
    room.step()
    lost = feed.read(mark)
    assert lost is not None
    room.act("a", {"by": 1}, 2)
    room.step()
    late = feed.read(lost.mark)
    assert late is not None
    assert not copy.apply(late)
    assert copy.mark == mark
    bring(copy, feed)
    assert not copy.apply(lost)
    again = msgspec.structs.replace(late, base=copy.tick, since=5)
    assert not copy.apply(again)


def test_nobody_is_brought_on_from_a_tick_that_the_copy_skipped(room: Room, feed: Feed) -> None:
    [a] = followed(room, feed, "a")
    copy = a_copy(room, feed)
    member, first = copy.seat("a", "a", a.number), copy.position
    for number in (1, 2):
        room.act("a", {"by": 1}, number)
        room.step()
    between, skipped = first, Position(room.epoch, room.tick - 1)
    bring(copy, feed)
    assert copy.decide(between, member) is Reason.CONTINUED
    assert copy.decide(skipped, member) is Reason.TOO_OLD
    assert copy.read(skipped).is_snapshot


def test_ticks_are_remembered_for_a_while_only(room: Room, feed: Feed, monkeypatch: Any) -> None:
    monkeypatch.setattr(mirrored, "MOST_STOOD", 3)
    [a] = followed(room, feed, "a")
    copy = a_copy(room, feed)
    member, stood = copy.seat("a", "a", a.number), [copy.position]
    for number in range(1, 4):
        room.act("a", {"by": 1}, number)
        room.step()
        bring(copy, feed)
        stood.append(copy.position)
    assert [copy.decide(position, member).is_delta for position in stood] == [False, True, True, True]


def test_members_who_are_elsewhere_are_known_up_to_a_number(monkeypatch: Any) -> None:
    monkeypatch.setattr(mirrored, "MOST_KNOWN", 2)
    room = a_room(Pond)
    feed = Feed(room)
    followed(room, feed, "a", "b")
    copy = a_copy(room, feed)
    here = copy.seat("a", "a", 1)
    for name in ("c", "d", "e"):
        followed(room, feed, name)
        bring(copy, feed)
    assert set(copy._facts) == {1, 4, 5}
    assert len(copy._seats) < 5
    for member in room.members.values():
        room.act(member.id, {"by": 1}, 8)
    room.step()
    bring(copy, feed)
    assert here.input == 8
    with pytest.raises(WireError, match="more members"):
        copy.apply(update_of(room))


def update_of(room: Room) -> Update:
    """All of it, with all who are in it."""
    feed = Feed(room)
    for member in room.members.values():
        feed.follow(member)
    update = feed.read(NOWHERE)
    assert update is not None
    return sent(update)


@pytest.mark.parametrize(
    "bad",
    [
        {"frame": b""},
        {"frame": b"\x43\x00"},
        {"tick": 99},
        {"epoch": 2},
        {"hidden": b"\x09"},
        {"inputs": b"\x00\x00"},
        {"facts": [Fact(1, (2, 5), 0, None, None, None, None)]},
        {"facts": [Fact(1, None, 0, (7, 5), None, None, None)]},
        {"facts": [Fact(1, None, 0, None, (math.nan, 5.0), None, None)]},
        {"facts": [Fact(1, None, 0, None, None, (5.0, math.nan), None)]},
    ],
)
def test_after_what_cannot_be_read_only_a_snapshot_helps(room: Room, feed: Feed, bad: Any) -> None:
    [a] = followed(room, feed, "a")
    copy = a_copy(room, feed)
    member = copy.seat("a", "a", a.number)
    reader = Reader(copy, member)
    reader.read()
    before, stood = copy.mark, copy.position
    room.act("a", {"by": 1}, 1)
    room.step()
    good = feed.read(copy.mark)
    assert good is not None
    if "epoch" in bad:
        good = feed.read(NOWHERE)
        assert good is not None
    with pytest.raises(WireError):
        copy.apply(sent(msgspec.structs.replace(good, **bad)))
    assert copy.mark == NOWHERE
    assert copy.is_disturbed
    assert copy.read(None).frame is None
    late = feed.read(before)
    assert late is not None
    assert not copy.apply(sent(late))
    bring(copy, feed)
    assert not copy.decide(stood, member).is_delta
    reader.read()
    assert reader.eyes.tables == {
        table.name: {
            row.id: {"x": 16 * row.x, "name": row.name} if table.name == "frogs" else {"size": row.size}
            for row in table
        }
        for table in room.tables
    }


@pytest.mark.parametrize("seed", range(3))
def test_whatever_an_update_is_the_copy_can_be_used(seed: int) -> None:
    copies, random = Copies(Jungle, seed), Random(seed)
    refused = 0
    for _ in range(60):
        copies.tick()
        copy = MirroredRoom(Jungle, room_id="room-1")
        members = [copy.seat(id, id, member.number) for id, member in copies.room.members.items()]
        for turn in range(20):
            update = copies.feed.read(copy.mark if turn % 4 else NOWHERE)
            data = bytearray(msgspec.msgpack.encode(update))
            for _ in range(random.randrange(1, 4)):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            try:
                copy.apply(msgspec.msgpack.decode(bytes(data), type=Update))
            except (WireError, msgspec.MsgspecError):
                refused += 1
            for member in members:
                copy.read(None, member.view)
                copy.private(member, None)
                copy.private(member, copy.tick - 1)
    assert refused > 100


def test_a_room_that_moves_with_rows_that_nobody_has_seen_leaves_a_copy_that_stands_nowhere(
    room: Room, feed: Feed
) -> None:
    followed(room, feed, "a")
    [b] = joined(room, "b")
    copy = MirroredRoom.of(room)
    assert copy.mark == NOWHERE
    assert copy.read(None).frame is None
    assert copy.seat("b", "b", b.number).player.entity is not None
    room.step()
    bring(copy, feed)
    assert copy.read(None).is_snapshot


def test_a_delayed_copy_goes_on_through_another_epoch() -> None:
    room = a_room(Meadow)
    feed = Feed(room)
    flow(room)
    copy = a_copy(room, feed)
    past = Delayed(copy, 2 / room.tick_rate)
    for _ in range(4):
        flow(room)
        bring(copy, feed)
        past.follow()
    assert past.position == Position(1, room.tick - 2)
    saved = going_on(unpacked(room.checkpoint()))
    room = Room(Meadow, room_id=room.id, saved=saved)
    feed = Feed(room)
    for _ in range(4):
        flow(room)
        bring(copy, feed)
        past.follow()
    assert past.position == Position(2, room.tick - 2)
    reading = past.read(None)
    assert reading.position == past.position
    assert past.read(Position(1, room.tick - 2)).reason is Reason.OTHER_EPOCH


def flow(room: Room) -> None:
    """A tick in which something happens."""
    game: Any = room.game
    table, field = ("lilies", "size") if isinstance(game, Pond) else ("bees", "x")
    getattr(game, table).clear()
    getattr(game, table).spawn(**{field: room.tick})
    room.step()
