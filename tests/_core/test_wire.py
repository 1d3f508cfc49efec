"""The core's numbers and packing against the naive ones, and broken frames against the mirror."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import fields, schema
from monkeytown._core import inputs, mirror
from monkeytown._core.wire import Reader, Writer
from monkeytown.errors import WireError
from monkeytown.position import Position
from tests import naive_client
from tests.model import FieldSpec, TableSpec
from tests.naive_reader import NaiveReader
from tests.naive_wire import Cursor, NaiveWireError, varint
from tests.randomgames import examples
from tests.test_naive_reader import BROKEN, SNAPSHOT, THINGS
from tests.twin import EPOCH, Twin, declared_game, specs_of

WIDTHS = st.integers(0, 32)


@st.composite
def numbers(draw: st.DrawFn) -> list[int]:
    """Up to some sixty numbers of one width, its ends among them."""
    top = (1 << draw(WIDTHS)) - 1
    return draw(st.lists(st.integers(0, top) | st.sampled_from([0, top]), max_size=67))


@examples(300)
@given(values=numbers(), around=st.binary(max_size=3))
def test_packed_numbers_read_back(values: list[int], around: bytes) -> None:
    writer = Writer()
    writer.raw(around)
    writer.packed(values)
    writer.raw(around)
    message = writer.getvalue()
    cursor, reader = Cursor(message), Reader(message)
    assert cursor.take(len(around)) == reader.raw(len(around)) == around
    assert cursor.packed(len(values)) == reader.packed(len(values)) == values
    assert cursor.take(len(around)) == reader.raw(len(around)) == around
    assert reader.remaining == 0


@examples(200)
@given(values=st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([127, 128, 2**14, 2**28])))
def test_varints_read_back(values: list[int]) -> None:
    writer = Writer()
    for value in values:
        writer.varint(value)
    message = writer.getvalue()
    assert message == b"".join(map(varint, values))
    reader = Reader(message)
    assert [reader.varint() for _ in values] == values
    assert reader.remaining == 0


def said(read: Callable[[], Any], error: type[Exception]) -> Any:
    try:
        return read()
    except error:
        return "refused"


@examples(500)
@given(data=st.binary(max_size=14) | st.binary(min_size=9, max_size=11).map(lambda some: b"\xff" * 4 + some))
def test_both_readers_take_the_same_bytes_alike(data: bytes) -> None:
    """What one refuses, the other refuses; a number that does not fit is never cut to size."""
    assert said(Reader(data).varint, WireError) == said(Cursor(data).varint, NaiveWireError)
    tick = said(Cursor(data).varint64, NaiveWireError)
    if tick != "refused":
        assert Reader(data).varint64() == tick
    for count in (0, 1, 3, 8):
        core, naive = partial(Reader(data).packed, count), partial(Cursor(data).packed, count)
        assert said(core, WireError) == said(naive, NaiveWireError)


@pytest.mark.parametrize("data", ["", "80", "ff", "ffffffff", "ffffffff10", "808080808000", "8080808080"])
def test_a_varint_that_is_cut_off_or_too_large_is_refused(data: str) -> None:
    with pytest.raises(WireError):
        Reader(bytes.fromhex(data)).varint()


def test_a_tick_has_at_most_ten_bytes() -> None:
    assert Reader(bytes.fromhex("ffffffffffffffff3f")).varint64() == 2**62 - 1
    for data in ("80" * 10 + "00", "ff" * 9 + "02", "ff" * 11):
        with pytest.raises(WireError):
            Reader(bytes.fromhex(data)).varint64()


def test_a_count_beyond_the_message_allocates_nothing() -> None:
    for count in (2**20 + 1, 2**31, 2**40):
        with pytest.raises(WireError):
            Reader(b"\x00").packed(count)
        with pytest.raises(WireError):
            Reader(b"\x20" + bytes(64)).packed(count)
        with pytest.raises(WireError):
            Reader(b"abc").raw(count)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_number_that_no_varint_holds_is_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        Writer().varint(value)


# ---- frames ----


@pytest.mark.parametrize("rule", [rule for rule, data in BROKEN.items() if data.startswith("43")])
def test_a_broken_frame_is_refused_by_the_mirror(rule: str) -> None:
    tables = tuple(schema.Schema(declared_game(specs_of(THINGS["tables"]))).build().values())
    position = mirror.apply(SNAPSHOT, tables, None)
    assert position == Position(1, 300)
    with pytest.raises(WireError):
        mirror.apply(bytes.fromhex(BROKEN[rule]), tables, position)
    assert mirror.apply(SNAPSHOT, tables, None) == position
    assert [row.label for row in tables[0]] == ["hi", ""]


def test_every_cut_of_a_frame_is_refused_by_the_mirror() -> None:
    tables = tuple(schema.Schema(declared_game(specs_of(THINGS["tables"]))).build().values())
    for size in {*range(len(SNAPSHOT))} - {5}:  # cut after the tick it is a snapshot of nothing
        with pytest.raises(WireError):
            mirror.apply(SNAPSHOT[:size], tables, None)


def test_a_delta_before_any_snapshot_is_refused() -> None:
    tables = tuple(schema.Schema(declared_game(specs_of(THINGS["tables"]))).build().values())
    with pytest.raises(WireError):
        mirror.apply(bytes.fromhex("43 00 01 01 01"), tables, None)


def test_a_singleton_is_never_without_its_row() -> None:
    board = TableSpec("board", (FieldSpec("turn", "uint", bits=8),), 1, single=True)
    twin = Twin((board,))
    twin.commit()
    tables = tuple(twin.schema.build().values())
    position = mirror.apply(twin.snapshot(), tables, None)
    gone = bytes.fromhex("43 00") + varint(EPOCH) + bytes.fromhex("02 01 00 01 01 00")
    for broken in (bytes.fromhex("43 01") + varint(EPOCH) + b"\x01", gone):
        naive = NaiveReader(twin.map)
        naive.apply(twin.snapshot())
        with pytest.raises(NaiveWireError):
            naive.apply(broken)
        with pytest.raises(WireError):
            mirror.apply(broken, tables, position)
        mirror.apply(twin.snapshot(), tables, None)


# ---- inputs ----


class Steer(schema.Input):
    dx = fields.sint(3)
    jump = bool
    aim = fields.angle(11)
    power = fields.fixed(-1.0, 1.0, step=0.01)
    tool = fields.enum("hand", "stone", "stick")
    far = fields.uint(32)


LAYOUT = schema.describe_input(Steer)
STEER = inputs.Layout(Steer, LAYOUT["hash"])


def wire_of(record: Any) -> dict[str, int]:
    """The wire values of a record, by way of packing it again."""
    _, body = naive_client.unpack(STEER.pack(record, 1), LAYOUT)
    found: dict[str, int] = body["fields"]
    return found


@examples(300)
@given(
    data=st.data(),
    number=st.integers(1, 2**32 - 1),
    acknowledged=st.integers(0, 2**62 - 1),
)
def test_an_input_is_read_alike(data: st.DataObject, number: int, acknowledged: int) -> None:
    """Any bits at all, those of values that are too large among them."""
    fields = {spec["name"]: data.draw(st.integers(0, (1 << spec["bits"]) - 1)) for spec in LAYOUT["fields"]}
    body = {"number": number, "acknowledged": acknowledged, "fields": fields}
    message = naive_client.pack("player_input", body, LAYOUT)
    found_number, found_acknowledged, record = STEER.parse(message)
    assert (found_number, found_acknowledged) == (number, acknowledged)
    assert wire_of(record) == naive_client.unpack(message, LAYOUT)[1]["fields"]


@examples(500)
@given(data=st.data(), edit=st.tuples(st.integers(3, 30), st.integers(0, 255)), cut=st.integers(0, 30))
def test_a_damaged_input_is_refused_by_both_or_read_alike(
    data: st.DataObject, edit: tuple[int, int], cut: int
) -> None:
    fields = {spec["name"]: data.draw(st.integers(0, (1 << spec["bits"]) - 1)) for spec in LAYOUT["fields"]}
    body = {"number": 300, "acknowledged": 2**40, "fields": fields}
    message = bytearray(naive_client.pack("player_input", body, LAYOUT))
    if edit[0] < len(message):
        message[edit[0]] = edit[1]
    if cut > 5:
        del message[cut:]
    damaged = bytes(message)
    try:
        _, expected = naive_client.unpack(damaged, LAYOUT)
    except NaiveWireError:
        with pytest.raises(WireError):
            STEER.parse(damaged)
    else:
        number, acknowledged, record = STEER.parse(damaged)
        assert (number, acknowledged) == (expected["number"], expected["acknowledged"])
        assert wire_of(record) == expected["fields"]


def test_an_input_of_another_schema_or_kind_is_refused() -> None:
    message = STEER.pack(Steer(dx=1), 1)
    other = inputs.Layout(Steer, LAYOUT["hash"] ^ 1)
    for reader, bad in [
        (other, message),
        (STEER, b"\x05" + message[1:]),
        (STEER, b""),
        (STEER, message + b"\0"),
    ]:
        with pytest.raises(WireError):
            reader.parse(bad)


@pytest.mark.parametrize(("number", "acknowledged"), [(0, 5), (1, 2**62)])
def test_an_input_whose_numbers_are_out_of_range_is_refused(number: int, acknowledged: int) -> None:
    body = {"number": number, "acknowledged": acknowledged, "fields": dict.fromkeys(wire_of(Steer()), 0)}
    with pytest.raises(WireError):
        STEER.parse(naive_client.pack("player_input", body, LAYOUT))


def test_a_queue_keeps_the_newest_inputs_of_each_player_in_order_of_arrival() -> None:
    queue = inputs.Queue(STEER, 2)
    for number, player in enumerate([1, 2, 1, 1, 9999, 2], start=1):
        assert queue.push_message(player, STEER.pack(Steer(dx=number % 4), number, 50 + number)) == (
            number,
            50 + number,
        )
    assert (len(queue), queue.dropped) == (5, 1)
    with pytest.raises(WireError):
        queue.push_message(1, b"\x04")
    queue.put(3, 7, Steer(dx=-4, tool="stick"))
    waiting: Any = queue.drain()
    drained = [(player, number, record.dx, record.tool) for player, number, _, record in waiting]
    expected = [
        (2, 2, 2, "hand"),
        (1, 3, 3, "hand"),
        (1, 4, 0, "hand"),
        (9999, 5, 1, "hand"),
        (2, 6, 2, "hand"),
    ]
    assert drained == [*expected, (3, 7, -4, "stick")]
    assert [acknowledged for _, _, acknowledged, _ in waiting] == [52, 53, 54, 55, 56, 0]
    assert len(queue) == 0
    assert queue.drain() == []
