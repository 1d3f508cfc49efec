"""Inputs that go to the queue of another instance: there they are what they would have been had they come there."""

from __future__ import annotations

import enum
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monkeytown import Input, angle, boolean, fixed, sint, uint
from monkeytown import enum as one_of
from monkeytown._core.inputs import Layout, Queue
from monkeytown.errors import WireError


class Tool(enum.Enum):
    HAND = 1
    STICK = 2
    STONE = 3


class Wild(Input):
    """One field of each kind there is, and of sizes that do not fit bytes."""

    turn = angle(31)
    lean = angle(7)
    x = fixed(-1e6, 1e6, step=0.001)
    part = fixed(0, 1, step=0.01)
    third = fixed(0, 10, step=3)
    bumps = sint(32)
    by = sint(5)
    count = uint(32)
    few = uint(3)
    run = boolean()
    tool = one_of(Tool)


LAYOUT = Layout(Wild, 4711)
OTHER = Layout(Wild, 4712)
PER_PLAYER = 3

fields = st.binary(min_size=LAYOUT.size, max_size=LAYOUT.size)
pushes = st.lists(
    st.tuples(
        st.integers(0, 5) | st.sampled_from([200, 70_000]),
        st.integers(1, 2**32 - 1),
        st.integers(0, 2**62 - 1) | st.integers(0, 300),
        fields,
    ),
    max_size=25,
)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


def message(number: int, acknowledged: int, body: bytes) -> bytes:
    """A `player_input` with any bits as its fields but for those at the end, which are unused."""
    unused = 8 * LAYOUT.size - BITS
    body = body[:-1] + bytes((body[-1] & 0xFF >> unused,))
    return b"\x04" + (4711).to_bytes(2, "little") + varint(number) + varint(acknowledged) + body


BITS = sum(field.bits for field in Wild.fields())


def drained(queue: Queue) -> list[Any]:
    """What waits, with values exactly as the rules get them."""
    return [
        (player, number, acknowledged, [getattr(record, field.name) for field in Wild.fields()])
        for player, number, acknowledged, record in queue.drain()
    ]


@settings(max_examples=300, deadline=None)
@given(pushed=pushes, allowed=st.none() | st.sets(st.integers(0, 5)))
def test_they_are_what_they_would_have_been_if_they_had_come_here(
    pushed: list[tuple[int, int, int, bytes]], allowed: set[int] | None
) -> None:
    there, here, direct = (Queue(LAYOUT, PER_PLAYER) for _ in range(3))
    everybody = {player for player, *_ in pushed} if allowed is None else allowed
    for player, number, acknowledged, body in pushed:
        there.push_message(player, message(number, acknowledged, body))
        if player in everybody:
            direct.push_message(player, message(number, acknowledged, body))
    packed = there.take_packed()
    assert (len(there), there.take_packed()) == (0, b"")
    if packed:
        assert here.put_packed(packed, everybody) == len(here)
    assert len(here) == len(direct)
    assert drained(here) == drained(direct)


@settings(max_examples=100, deadline=None)
@given(first=pushes, then=pushes)
def test_of_each_player_the_newest_count_whichever_way_they_came(
    first: list[tuple[int, int, int, bytes]], then: list[tuple[int, int, int, bytes]]
) -> None:
    """Some wait here already, and those of the other instance come behind."""
    there, here, direct = (Queue(LAYOUT, PER_PLAYER) for _ in range(3))
    for player, number, acknowledged, body in first:
        here.push_message(player, message(number, acknowledged, body))
        direct.push_message(player, message(number, acknowledged, body))
    for player, number, acknowledged, body in then:
        there.push_message(player, message(number, acknowledged, body))
        direct.push_message(player, message(number, acknowledged, body))
    packed = there.take_packed()
    if packed:
        here.put_packed(packed, range(100_000))
    assert drained(here) == drained(direct)
    for queue in (there, here):  # nobody's count of waiting inputs is off
        for number in range(1, 2 * PER_PLAYER):
            queue.push_message(1, message(number, 0, bytes(LAYOUT.size)))
        assert [number for _, number, *_ in queue.drain()] == list(range(PER_PLAYER, 2 * PER_PLAYER))


