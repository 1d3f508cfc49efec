"""Fields: what a game may write to an attribute, what it reads back, and what it may declare."""

import math
from typing import Any

import pytest

from monkeytown import fields
from monkeytown._core import delta
from monkeytown._core.state import Table
from monkeytown.errors import FieldError, SchemaError
from tests._core.jungle import JUNGLE, Mood, Rock, Room
from tests.naive_reader import NaiveReader
from tests.twin import EPOCH, schema_message


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_new_row_has_the_defaults_of_its_fields(room: Room) -> None:
    monkey = room.monkeys.spawn()
    assert (monkey.x, monkey.coins, monkey.awake, monkey.label, monkey.raw) == (0.0, 0, False, "", b"")
    assert (monkey.mood, monkey.fruit, monkey.friend, monkey.heavy) == (Mood.CALM, "mango", None, 7)
    assert list(monkey.path) == [0.0, 0.0, 0.0]


def test_a_default_of_zero_moves_to_the_nearest_end() -> None:
    assert fields.fixed(5.0, 9.0).default == 5.0
    assert fields.fixed(-9.0, -5.0).default == -5.0


def test_a_used_slot_begins_with_the_defaults_again(room: Room) -> None:
    first = room.monkeys.spawn(x=3.0, coins=9, label="ann", mood=Mood.ANGRY, path=[1, 2, 3], raw=b"old")
    first.friend = first
    room.commit()
    room.monkeys.despawn(first)
    second = room.monkeys.spawn()
    assert (second.slot, second.x, second.coins, second.label, second.mood) == (0, 0.0, 0, "", Mood.CALM)
    assert (list(second.path), second.raw, second.friend) == ([0.0, 0.0, 0.0], b"", None)


def test_attributes_read_back_what_was_written(room: Room) -> None:
    monkey = room.monkeys.spawn(x=1.3, heading=7.0)
    monkey.x += 0.1
    assert monkey.x == pytest.approx(1.4)
    assert monkey.heading == 7.0
    wire = room.wire(monkey)
    assert (wire["x"], wire["heading"]) == (23, round(7.0 * 256 / (2 * math.pi)) % 256)
    assert monkey.x == pytest.approx(1.4)


@pytest.mark.parametrize(
    ("name", "written", "held"),
    [
        ("x", 11, 10.0),
        ("x", -math.inf, -10.0),
        ("coins", 256, 255),
        ("coins", -1, 0),
        ("coins", 10**30, 255),
        ("depth", 128, 127),
        ("depth", -(10**30), -128),
        ("label", "monkeys", "monke"),
        ("label", "ünïcödé", "ünïcö"),
        ("raw", b"12345", b"1234"),
        ("awake", 7, True),
        ("mood", "ANGRY", Mood.ANGRY),
    ],
)
def test_what_is_out_of_range_is_clamped(room: Room, name: str, written: Any, held: Any) -> None:
    monkey = room.monkeys.spawn(**{name: written})
    assert getattr(monkey, name) == held


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strict", 1.01),
        ("strict", -0.01),
        ("exact", 8),
        ("exact", -9),
        ("motto", "four"),
        ("x", math.nan),
        ("strict", math.nan),
        ("heading", math.nan),
        ("heading", math.inf),
        ("fruit", "stone"),
        ("mood", "calm"),
        ("label", b"bytes"),
        ("label", "\ud800"),
        ("raw", "text"),
        ("path", [1.0, 2.0]),
        ("path", [1.0, 2.0, math.nan]),
    ],
)
def test_what_a_field_cannot_hold_is_refused_and_named(room: Room, name: str, value: Any) -> None:
    monkey = room.monkeys.spawn()
    before = getattr(monkey, name)
    before = list(before) if name == "path" else before
    with pytest.raises(FieldError, match=rf"Monkey\.{name}"):
        setattr(monkey, name, value)
    assert getattr(monkey, name) == before


@pytest.mark.parametrize(("name", "value"), [("x", "north"), ("coins", "many"), ("coins", None), ("x", None)])
def test_a_value_of_another_type_is_an_error(room: Room, name: str, value: Any) -> None:
    monkey = room.monkeys.spawn()
    with pytest.raises((TypeError, FieldError)):
        setattr(monkey, name, value)


