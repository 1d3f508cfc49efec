"""Tables, rows and time as a game meets them; what of it reaches readers is held to the oracle elsewhere."""

import gc
import sys
import weakref

import pytest

from monkeytown._core import delta
from monkeytown.errors import Gone, TableFull
from tests._core.jungle import JUNGLE, Monkey, Room
from tests.naive_reader import NaiveReader
from tests.twin import EPOCH, schema_message


@pytest.fixture
def room() -> Room:
    return Room()


def test_slots_are_given_out_lowest_first_and_generations_count(room: Room) -> None:
    rows = [room.monkeys.spawn() for _ in range(5)]
    assert [row.id for row in rows] == [1 << 20 | slot for slot in range(5)]
    for slot in (3, 1):
        room.monkeys.despawn(rows[slot])
    assert [room.monkeys.spawn().id for _ in range(3)] == [2 << 20 | 1, 2 << 20 | 3, 1 << 20 | 5]


def test_generations_wrap_to_one(room: Room) -> None:
    for generation in (*range(1, 4096), 1, 2):
        rock = room.rocks.spawn()
        assert rock.id == generation << 20
        room.rocks.despawn(rock)


def test_a_handle_to_an_entity_that_is_gone_says_so(room: Room) -> None:
    monkey = room.monkeys.spawn(label="ann")
    path, id = monkey.path, monkey.id
    room.monkeys.despawn(monkey)
    heir = room.monkeys.spawn(label="ben")
    assert heir.slot == monkey.slot
    assert not monkey.alive
    for use in (
        lambda: monkey.label,
        lambda: monkey.id,
        lambda: path[0],
        lambda: setattr(monkey, "coins", 1),
    ):
        with pytest.raises(Gone):
            use()
    with pytest.raises(Gone):
        monkey.owner = 1
    with pytest.raises(Gone):
        path[0] = 1
    for missing in (monkey, id):
        with pytest.raises(KeyError):
            room.monkeys.despawn(missing)
        assert missing not in room.monkeys
    assert room.monkeys.get(id) is None
    assert heir.label == "ben"
    assert "gone" in repr(monkey)


def test_a_row_made_by_hand_belongs_nowhere() -> None:
    with pytest.raises(Gone):
        _ = Monkey().x


def test_rows_are_found_by_id(room: Room) -> None:
    monkey = room.monkeys.spawn()
    assert room.monkeys[monkey.id] is monkey
    assert monkey.id in room.monkeys
    assert monkey in room.monkeys
    assert room.rocks.spawn() not in room.monkeys
    assert room.monkeys.get(5, "nobody") == "nobody"
    for wrong in (0, 5, -1, 2**32, 2**70, 2 << 20):
        assert wrong not in room.monkeys
        with pytest.raises(KeyError):
            room.monkeys[wrong]
    assert room.monkeys.row(0) is monkey
    for free in (1, -1, 39, 2**31 - 1):
        with pytest.raises(KeyError):
            room.monkeys.row(free)


def test_iteration_lives_with_spawns_and_despawns(room: Room) -> None:
    rows = [room.monkeys.spawn(coins=place) for place in range(6)]
    met = []
    for monkey in room.monkeys:
        met.append(coins := monkey.coins)
        if coins == 1:
            room.monkeys.despawn(monkey)
            room.monkeys.despawn(rows[2])
        if coins == 4:
            room.monkeys.spawn(coins=10)
            room.monkeys.despawn(rows[5])
    assert met == [0, 1, 3, 4]
    assert [monkey.coins for monkey in room.monkeys] == [0, 10, 3, 4]
    for _ in room.monkeys:
        room.monkeys.clear()
    assert len(room.monkeys) == 0
    assert list(room.monkeys) == []


def test_a_full_table_refuses_one_more(room: Room) -> None:
    for _ in range(3):
        room.rocks.spawn()
    with pytest.raises(TableFull):
        room.rocks.spawn()
    assert len(room.rocks) == room.rocks.capacity == 3
    with pytest.raises(TableFull):
        room.by_name["sun"].spawn()


def test_tables_grow_without_losing_anything(room: Room) -> None:
    rows = []
    for place in range(40):
        rows.append(room.monkeys.spawn(x=place / 4 - 5, coins=place, label=str(place), path=[place % 9] * 3))
        if place % 7 == 0:
            room.commit()
    assert [row.coins for row in room.monkeys] == list(range(40))
    assert all(row.path == [row.coins % 9] * 3 and row.label == str(row.coins) for row in rows)
    assert all(row.x == row.coins / 4 - 5 for row in rows)
    assert room.wire(rows[17])["x"] == round((17 / 4 - 5 + 10) / 0.5)


def test_the_extent_follows_the_highest_slot_in_use(room: Room) -> None:
    rows = [room.monkeys.spawn() for _ in range(4)]
    room.monkeys.despawn(rows[1])
    assert (room.monkeys.extent, list(room.monkeys.alive)) == (4, [True, False, True, True])
    room.monkeys.despawn(rows[3])
    assert room.monkeys.extent == 3
    room.monkeys.clear()
    assert room.monkeys.extent == 0
    assert bool(room.monkeys)


