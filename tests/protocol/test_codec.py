"""Both encodings of every message, and what becomes of bytes that are none."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown._core.wire import Writer
from monkeytown.errors import Refusal
from monkeytown.protocol.codec import ACTION_DEPTH, BINARY, CODECS, JSON, Codec, server_message
from monkeytown.protocol.messages import (
    FROM_CLIENT,
    FROM_SERVER,
    Ack,
    ChatMessage,
    Error,
    GameEvent,
    Heartbeat,
    Hello,
    JoinGame,
    LeaveGame,
    Numbered,
    PlayerInput,
    Poll,
    Resume,
    Welcome,
)


def binary(name: str, body: object) -> bytes:
    return bytes((FROM_CLIENT[name][0],)) + msgspec.msgpack.encode(body)


def text(name: str, payload: object) -> bytes:
    return json.dumps({"type": name, "payload": payload}).encode()


FORMS = pytest.mark.parametrize(("codec", "form"), [(BINARY, binary), (JSON, text)], ids=["binary", "json"])


class TestWhatClientsSay:
    @FORMS
    @pytest.mark.parametrize(
        ("name", "payload", "message"),
        [
            ("hello", {}, Hello()),
            ("hello", {"name": "Ada", "token": "t"}, Hello("Ada", "t")),
            ("hello", {"name": None, "later": 1}, Hello()),
            ("join_game", {"gameId": "jungle"}, JoinGame("jungle")),
            ("leave_game", {}, LeaveGame()),
            ("chat_message", {"text": "<3 🐒"}, ChatMessage("<3 🐒")),
            ("heartbeat", {"timestamp": 17}, Heartbeat(17)),
            ("heartbeat", {"timestamp": 17.25}, Heartbeat(17.25)),
        ],
    )
    def test_is_read_alike_in_both_encodings(
        self, codec: Codec, form: Any, name: str, payload: object, message: object
    ) -> None:
        assert codec.decode(form(name, payload)) == message

    def test_an_action_is_the_body_itself_in_binary(self) -> None:
        assert BINARY.decode(binary("player_input", {"place": 4})) == PlayerInput({"place": 4})

    def test_an_action_has_its_number_and_tick_beside_it_in_json(self) -> None:
        message = text("player_input", {"action": {"turn": 1}, "number": 7, "tick": 9})
        assert JSON.decode(message) == PlayerInput({"turn": 1}, 7, 9)
        assert JSON.decode(text("player_input", {"action": {}})) == PlayerInput({})

    def test_an_ack_is_three_varints_in_binary(self) -> None:
        assert BINARY.decode(bytes([7, 3, 0x80, 1, 5])) == Ack(3, 128, 5)

    def test_an_ack_is_a_map_in_json(self) -> None:
        assert JSON.decode(text("ack", {"epoch": 3, "tick": 128, "number": 5})) == Ack(3, 128, 5)

    def test_a_payload_may_be_left_out_in_json(self) -> None:
        assert JSON.decode(b'{"type":"leave_game"}') == LeaveGame()


class TestWhatIsMalformed:
    @FORMS
    @pytest.mark.parametrize(
        ("name", "payload"),
        [
            ("hello", {"name": 5}),
            ("hello", []),
            ("join_game", {}),
            ("join_game", {"gameId": ""}),
            ("join_game", {"gameId": "x" * 129}),
            ("join_game", {"gameId": None}),
            ("chat_message", {"text": ["a"]}),
            ("heartbeat", {"timestamp": "now"}),
        ],
    )
    def test_is_refused_by_number(self, codec: Codec, form: Any, name: str, payload: object) -> None:
        with pytest.raises(Refusal, match="WS-003") as refusal:
            codec.decode(form(name, payload))
        assert name in refusal.value.message

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x01",
            b"\x01\xc1",
            b"\x02" + msgspec.msgpack.encode({"gameId": "a"}) + b"\x00",
            b"\x05\x81\xa4text\xa2\xff\xfe",
            b"\x06\x81\xa9timestamp\xd6\x05\x00\x00\x00\x00",
            b"\x07\x01",
            b"\x07\x01\x01\x01\x01",
            b"\x07\xff\xff\xff\xff\xff\x01\x01\x01",
            b"\x01" + b"\x91" * 4000,
        ],
    )
    def test_binary_is_refused_by_number(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="WS-003"):
            BINARY.decode(data)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"[]",
            b"{}",
            b'{"type": 5}',
            b'{"type": "hello", "payload": {}} trailing',
            b'{"type": "chat_message", "payload": {"text": "\\ud800"}}',
            b'{"type": "ack", "payload": {"epoch": -1, "tick": 0}}',
            b'{"type": "ack", "payload": {"epoch": 1, "tick": 99999999999999999999}}',
            b"[" * 4000,
        ],
    )
    def test_json_is_refused_by_number(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="WS-003"):
            JSON.decode(data)

    def test_an_unknown_type_has_its_own_number(self) -> None:
        with pytest.raises(Refusal, match="WS-005"):
            BINARY.decode(b"\x3f\x80")
        with pytest.raises(Refusal, match="WS-005"):
            BINARY.decode(b"\x43\x80")
        with pytest.raises(Refusal, match="WS-005"):
            JSON.decode(b'{"type": "game_state", "payload": {}}')


class TestNumbered:
    @FORMS
    @pytest.mark.parametrize("number", [1, 127, 128, 2**32 - 1])
    @pytest.mark.parametrize(
        "message", [ChatMessage("hi"), JoinGame("jungle"), LeaveGame(), PlayerInput({"place": 4})]
    )
    def test_the_message_inside_is_read_as_itself(
        self, codec: Codec, form: Any, number: int, message: Any
    ) -> None:
        name = next(name for name, (_, shape) in FROM_CLIENT.items() if shape is type(message))
        payload = msgspec.to_builtins(message)
        if codec is BINARY:
            body = message.action if isinstance(message, PlayerInput) else payload
            writer = Writer()
            writer.varint(number)
            data = b"\x08" + writer.getvalue() + binary(name, body)
        else:
            data = json.dumps({"type": name, "seq": number, "payload": payload}).encode()
        assert codec.decode(data) == Numbered(number, message)

    @pytest.mark.parametrize(
        "data", [b"\x08", b"\x08\x80", b"\x08\x00" + binary("chat_message", {"text": "hi"})]
    )
    def test_a_number_that_is_none_is_refused(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="WS-003"):
            BINARY.decode(data)

    @pytest.mark.parametrize(
        ("inner", "code"),
        [
            (b"", "WS-003"),
            (b"\x08\x02" + binary("chat_message", {"text": "hi"}), "WS-003"),
            (binary("heartbeat", {"timestamp": 1}), "WS-003"),
            (b"\x07\x01\x01\x01", "WS-003"),
            (binary("hello", {}), "WS-003"),
            (binary("chat_message", {"text": 5}), "WS-003"),
            (binary("player_input", [1]), "INPUT-001"),
            (b"\x3f\x80", "WS-005"),
        ],
    )
    def test_what_cannot_be_read_has_a_number_all_the_same(self, inner: bytes, code: str) -> None:
        message = BINARY.decode(b"\x08\x01" + inner)
        assert isinstance(message, Numbered)
        assert message.number == 1
        assert isinstance(message.message, Refusal)
        assert message.message.code == code

    @pytest.mark.parametrize(
        "data",
        [
            b'{"type": "chat_message", "seq": 0, "payload": {"text": "hi"}}',
            b'{"type": "chat_message", "seq": -1, "payload": {"text": "hi"}}',
            b'{"type": "chat_message", "seq": 4294967296, "payload": {"text": "hi"}}',
            b'{"type": "chat_message", "seq": "1", "payload": {"text": "hi"}}',
        ],
    )
    def test_a_number_that_is_none_is_refused_in_json(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="WS-003"):
            JSON.decode(data)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b'{"type": "heartbeat", "seq": 1, "payload": {"timestamp": 1}}', "WS-003"),
            (b'{"type": "chat_message", "seq": 1, "payload": {"text": 1}}', "WS-003"),
            (b'{"type": "dance", "seq": 1}', "WS-005"),
        ],
    )
    def test_what_cannot_be_read_has_a_number_in_json_too(self, data: bytes, code: str) -> None:
        message = JSON.decode(data)
        assert isinstance(message, Numbered)
        assert isinstance(message.message, Refusal)
        assert message.message.code == code

    @pytest.mark.parametrize("name", ["numbered", "poll"])
    def test_what_only_the_binary_form_has_is_unknown_in_json(self, name: str) -> None:
        with pytest.raises(Refusal, match="WS-005"):
            JSON.decode(text(name, {}))

    def test_what_a_client_comes_back_with(self) -> None:
        resume = {"session": "p.s", "number": 3, "gameId": "room", "epoch": 1, "tick": 2**40}
        hello = Hello(resume=Resume("p.s", 3, "room", 1, 2**40))
        assert BINARY.decode(binary("hello", {"resume": resume})) == hello
        assert JSON.decode(text("hello", {"resume": resume})) == hello
        assert BINARY.decode(binary("hello", {"resume": {"session": ""}})) == Hello(resume=Resume(""))

    def test_what_a_poll_begins_with(self) -> None:
        poll = {"session": "p.s", "number": 3, "heard": 2, "wait": 25}
        assert BINARY.decode(binary("poll", poll)) == Poll("p.s", 3, 2, 25)
        for wrong in ({"number": 1}, {"session": "x" * 257, "number": 1}, poll | {"wait": -1}):
            with pytest.raises(Refusal, match="WS-003"):
                BINARY.decode(binary("poll", wrong))


class TestActions:
    @pytest.mark.parametrize("action", [{}, {"a": [1, 2.5, None, "x", True, {"b": []}]}, {"n": 2**64 - 1}])
    @FORMS
    def test_hold_what_any_encoding_can_say(self, codec: Codec, form: Any, action: dict[str, Any]) -> None:
        body = action if codec is BINARY else {"action": action}
        assert codec.decode(form("player_input", body)) == PlayerInput(action)

    @pytest.mark.parametrize(
        "data",
        [
            binary("player_input", [1]),
            binary("player_input", {1: 2}),
            binary("player_input", {"x": float("nan")}),
            binary("player_input", {"x": float("-inf")}),
            binary("player_input", {"x": msgspec.msgpack.Ext(5, b"")}),
            b"\x04\x81\xa1x\xd6\xff\x00\x00\x00\x00",  # a timestamp
            b"\x04",
        ],
    )
    def test_of_another_kind_are_refused_in_binary(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="INPUT-001"):
            BINARY.decode(data)

    @pytest.mark.parametrize(
        "data",
        [
            text("player_input", {}),
            text("player_input", {"action": 5}),
            text("player_input", {"action": {"x": 2**64}}),
            text("player_input", {"action": {"x": -(2**63) - 1}}),
            text("player_input", {"action": {}, "number": -1}),
        ],
    )
    def test_of_another_kind_are_refused_in_json(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="INPUT-001"):
            JSON.decode(data)

    def test_may_nest_only_so_deep(self) -> None:
        def nested(depth: int) -> dict[str, Any]:
            return {"x": 1} if depth == 1 else {"x": nested(depth - 1)}

        assert BINARY.decode(binary("player_input", nested(ACTION_DEPTH)))
        with pytest.raises(Refusal, match=r"INPUT-001.*deeper"):
            BINARY.decode(binary("player_input", nested(ACTION_DEPTH + 1)))


class TestWhatTheServerSays:
    def test_binary_is_kind_number_map(self) -> None:
        message = BINARY.encode("game_event", GameEvent("boom", [1]), 200)
        assert message[:3] == b"\x47\xc8\x01"
        assert msgspec.msgpack.decode(message[3:]) == {"event": "boom", "data": [1]}

    @pytest.mark.parametrize(
        ("number", "varint"),
        [(1, b"\x01"), (127, b"\x7f"), (128, b"\x80\x01"), (2**32 - 1, b"\xff\xff\xff\xff\x0f")],
    )
    def test_what_is_packed_already_goes_as_it_is(self, number: int, varint: bytes) -> None:
        payload = msgspec.Raw(msgspec.msgpack.encode({"playerId": "p1"}))
        assert BINARY.encode("player_left", payload, number) == b"\x46" + varint + bytes(payload)

    def test_binary_without_a_number(self) -> None:
        message = BINARY.encode("welcome", Welcome("p1", "Ada", "M"))
        assert message[0] == 0x41
        assert server_message("welcome", message[1:]) == Welcome("p1", "Ada", "M")

    def test_json_has_the_number_at_the_top(self) -> None:
        message = JSON.encode("error", Error("GAME-100", "No."), 3)
        assert json.loads(message) == {
            "type": "error",
            "seq": 3,
            "payload": {"code": "GAME-100", "message": "No."},
        }
        assert json.loads(JSON.encode("player_left", {"playerId": "p"})) == {
            "type": "player_left",
            "payload": {"playerId": "p"},
        }

    def test_a_packed_payload_passes_as_it_is(self) -> None:
        payload = msgspec.Raw(msgspec.msgpack.encode({"event": "x", "data": None}))
        assert BINARY.encode("game_event", payload, 1) == b"\x47\x01" + bytes(payload)
        assert json.loads(JSON.encode("game_event", payload, 1))["payload"] == {"event": "x", "data": None}

    @pytest.mark.parametrize("name", FROM_SERVER)
    def test_every_message_has_a_kind(self, name: str) -> None:
        assert BINARY.encode(name, {})[0] == FROM_SERVER[name][0]


def test_the_subprotocols_are_those_of_the_document() -> None:
    assert list(CODECS) == ["monkeytown.1", "monkeytown.1.json"]
    assert [codec.is_text for codec in CODECS.values()] == [False, True]


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    for codec in CODECS.values():
        with suppress(Refusal):
            codec.decode(data)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(), st.lists)
)
def test_what_passes_as_an_action_can_be_sent_on(value: Any) -> None:
    try:
        data = binary("player_input", {"x": value})
    except (OverflowError, UnicodeEncodeError):
        return
    try:
        message = BINARY.decode(data)
    except Refusal:
        return
    assert isinstance(message, PlayerInput)
    for codec in CODECS.values():
        codec.encode("game_event", {"event": "echo", "data": message.action}, 1)