def test_a_spawn_that_is_refused_leaves_no_row(room: Room) -> None:
    with pytest.raises(FieldError):
        room.monkeys.spawn(x=math.nan)
    with pytest.raises(TypeError, match="no field 'wings'"):
        room.monkeys.spawn(wings=2)
    assert len(room.monkeys) == 0
    room.commit()
    reader = NaiveReader(schema_message(JUNGLE))
    reader.apply(delta.snapshot(room.tables, EPOCH, room.tick))
    assert reader.tables["monkeys"] == {}


def test_other_attributes_stay_on_the_server(room: Room) -> None:
    monkey = room.monkeys.spawn(label="ann")
    monkey.plan = ["eat", "sleep"]
    room.commit()
    assert room.monkeys[monkey.id].plan == ["eat", "sleep"]
    assert monkey.greet() == "I am ann"
    assert "plan" not in room.wire(monkey)
    room.monkeys.despawn(monkey)
    assert not hasattr(room.monkeys.spawn(), "plan")


def test_arrays_are_written_and_read_by_place(room: Room) -> None:
    monkey = room.monkeys.spawn(path=[1, 2, 99])
    monkey.path[0] = 5
    monkey.path[-1] += 1
    monkey.flags = (True, False)
    monkey.moods[1] = "angry"
    assert monkey.path == [5.0, 2.0, 9.0]
    assert monkey.path[1:] == [2.0, 9.0]
    assert (len(monkey.path), list(monkey.flags), monkey.moods[1]) == (3, [True, False], "angry")
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            monkey.path[wrong]
    wire = room.wire(monkey)
    assert (wire["path"], wire["flags"], wire["moods"]) == ([5, 2, 9], [1, 0], [0, 1])


def test_refs_are_rows_or_none(room: Room) -> None:
    ann, ben = room.monkeys.spawn(), room.monkeys.spawn()
    ann.friend = ben
    assert ann.friend is ben
    assert room.wire(ann)["friend"] == ben.id
    ann.friend = ben.id
    gone = ben.id
    room.monkeys.despawn(ben)
    assert ann.friend is None
    heir = room.monkeys.spawn()
    assert heir.slot == 1
    assert ann.friend is None
    assert room.wire(ann)["friend"] == gone
    ann.friend = None
    assert room.wire(ann)["friend"] == 0
    for stranger in (ben, gone, room.rocks.spawn(), 12345):
        with pytest.raises(FieldError):
            ann.friend = stranger


@pytest.mark.parametrize(
    "declare",
    [
        lambda: fields.fixed(1.0, 1.0),
        lambda: fields.fixed(0.0, math.inf),
        lambda: fields.fixed(0.0, 1.0, step=0.0),
        lambda: fields.fixed(0.0, 1.0, step=math.nan),
        lambda: fields.fixed(math.nan, 1.0),
        lambda: fields.fixed(0.0, 1.0, step=1e-12),
        lambda: fields.angle(0),
        lambda: fields.angle(32),
        lambda: fields.uint(33),
        lambda: fields.sint(0),
        fields.enum,
        lambda: fields.enum("a", "a"),
        lambda: fields.enum(*map(str, range(257))),
        lambda: fields.text(0),
        lambda: fields.blob(-1),
        lambda: fields.array(fields.text(3), 2),
        lambda: fields.array(fields.uint(3), 0),
        lambda: fields.uint(8, predict="linear", owner_only=True),
        lambda: fields.uint(8, predict="sideways"),  # type: ignore[arg-type]
        lambda: Table("big", Rock, 2**20 + 1),
        lambda: Table("none", Rock, 0),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declare: Any) -> None:
    with pytest.raises(SchemaError):
        declare()


def test_a_default_that_a_field_refuses_is_refused_where_it_stands() -> None:
    with pytest.raises((FieldError, SchemaError)):
        fields.enum("a", "b", default="c")
    with pytest.raises((FieldError, SchemaError)):
        fields.fixed(0.0, 1.0, overflow="raise", default=2.0)
