"""What waits until the server has it: numbers, bounds, and what is given up."""

import pytest

from monkeytown.client.messages import encode, encode_numbered
from monkeytown.client.outbox import LARGEST_MESSAGE, MOST_BYTES, MOST_MESSAGES, Outbox
from monkeytown.protocol.messages import ChatMessage


def filled(count: int) -> Outbox:
    outbox = Outbox()
    for number in range(1, count + 1):
        assert outbox.add(b"%d" % number) == encode_numbered(number, b"%d" % number)
    return outbox


def test_a_numbered_message_is_a_kind_a_number_and_the_message_itself():
    chat = encode(ChatMessage("hi"))
    assert encode_numbered(1, chat) == b"\x08\x01" + chat
    assert encode_numbered(300, chat) == b"\x08\xac\x02" + chat


@pytest.mark.parametrize(("received", "left"), [(0, 3), (1, 2), (3, 0), (9, 0)])
def test_what_the_server_has_is_forgotten_and_the_rest_stays_in_order(received: int, left: int):
    outbox = filled(3)
    outbox.received(received)
    assert list(outbox) == [encode_numbered(number, b"%d" % number) for number in range(4 - left, 4)]
    outbox.received(0)
    assert len(outbox) == left
    assert outbox.add(b"more") == encode_numbered(4, b"more")


def test_so_many_messages_are_kept_and_no_more():
    outbox = filled(MOST_MESSAGES)
    assert outbox.add(b"one too many") is None
    outbox.received(1)
    assert outbox.add(b"fits") == encode_numbered(MOST_MESSAGES + 1, b"fits")


def test_so_many_bytes_are_kept_and_no_more():
    outbox, long = Outbox(), b"x" * 4000
    while outbox.add(long):
        pass
    assert MOST_BYTES - 4003 < sum(map(len, outbox)) <= MOST_BYTES
    outbox.received(2)
    assert [outbox.add(long) is None for _ in range(3)] == [False, False, True]


def test_what_the_server_would_not_take_is_not_kept():
    outbox = Outbox()
    assert outbox.add(b"x" * (LARGEST_MESSAGE - 1)) is None
    assert outbox.add(b"x" * (LARGEST_MESSAGE - 2)) is not None


def test_another_session_counts_anew_and_gives_up_what_waits():
    outbox = filled(5)
    outbox.received(2)
    assert outbox.restart() == 3
    assert list(outbox) == []
    assert outbox.add(b"first") == encode_numbered(1, b"first")
    outbox.received(1)
    assert outbox.restart() == 0
