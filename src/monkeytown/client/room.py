"""One room as a client sees it: its tables, its players, its events, and what a player may do in it.

Pure: takes in messages and hands bytes to the `Voice` that it was given. It must not know whether there is a connection
at the moment; after a loss `connection` goes on with the room as it is, or swaps its content under it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from monkeytown._core.inputs import Layout
from monkeytown._core.state import Table
from monkeytown.client import messages
from monkeytown.client.events import Emitter
from monkeytown.client.mirror import Mirror, input_layout
from monkeytown.errors import WireError
from monkeytown.position import Position
from monkeytown.protocol.messages import (
    ChatMessage,
    GameEvent,
    LeaveGame,
    PlayerJoined,
    PlayerLeft,
    Schema,
)

__all__ = ["MirrorSource", "Player", "Room", "State", "Voice"]

MirrorSource = Callable[[dict[str, Any]], Mirror]
"""Makes (or finds) the mirror for a room of this schema."""

Say = Callable[[bytes], bool]


class Voice(NamedTuple):
    """How a room speaks; each is told a message and says whether it went out.

    `now` sends at once or not at all, for what is of no use later. `surely` keeps the message until the server has it.
    """

    now: Say
    surely: Say


LINES_KEPT = 50  # of chat
BUILT_IN = frozenset(
    {
        "state",
        "chat",
        "player_joined",
        "player_left",
        "event",
        "error",
        "reconnecting",
        "reconnected",
        "close",
    }
)


class Player(NamedTuple):
    """Somebody in the room."""

    id: str
    name: str


class State(NamedTuple):
    """A `game_state` that was applied: the tables are new."""

    tick: int
    snapshot: bool
    size: int


class Room(Emitter):
    """A room that this client is in. Made by `Client.join`.

    Events: `state` (State), `chat` (a map of playerId, name and text), `player_joined` and `player_left` (Player),
    `event` (a map of event and data: everything the game sends), every event of the game under its own name with its
    data, `error` (Refusal), `reconnecting`, `reconnected`, `close`.
    """

    def __init__(self, schema: Schema, voice: Voice, mirrors: MirrorSource) -> None:
        super().__init__()
        self._voice = voice
        self._mirrors = mirrors
        self.open = True
        self.received = 0
        self.load(schema)

    def load(self, schema: Schema) -> None:
        """Begin anew with a room: the first time, and when a loss of the connection has cost the seat in it."""
        self.look_anew(schema)
        self.enter()

    def enter(self) -> None:
        """Begin anew with who is there, and with the count of inputs."""
        self.players: dict[str, Player] = {}
        self.chat_lines: list[dict[str, Any]] = []
        """What was said last, also before the player came; oldest first."""
        self.inputs_sent = 0
        self.input_seen = 0

    def look_anew(self, schema: Schema) -> None:
        """Being in a room, begin anew with its tables: the game shows another part of it from now on."""
        self.id = schema.game_id
        self.game = schema.game
        self.tick_rate = schema.tick_rate
        self.schema: dict[str, Any] = msgspec.to_builtins(schema)
        self.mirror = self._mirrors(self.schema)
        self.layout: Layout | None = input_layout(self.schema)
        self.position: Position | None = None
        self._own: tuple[Table[Any], int] | None = None

    @property
    def entity(self) -> Any:
        """This player's own entity, or None. Looked up by its id: a snapshot makes every row anew."""
        return None if self._own is None else self._own[0].get(self._own[1])

    @property
    def tables(self) -> dict[str, Table[Any]]:
        """The room's tables by name, with what this player sees of them.

        Read them; what you write is overwritten by the next state. When the game shows the player the room in another
        way, the tables are others.
        """
        return self.mirror.tables

    @property
    def tick(self) -> int:
        """The tick of the newest state here."""
        return self.position.tick if self.position else 0

    @property
    def epoch(self) -> int:
        """The history that the tick counts in."""
        return self.position.epoch if self.position else 0

    def input(self, fields: Mapping[str, Any] | None = None, **more: Any) -> int:
        """Send an input: fields of the game's input class, or any map if it has none.

        Returns the input's number. Of a game with an input class it is 0 while the connection is away: then it is dropped,
        since an old input is of no use. A map is kept until the server has it; 0 only if too much waits already. Raises
        Refusal if it holds what a server would not read.
        """
        if not self.open:
            return 0
        action = {**(fields or {}), **more}
        number = self.inputs_sent + 1
        if self.layout is None:
            sent = self._voice.surely(messages.encode_action(action))
        else:
            sent = self._voice.now(self.layout.pack(self.layout.input_class(**action), number, self.tick))
        if not sent:
            return 0
        self.inputs_sent = number
        return number

    def chat(self, text: str) -> bool:
        """Say something to everyone in the room. It is kept until the server has it; False if too much waits already."""
        return self.open and self._voice.surely(messages.encode(ChatMessage(text)))

    def leave(self) -> None:
        """Leave for good; the connection stays."""
        if self.open:
            self.open = False
            self._voice.now(messages.encode(LeaveGame()))

    # ---- what comes in ----

    def receive(self, message: messages.Message) -> None:
        """Take in one message of the server and tell the listeners."""
        payload = message.payload
        if message.type == "game_state":
            self._receive_state(payload)
        elif message.type == "private":
            self._receive_private(payload)
        elif isinstance(payload, PlayerJoined):
            player = self.players[payload.id] = Player(payload.id, payload.name)
            self.emit("player_joined", player)
        elif isinstance(payload, PlayerLeft):
            gone = self.players.pop(payload.player_id, None)
            if gone is not None:
                self.emit("player_left", gone)
        elif isinstance(payload, GameEvent):
            self._receive_event(payload)

    def _receive_state(self, frame: bytes) -> None:
        try:
            applied = self.mirror.apply(frame, self.position)
        except WireError:
            self.position = None  # what the tables hold now is not known, so nothing may go on from here
            raise
        self.position = applied.position
        self.emit("state", State(applied.position.tick, applied.snapshot, len(frame)))

    def _receive_private(self, message: bytes) -> None:
        private = self.mirror.read_private(message)
        if private.input_seen is not None:
            self.input_seen = private.input_seen
        if private.names_entity:
            entity = private.entity
            self._own = None if entity is None else (entity.table, entity.id)

    def _receive_event(self, event: GameEvent) -> None:
        if event.event == "chat_history" and isinstance(event.data, list):
            self.chat_lines = event.data
        elif event.event == "chat":
            self.chat_lines = [*self.chat_lines, event.data][-LINES_KEPT:]
        self.emit("event", {"event": event.event, "data": event.data})
        if event.event == "chat" or event.event not in BUILT_IN:
            self.emit(event.event, event.data)
