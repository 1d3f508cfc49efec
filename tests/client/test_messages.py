"""The client's half of the wire, against the server's codec and the reader written from the document."""

from datetime import date

import msgpack
import pytest

from monkeytown.client import messages
from monkeytown.errors import Refusal, WireError
from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.messages import (
    Ack,
    ChatMessage,
    ClientMessage,
    GameEvent,
    Heartbeat,
    Hello,
    JoinGame,
    LeaveGame,
    Numbered,
    PlayerInput,
    PlayerJoined,
    Welcome,
)
from tests import naive_client


@pytest.mark.parametrize(
    "message",
    [Hello("Ada"), JoinGame("jungle"), LeaveGame(), ChatMessage("hi"), Heartbeat(12.5), Heartbeat(-3)],
    ids=lambda message: type(message).__name__,
)
def test_what_the_client_writes_the_server_reads(message: ClientMessage):
    data = messages.encode(message)
    assert BINARY.decode(data) == message
    naive_client.unpack(data)


def test_acks_and_actions_have_their_own_form():
    assert BINARY.decode(messages.encode_ack(2, 2**40, 7)) == Ack(2, 2**40, 7)
    action = messages.encode_action({"cell": 4})
    assert BINARY.decode(action) == PlayerInput({"cell": 4})
    assert BINARY.decode(messages.encode_numbered(7, action)) == Numbered(7, PlayerInput({"cell": 4}))


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, date(2026, 1, 1), 2**64])
def test_an_action_that_no_server_would_read_is_refused_before_it_is_kept(value: object):
    with pytest.raises(Refusal, match="INPUT-001"):
        messages.encode_action({"value": value})


def test_what_the_server_writes_the_client_reads():
    assert messages.decode(BINARY.encode("welcome", Welcome("p1", "Ada", "monkeytown"))) == (
        "welcome",
        Welcome("p1", "Ada", "monkeytown"),
        0,
    )
    joined = messages.decode(BINARY.encode("player_joined", PlayerJoined("p1", "Ada"), 300))
    assert joined == ("player_joined", PlayerJoined("p1", "Ada"), 300)
    event = messages.decode(BINARY.encode("game_event", GameEvent("boom", [1, None]), 1))
    assert event == ("game_event", GameEvent("boom", [1, None]), 1)


def test_unknown_keys_are_passed_over():
    data = b"\x41" + msgpack.packb({"playerId": "p", "name": "n", "server": "s", "motd": "hello"})
    assert messages.decode(data).payload == Welcome("p", "n", "s")


def test_states_stay_as_they_are():
    assert messages.decode(b"\x43\x01") == ("game_state", b"\x43\x01", 0)
    assert messages.decode(b"\x44\x00") == ("private", b"\x44\x00", 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x80",
        b"\x7f",
        b"\x41",
        b"\x41\xc1",
        b"\x41\x80",
        b"\x45\xff\xff\xff\xff\xff\x80",
        b"\x45\x01",
    ],
)
def test_bytes_that_break_the_wire_are_refused(data: bytes):
    with pytest.raises(WireError):
        messages.decode(data)
