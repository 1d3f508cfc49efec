"""A room takes in what the server sends and hands out what the player does, connection or not."""

from typing import Any

import msgspec
import pytest

from monkeytown.client import messages
from monkeytown.client.mirror import Mirror
from monkeytown.client.room import Player, Room, State, Voice
from monkeytown.errors import WireError
from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.messages import (
    ChatMessage,
    GameEvent,
    LeaveGame,
    PlayerInput,
    PlayerJoined,
    PlayerLeft,
    Schema,
)
from tests.client.arena import EPOCH, Arena


class Server:
    """What the room is connected to: keeps what was sent, and may be away."""

    def __init__(self) -> None:
        self.arena = Arena()
        self.arena.tables["monkeys"].spawn(name="Ada")
        self.arena.commit()
        self.sent: list[bytes] = []
        self.kept: list[bytes] = []
        self.away = False
        self.full = False
        self.heard: list[tuple[str, Any]] = []

    def send(self, data: bytes) -> bool:
        if not self.away:
            self.sent.append(data)
        return not self.away

    def send_surely(self, data: bytes) -> bool:
        if not self.full:
            self.kept.append(data)
        return not self.full

    def room(self, **changes: Any) -> Room:
        voice = Voice(self.send, self.send_surely)
        room = Room(msgspec.convert({**self.arena.description, **changes}, Schema), voice, Mirror)
        for event in ("state", "chat", "player_joined", "player_left", "event", "error", "boom"):
            room.on(event, lambda data, event=event: self.heard.append((event, data)))
        return room


def tell(room: Room, kind: str, payload: Any, number: int = 1) -> None:
    room.receive(messages.decode(BINARY.encode(kind, payload, number)))


def test_states_bring_the_tables_up_to_date():
    server = Server()
    room, frame = server.room(), server.arena.snapshot()
    assert (room.tick, room.epoch, room.game, room.tick_rate) == (0, 0, "arena", 60)
    room.receive(messages.decode(frame))
    assert (room.tick, room.epoch) == (1, EPOCH)
    assert [monkey.name for monkey in room.tables["monkeys"]] == ["Ada"]
    assert server.heard == [("state", State(1, True, len(frame)))]


def test_private_messages_name_the_players_entity():
    server = Server()
    room = server.room()
    room.receive(messages.decode(server.arena.snapshot()))
    (own,) = server.arena.tables["monkeys"]
    room.receive(messages.decode(server.arena.private(1, None, seen=5, entity=own.id)))
    assert (room.input_seen, room.entity.name) == (5, "Ada")
    room.receive(messages.decode(server.arena.private(1, 1, seen=6)))
    assert (room.input_seen, room.entity.name) == (6, "Ada")
    room.receive(messages.decode(server.arena.private(1, 1, seen=6, entity=0)))
    assert room.entity is None


def test_players_come_and_go():
    server = Server()
    room = server.room()
    tell(room, "player_joined", PlayerJoined("p1", "Ada"))
    tell(room, "player_joined", PlayerJoined("p2", "Bo"))
    tell(room, "player_left", PlayerLeft("p1"))
    tell(room, "player_left", PlayerLeft("p9"))
    ada, bo = Player("p1", "Ada"), Player("p2", "Bo")
    assert room.players == {"p2": bo}
    assert server.heard == [("player_joined", ada), ("player_joined", bo), ("player_left", ada)]


def test_events_arrive_under_their_own_name_unless_it_is_taken():
    server = Server()
    room = server.room()
    tell(room, "game_event", GameEvent("boom", 3))
    tell(room, "game_event", GameEvent("chat", {"text": "hi"}))
    tell(room, "game_event", GameEvent("state", 1))
    assert server.heard == [
        ("event", {"event": "boom", "data": 3}),
        ("boom", 3),
        ("event", {"event": "chat", "data": {"text": "hi"}}),
        ("chat", {"text": "hi"}),
        ("event", {"event": "state", "data": 1}),
    ]


def test_inputs_are_packed_numbered_and_acknowledge_the_newest_state():
    server = Server()
    room = server.room()
    room.receive(messages.decode(server.arena.snapshot()))
    assert [room.input(turn=-1), room.input({"turn": 1}, run=True)] == [1, 2]
    assert room.layout is not None
    number, tick, steer = room.layout.parse(server.sent[1])
    assert (number, tick, steer.turn, steer.run) == (2, 1, 1, True)


def test_an_input_while_the_connection_is_away_is_dropped():
    server = Server()
    room = server.room()
    server.away = True
    assert room.input(turn=1) == 0
    server.away = False
    assert room.input(turn=1) == 1


def test_a_game_without_an_input_class_is_sent_maps_that_are_kept():
    server = Server()
    room = server.room(input=None)
    server.away = True
    assert room.input({"cell": 4}) == 1
    server.full = True
    assert room.input({"cell": 5}) == 0
    server.full = False
    assert room.input(cell=6) == 2
    assert [BINARY.decode(data) for data in server.kept] == [
        PlayerInput({"cell": 4}),
        PlayerInput({"cell": 6}),
    ]
    assert server.sent == []


def test_the_last_lines_of_chat_are_there():
    server = Server()
    room = server.room()
    assert room.chat_lines == []
    tell(room, "game_event", GameEvent("chat_history", [{"text": "before"}]))
    for number in range(60):
        tell(room, "game_event", GameEvent("chat", {"text": str(number)}))
    assert [line["text"] for line in room.chat_lines] == [str(number) for number in range(10, 60)]
    tell(room, "game_event", GameEvent("chat_history", [{"text": "anew"}]))
    assert [line["text"] for line in room.chat_lines] == ["anew"]


def test_chat_and_leaving():
    server = Server()
    room = server.room()
    assert room.chat("hello")
    server.full = True
    assert not room.chat("too much")
    room.leave()
    room.leave()
    assert [BINARY.decode(data) for data in server.kept] == [ChatMessage("hello")]
    assert [BINARY.decode(data) for data in server.sent] == [LeaveGame()]
    assert not room.open


def test_a_room_that_was_left_says_nothing_more():
    server = Server()
    room = server.room()
    room.leave()
    assert (room.chat("anybody?"), room.input(turn=1)) == (False, 0)
    assert (server.kept, len(server.sent)) == ([], 1)


def test_after_a_state_that_does_not_fit_nothing_goes_on_from_there():
    server = Server()
    room = server.room()
    room.receive(messages.decode(server.arena.snapshot()))
    server.arena.commit()
    server.arena.commit()
    with pytest.raises(WireError):
        room.receive(messages.decode(server.arena.delta(2)))
    assert room.position is None


def test_a_room_that_is_shown_in_another_way_begins_anew_with_its_tables_alone():
    server = Server()
    room = server.room()
    room.receive(messages.decode(server.arena.snapshot()))
    tell(room, "player_joined", PlayerJoined("1", "Ada"))
    room.receive(messages.decode(server.arena.private(0, None, seen=3, entity=1 << 20)))
    assert (room.input(turn=1), room.entity.name) == (1, "Ada")
    before = room.tables
    room.look_anew(msgspec.convert({**server.arena.description, "hash": 7}, Schema))
    assert (room.tick, room.entity, room.schema["hash"]) == (0, None, 7)
    assert room.tables is not before
    assert (list(room.players), room.input_seen, room.input(turn=1)) == (["1"], 3, 2)
    room.receive(messages.decode(server.arena.snapshot()))
    assert [monkey.name for monkey in room.tables["monkeys"]] == ["Ada"]
