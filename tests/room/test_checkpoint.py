"""Rooms put away and brought back: as if nothing had been; and what becomes of errors and of damaged bytes."""

from __future__ import annotations

import math
import zlib
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Entity, Game, Player, array, enum, fixed, ref, singleton, table, text, uint
from monkeytown.errors import HookError, Refusal, SchemaError, WireError
from monkeytown.player import Timer
from monkeytown.position import Position
from monkeytown.room.checkpoint import MAX_SAVED, Checkpoint, going_on, packed, unpacked
from monkeytown.room.closing import GOING_AWAY
from monkeytown.room.ledger import Kind
from monkeytown.room.room import Room
from monkeytown.room.setup import Setup
from tests.naive_reader import NaiveReader
from tests.randomgames import examples
from tests.room.meadow import Meadow, readers


class Thing(Entity):
    x = fixed(-1000, 1000, step=1 / 16, predict="linear")
    name = text(12)
    friend = ref("Thing")
    kinds = array(enum("a", "b", "c"), 2)
    secret = uint(8, owner_only=True)


class Score(Entity):
    points = uint(16)
    last = text(40)


class Storm(Game):
    """Everything that happens here is thrown with the room's dice, or asked for by players."""

    tick_rate = 20
    things = table(Thing, capacity=30, rewind=0.5)
    best = singleton(Score)

    def on_create(self) -> None:
        self.seats: dict[str, int] = {}
        self.speeds: dict[int, float] = {}
        for _ in range(5):
            self.come()

    def save(self) -> Any:
        return {"seats": self.seats, "speeds": [[id, speed] for id, speed in self.speeds.items()]}

    def load(self, saved: Any) -> None:
        self.seats, self.speeds = saved["seats"], dict(map(tuple, saved["speeds"]))

    def come(self) -> Thing:
        thing = self.things.spawn(
            x=self.random.uniform(-900, 900), name=f"{self.tick}", secret=self.tick % 256
        )
        self.speeds[thing.id] = self.random.gauss(0, 3)
        return thing

    def on_join(self, player: Player) -> None:
        if player.id not in self.seats:
            self.seats[player.id] = self.come().id
        player.entity = self.things.get(self.seats[player.id])

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        self.best.points += action["points"]
        self.best.last = f"{player.name} {self.time}"
        self.come_and_go(action["points"])

    def on_tick(self, dt: float) -> None:
        self.come_and_go(self.random.randrange(3))
        for thing in self.things:
            thing.x += self.speeds[thing.id] * dt

    def come_and_go(self, what: int) -> None:
        if what == 0 and len(self.things) < 30:
            thing = self.come()
            thing.friend = self.random.choice(list(self.things))
            thing.kinds[self.random.randrange(2)] = self.random.choice("abc")
        elif what == 1:
            mine = set(self.seats.values())
            others = [thing for thing in self.things if thing.id not in mine]
            if others:
                gone = self.random.choice(others)
                del self.speeds[gone.id]
                self.things.despawn(gone)


def again(room: Room, game: type[Game] = Storm) -> Room:
    return Room(game, room_id=room.id, saved=unpacked(room.checkpoint()))


def values_of(room: Room) -> Any:
    game = room.game
    rows = [
        (row.id, row.x, row.name, row.friend and row.friend.id, list(row.kinds), row.secret)
        for row in game.things
    ]
    return rows, game.best.points, game.best.last, game.time, game.tick, game.random.getstate(), room.position


@examples(60)
@given(
    seed=st.integers(0, 2**32),
    before=st.integers(0, 40),
    after=st.integers(1, 30),
    acts=st.lists(
        st.tuples(st.integers(0, 29), st.sampled_from(["ann", "bob"]), st.integers(0, 4)), max_size=20
    ),
    late=st.booleans(),
)
def test_a_room_goes_on_as_if_it_had_never_been_put_away(
    seed: int, before: int, after: int, acts: list[tuple[int, str, int]], late: bool
) -> None:
    never = Room(Storm, room_id="r", seed=seed)
    for id in ("ann", "bob"):
        never.join(id, id.title())
    for _ in range(before):
        never.step()
    if late:  # between two ticks
        never.act("ann", {"points": seed % 3})
    other = again(never)
    assert values_of(other) == values_of(never)
    for id in ("ann", "bob"):
        other.join(id, id.title())
    for tick in range(after):
        for when, who, points in acts:
            if when == tick:
                for room in (never, other):
                    room.act(who, {"points": points})
        for room in (never, other):
            room.step()
        assert values_of(other) == values_of(never)
        assert other.read(None).frame == never.read(None).frame


