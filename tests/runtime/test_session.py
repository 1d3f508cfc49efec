"""What a client may ask for, in order and out of order, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import BINARY
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from tests.runtime.stage import Client, Clock

Make = Callable[..., Client]


def test_hello_is_answered_by_welcome(client: Make) -> None:
    player = client()
    player.say("hello", name="Ada")
    (welcome,) = player.got("welcome")
    assert welcome["playerId"] == player.session.id
    assert welcome["name"] == "Ada"
    assert welcome["server"].startswith("monkeytown")


def test_the_first_join_is_answered_by_welcome_if_there_was_no_hello(client: Make) -> None:
    player = client()
    player.join("dots")
    assert [kind for kind, _ in player.sent] == ["welcome", "player_joined"]
    player.say("leave_game")
    player.join("dots")
    assert len(player.got("welcome")) == 1


def test_a_binary_client_gets_the_schema_before_anything_of_the_room(client: Make) -> None:
    player = client(codec=BINARY)
    player.session.receive(b"\x02" + msgspec.msgpack.encode({"gameId": "dots"}))
    kinds = [kind for kind, _ in player.sent]
    assert kinds == ["0x41", "0x42", "0x45"]
    schema = msgspec.msgpack.decode(player.sent[1][1])
    assert player.session.hosted is not None
    assert schema["gameId"] == player.session.hosted.room.id
    assert schema["game"] == "dots"
    assert schema["tickRate"] == 50
    assert {"hash", "tables", "input"} <= schema.keys()


def test_players_hear_of_each_other_with_numbers_without_gaps(client: Make) -> None:
    one, two = client(), client()
    one.say("hello", name="Ada")
    one.join("turns")
    two.join("turns")
    two.say("chat_message", text="hello")
    two.session.lost(two, for_good=True)
    assert [joined["name"] for joined in one.got("player_joined")] == ["Ada", "Monkey 2"]
    assert [joined["name"] for joined in two.got("player_joined")] == ["Ada", "Monkey 2"]
    assert one.got("game_event") == [
        {"event": "chat", "data": {"playerId": two.session.id, "name": "Monkey 2", "text": "hello"}}
    ]
    assert one.got("player_left") == [{"playerId": two.session.id}]
    assert one.numbers == list(range(1, len(one.numbers) + 1))


def test_numbers_go_on_in_the_next_room(client: Make) -> None:
    player = client()
    player.join("turns")
    player.say("leave_game")
    player.join("dots")
    player.say("nonsense")
    assert player.numbers == [1, 2, 3]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([("join_game", {"gameId": "chess"})], "GAME-001"),
        ([("leave_game", {})], "GAME-003"),
        ([("chat_message", {"text": "anybody?"})], "GAME-003"),
        ([("player_input", {"action": {}})], "GAME-003"),
        ([("join_game", {"gameId": "dots"}), ("join_game", {"gameId": "dots"})], "GAME-004"),
        ([("join_game", {})], "WS-003"),
        ([("join_game", {"gameId": 5})], "WS-003"),
        ([("dance", {})], "WS-005"),
        ([("join_game", {"gameId": "turns"}), ("player_input", {"action": {"do": "no"}})], "GAME-100"),
        ([("join_game", {"gameId": "turns"}), ("player_input", {"action": 5})], "INPUT-001"),
        ([("join_game", {"gameId": "dots"}), ("player_input", {"action": {"by": "far"}})], "INPUT-001"),
        ([("join_game", {"gameId": "dots"}), ("player_input", {"action": {"speed": 1}})], "INPUT-001"),
        ([("join_game", {"gameId": "dots"}), ("chat_message", {"text": "x" * 257})], "INPUT-004"),
    ],
)
def test_requests_in_vain_are_answered_and_disturb_nothing(
    client: Make, messages: list[tuple[str, dict[str, Any]]], code: str
) -> None:
    player = client()
    for kind, payload in messages:
        player.say(kind, **payload)
    assert player.errors == [code]
    assert player.closed is None
    player.say("heartbeat", timestamp=7)
    assert player.got("heartbeat")[0]["timestamp"] == 7


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"type":5}', b"nil", b'{"payload":{}}'])
def test_malformed_messages_are_answered(client: Make, raw: bytes) -> None:
    player = client()
    player.session.receive(raw)
    assert player.errors == ["WS-003"]
    assert player.closed is None


@pytest.mark.parametrize(
    "raw", [b"", b"\x01", b"\x01\xc1", b"\x02\x80", b"\x06\x90", b"\x07\x80", b"\x05" + b"\x91" * 600]
)
def test_malformed_binary_messages_are_answered(client: Make, raw: bytes) -> None:
    player = client(codec=BINARY)
    player.session.receive(raw)
    assert [kind for kind, _ in player.sent] == ["0x48"]
    assert b"WS-003" in player.sent[0][1]
    assert player.closed is None


def test_a_packed_input_before_joining_is_not_called_malformed(client: Make) -> None:
    player = client(codec=BINARY)
    player.session.receive(b"\x04\x12\x34\x01\x00\x00")
    assert b"GAME-003" in player.sent[0][1]


def test_who_keeps_talking_nonsense_is_sent_away(client: Make) -> None:
    player = client()
    for _ in range(50):
        player.session.receive(b"nonsense")
    assert player.closed is not None
    assert player.closed[0] == CloseCode.MALFORMED
    assert len(player.errors) <= 20


def test_heartbeats_carry_the_servers_time_and_go_out_at_once(client: Make) -> None:
    player = client()
    flushes = player.flushes
    player.say("heartbeat", timestamp=1.25)
    (reply,) = player.got("heartbeat")
    assert reply["timestamp"] == 1.25
    assert reply["serverTime"] > 1e12
    assert player.flushes == flushes + 1


class TestChat:
    def test_five_at_once_and_then_one_a_second(self, client: Make, clock: Clock) -> None:
        player = client()
        player.join("turns")
        for i in range(7):
            player.say("chat_message", text=str(i))
        assert [event["data"]["text"] for event in player.got("game_event")] == ["0", "1", "2", "3", "4"]
        assert player.errors == ["INPUT-005", "INPUT-005"]
        clock.run(3)
        player.say("chat_message", text="again")
        assert player.got("game_event")[-1]["data"]["text"] == "again"

    def test_a_flood_ends_the_connection(self, client: Make) -> None:
        player, other = client(), client()
        player.join("turns")
        other.join("turns")
        for _ in range(30):
            player.say("chat_message", text="!")
        assert player.closed is not None
        assert player.closed[0] == CloseCode.FLOODING
        assert other.closed is None
        assert len(other.got("game_event")) == 5

    def test_the_longest_text_is_let_through(self, client: Make) -> None:
        player = client(limits=Limits(chat_characters=10))
        player.join("turns")
        player.say("chat_message", text="🐒" * 10)
        player.say("chat_message", text="🐒" * 11)
        assert len(player.got("game_event")) == 1
        assert player.errors == ["INPUT-004"]


class TestInputs:
    def test_inputs_as_maps_reach_the_rules_with_the_next_tick(self, client: Make, clock: Clock) -> None:
        player = client()
        hosted = player.join("dots")
        player.say("player_input", action={"by": 3}, number=9, tick=1)
        clock.run(0.04)
        (dot,) = hosted.room.tables[0]
        assert dot.x == 3
        assert player.inputs_seen == [9]
        assert player.acknowledged == [(None, 1, 0)]
        assert [one.seen_tick for one in hosted.room.game.players] == [1]

    def test_actions_say_what_their_player_has_seen(self, client: Make) -> None:
        player = client()
        hosted = player.join("turns")
        shown = hosted.room.tick
        player.say("player_input", action={}, number=1, tick=shown)
        assert [one.seen_tick for one in hosted.room.game.players] == [shown]

    def test_twice_the_tick_rate_is_let_through_and_more_is_not(self, client: Make, clock: Clock) -> None:
        player = client()
        player.join("dots")
        for _ in range(101):
            player.say("player_input", action={"by": 0})
        assert player.errors == ["INPUT-003"]
        assert player.closed is None

    def test_a_flood_ends_the_connection(self, client: Make) -> None:
        player = client()
        player.join("turns")
        for _ in range(50):
            player.say("player_input", action={})
        assert player.closed is not None
        assert player.closed[0] == CloseCode.FLOODING

    def test_the_same_complaint_is_not_repeated_for_ever(self, client: Make, host: Host) -> None:
        player = client(limits=Limits(actions_per_second=100))
        player.join("turns")
        for _ in range(150):
            player.say("player_input", action={})
        assert host.metrics.errors["INPUT-003"] == 50
        assert len(player.errors) <= 10


def test_acknowledgements_go_to_the_link(client: Make) -> None:
    player = client()
    player.say("ack", epoch=3, tick=70, number=4)
    assert player.acknowledged == [(3, 70, 4)]


def test_nothing_is_heard_after_the_end(client: Make) -> None:
    player = client()
    hosted = player.join("turns")
    player.session.end(CloseCode.SILENT)
    player.session.end(CloseCode.TOO_SLOW)
    player.say("player_input", action={})
    player.session.lost(player, for_good=True)
    assert player.closed == (CloseCode.SILENT, CloseCode.SILENT.reason)
    assert hosted.room.game.dot.x == 0  # type: ignore[attr-defined]
    assert not hosted.room.members[player.session.id].player.connected


def test_ids_cannot_be_guessed(client: Make) -> None:
    ids = {client().session.id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(id) >= 22 for id in ids)
