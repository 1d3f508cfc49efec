"""Tables put away and brought back: as they were, against the oracle, and whatever the bytes are."""

import math
from random import Random
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import fields, schema
from monkeytown._core import delta, dump, restore, state, values
from monkeytown.errors import FieldError, TableFull, WireError
from tests.model import FieldSpec, TableSpec
from tests.naive_reader import NaiveReader
from tests.randomgames import Chaos, Order, examples, schedules, schemas
from tests.twin import EPOCH, Twin

FIRST_TICKS = st.sampled_from([1, 250, 2**32 - 3, 2**40])
EVERYTHING = tuple(
    FieldSpec(f"f{place}", kind, **more)
    for place, (kind, more) in enumerate(
        [
            ("fixed", {"lo": 5.0, "hi": 100.0, "step": 1 / 16, "linear": True}),
            ("angle", {"bits": 8}),
            ("uint", {"bits": 16, "count": 3}),
            ("sint", {"bits": 9, "linear": True}),
            ("bool", {}),
            ("enum", {"values": ("a", "b", "c")}),
            ("text", {"max": 9}),
            ("blob", {"max": 9}),
            ("ref", {"target": "table0"}),
            ("uint", {"bits": 7, "owner_only": True}),
        ]
    )
)
ANY_TABLES = (TableSpec("table0", EVERYTHING, 40), TableSpec("table1", EVERYTHING, 1, True))


def put_away_and_back(twin: Twin) -> None:
    """From now on the twin's tables are others, brought back from what the former ones were put away as."""
    data = dump.dump(twin.tables)
    twin.by_name = twin.schema.build()
    twin.tables = tuple(twin.by_name.values())
    restore.restore(twin.tables, data)
    assert dump.dump(twin.tables) == data


def game_side(twin: Twin) -> Any:
    return {
        spec.name: [
            (row.id, row.owner, [plain(getattr(row, field.name)) for field in spec.fields])
            for row in twin.by_name[spec.name]
        ]
        for spec in twin.specs
    }


def plain(value: Any) -> Any:
    if isinstance(value, state.Row):
        return value.id
    return value if isinstance(value, str | bytes | int | float | None) else [plain(one) for one in value]


def read(twin: Twin, *frames: bytes) -> NaiveReader:
    reader = NaiveReader(twin.map)
    for frame in frames:
        reader.apply(frame)
    return reader


@examples(300)
@given(
    specs=schemas(), schedule=schedules(9), first_tick=FIRST_TICKS, at=st.integers(0, 7), early=st.booleans()
)
def test_what_is_brought_back_goes_on_as_what_was_never_put_away(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], first_tick: int, at: int, early: bool
) -> None:
    never, chaos = Chaos(specs, first_tick), Chaos(specs, first_tick)
    snapshots: dict[int, bytes] = {}
    for number, orders in enumerate(schedule):
        never.tick(orders)
        if number == at and early:  # in the middle of what will be the next tick
            half = len(orders) // 2
            for order in orders[:half]:
                chaos.give(order)
            put_away_and_back(chaos.twin)
            chaos.tick(orders[half:])
        else:
            chaos.tick(orders)
            if number == at:
                put_away_and_back(chaos.twin)
        twin = chaos.twin
        assert game_side(twin) == game_side(never.twin)
        assert twin.snapshot() == never.twin.snapshot()
        for base, frame in snapshots.items():
            assert twin.can_continue(base)
            assert delta.has_news(twin.tables, base) == delta.has_news(never.twin.tables, base)
            if number > at:
                assert twin.delta(base) == never.twin.delta(base)
            reader = read(twin, frame, *([twin.delta(base)] if delta.has_news(twin.tables, base) else []))
            assert reader.tables == twin.shared
            assert reader.steps == twin.steps
        snapshots[twin.tick] = twin.snapshot()