@pytest.mark.parametrize("twice", [False, True])
def test_a_reader_goes_on_with_a_delta(twice: bool) -> None:
    room = Room(Storm, room_id="r", seed=5)
    reader = NaiveReader(room.describe(member_of(room, "ann")))
    position = None
    for _ in range(10):
        room.step()
        reading = room.read(position)
        assert reading.frame is not None
        reader.apply(reading.frame)
        position = reading.position
    for _ in range(5):
        room.step()  # it does not hear of these
    back = again(again(room) if twice else room)
    assert back.is_disturbed
    back.step()
    reading = back.read(position)
    assert reading.reason.is_delta
    assert reading.frame is not None
    reader.apply(reading.frame)
    snapshot = back.read(None).frame
    assert snapshot is not None
    fresh = NaiveReader(room.describe(member_of(back, "bob")))
    fresh.apply(snapshot)
    assert reader.tables == fresh.tables


def member_of(room: Room, id: str) -> Any:
    room.join(id)
    return room.members[id]


class Quiet(Game):
    """A game of turns that keeps nothing beside its tables, and is kept all the same."""

    tick_rate = 0
    chat_history = 2
    best = singleton(Score)

    def __init__(self) -> None:
        self.heard: list[str] = []

    def save(self) -> None:
        self.heard.append("save")

    def on_create(self) -> None:
        self.heard.append("on_create")
        self.after(5, self.ring)

    def load(self, saved: Any) -> None:
        self.heard.append(
            f"load {saved} {len(self.players)} {self.time} {self.tick} {self.mode} {self.options}"
        )

    def on_leave(self, player: Player) -> None:
        self.heard.append("on_leave")

    def on_dispose(self) -> None:
        self.heard.append("on_dispose")

    def ring(self) -> None:
        self.best.points += 1


class TestARoomOfTurns:
    def test_load_is_called_instead_of_on_create_when_all_is_there(self) -> None:
        room = Room(Quiet, room_id="r", setup=Setup(3, "fast", True, {"size": 9}))
        room.advance(3.5)
        room.join("ann")
        room.step()
        back = again(room, Quiet)
        assert back.game.heard == ["load None 0 3.5 3 fast {'size': 9}"]
        assert back.setup == Setup(3, "fast", True, {"size": 9})
        assert back.game.max_players == 3
        assert back.position == room.position

    def test_timers_are_gone(self) -> None:
        back = again(Room(Quiet, room_id="r"), Quiet)
        assert not back.advance(10)
        assert back.game.best.points == 0

    def test_the_chat_goes_on(self) -> None:
        room = Room(Quiet, room_id="r")
        room.join("ann", "Ann")
        room.game.chat.slow_seconds = 3
        for text_ in ("one", "two", "three"):
            room.advance(4)
            room.chat("ann", text_)
        room.game.chat.mute("bob", 10)
        room.game.chat.mute("eve")
        back = again(room, Quiet)
        chat = back.game.chat
        assert [line["text"] for line in chat.lines] == ["two", "three"]
        assert (chat.slow_seconds, chat.is_muted("bob"), chat.is_muted("eve")) == (3, True, True)
        back.advance(11)
        assert (chat.is_muted("bob"), chat.is_muted("eve")) == (False, True)
        member = member_of(back, "ann")
        assert "game_event" in [news.type for news in member.take_mail()]

    def test_a_new_player_has_a_new_number_and_owns_what_nobody_owns(self) -> None:
        room = Room(Storm, room_id="r")
        for id in ("ann", "bob"):
            room.join(id)
        back = again(room)
        assert [row.owner for row in back.game.things] == [0] * 7
        assert back.join("cleo").number == 3

    def test_the_numbers_of_its_ledger_go_on(self) -> None:
        room = Room(Quiet, room_id="r")
        room.join("ann")
        room.chat("ann", "hello")
        back = again(room, Quiet)
        back.join("bob")
        assert [entry.sequence for entry in room.keeping.ledger.take()] == [1, 2]
        assert [entry.sequence for entry in back.keeping.ledger.take()] == [3]


