"""The naive reader and packer, held to frames and messages packed by hand from docs/reference/wire.md."""

from typing import Any

import msgpack
import pytest

from tests import naive_client
from tests.naive_reader import NaiveReader
from tests.naive_wire import Cursor, NaiveWireError, input_hash, varint
from tests.vectors.broken import BROKEN, HEADER, SNAPSHOT, THINGS, N, a_field, a_schema, a_table, packed

FIRST, SECOND = 1 << 20, 5 << 20 | 2


def test_a_snapshot_read_by_hand() -> None:
    reader = NaiveReader(THINGS)
    reader.apply(SNAPSHOT)
    assert reader.position == (1, 300)
    assert reader.tables == {
        "things": {FIRST: {"x": 10, "n": -1, "label": "hi"}, SECOND: {"x": 20, "n": 4, "label": ""}}
    }
    assert reader.steps == {"things": {FIRST: {"x": 2}, SECOND: {"x": -3}}}


def test_a_delta_read_by_hand() -> None:
    reader = NaiveReader(THINGS)
    reader.apply(SNAPSHOT)
    # two ticks on: slot 0 gone, slots 0 (generation 2, x = 7) and 1 entered; of three rows the last is
    # changed: x by an outlier of +1, its label by a bitmap
    delta = bytes.fromhex("43 00 01 ae02 02 00 07 01 00 02") + packed(0) + packed(1, 1, 0)
    delta += packed(3, 7, 0) + packed(0) + packed(0) + b"\x00\x00"
    delta += b"\x02\x01" + packed(2, 2) + b"\x05" + b"\x40\x01\x00" + packed(2, 2) + b"\x01\x01\x03new"
    reader.apply(delta)
    assert reader.position == (1, 302)
    assert reader.tables["things"] == {
        (2 << 20): {"x": 7, "n": 0, "label": ""},
        (1 << 20 | 1): {"x": 0, "n": 0, "label": ""},
        SECOND: {"x": 15, "n": 4, "label": "new"},
    }
    assert reader.steps["things"] == {2 << 20: {"x": 0}, 1 << 20 | 1: {"x": 0}, SECOND: {"x": -2}}


def test_corrections_replace_value_and_step() -> None:
    reader = NaiveReader(THINGS)
    reader.apply(SNAPSHOT)
    reader.apply(bytes.fromhex("43 02 01 af02 03 00 04 01 01 01") + packed(6, 50) + packed(3, 5))
    assert reader.tables["things"][FIRST] == {"x": 50, "n": -1, "label": "hi"}
    assert reader.tables["things"][SECOND]["x"] == 11
    assert reader.steps["things"] == {FIRST: {"x": -3}, SECOND: {"x": -3}}


def test_a_gap_extrapolates_tables_without_a_section() -> None:
    reader = NaiveReader(THINGS)
    reader.apply(SNAPSHOT)
    reader.apply(bytes.fromhex("43 00 01 b002 04"))
    assert [row["x"] for row in reader.tables["things"].values()] == [18, 8]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_refused(rule: str) -> None:
    reader = NaiveReader(THINGS)
    reader.apply(SNAPSHOT)
    with pytest.raises(NaiveWireError):
        reader.apply(bytes.fromhex(BROKEN[rule]))
    with pytest.raises(NaiveWireError):  # the position is lost: the next delta is refused as well
        reader.apply(bytes.fromhex(HEADER))
    reader.apply(SNAPSHOT)
    assert len(reader.tables["things"]) == 2


def test_every_cut_of_a_snapshot_is_refused() -> None:
    for size in {*range(len(SNAPSHOT))} - {5}:  # cut after the tick it is a snapshot of nothing
        with pytest.raises(NaiveWireError):
            NaiveReader(THINGS).apply(SNAPSHOT[:size])


def test_events_and_what_concerns_one_player() -> None:
    gold = a_field("gold", "uint", 16, ownerOnly=True)
    schema = a_schema(a_table(N, gold, a_field("note", "blob", 0, max=3, ownerOnly=True)))
    reader = NaiveReader(schema)
    reader.apply(bytes.fromhex("43 01 01 01 00 02 01") + packed(0) + packed(0) + packed(3, 5))
    assert reader.tables == {"things": {FIRST: {"n": -3}}}
    reader.apply(bytes.fromhex("44 07 09 00") + varint(FIRST) + bytes.fromhex("00 01 00 e807 02 6869"))
    assert reader.acknowledged_input == 9
    assert reader.own_entity == ("things", FIRST)
    assert reader.private == {"things": {FIRST: {"gold": 1000, "note": b"hi"}}}
    reader.apply(bytes.fromhex("44 0a ff 00"))
    assert reader.own_entity is None
    assert reader.private == {"things": {FIRST: {"gold": 0, "note": b""}}}
    reader.apply(b"\x46\x01" + msgpack.packb({"playerId": "ann"}))
    assert reader.events == [(1, "player_left", {"playerId": "ann"})]