@examples(100)
@given(specs=schemas(private=True), schedule=schedules(6), at=st.integers(0, 5))
def test_owners_hear_of_their_rows_all_anew(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], at: int
) -> None:
    chaos = Chaos(specs, 1)
    for number, orders in enumerate(schedule):
        chaos.tick(orders)
        if number == at:
            put_away_and_back(chaos.twin)
    twin = chaos.twin
    for owner in (1, 2):
        told = values.private_values(twin.tables, owner, None)
        assert {name: set(map(int, rows)) for name, rows in told.items()} == {
            name: set(rows)
            for name, rows in twin.model.private(twin.tick, owner).items()
            if rows and any(field.owner_only for spec in specs if spec.name == name for field in spec.fields)
        }
        if at < len(schedule) - 1:
            base = at  # the tick before it was put away
            if any(table.has_private for table in twin.tables):
                assert values.private(twin.tables, owner, base)[0]


def crowded_tables(seed: int) -> Twin:
    random = Random(seed)
    chaos = Chaos(ANY_TABLES, 1)
    for _ in range(6):
        chaos.tick(
            [
                (random.randrange(18), random.getrandbits(8), random.getrandbits(8), random.getrandbits(32))
                for _ in range(9)
            ]
        )
    for _ in range(5):
        chaos.give(
            (random.randrange(9), random.getrandbits(8), random.getrandbits(8), random.getrandbits(32))
        )
    return chaos.twin


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "insert", "number"]),
        st.integers(0, 2**16),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=4,
)