class TestTheLastCheckpoint:
    def test_nothing_happens_afterwards(self) -> None:
        room = Room(Quiet, room_id="r")
        room.join("ann")
        saved = unpacked(room.put_away())
        assert (saved.final, saved.players, saved.game, saved.room) == (True, ["ann"], "quiet", "r")
        assert room.closed is not None
        assert room.closed.code == GOING_AWAY
        room.step()
        room.drop("ann")
        room.leave("ann")
        room.dispose()
        assert room.game.heard == ["on_create", "save"]
        with pytest.raises(Refusal):
            room.checkpoint()

    def test_everybody_has_left_as_far_as_history_is_concerned(self) -> None:
        room = Room(Quiet, room_id="r")
        room.join("ann")
        saved = unpacked(room.put_away())
        entries = room.keeping.ledger.take()
        assert [entry.kind for entry in entries] == [Kind.JOINED, Kind.LEFT]
        assert saved.entries == entries[-1].sequence

    def test_what_comes_after_it_is_of_the_same_epoch_and_after_another_of_the_next(self) -> None:
        room = Room(Quiet, room_id="r", epoch=4)
        first, last = unpacked(room.checkpoint()), unpacked(room.put_away())
        assert (going_on(first).epoch, going_on(last).epoch) == (5, 4)
        # Whoever starts from what was kept at the start of the next life is in an epoch of its own.
        assert going_on(going_on(last)).epoch == 5
        assert Room(Quiet, room_id="r", saved=going_on(first)).position == Position(5, first.tick)


class BadSave(Game):
    tick_rate = 0
    what: Any = None
    best = singleton(Score)

    def save(self) -> Any:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


class Plain(Game):
    """Has no hook at all: a test may put it away."""

    best = singleton(Score)


class BadLoad(BadSave):
    def load(self, saved: Any) -> None:
        raise KeyError("seats")


class BadStart(Quiet):
    def __init__(self) -> None:
        raise ValueError("no")


def test_a_game_without_the_hooks_is_put_away_as_well() -> None:
    room = Room(Plain, room_id="r")
    room.game.best.points = 7
    assert again(room, Plain).game.best.points == 7


class TestErrors:
    @pytest.mark.parametrize(
        "what",
        [ValueError("no"), object(), "x" * MAX_SAVED, {"a": "\ud800"}, Refusal("not now")],
        ids=["raises", "object", "too large", "no UTF-8", "refuses"],
    )
    def test_a_save_that_fails_ends_the_room_and_names_the_line(self, what: Any) -> None:
        room = Room(BadSave, room_id="r")
        room.game.what = what
        with pytest.raises(HookError, match=r"BadSave\.save raised .*test_checkpoint\.py:\d+, room r"):
            room.checkpoint()
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.keeping.ledger.take()[-1].kind is Kind.CLOSED

    def test_dice_that_are_none_are_the_rules_fault(self) -> None:
        room = Room(BadSave, room_id="r")
        room.game.random = None
        with pytest.raises(HookError, match=r"BadSave\.save raised AttributeError"):
            room.checkpoint()

    def test_a_document_that_cannot_be_kept_ends_a_room_that_is_put_away(self) -> None:
        room = Room(Quiet, room_id="r")
        player = room.join("ann", data=b"{}")
        player.data["x"] = object()
        with pytest.raises(HookError, match=r"player\.data"):
            room.put_away()
        assert "save" not in room.game.heard

    def test_a_load_that_fails_ends_the_room_and_names_the_line(self) -> None:
        saved = unpacked(Room(BadLoad, room_id="r").checkpoint())
        room = Room(BadLoad, room_id="r", saved=saved)
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.closed.error.hook == "load"
        assert room.closed.error.file == __file__

    def test_nothing_is_loaded_into_rules_that_have_failed(self) -> None:
        saved = unpacked(Room(Quiet, room_id="r").checkpoint())
        room = Room(BadStart, room_id="r", saved=msgspec.structs.replace(saved, game="badstart"))
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.closed.error.hook == "__init__"

    def test_another_game_and_other_tables_are_refused(self) -> None:
        saved = unpacked(Room(Quiet, room_id="r").checkpoint())
        with pytest.raises(SchemaError, match="storm: the room that was put away is of quiet"):
            Room(Storm, room_id="r", saved=saved)
        with pytest.raises(SchemaError, match="storm: the room was put away with other tables"):
            Room(Storm, room_id="r", saved=msgspec.structs.replace(saved, game="storm"))


