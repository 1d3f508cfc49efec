"""A mirror holds what the server's tables hold, and each player's own values."""

import pytest

from monkeytown._core.values import changes
from monkeytown.client.mirror import Mirror, input_layout
from monkeytown.errors import WireError
from monkeytown.position import Position
from tests.client.arena import EPOCH, Arena, Steer
from tests.vectors.broken_cells import PLACES, PLACES_SNAPSHOT, VIEW


@pytest.fixture
def arena() -> Arena:
    arena = Arena()
    banana = arena.tables["bananas"].spawn(x=5)
    arena.tables["monkeys"].spawn(
        owner=1,
        x=12.5,
        heading=1,
        bananas=7,
        debt=-3,
        mood="wild",
        awake=True,
        path=[1, 2, 3],
        wants=banana,
        name="Ada",
        secret=-2,
        lead=3.2,
        owed=-7,
        plan="run",
        hidden=banana,
        note="grün",
        key=b"\x01\x02",
        dice=[5, 6],
    )
    arena.commit()
    return arena


def shown(mirror: Mirror) -> object:
    return changes(tuple(mirror.tables.values()), None)


def test_a_snapshot_and_deltas_keep_the_tables_equal(arena: Arena):
    mirror = Mirror(arena.description)
    applied = mirror.apply(arena.snapshot(), None)
    assert applied == (Position(EPOCH, 1), True)
    assert shown(mirror) == arena.shown()
    (monkey,) = mirror.tables["monkeys"]
    assert (monkey.name, monkey.mood, list(monkey.path), monkey.wants.x) == ("Ada", "wild", [1, 2, 3], 5)
    for step in range(2, 20):
        for own in arena.tables["monkeys"]:
            own.x += step
        if step == 10:
            arena.tables["bananas"].clear()
        applied = mirror.apply(arena.delta(arena.commit() - 1), applied.position)
        assert applied == (Position(EPOCH, step), False)
        assert shown(mirror) == arena.shown()


def test_a_delta_that_starts_elsewhere_is_refused(arena: Arena):
    mirror = Mirror(arena.description)
    with pytest.raises(WireError):
        mirror.apply(arena.delta(0), None)
    position = mirror.apply(arena.snapshot(), None).position
    arena.commit()
    next(iter(arena.tables["monkeys"])).x = 1
    arena.commit()
    with pytest.raises(WireError):
        mirror.apply(arena.delta(2), position)


def test_owner_only_values_come_in_private(arena: Arena):
    mirror = Mirror(arena.description)
    mirror.apply(arena.snapshot(), None)
    (own,) = arena.tables["monkeys"]
    (monkey,) = mirror.tables["monkeys"]
    assert (monkey.note, monkey.key) == ("", b"")
    private = mirror.read_private(arena.private(1, None, seen=300, entity=own.id))
    assert (private.input_seen, private.entity, private.names_entity) == (300, monkey, True)
    assert monkey.lead == pytest.approx(own.lead, abs=0.2)
    for field in ("secret", "owed", "plan", "note", "key"):
        assert getattr(monkey, field) == getattr(own, field), field
    assert list(monkey.dice) == [5, 6]
    assert monkey.hidden.id == own.hidden.id


def test_reset_forgets_what_is_no_longer_owned(arena: Arena):
    mirror = Mirror(arena.description)
    mirror.apply(arena.snapshot(), None)
    mirror.read_private(arena.private(1, None))
    private = mirror.read_private(arena.private(2, None, entity=0))
    (monkey,) = mirror.tables["monkeys"]
    assert (private.entity, private.names_entity) == (None, True)
    assert (monkey.secret, monkey.note, monkey.key, monkey.plan, monkey.hidden) == (-5, "", b"", "rest", None)
    assert list(monkey.dice) == [0, 0]


@pytest.mark.parametrize(
    "message", [b"\x44", b"\x44\x02\x07\x01", b"\x44\x04\x00\x01\x05", b"\x44\x04\x09\x01"]
)
def test_broken_private_messages_are_refused(arena: Arena, message: bytes):
    mirror = Mirror(arena.description)
    mirror.apply(arena.snapshot(), None)
    with pytest.raises(WireError):
        mirror.read_private(message)


def test_the_layout_of_inputs_is_built_from_the_schema(arena: Arena):
    layout = input_layout(arena.description)
    assert layout is not None
    number, tick, record = layout.parse(layout.pack(layout.input_class(turn=-1, run=True), 9, 1000))
    assert (number, tick, record.turn, record.run) == (9, 1000, -1, True)
    assert [field.name for field in layout.input_class.fields()] == [field.name for field in Steer.fields()]


def test_a_game_of_actions_has_no_layout(arena: Arena):
    assert input_layout({**arena.description, "input": None}) is None


def test_a_mirror_of_a_room_with_an_area_has_what_is_seen():
    mirror = Mirror(PLACES)
    applied = mirror.apply(PLACES_SNAPSHOT, None)
    assert mirror.view == [(0, False), (1, False), (2, True)]
    first, second, _ = mirror.tables["things"]
    assert (mirror.cell_of(first), mirror.cell_of(next(iter(mirror.tables["board"])))) == (0, None)
    applied = mirror.apply(bytes.fromhex(VIEW + "01 01 01 00 00"), applied.position)
    assert applied == (Position(1, 301), False)
    assert (first.alive, second.alive, mirror.cell_of(second)) == (True, False, None)


def test_a_mirror_of_a_whole_room_has_no_cells(arena: Arena):
    mirror = Mirror(arena.description)
    mirror.apply(arena.snapshot(), None)
    assert mirror.view == []
    assert mirror.cell_of(next(iter(mirror.tables["monkeys"]))) is None