def edited(data: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    edit = bytearray(data)
    for what, place, value in edits:
        at = place % max(len(edit), 1)
        if what == "flip" and edit:
            edit[at] ^= 1 << value % 8
        elif what == "set" and edit:
            edit[at] = value & 255
        elif what == "cut":
            del edit[at : at + value % 40]
        elif what == "insert":
            edit[at:at] = bytes([value & 255]) * (value % 9)
        elif what == "number":
            edit[at : at + 4] = value.to_bytes(4, "little")
    return bytes(edit)


@examples(600)
@given(seed=st.integers(0, 30), edits=EDITS)
def test_damaged_bytes_are_refused_or_make_tables_that_can_be_used(
    seed: int, edits: list[tuple[str, int, int]]
) -> None:
    twin = crowded_tables(seed)
    tables = twin.schema.build()
    try:
        restore.restore(tuple(tables.values()), edited(dump.dump(twin.tables), edits))
    except WireError:
        for table in tables.values():
            assert [row.slot for row in table] in ([], [0] if table.single else [])  # nothing of it is seen
        return
    use(tuple(tables.values()))


def use(tables: Any) -> None:
    """All that a room does with tables, so that a sanitizer has something to see."""
    tick = max(table.tick for table in tables)
    for _ in range(2):
        for table in tables:
            for row in table:
                for field in table.entity.fields():
                    value = getattr(row, field.name)
                    repr(list(value) if field.count else value)
            if not table.single and len(table) < table.capacity:
                table.spawn(owner=1)
            if len(table) and not table.single:
                table.despawn(next(iter(table)))
        tick += 1
        try:
            state.commit(tables, tick)
        except FieldError:
            return  # not a number, as NumPy might have written it
        delta.snapshot(tables, EPOCH, tick)
        for base in (tick - 1, max(tick - 3, 0)):
            if delta.can_continue(tables, base) and 0 < tick - base < 2**32:
                delta.encode(tables, EPOCH, base, tick)
        values.changes(tables, None)
        values.private_values(tables, 1, None)


@pytest.mark.parametrize("length", range(0, 600, 7))
def test_a_dump_that_ends_early_is_refused(length: int) -> None:
    twin = crowded_tables(3)
    data = dump.dump(twin.tables)
    assert length < len(data)
    with pytest.raises(WireError):
        restore.restore(tuple(twin.schema.build().values()), data[:length])


@pytest.mark.parametrize(
    "specs",
    [
        (TableSpec("table0", EVERYTHING[:3], 40), ANY_TABLES[1]),
        (TableSpec("table0", EVERYTHING, 41), ANY_TABLES[1]),
        ANY_TABLES[:1],
        (*ANY_TABLES, TableSpec("table2", EVERYTHING[:1])),
        (TableSpec("table0", (*EVERYTHING[1:], EVERYTHING[0]), 40), ANY_TABLES[1]),
    ],
    ids=["fewer columns", "another capacity", "a table less", "a table more", "another order"],
)
def test_a_dump_of_another_schema_is_refused(specs: tuple[TableSpec, ...]) -> None:
    data = dump.dump(crowded_tables(5).tables)
    with pytest.raises(WireError):
        restore.restore(Twin(specs).tables, data)


def test_tables_in_use_are_not_written_over() -> None:
    data = dump.dump(crowded_tables(5).tables)
    used = Twin(ANY_TABLES)
    used.spawn("table0")
    with pytest.raises(ValueError, match="in use"):
        restore.restore(used.tables, data)
    committed = Twin(ANY_TABLES)
    committed.commit()
    with pytest.raises(ValueError, match="in use"):
        restore.restore(committed.tables, data)


class Crate(schema.Entity):
    x = fields.fixed(0, 100, step=1)
    label = fields.text(20)
    kind = fields.enum("wood", "iron")


class Yard:
    name = "yard"
    tick_rate = 10
    input = view = None
    crates = schema.table(Crate, capacity=8, rewind=1)
    best = schema.singleton(Crate)


def yard() -> Any:
    return schema.Schema(Yard).build()  # type: ignore[arg-type]


def again(tables: Any) -> Any:
    back = yard()
    restore.restore(tuple(back.values()), dump.dump(tuple(tables.values())))
    return back


def test_the_game_has_its_floats_and_not_the_wires_integers() -> None:
    tables = yard()
    crate = tables["crates"].spawn(x=1 / 3, label="ü")
    back = again(tables)
    assert back["crates"][crate.id].x == 1 / 3
    state.commit(tuple(back.values()), 1)
    assert back["crates"][crate.id].label == "ü"


def test_a_handle_to_the_row_of_a_singleton_stays_good() -> None:
    tables = yard()
    tables["best"].row(0).label = "best"
    back = yard()
    row = back["best"].row(0)
    restore.restore(tuple(back.values()), dump.dump(tuple(tables.values())))
    assert row.alive
    assert row.label == "best"
    tables["best"].clear()
    back = yard()
    row = back["best"].row(0)
    restore.restore(tuple(back.values()), dump.dump(tuple(tables.values())))
    assert not row.alive
    assert len(back["best"]) == 0


def test_slots_and_generations_go_on_where_they_were() -> None:
    tables = yard()
    crates = tables["crates"]
    rows = [crates.spawn() for _ in range(8)]
    for place in (7, 2, 5):
        crates.despawn(rows[place])
    back = again(tables)
    for _ in range(3):
        assert back["crates"].spawn().id == crates.spawn().id
    with pytest.raises(TableFull):
        back["crates"].spawn()


def test_what_is_kept_of_the_past_begins_anew_with_the_newest_tick() -> None:
    tables = yard()
    crate = tables["crates"].spawn(x=1)
    for tick in range(1, 4):
        crate.x = tick
        state.commit(tuple(tables.values()), tick)
    late = tables["crates"].spawn(x=9)
    back = again(tables)
    moment = back["crates"].at(1, clamp=True)
    assert moment.tick == 3
    assert moment.x[0] == 3
    assert list(moment.alive) == [True, False]
    assert late.id in back["crates"]


def test_numpy_may_have_written_what_the_next_commit_would_clamp() -> None:
    tables = yard()
    crate = tables["crates"].spawn()
    numpy.asarray(tables["crates"].kind)[crate.slot] = 200
    numpy.asarray(tables["crates"].x)[crate.slot] = math.inf
    back = again(tables)
    assert back["crates"][crate.id].kind == "iron"
    state.commit(tuple(back.values()), 1)
    assert back["crates"][crate.id].x == 100
