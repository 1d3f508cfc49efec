"""What copies of tables are told beside the frames: owners who read a copy get to know what the oracle says they have to."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown._core import delta, hidden, mirror, state, values
from monkeytown.errors import WireError
from monkeytown.position import Position
from tests.model import FieldSpec, State, TableSpec
from tests.randomgames import Chaos, Order, crowded, examples, schedules, schemas
from tests.twin import EPOCH, Twin

PLAYERS = (0, 1, 2)
"""0: rows of nobody, which are somebody's later."""

Tables = tuple[state.Table[Any], ...]
Known = dict[str, dict[str, dict[str, Any]]]


class Copy:
    """Tables somewhere else, and what each player knew at each of the ticks at which they stood."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.tables: Tables = tuple(twin.schema.build().values())
        self.stood: dict[int, State] = {}
        self.position: Position | None = None
        self.all_anew = False

    def follow(self, anew: bool = False) -> None:
        twin = self.twin
        position = self.position
        if anew or position is None or not twin.can_continue(position.tick):
            base = position = None
            frame = twin.snapshot()
            self.stood.clear()
        elif not delta.has_news(twin.tables, position.tick):
            return
        else:
            base = position.tick
            frame = twin.delta(base)
        supplement = hidden.encode(twin.tables, base)
        self.position = mirror.apply(frame, self.tables, position)
        self.all_anew = hidden.apply(self.tables, supplement, twin.tick)
        self.stood[twin.tick] = twin.model.history[twin.tick]

    @property
    def is_level(self) -> bool:
        return self.position is not None and self.position.tick == self.twin.tick


def compare(copy: Copy) -> None:
    """From everywhere where the copy stood, its players are told what the original would tell them."""
    twin = copy.twin
    for base in (None, *copy.stood):
        if base is not None and not twin.can_continue(base):
            continue
        for player in PLAYERS:
            expected = values.private(twin.tables, player, base)
            assert values.private(copy.tables, player, base) == expected
            assert values.private_values(copy.tables, player, base) == values.private_values(
                twin.tables, player, base
            )
        if base is not None:
            assert values.changed_owners(copy.tables, base) == values.changed_owners(twin.tables, base)


@examples(200)
@given(
    specs=schemas(private=True),
    schedule=schedules(16),
    strides=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    anew=st.sets(st.integers(0, 15), max_size=2),
    first=st.sampled_from([1, 250, 2**40]),
)
def test_owners_who_read_a_copy_are_told_what_they_have_to_be(
    specs: tuple[TableSpec, ...],
    schedule: list[list[Order]],
    strides: list[int],
    anew: set[int],
    first: int,
) -> None:
    chaos = Chaos(specs, first)
    copies = [Copy(chaos.twin) for _ in strides]
    for place, orders in enumerate(schedule):
        chaos.tick(orders)
        for copy, stride in zip(copies, strides, strict=True):
            if place % stride == 0:
                copy.follow(anew=place in anew)
                if copy.is_level:
                    compare(copy)


@examples(60)
@given(specs=schemas(private=True), schedule=schedules(12))
def test_copies_of_copies_are_as_good(specs: tuple[TableSpec, ...], schedule: list[list[Order]]) -> None:
    chaos = Chaos(specs, 1)
    first = Copy(chaos.twin)
    tables: Tables = tuple(chaos.twin.schema.build().values())
    position: Position | None = None
    for place, orders in enumerate(schedule):
        chaos.tick(orders)
        first.follow()
        at = first.position
        assert at is not None
        if place % 2 or position == at:
            continue
        base = None if position is None else position.tick
        frame = (
            delta.snapshot(first.tables, *at)
            if base is None
            else delta.encode(first.tables, EPOCH, base, at.tick)
        )
        position = mirror.apply(frame, tables, position)
        hidden.apply(tables, hidden.encode(first.tables, base), at.tick)
        for player in PLAYERS:
            assert values.private(tables, player, None) == values.private(first.tables, player, None)


# ---- bytes that are none ----

EVERYTHING = (
    TableSpec(
        "crates",
        (
            FieldSpec("size", "fixed", lo=-5.0, hi=5.0, step=0.5, owner_only=True),
            FieldSpec("angle", "angle", bits=9, owner_only=True),
            FieldSpec("seen", "uint", bits=8, linear=True),
            FieldSpec("debts", "sint", bits=6, count=3, owner_only=True),
            FieldSpec("kind", "enum", values=("a", "b", "c"), owner_only=True),
            FieldSpec("note", "text", max=7, owner_only=True),
            FieldSpec("data", "blob", max=9, owner_only=True),
            FieldSpec("inside", "ref", target="crates", owner_only=True),
            FieldSpec("open", "bool", owner_only=True),
        ),
        capacity=40,
    ),
    TableSpec("plain", (FieldSpec("x", "uint", bits=5),), capacity=9),
    TableSpec("purse", (FieldSpec("coins", "uint", bits=32, owner_only=True),), 1, True),
)


def edited(random: Random, data: bytes) -> bytes:
    """What is left of a supplement on its way through a bad place."""
    if not random.randrange(4):
        return random.randbytes(random.randrange(60))
    bad = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(bad) + 1)
        choice = random.randrange(5)
        if choice == 0:
            del bad[at:]
        elif choice == 1:
            bad[at:at] = random.randbytes(random.randrange(1, 6))
        elif choice == 2:
            bad[at : at + 1] = b"\xff" * random.randrange(6)
        elif at < len(bad):
            bad[at] ^= 1 << random.randrange(8)
    return bytes(bad)


def use(tables: Tables, tick: int) -> None:
    """All that a mirror does with tables."""
    for player in (0, 1, 2, 2**31 - 1):
        for base in (None, 0, tick - 1):
            values.private(tables, player, base)
            values.private_values(tables, player, base)
    values.changed_owners(tables, 0)
    values.changes(tables, None)
    delta.encode(tables, EPOCH, tick - 1, tick)
    hidden.encode(tables, tick - 1)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_bytes_are_the_tables_can_be_used(seed: int) -> None:
    random = Random(seed)
    taken = refused = 0
    chaos = Chaos(EVERYTHING, 1)
    twin = chaos.twin
    copy = Copy(twin)
    for orders in crowded(seed, 50):
        chaos.tick(orders)
        copy.follow(anew=True)
        assert copy.is_level
        whole = hidden.encode(twin.tables, None)
        for turn in range(100):
            try:
                hidden.apply(copy.tables, edited(random, whole), twin.tick)
                taken += 1
            except WireError:
                refused += 1
            if turn % 10 == 0:
                use(copy.tables, twin.tick)
        copy.follow(anew=True)
        compare(copy)
    assert taken > 100
    assert refused > 1000


def crates() -> tuple[Twin, Copy]:
    twin = Twin(EVERYTHING)
    twin.spawn("crates", owner=1, debts=[1, 2, 3], note="mine")
    twin.commit()
    copy = Copy(twin)
    copy.follow()
    return twin, copy


ROW = bytes((0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
"""One row of crates with all fields as small as can be: numbers, text, blob and what is in between."""


@pytest.mark.parametrize(
    ("supplement", "why"),
    [
        (b"\x03\x00\x00\x00\x00", "tables that are not there"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00", "out of order"),
        (b"\x01\x00\x00\x00\x00", "nothing to hide"),
        (b"\x00\x02\x00\x00\x00", "nothing to hide"),
        (b"\x00\x00\x01\x00\x00\x00", "a player who cannot be"),
        (b"\x00\x00\x01\x80\x80\x80\x80\x08\x00\x00", "a player who cannot be"),
        (b"\x00\x00\x00\x01\x01\x01\x00", "rows that are not there"),
        (b"\x00\x00\x00\x01\x00\x00\x00", "a player who cannot be"),
        (b"\x00\x00\x00\x02\x00\x01\x00\x01\x00", "a count is out of range"),
        (b"\x00\x00\x00\x00\x02" + ROW + ROW, "a count is out of range"),
        (b"\x00\x00\x00\x00\x01\x01" + ROW[1:], "rows that are not there"),
        (b"\x00\x00\x00\x00\x01\x00\x15" + ROW[2:], "no value 21"),
        (b"\x00\x00\x00\x00\x01\x00\x00\x80\x04" + ROW[3:], "no value 512"),
        (b"\x00\x00\x00\x00\x01\x00\x00\x00\x40" + ROW[4:], "no value 32"),
        (b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03" + ROW[7:], "no value 3"),
        (b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x08abcdefgh" + ROW[7:], "longer than"),
        (b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xff" + ROW[7:], "UTF-8"),
        (b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x0aabcdefghij" + ROW[8:], "longer than"),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "out of order"),
        (b"\x00\x00\x00\x00", "ends"),
    ],
)
def test_what_is_no_supplement_is_refused(supplement: bytes, why: str) -> None:
    twin, copy = crates()
    with pytest.raises(WireError, match=why):
        hidden.apply(copy.tables, supplement, twin.tick)


def test_rows_of_a_supplement_are_in_order() -> None:
    twin, copy = crates()
    twin.spawn("crates", owner=1)
    twin.commit()
    copy.follow()
    for rows in (b"\x02\x01\x01\x00\x01\x00", b"\x02\x01\x01\x01\x01\x00", b"\x00\x02" + ROW + ROW):
        with pytest.raises(WireError, match="out of order"):
            hidden.apply(copy.tables, b"\x00\x00\x00" + rows, twin.tick)


def test_what_has_changed_hands_and_back_is_told_anew_as_by_the_original() -> None:
    twin, copy = crates()
    base, [crate] = twin.tick, twin.ids("crates")
    for owner in (2, 1):
        twin.own("crates", crate, owner)
        twin.commit()
    copy.follow()
    assert not copy.all_anew
    assert values.private(copy.tables, 1, base)[0]
    assert values.private(copy.tables, 2, base) == (True, b"")
    assert not values.private(copy.tables, 1, twin.tick)[0]
    compare(copy)


def test_a_copy_of_tables_that_have_forgotten_begins_anew_with_all_owners() -> None:
    twin, copy = crates()
    base, [crate] = twin.tick, twin.ids("crates")
    for turn in range(600):  # of two players each: more than are remembered
        twin.own("crates", crate, 2 if turn % 2 else 3)
        twin.commit()
    assert values.private(twin.tables, 9, base)[0]
    copy.follow()
    assert copy.all_anew
    del copy.stood[base]  # the original remembers some of those who are told anew; from here, all are
    compare(copy)
    assert values.private(copy.tables, 9, base)[0]
    assert not values.private(copy.tables, 9, twin.tick)[0]


def test_a_copy_remembers_who_is_told_anew_for_a_while_only() -> None:
    twin, copy = crates()
    first, [crate] = twin.tick, twin.ids("crates")
    for turn in range(2100):
        twin.own("crates", crate, 2 if turn % 2 else 3)
        twin.commit()
        copy.follow()
    assert values.private(copy.tables, 9, first)[0]
    assert not values.private(copy.tables, 9, twin.tick - 1)[0]


def test_a_supplement_of_another_tick_is_refused() -> None:
    twin, copy = crates()
    with pytest.raises(WireError, match="another tick"):
        hidden.apply(copy.tables, hidden.encode(twin.tables, None), twin.tick + 1)


def test_a_supplement_says_only_what_is_new() -> None:
    twin, copy = crates()
    [crate] = twin.ids("crates")
    twin.assign("crates", crate, "seen", 5)
    twin.commit()
    assert hidden.encode(twin.tables, twin.tick - 1) == b""
    twin.assign("crates", crate, "note", "yours")
    twin.commit()
    assert len(hidden.encode(twin.tables, twin.tick - 1)) < len(hidden.encode(twin.tables, None))
    copy.follow()
    compare(copy)


def test_values_do_not_seem_new_for_ever_in_a_copy_that_began_anew() -> None:
    """When they changed is counted from where the copy began, which is another moment then."""
    twin, copy = crates()
    for _ in range(9):
        twin.assign("crates", twin.ids("crates")[0], "note", f"{twin.tick}")
        twin.assign("crates", twin.ids("crates")[0], "debts", [twin.tick, 0, 0])
        twin.commit()
        copy.follow()
    copy.follow(anew=True)
    base = twin.tick
    twin.assign("crates", twin.ids("crates")[0], "seen", 5)
    twin.commit()
    copy.follow()
    assert values.private(copy.tables, 1, base) == (False, b"")
    assert values.changed_owners(copy.tables, base) == set()


def test_a_row_that_takes_the_place_of_another_has_all_of_its_values() -> None:
    twin, copy = crates()
    twin.despawn("crates", twin.ids("crates")[0])
    row = twin.by_name["crates"][twin.spawn("crates", owner=1, debts=[1, 2, 3], note="mine")]
    twin.commit()
    copy.follow()
    copied = copy.tables[0][row.id]
    assert (copied.note, list(copied.debts)) == ("mine", [1, 2, 3])
