"""The compiled core against the oracle, through the naive reader: random games, every reader, every base.

Run it longer with HYPOTHESIS_PROFILE=long.
"""

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown._core import delta, mirror
from monkeytown.errors import WireError
from monkeytown.position import Position
from tests.model import FieldSpec, TableSpec
from tests.naive_reader import NaiveReader
from tests.naive_wire import NaiveWireError
from tests.randomgames import Chaos, Order, examples, schedules, schemas
from tests.twin import EPOCH, Twin

FIRST_TICKS = st.sampled_from([1, 250, 2**32 - 3, 2**40])
EDITS = st.tuples(st.sampled_from(["flip", "set", "cut", "insert"]), st.integers(1, 400), st.integers(0, 255))


def assert_reads(reader: NaiveReader, twin: Twin) -> None:
    assert reader.tables == twin.shared
    assert reader.steps == twin.steps


def reader_of(twin: Twin, *frames: bytes) -> NaiveReader:
    reader = NaiveReader(twin.map)
    for frame in frames:
        reader.apply(frame)
    return reader


class Mirror:
    """A second set of the core's tables, which reads what the first one sends."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.by_name = twin.schema.build()
        self.tables = tuple(self.by_name.values())
        self.position: Position | None = None
        self.snapshots: dict[int, bytes] = {}

    def follow(self) -> None:
        twin = self.twin
        if self.position is None:
            self.apply(twin.snapshot())
        elif delta.has_news(twin.tables, self.position.tick):
            self.apply(twin.delta(self.position.tick))
        assert self.position is not None
        self.snapshots[self.position.tick] = delta.snapshot(self.tables, EPOCH, self.position.tick)

    def apply(self, frame: bytes) -> None:
        self.position = mirror.apply(frame, self.tables, self.position)

    def assert_onward(self) -> None:
        """Whoever reads from the mirror, from any of its positions, knows what the model knows."""
        assert self.position is not None
        for base, snapshot in self.snapshots.items():
            reader = reader_of(self.twin, snapshot)
            assert delta.can_continue(self.tables, base)
            if delta.has_news(self.tables, base):
                reader.apply(delta.encode(self.tables, EPOCH, base, self.position.tick))
            assert_reads(reader, self.twin)

    def assert_game_side(self) -> None:
        for spec in self.twin.specs:
            found = {
                row.id: {field.name: getattr(row, field.name) for field in spec.fields}
                for row in self.by_name[spec.name]
            }
            expected = {
                id: {field.name: game_value(self, field, row.get(field.name)) for field in spec.fields}
                for id, row in self.twin.shared[spec.name].items()
            }
            assert found == expected


def game_value(reader: Mirror, spec: FieldSpec, wire: Any) -> Any:
    """What a game reads from a mirror. Owner-only fields, whose wire value is not told, have their defaults."""
    if wire is None:
        return spec.empty
    return [game_place(reader, spec, one) for one in wire] if spec.count else game_place(reader, spec, wire)


def game_place(reader: Mirror, spec: FieldSpec, wire: Any) -> Any:
    if spec.type == "fixed":
        return spec.lo + wire * spec.step
    if spec.type == "angle":
        return wire / ((1 << spec.bits) / (2 * math.pi))
    if spec.type == "ref":
        return reader.by_name[spec.target].get(wire)
    return spec.values[wire] if spec.type == "enum" else wire


@examples(500)
@given(specs=schemas(), schedule=schedules(9), first_tick=FIRST_TICKS)
def test_from_every_base_a_reader_equals_the_model(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], first_tick: int
) -> None:
    chaos = Chaos(specs, first_tick)
    twin = chaos.twin
    snapshots: dict[int, bytes] = {}
    for orders in schedule:
        chaos.tick(orders)
        for base, frame in snapshots.items():
            reader = reader_of(twin, frame)
            assert twin.can_continue(base)
            if delta.has_news(twin.tables, base):
                reader.apply(twin.delta(base))
                assert reader.position == (EPOCH, twin.tick)
            assert_reads(reader, twin)
        snapshots[twin.tick] = twin.snapshot()
        assert_reads(reader_of(twin, snapshots[twin.tick]), twin)


@examples(350)
@given(specs=schemas(), schedule=schedules(30), first_tick=FIRST_TICKS)
def test_readers_that_skip_stay_equal_for_good(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], first_tick: int
) -> None:
    chaos = Chaos(specs, first_tick)
    twin = chaos.twin
    readers = {stride: NaiveReader(twin.map) for stride in (1, 2, 3, 7)}
    for place, orders in enumerate(schedule):
        chaos.tick(orders)
        for stride, reader in readers.items():
            if place % stride:
                continue
            if reader.position is None:
                reader.apply(twin.snapshot())
            elif delta.has_news(twin.tables, reader.position[1]):
                reader.apply(twin.delta(reader.position[1]))
            assert_reads(reader, twin)


@examples(350)
@given(specs=schemas(), schedule=schedules(12), first_tick=FIRST_TICKS, stride=st.integers(1, 4))
def test_a_mirror_can_be_read_like_the_original(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], first_tick: int, stride: int
) -> None:
    chaos = Chaos(specs, first_tick)
    second = Mirror(chaos.twin)
    for place, orders in enumerate(schedule):
        chaos.tick(orders)
        if place % stride == 0:
            second.follow()
            second.assert_onward()
            second.assert_game_side()


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_rows_arrive_whole(seed: int) -> None:
    """Row sets and outliers of more than a byte, in tables with and without holes; motion, jitter and teleports."""
    random = Random(seed)
    moved = FieldSpec("moved", "fixed", lo=-5000.0, hi=5000.0, step=1 / 8, linear=True)
    turned = FieldSpec("turned", "angle", bits=9, linear=True)
    table = TableSpec("things", (moved, turned, FieldSpec("kept", "sint", bits=20)), 700)
    twin = Twin((table,))
    for _ in range(400 + 100 * seed):
        twin.spawn("things", moved=random.random() * 900, kept=int(random.random() * 1000))
    readers = {stride: NaiveReader(twin.map) for stride in (1, 4)}
    for tick in range(28):
        share = (1.0, 0.5, 0.3, 0.05, 0.004, 0.0)[tick % 6]
        for id in twin.ids("things"):
            if random.random() < share:
                far = 4000.0 if random.random() < 0.02 else 3.0
                twin.assign(
                    "things", id, "moved", twin.held("things", id, "moved") + (random.random() - 0.5) * far
                )
                twin.assign("things", id, "turned", random.random() * 7)
            if random.random() < share / 2:
                twin.assign("things", id, "kept", int(random.random() ** 9 * 500_000))
            if tick % 9 == 5 and random.random() < 0.1:
                twin.despawn("things", id)
        for _ in range(random.getrandbits(5) if tick % 4 == 3 else 0):
            twin.spawn("things", moved=1.0)
        twin.commit()
        for stride, reader in readers.items():
            if tick % stride == 0:
                reader.apply(twin.snapshot() if tick == 0 else twin.delta(twin.tick - stride))
                assert_reads(reader, twin)


def edited(frame: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    """A frame with some of its bytes changed, never its kind."""
    data = bytearray(frame)
    for how, place, value in edits:
        at = 1 + place % max(1, len(data) - 1)
        if how == "cut":
            del data[at:]
        elif how == "insert":
            data.insert(at, value)
        elif at < len(data):
            data[at] = value if how == "set" else data[at] ^ (1 << value % 8)
    return bytes(data)


@examples(700)
@given(
    specs=schemas(),
    schedule=schedules(5),
    edits=st.lists(EDITS, min_size=1, max_size=3),
    lag=st.integers(0, 2),
)
def test_a_damaged_frame_is_refused_by_both_readers_or_read_alike(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], edits: list[tuple[str, int, int]], lag: int
) -> None:
    """After a WireError a mirror is good for nothing but a snapshot: that one must put it right."""
    chaos = Chaos(specs, 1)
    twin = chaos.twin
    snapshots = []
    for orders in schedule:
        chaos.tick(orders)
        snapshots.append(twin.snapshot())
    before = b"" if lag == 0 else snapshots[max(0, len(snapshots) - 1 - lag)]
    frame = edited(twin.delta(max(1, twin.tick - lag)) if before else snapshots[-1], edits)
    naive, second = NaiveReader(twin.map), Mirror(twin)
    if before:
        naive.apply(before)
        second.apply(before)
    try:
        naive.apply(frame)
    except NaiveWireError:
        with pytest.raises(WireError):
            second.apply(frame)
    else:
        second.apply(frame)
        assert second.position is not None
        epoch, tick = second.position
        assert (epoch, tick) == naive.position
        onward = reader_of(twin, delta.snapshot(second.tables, epoch, tick))
        assert (onward.tables, onward.steps) == (naive.tables, naive.steps)
    second.position = None
    second.follow()
    second.assert_onward()
    second.assert_game_side()
