"""Messages between people and bytes, in both directions."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monkeytown.cli.wire import wire
from monkeytown.errors import StartError
from monkeytown.games.jungle import TICKS, Jungle
from monkeytown.protocol.codec import BINARY
from monkeytown.room.room import Room
from tests import naive_client

CLIENT_MESSAGES = [
    {"type": "hello", "payload": {"name": "Ada"}},
    {"type": "hello", "payload": {}},
    {"type": "join_game", "payload": {"gameId": "jungle"}},
    {"type": "leave_game", "payload": {}},
    {"type": "chat_message", "payload": {"text": "grüß dich"}},
    {"type": "heartbeat", "payload": {"timestamp": 12.5}},
    {"type": "ack", "payload": {"epoch": 1, "tick": 70000, "number": 3}},
]
SERVER_MESSAGES = [
    {"type": "welcome", "payload": {"playerId": "p", "name": "Ada", "server": "monkeytown"}},
    {"type": "player_joined", "seq": 1, "payload": {"id": "p", "name": "Ada"}},
    {"type": "player_left", "seq": 200, "payload": {"playerId": "p"}},
    {"type": "game_event", "seq": 3, "payload": {"event": "boom", "data": [1, None]}},
    {"type": "error", "seq": 4, "payload": {"code": "GAME-100", "message": "no"}},
    {"type": "heartbeat", "payload": {"timestamp": 1, "serverTime": 2.5, "received": 0}},
]


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(wire, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def encode(message: dict[str, Any], *options: str) -> bytes:
    return bytes.fromhex(run("encode", *options, json.dumps(message)).stdout)


def decode(*data: bytes, options: tuple[str, ...] = ()) -> list[Any]:
    output = run("decode", *options, *(part.hex() for part in data)).stdout
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("message", [*CLIENT_MESSAGES, *SERVER_MESSAGES], ids=lambda message: message["type"])
def test_messages_survive_the_way_there_and_back(message: dict[str, Any]):
    assert decode(encode(message)) == [message]


@pytest.mark.parametrize("message", CLIENT_MESSAGES, ids=lambda message: message["type"])
def test_client_messages_are_as_the_document_says(message: dict[str, Any]):
    name, body = naive_client.unpack(encode(message))
    assert (name, body) == (message["type"], message["payload"])


def test_a_frame_is_masked_and_can_be_read_back():
    message = CLIENT_MESSAGES[2]
    frame = encode(message, "--frame")
    length = len(encode(message))
    assert (frame[0], frame[1], len(frame)) == (0x82, 0x80 | length, 6 + length)
    key, masked = frame[2:6], frame[6:]
    assert bytes(byte ^ key[place % 4] for place, byte in enumerate(masked)) == encode(message)
    assert decode(frame, options=("--frame",)) == [message]


def test_an_input_of_a_game_is_packed():
    message = {
        "type": "player_input",
        "payload": {"action": {"turn": -1, "run": True}, "number": 9, "tick": 500},
    }
    data = encode(message, "--game", "jungle")
    assert len(data) < 10
    (shown,) = decode(data, options=("--game", "jungle"))
    assert shown == {
        "type": "player_input",
        "payload": {"action": {"turn": -1.0, "run": True}, "number": 9, "tick": 500},
    }


def test_an_action_of_a_game_without_inputs_is_a_map():
    message = {"type": "player_input", "payload": {"action": {"place": 4}}}
    assert encode(message) == encode(message, "--game", "tictactoe") == b"\x04\x81\xa5place\x04"
    assert decode(encode(message))[0]["payload"]["action"] == {"place": 4}


def test_states_are_shown_by_the_fields_of_the_game():
    room = Room(Jungle, room_id="r", seed=1)
    room.join("p1", "Ada")
    room.step()
    first = room.read(None)
    for _ in range(TICKS):
        room.step()
    second = room.read(first.position)
    assert first.frame is not None
    assert second.frame is not None
    snapshot, delta = decode(first.frame, second.frame, options=("--game", "jungle"))
    assert (snapshot["type"], snapshot["payload"]["base"]) == ("game_state", None)
    (monkey,) = snapshot["payload"]["tables"]["monkeys"]["set"].values()
    assert monkey["name"] == "Ada"
    assert len(snapshot["payload"]["tables"]["bananas"]["set"]) == len(room.game.bananas)
    assert (delta["payload"]["base"], delta["payload"]["tick"]) == (first.position.tick, second.position.tick)
    assert set(delta["payload"]["tables"]["monkeys"]["set"]) == {str(row.id) for row in room.game.monkeys}


def test_what_a_state_needs_to_be_shown_is_said():
    room = Room(Jungle, room_id="r", seed=1)
    room.join("p1", "Ada")
    room.step()
    position = room.read(None).position
    for _ in range(TICKS):
        room.step()
    frame = room.read(position).frame
    assert frame is not None
    without_game = run("decode", frame.hex())
    assert json.loads(without_game.stdout)["payload"]["base"] == position.tick
    assert "need --game" in without_game.stderr
    alone = run("decode", "--game", "jungle", frame.hex())
    assert f"need the state at tick {position.tick} before them" in alone.stderr


def test_private_messages_are_shown():
    assert decode(b"\x44\x03\x07\xff\x00", options=("--game", "jungle")) == [
        {"type": "private", "payload": {"input": 7, "entity": None}}
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("encode", "nonsense"), "malformed"),
        (("encode", '{"type": "dance"}'), "dance"),
        (("encode", '{"type": "join_game", "payload": {}}'), "gameId"),
        (("encode", '{"type": "game_state"}'), "made from a room's tables"),
        (
            ("encode", "--game", "jungle", '{"type": "player_input", "payload": {"action": {"jump": 1}}}'),
            "jump",
        ),
        (("encode", "--game", "chess", "{}"), "no game named 'chess'"),
        (("decode", "xyz"), "xyz: "),
        (("decode", "7f"), "no kind of message"),
        (("decode", "0281"), "malformed"),
        (("decode", "--frame", "8285"), "ends early"),
        (("decode", "4402"), "needs --game"),
        (("decode", "--game", "jungle", "4301"), "ends early"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], why: str):
    with pytest.raises(StartError, match=why) as error:
        run(*arguments)
    assert "\n" not in str(error.value)


def test_an_encoded_welcome_is_the_servers_own():
    payload = {"playerId": "p", "name": "Ada", "server": "monkeytown"}
    assert encode({"type": "welcome", "payload": payload}) == BINARY.encode("welcome", payload)