def a_checkpoint(*, members: bool = False) -> Checkpoint:
    room = Room(Quiet, room_id="r")
    room.join("ann")
    return unpacked(room.checkpoint(members=members))


class TestBytes:
    def test_are_the_same_again(self) -> None:
        room = Room(Storm, room_id="r", seed=3)
        data = room.checkpoint()
        assert packed(unpacked(data)) == data

    @examples(300)
    @given(seed=st.integers(0, 2**32), count=st.integers(1, 5), cut=st.booleans(), members=st.booleans())
    def test_that_are_damaged_are_refused(self, seed: int, count: int, cut: bool, members: bool) -> None:
        dice = Random(seed)
        data = bytearray(packed(a_checkpoint(members=members)))
        if cut:
            del data[dice.randrange(len(data)) :]
        else:
            for place in dice.sample(range(len(data)), count):
                data[place] ^= 1 << dice.randrange(8)
        with pytest.raises(WireError):
            unpacked(bytes(data))

    @pytest.mark.parametrize(
        "changes",
        [
            {"dice": (3, [0] * 10, None)},
            {"dice": (9, [0] * 625, None)},
            {"dice": (3, [2**40] * 625, None)},
            {"tick": 77},
            {"tables": b""},
        ],
        ids=["too few dice", "other dice", "dice out of range", "another tick", "no tables"],
    )
    def test_that_contradict_themselves_are_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(WireError):
            Room(Quiet, room_id="r", saved=msgspec.structs.replace(a_checkpoint(), **changes))

    def test_of_the_former_form_are_read(self) -> None:
        saved = a_checkpoint()
        content = msgspec.msgpack.encode(list(msgspec.structs.astuple(saved))[:-1])
        data = b"MTroom\x00\x01" + zlib.crc32(content).to_bytes(4, "little") + content
        assert unpacked(data) == saved
        with pytest.raises(WireError, match="another version"):
            unpacked(b"MTroom\x00\x03" + data[8:])

    def test_of_something_else_are_refused(self) -> None:
        whole = packed(a_checkpoint())
        content = msgspec.msgpack.encode([1, 2])
        other = whole[:8] + zlib.crc32(content).to_bytes(4, "little") + content
        for data in (other, b"", b"MTroom", b"something else altogether"):
            with pytest.raises(WireError, match="no checkpoint"):
                unpacked(data)

    def test_a_singleton_without_its_row_is_not_whole(self) -> None:
        room = Room(Quiet, room_id="r")
        room.game.best.table.clear()
        with pytest.raises(WireError, match="not whole"):
            again(room, Quiet)


def test_timers_that_load_makes_fire() -> None:
    class Ringing(Quiet):
        def load(self, saved: Any) -> None:
            self.timer: Timer = self.after(1, self.ring)

    room = Room(Ringing, room_id="r")
    room.advance(4)
    back = again(room, Ringing)
    assert not back.advance(0.5)
    assert back.advance(0.5)
    assert back.game.best.points == 1
    assert math.isclose(back.game.time, 5)


class KeptMeadow(Meadow):
    def save(self) -> Any:
        return {player.id: player.entity.id for player in self.players}

    def load(self, saved: Any) -> None:
        self.seats = saved

    def on_join(self, player: Player) -> None:
        seats = getattr(self, "seats", {})
        player.entity = self.bees.get(seats.get(player.id, 0)) or self.bees.spawn(
            name=player.name, x=10, y=10
        )


def test_a_room_that_is_seen_by_area_shows_each_what_is_around_it() -> None:
    room = Room(KeptMeadow, room_id="r")
    ann, bob = readers(room, "ann", "bob")
    room.members["bob"].player.entity.x = 900
    room.members["ann"].player.entity.nectar = 5
    for _ in range(4):
        room.step()
        ann.read()
        bob.read()
    back = again(room, KeptMeadow)
    back.game.bees.spawn(name="late", x=12, y=12)
    others = readers(back, "ann", "bob")
    assert others[0].read().frame is None  # not before the next step
    for _ in range(3):
        back.step()
        for reader in others:
            reader.read()
    assert [reader.names() for reader in others] == [{"ann", "late"}, {"bob"}]
    assert others[0].nectar()["ann"] == 5
    back.members["bob"].player.entity.x = 20
    for _ in range(2):
        back.step()
        for reader in others:
            reader.read()
    assert [reader.names() for reader in others] == [{"ann", "bob", "late"}] * 2