def test_an_angle_wraps_in_its_own_bits() -> None:
    schema = a_schema(a_table(a_field("heading", "angle", 4, predict="linear")))
    reader = NaiveReader(schema)
    reader.apply(bytes.fromhex("43 01 01 01 00 02 01") + packed(0) + packed(0) + packed(4, 14) + packed(3, 6))
    reader.apply(bytes.fromhex("43 00 01 02 01"))
    assert reader.tables == {"things": {FIRST: {"heading": 1}}}
    reader.apply(bytes.fromhex("43 00 01 03 01 00 04 00 01 04 0c"))
    assert reader.tables == {"things": {FIRST: {"heading": 10}}}
    assert reader.steps == {"things": {FIRST: {"heading": -7}}}


def a_layout() -> dict[str, Any]:
    fields = [
        a_field("dx", "sint", 4),
        a_field("jump", "bool", 1),
        a_field("aim", "fixed", 7, lo=0.0, hi=100.0, step=1.0),
    ]
    fields.append(a_field("tool", "enum", 2, values=["hand", "stone", "stick"]))
    shape = {"name": "Move", "fields": fields}
    return shape | {"hash": input_hash(shape)}


def test_an_input_packed_and_read_by_hand() -> None:
    layout = a_layout()
    body = {"number": 3, "acknowledged": 300, "fields": {"dx": -2, "jump": 1, "aim": 100, "tool": 2}}
    message = naive_client.pack("player_input", body, layout)
    # 1110 1 | 1100100 | 10 from the lowest bit up: 01 110010 | 0 1 1110
    assert message == b"\x04" + layout["hash"].to_bytes(2, "little") + bytes.fromhex("03 ac02 9e 2c")
    assert naive_client.unpack(message, layout) == ("player_input", body)


def test_input_values_above_the_largest_are_clamped() -> None:
    layout = a_layout()
    body = {"number": 1, "acknowledged": 0, "fields": {"dx": 7, "jump": 0, "aim": 127, "tool": 3}}
    _, found = naive_client.unpack(naive_client.pack("player_input", body, layout), layout)
    assert found["fields"] == {"dx": 7, "jump": 0, "aim": 100, "tool": 2}


def test_bad_client_messages_are_refused() -> None:
    layout = a_layout()
    good = naive_client.pack(
        "player_input",
        {"number": 1, "acknowledged": 0, "fields": {"dx": 0, "jump": 0, "aim": 0, "tool": 0}},
        layout,
    )
    bad = [good[:-1], good + b"\0", good[:-1] + b"\x40", b"\x04\0\0" + good[3:], b"\x08", b"\x05\x80"]
    bad += [
        b"\x07\x01\x02",
        b"\x06\x81\xa9timestamp\xc3",
        naive_client.pack("chat_message", {"text": "x" * 4096}),
    ]
    for message in bad:
        with pytest.raises(NaiveWireError):
            naive_client.unpack(message, layout)
    assert naive_client.unpack(bytes.fromhex("07 01 ac02 05"))[1] == {"epoch": 1, "tick": 300, "number": 5}


def test_a_message_of_an_unknown_kind_is_ignored() -> None:
    reader = NaiveReader(THINGS)
    reader.apply(SNAPSHOT)
    reader.apply(bytes.fromhex("50 ff"))
    reader.apply(bytes.fromhex(HEADER))
    assert reader.position == (1, 301)


def test_a_schema_whose_hash_is_another_is_refused() -> None:
    with pytest.raises(NaiveWireError):
        NaiveReader(THINGS | {"hash": THINGS["hash"] ^ 1})


def test_varints_at_their_limits() -> None:
    assert Cursor(bytes.fromhex("ffffffff0f")).varint() == 2**32 - 1
    assert Cursor(bytes.fromhex("ffffffffffffffff3f")).varint64() == 2**62 - 1
    assert varint(2**64 - 1) == bytes.fromhex("ffffffffffffffffff01")