def test_it_can_be_used_again_and_again() -> None:
    there, here = Queue(LAYOUT, PER_PLAYER), Queue(LAYOUT, PER_PLAYER)
    for number in range(1, 200):
        there.push_message(number % 7, message(number, number, bytes(LAYOUT.size)))
        assert here.put_packed(there.take_packed(), {number % 7}) == 1
        assert [(player, seen) for player, seen, *_ in here.drain()] == [(number % 7, number)]


def test_inputs_that_came_as_maps_travel_as_well() -> None:
    """Their values become what the wire has."""
    there, here, direct = (Queue(LAYOUT) for _ in range(3))
    random = Random(5)
    for number in range(1, 5):
        record = Wild(
            turn=random.uniform(-9, 9),
            lean=random.uniform(-9, 9),
            x=random.uniform(-2e6, 2e6),
            part=random.random(),
            third=random.uniform(0, 10),
            bumps=random.randrange(-(2**31), 2**31),
            by=-16,
            count=2**32 - 1,
            run=True,
            tool=Tool.STONE,
        )
        there.put(1, number, record, 17)
        direct.push_message(1, LAYOUT.pack(record, number, 17))
    here.put_packed(there.take_packed(), {1})
    assert drained(here) == drained(direct)


def waiting(*numbers: int) -> bytes:
    queue = Queue(LAYOUT)
    for number in numbers:
        queue.push_message(1, LAYOUT.pack(Wild(), number, 5))
    return queue.take_packed()


ONE = waiting(1)
HEAD = ONE[:2]
BODY = ONE[5:]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "another schema"),
        (ONE[:1], "another schema"),
        (bytes((ONE[0] ^ 1,)) + ONE[1:], "another schema"),
        (ONE[:-1], "malformed"),
        (ONE + b"\x01", "malformed"),
        (HEAD + b"\x80" * 5, "malformed"),
        (HEAD + varint(2**31) + b"\x01\x05" + BODY, "malformed"),
        (HEAD + b"\x01" + varint(2**32) + b"\x05" + BODY, "malformed"),
        (HEAD + b"\x01\x01" + varint(2**62) + BODY, "malformed"),
        (HEAD + b"\x01\x01" + b"\xff" * 11 + BODY, "malformed"),
        (ONE[:-1] + b"\xff", "malformed"),
    ],
)
def test_what_is_nothing_of_the_kind_is_refused(data: bytes, why: str) -> None:
    queue = Queue(LAYOUT)
    with pytest.raises(WireError, match=why):
        queue.put_packed(data, {1})
    assert queue.put_packed(ONE, {1}) == 1  # it goes on


def test_those_of_another_layout_are_refused() -> None:
    queue = Queue(OTHER)
    with pytest.raises(WireError, match="another schema"):
        queue.put_packed(ONE, {1})
    assert len(queue) == 0


def truncate(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data) + 1) :]


def flip(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randrange(12))


@pytest.mark.parametrize("spoil", [truncate, flip, insert])
def test_whatever_the_bytes_are_the_queue_can_be_used(spoil: Callable[[Random, bytearray], None]) -> None:
    random, whole, queue, refused = Random(7), waiting(1, 2, 300, 70_000), Queue(LAYOUT, PER_PLAYER), 0
    for turn in range(8000):
        data = bytearray(whole)
        for _ in range(random.randrange(1, 3)):
            spoil(random, data)
        try:
            queue.put_packed(bytes(data), range(1000))
        except WireError:
            refused += 1
        if turn % 50 == 0:
            for entry in drained(queue):
                assert entry[0] < 1000
            assert queue.put_packed(whole, {1}) == 4
            assert len(queue) == PER_PLAYER
    assert refused > 500
