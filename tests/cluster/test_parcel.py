from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, msgpack

from monkeytown.cluster.parcel import (
    HIGHEST,
    MAX_MESSAGE,
    PARCEL_BYTES,
    UNREADABLE,
    BadParcel,
    Packing,
    split,
)
from tests.cluster.network import Item, Message, State

PACKING = Packing(Message)
NUMBERS = st.integers(1, HIGHEST - 1)
MESSAGES = st.lists(
    st.builds(Item, st.integers(0, 9), st.binary(max_size=20))
    | st.builds(State, st.integers(0, 9), st.binary(max_size=20)),
    max_size=5,
)


def raws(messages: list[Message]) -> list[Raw]:
    return [PACKING.message(message) for message in messages]


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(-1, HIGHEST - 1), MESSAGES, MESSAGES)
def test_a_parcel_is_opened_as_it_was_packed(
    link: int, number: int, first: int, ack: int, items: list[Message], states: list[Message]
):
    parcel = PACKING.open(PACKING.parcel(link, number, first, ack, raws(items), raws(states)))
    assert (parcel.link, parcel.number, parcel.first, parcel.ack) == (link, number, first, ack)
    assert (parcel.items, parcel.states) == (items, states)


@given(MESSAGES)
def test_a_bundle_is_opened_as_it_was_packed(messages: list[Message]):
    assert PACKING.open_bundle(PACKING.bundle(raws(messages))) == messages


@pytest.mark.parametrize(
    "numbers",
    [(0, 1, 1, 0), (1, 0, 1, 0), (1, 1, 0, 0), (1, 1, 1, -2), (1, 1, 1, HIGHEST), (HIGHEST, 1, 1, 0)],
)
def test_absurd_numbers_are_refused(numbers: tuple[int, int, int, int]):
    with pytest.raises(BadParcel) as refused:
        PACKING.open(PACKING.parcel(*numbers, [], []))
    assert refused.value.reason == "parcel"


@pytest.mark.parametrize(
    "value",
    [None, [], {}, [1, 1, 1, 0, []], [1, 1, 1, 0, [], [], []], [1, 1, 1, 0, {}, []], ["1", 1, 1, 0, [], []]],
)
def test_other_shapes_are_no_parcels(value: object):
    with pytest.raises(BadParcel):
        PACKING.open(msgpack.encode(value))


def test_what_follows_a_parcel_is_no_part_of_one():
    with pytest.raises(BadParcel):
        PACKING.open(PACKING.parcel(1, 1, 1, 0, [], []) + b"\x00")


def test_lists_that_claim_to_be_endless_and_lists_in_lists_are_refused():
    for data in (b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\x96\x01\x01\x01\x00\xdd\xff\xff\xff\xff"):
        with pytest.raises(BadParcel):
            PACKING.open(data)
        with pytest.raises(BadParcel):
            PACKING.open_bundle(data)


def test_a_message_of_an_unknown_kind_leaves_the_others_as_they_are():
    unknown = Raw(msgpack.encode([9, 1, b""]))
    item, state = Item(1, b"x"), State(2)
    parcel = PACKING.open(PACKING.parcel(1, 1, 1, 0, [unknown, *raws([item])], [*raws([state]), unknown]))
    assert parcel.items == [UNREADABLE, item]
    assert parcel.states == [state, UNREADABLE]
    assert PACKING.open_bundle(PACKING.bundle([unknown, *raws([item])])) == [UNREADABLE, item]


def test_too_large_a_message_is_not_packed_and_too_large_a_parcel_is_not_opened():
    with pytest.raises(ValueError, match="too large"):
        PACKING.message(Item(1, bytes(MAX_MESSAGE)))
    largest = PACKING.message(Item(1, bytes(MAX_MESSAGE - 10)))
    assert len(PACKING.open(PACKING.parcel(HIGHEST - 1, 1, 1, 0, [largest], [])).items) == 1
    with pytest.raises(BadParcel) as refused:
        PACKING.open(PACKING.parcel(1, 1, 1, 0, [largest], [PACKING.message(Item(1, bytes(2000)))]))
    assert refused.value.reason == "large"
    with pytest.raises(BadParcel):
        PACKING.open_bundle(bytes(MAX_MESSAGE + 2000))


@given(st.lists(st.sampled_from([1, 100, PARCEL_BYTES // 2, PARCEL_BYTES, PARCEL_BYTES + 1]), max_size=8))
def test_pieces_fit_into_a_parcel_or_are_one_message(sizes: list[int]):
    messages = [Raw(bytes(size)) for size in sizes]
    pieces = list(split(messages))
    assert [message for piece in pieces for message in piece] == messages
    assert all(len(piece) == 1 or sum(map(len, piece)) <= PARCEL_BYTES for piece in pieces)
    for piece, following in pairwise(pieces):
        assert sum(map(len, piece)) + len(following[0]) > PARCEL_BYTES
