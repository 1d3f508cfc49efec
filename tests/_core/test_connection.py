"""One connection: inputs and acknowledgements without Python, limits, and reliable messages over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from monkeytown._core.connection import INPUT_MALFORMED, INPUT_OTHER_SCHEMA, INPUT_TOO_MANY
from monkeytown._core.fanout import Group
from monkeytown._core.frames import frame
from monkeytown._core.inputs import Layout, Queue
from monkeytown.fields import fixed
from monkeytown.schema import Input
from tests._core.link import Player


class Steer(Input):
    turn = fixed(-1, 1, step=1 / 127)


LAYOUT = Layout(Steer, 0x1234)
NEVER_AGAIN = 1e-9  # tokens a second: what a burst allows is all there is


@pytest.fixture
def make() -> Iterator[Any]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(closing(Player(**options)))


def steer(number: int, acknowledged: int = 0) -> bytes:
    return LAYOUT.pack(Steer(turn=0.5), number, acknowledged)


def ack(epoch: int, tick: int, number: int = 0) -> bytes:
    return b"\x07" + b"".join(varint(value) for value in (epoch, tick, number))


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def test_inputs_reach_the_queue_and_nothing_else(make: Any) -> None:
    player, queue = make(), Queue(LAYOUT)
    player.set_inputs(queue, 3, 0, 0)
    player.receive(steer(1), steer(2))
    assert [(number, sequence) for number, sequence, *_ in queue.drain()] == [(3, 1), (3, 2)]
    assert player.messages == []
    assert player.refused == []


def test_without_a_queue_an_input_is_a_message_like_others(make: Any) -> None:
    player = make()
    player.receive(steer(1), b"\x01\x80")
    assert player.messages == [steer(1), b"\x01\x80"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (steer(1)[:-1], INPUT_MALFORMED),
        (steer(1) + b"\0", INPUT_MALFORMED),
        (b"\x04", INPUT_MALFORMED),
        (b"\x04" + b"\0" * 64, INPUT_MALFORMED),
        (b"\x04\x00\x00" + steer(1)[3:], INPUT_OTHER_SCHEMA),
    ],
)
def test_bad_inputs_are_refused_by_reason(make: Any, message: bytes, reason: int) -> None:
    player, queue = make(), Queue(LAYOUT)
    player.set_inputs(queue, 0, 0, 0)
    player.receive(message)
    assert player.refused == [reason]
    assert queue.drain() == []


def test_too_many_inputs_are_dropped_and_a_flood_is_told(make: Any) -> None:
    player, queue = make(), Queue(LAYOUT, 100)
    player.set_inputs(queue, 0, NEVER_AGAIN, 10)
    player.receive(*(steer(number) for number in range(1, 21)))
    assert len(queue.drain()) == 10
    assert player.refused == [INPUT_TOO_MANY] * 10
    assert player.floods == 0
    player.receive(steer(21))
    assert player.floods == 1


def test_messages_have_a_rate_of_their_own(make: Any) -> None:
    player = make(message_rate=NEVER_AGAIN, message_burst=3)
    player.receive(*[b"\x06\x80"] * 6)
    assert len(player.messages) == 3
    assert player.floods == 0
    player.receive(b"\x06\x80")
    assert player.floods == 1


@pytest.mark.parametrize(
    "message", [b"\x07", b"\x07\x01", b"\x07\x01\x05\x80", b"\x07\x01\x05\x00\x00", b"\x07" + b"\xff" * 30]
)
def test_malformed_acknowledgements_are_left_to_the_codec(make: Any, message: bytes) -> None:
    player = make()
    player.receive(message)
    assert player.messages == [message]


def test_the_newest_read_number_only_grows(make: Any) -> None:
    player = make()
    for number in range(1, 6):
        player.append(b"news", number=number)
    player.receive(ack(0, 0, 5), ack(0, 0, 3))
    assert player.acked_number == 5
    assert player.messages == []


def test_numbers_of_former_connections_count(make: Any) -> None:
    player = make()
    player.count_from(7)
    player.receive(ack(0, 0, 7))
    assert (player.acked_number, player.messages) == (7, [])
    player.append(b"news", number=8)
    player.receive(ack(0, 0, 8))
    assert (player.acked_number, player.messages) == (8, [])


@pytest.mark.parametrize(
    ("epoch", "tick", "number"), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 2**32), (0, 2**62, 0)]
)
def test_what_was_never_sent_is_not_acknowledged(make: Any, epoch: int, tick: int, number: int) -> None:
    player = make()
    player.receive(ack(epoch, tick, number))
    assert player.acked_number == 0
    assert player.messages == [ack(epoch, tick, number)]
    if number < 2**32:
        assert player.acknowledge(epoch, tick, number) is False
        assert player.acked_number == 0


def test_messages_wait_until_they_are_flushed_and_keep_their_order(make: Any) -> None:
    player = make()
    assert player.append(b"first")
    assert player.append(b"second" * 100)
    assert player.read() == []
    player.flush()
    assert player.read() == [b"first", b"second" * 100]
    assert player.pending == 0


def test_text_connections_get_text_frames(make: Any) -> None:
    player = make(text=True)
    player.append(b"{}")
    player.flush()
    assert player.arrived() == frame(b"{}", text=True)


def test_more_than_the_limit_does_not_wait(make: Any) -> None:
    player = make(pending_limit=1000)
    assert player.append(b"x" * 900)
    assert not player.append(b"y" * 200)
    player.flush()
    assert player.read() == [b"x" * 900]
    assert player.append(b"y" * 200)


def test_what_a_full_socket_leaves_over_goes_through_the_transport_in_order(make: Any) -> None:
    player = make(small=True)
    filler = player.fill()
    player.append(b"one")
    player.flush()
    assert player.blocked
    player.append(b"two")
    player.flush()
    assert player.pending > 0
    stream = b""
    for _ in range(10):
        stream += player.arrived()
        player.transport.turn()
    assert not player.blocked
    assert stream == b"\0" * filler + frame(b"one") + frame(b"two")


def test_a_detached_connection_writes_nothing_more(make: Any) -> None:
    player = make()
    player.append(b"late")
    player.detach()
    assert player.append(b"later")
    player.flush()
    player.resume_writing()
    assert player.read() == []
    assert not player.attached
    assert player.pending == 0


def test_a_socket_that_fails_is_not_tried_again(make: Any) -> None:
    player = make()
    player.theirs.close()
    player.append(b"x")
    player.flush()
    player.append(b"y")
    player.flush()
    assert player.transport.kept == b""


def test_detaching_leaves_the_group(make: Any) -> None:
    player, group = make(), Group()
    group.add(player)
    player.detach()
    assert len(group) == 0
    assert group.connections() == []


def test_through_the_transport_where_no_raw_send_is_possible(make: Any) -> None:
    player = make(raw=False)
    player.append(b"over tls")
    player.flush()
    assert player.read() == [b"over tls"]