def test_a_room_that_is_dropped_is_freed() -> None:
    room = Room()
    monkey = room.monkeys.spawn()
    monkey.friend = monkey
    monkey.partner = monkey
    seen = weakref.ref(monkey) if hasattr(type(monkey), "__weakref__") else None
    references = sys.getrefcount(Monkey)
    del room, monkey
    gc.collect()
    assert seen is None or seen() is None
    assert sys.getrefcount(Monkey) < references


def test_ticks_only_go_up(room: Room) -> None:
    room.commit(5)
    for tick in (5, 4):
        with pytest.raises(ValueError, match="does not come after"):
            room.commit(tick)


def test_a_table_knows_when_it_changed_and_whether_it_moves(room: Room) -> None:
    monkey = room.monkeys.spawn()
    room.commit()
    assert (room.monkeys.changed_tick, room.monkeys.moving) == (1, False)
    monkey.x = 1.0
    room.commit()
    assert (room.monkeys.changed_tick, room.monkeys.moving) == (2, True)
    monkey.x = 2.0
    room.commit()
    assert (room.monkeys.changed_tick, room.monkeys.moving) == (2, True)
    assert room.rocks.changed_tick < 2
    room.commit()
    assert (room.monkeys.changed_tick, room.monkeys.moving) == (4, False)
    room.commit()
    assert (room.monkeys.changed_tick, room.monkeys.tick) == (4, 5)
    room.monkeys.despawn(monkey)
    room.commit()
    assert room.monkeys.changed_tick == 6


def test_who_is_gone_moves_no_more(room: Room) -> None:
    monkey = room.monkeys.spawn()
    room.monkeys.spawn()
    room.commit()
    monkey.x = 1.0
    room.commit()
    room.monkeys.despawn(monkey)
    room.commit()
    assert not room.monkeys.moving
    assert not delta.has_news(room.tables, room.tick)
    room.commit()
    assert not delta.has_news(room.tables, room.tick - 1)


def test_frames_between_a_spawn_and_its_commit_are_refused(room: Room) -> None:
    room.commit()
    room.monkeys.spawn()
    with pytest.raises(RuntimeError, match="monkeys"):
        delta.snapshot(room.tables, EPOCH, room.tick)


def read_on(room: Room, readers: dict[int, NaiveReader]) -> None:
    """Every reader that can continue does; what it then knows is what a new one knows."""
    fresh = NaiveReader(schema_message(JUNGLE))
    fresh.apply(delta.snapshot(room.tables, EPOCH, room.tick))
    for base, reader in readers.items():
        if not delta.can_continue(room.tables, base):
            continue
        if delta.has_news(room.tables, base):
            reader.apply(delta.encode(room.tables, EPOCH, base, room.tick))
        assert (reader.tables, reader.steps) == (fresh.tables, fresh.steps)


def test_stamps_survive_two_to_the_thirty(room: Room) -> None:
    """Stamps are 32 bits and count from an origin that moves up about every 2^29 ticks."""
    ann, ben = room.monkeys.spawn(coins=1), room.monkeys.spawn(coins=2)
    last = 0
    for tick in (1, 2**29, 2**30 - 4, 2**30, 2**30 + 4, 3 * 2**29, 2**31, 2**32 + 5, 2**33, 2**40, 2**61):
        readers = {base: NaiveReader(schema_message(JUNGLE)) for base in (tick, tick + 1)}
        for base, reader in readers.items():
            ann.coins = (ann.coins + 1) % 250
            room.commit(base)
            reader.apply(delta.snapshot(room.tables, EPOCH, base))
        ben.label = str(tick % 1000)
        room.commit(tick + 2)
        assert all(delta.can_continue(room.tables, base) for base in readers)
        read_on(room, readers)
        if room.tick - last > 2**30:
            assert not delta.can_continue(room.tables, last)
        if room.tick - last <= 2**29:
            assert delta.can_continue(room.tables, last)
        last = room.tick


def test_what_did_not_change_is_not_sent_again_when_the_origin_moves(room: Room) -> None:
    for place in range(40):
        room.monkeys.spawn(coins=place, label="same")
    room.commit()
    base = room.commit(2**31)
    room.monkeys.row(0).coins = 99
    room.commit(base + 1)
    assert len(delta.encode(room.tables, EPOCH, base, base + 1)) < 40


def test_a_reader_before_the_oldest_tombstone_cannot_continue(room: Room) -> None:
    room.monkeys.spawn()
    early = room.commit()
    for _ in range(4100):
        rock = room.rocks.spawn()
        room.commit()
        room.rocks.despawn(rock)
    late = room.commit()
    room.commit()
    assert not delta.can_continue(room.tables, early)
    assert delta.can_continue(room.tables, late)
    assert not delta.can_continue(room.tables, room.tick + 1)
