"""The compiled core against the oracle, through the naive reader: random games, every reader, every base.

Run it longer with HYPOTHESIS_PROFILE=long.
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monkeytown._core import delta
from tests.chaos import Chaos, Order, schedules, schemas
from tests.model import TableSpec
from tests.naive_reader import NaiveReader
from tests.twin import EPOCH, Twin

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
FIRST_TICKS = st.sampled_from([1, 250, 2**32 - 3, 2**40])


def examples(count: int) -> settings:
    """How often a property is tried: `count` times in the default run."""
    return settings(
        max_examples=count * 50 if LONG else count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def assert_reads(reader: NaiveReader, twin: Twin) -> None:
    assert reader.tables == twin.shared
    assert reader.steps == twin.steps


def reader_of(twin: Twin, *frames: bytes) -> NaiveReader:
    reader = NaiveReader(twin.map)
    for frame in frames:
        reader.apply(frame)
    return reader


@examples(120)
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


@examples(80)
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
