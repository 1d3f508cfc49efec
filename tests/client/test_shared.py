"""Many readers, one set of tables."""

import gc

import pytest

from monkeytown._core.values import changes
from monkeytown.client.shared import SharedMirror, SharedMirrors
from monkeytown.errors import WireError
from monkeytown.position import Position
from tests.client.arena import EPOCH, Arena


@pytest.fixture
def arena() -> Arena:
    arena = Arena()
    arena.tables["monkeys"].spawn(x=1, owner=1, note="mine")
    arena.commit()
    return arena


def move(arena: Arena) -> int:
    for monkey in arena.tables["monkeys"]:
        monkey.x += 2
    return arena.commit()


def shown(mirror: SharedMirror) -> object:
    return changes(tuple(mirror.tables.values()), None)


def test_each_tick_is_applied_once_and_every_reader_moves_on(arena: Arena):
    mirror = SharedMirror(arena.description)
    at = [mirror.apply(arena.snapshot(), None).position for _ in range(3)]
    for _ in range(5):
        frame = arena.delta(move(arena) - 1)
        at = [mirror.apply(frame, position).position for position in at]
        assert at == [Position(EPOCH, arena.tick)] * 3
        assert shown(mirror) == arena.shown()


def test_a_reader_behind_does_not_take_the_tables_back(arena: Arena):
    mirror = SharedMirror(arena.description)
    old = arena.snapshot()
    behind = mirror.apply(old, None).position
    first = mirror.apply(arena.delta(move(arena) - 1), behind).position
    newest = arena.shown()
    assert mirror.apply(old, None).position == behind
    assert shown(mirror) == newest
    assert mirror.apply(arena.delta(1), behind).position == first
    assert shown(mirror) == newest


def test_a_reader_that_overtakes_with_an_old_base_must_begin_anew(arena: Arena):
    mirror = SharedMirror(arena.description)
    behind = mirror.apply(arena.snapshot(), None).position
    mirror.apply(arena.delta(move(arena) - 1), behind)
    move(arena)
    with pytest.raises(WireError, match="cannot bring on"):
        mirror.apply(arena.delta(1), behind)
    mirror.apply(arena.snapshot(), None)
    assert shown(mirror) == arena.shown()


def test_a_frame_for_another_position_is_refused(arena: Arena):
    mirror = SharedMirror(arena.description)
    mirror.apply(arena.snapshot(), None)
    with pytest.raises(WireError, match="came to a reader at"):
        mirror.apply(arena.delta(move(arena) - 1), Position(EPOCH, 7))


def test_nobodys_private_values_are_kept(arena: Arena):
    mirror = SharedMirror(arena.description)
    mirror.apply(arena.snapshot(), None)
    (own,) = arena.tables["monkeys"]
    private = mirror.read_private(arena.private(1, None, seen=4, entity=own.id))
    (monkey,) = mirror.tables["monkeys"]
    assert (private.input_seen, private.entity, monkey.note) == (4, monkey, "")


def test_a_room_has_one_mirror_for_as_long_as_somebody_reads(arena: Arena):
    mirrors = SharedMirrors()
    mirror = mirrors(arena.description)
    assert mirrors(arena.description) is mirror
    assert mirrors({**arena.description, "gameId": "arena-2"}) is not mirror
    mirror.apply(arena.snapshot(), None)
    del mirror
    gc.collect()
    assert mirrors(arena.description).position is None


def test_in_a_room_with_an_area_everyone_has_a_mirror_alone():
    mirrors = SharedMirrors()
    divided = {"tables": [0], "columns": 1, "rows": 1, "x": 0.0, "y": 0.0, "size": 100.0}
    description = {**Arena().description, "area": divided}
    first, second = mirrors(description), mirrors(description)
    assert first is not second
    assert first.keeps_values
