"""Every message but the state, as a typed class; the wire's names (`gameId`) are the platform's own.

Knows shapes and nothing of bytes: `monkeytown.protocol.codec` turns these into either encoding and back. What
a client sends is validated into one of these classes before any other code sees it.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from monkeytown.errors import Refusal

__all__ = [
    "FROM_CLIENT",
    "FROM_SERVER",
    "Ack",
    "ChatMessage",
    "ClientMessage",
    "Close",
    "Error",
    "GameEvent",
    "Heartbeat",
    "HeartbeatReply",
    "Hello",
    "JoinGame",
    "LeaveGame",
    "Numbered",
    "PlayerInput",
    "PlayerJoined",
    "PlayerLeft",
    "Poll",
    "Resume",
    "Schema",
    "ServerMessage",
    "Welcome",
]

Text: TypeAlias = Annotated[str, Meta(max_length=4096)]
"""Bounded again by whoever gives it a meaning; here only by the largest message."""

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Tick: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Message(Struct, rename="camel"):
    """What all messages share: the names of their keys."""


class Resume(Message):
    """What a client has of a session that it comes back to. Without a state the last three are left out."""

    session: Annotated[str, Meta(max_length=256)]
    number: Count = 0
    game_id: Text | None = None
    epoch: Count | None = None
    tick: Tick | None = None


class Hello(Message):
    name: Text | None = None
    token: Text | None = None
    resume: Resume | None = None


class JoinGame(Message):
    game_id: Annotated[str, Meta(min_length=1, max_length=128)]


class LeaveGame(Message):
    pass


class PlayerInput(Message):
    """`number` and `tick` stand outside the action: 0 where the client does not count or acknowledge."""

    action: dict[str, Any]
    number: Count = 0
    tick: Tick = 0


class ChatMessage(Message):
    text: Text


class Heartbeat(Message):
    timestamp: int | float


class Ack(Message):
    """The newest state applied and the newest numbered message read."""

    epoch: Count
    tick: Tick
    number: Count = 0


class Numbered(Message):
    """A message that the client sends until it hears that it was taken. One that makes no sense is taken as well."""

    number: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    message: ChatMessage | PlayerInput | JoinGame | LeaveGame | Refusal


class Poll(Message):
    """What a request of a polling client begins with: it has the answers up to `heard`, and waits for `wait` seconds."""

    session: Annotated[str, Meta(max_length=256)]
    number: Count
    heard: Count = 0
    wait: Annotated[float, Meta(ge=0)] = 0.0


class Welcome(Message, omit_defaults=True):
    """From `recovered` on only where the client has asked to resume."""

    player_id: str
    name: str
    server: str
    session: str = ""
    recovered: bool | None = None
    resumed: str | None = None
    received: int = 0
    number: int = 0
    game_id: str | None = None


class Schema(Message):
    """docs/reference/wire.md, section 3; `tables`, `input` and `area` as `Schema.describe()` has them."""

    game_id: str
    game: str
    tick_rate: int
    hash: int
    tables: list[dict[str, Any]]
    input: dict[str, Any] | None
    area: dict[str, Any] | None = None


class PlayerJoined(Message):
    id: str
    name: str


class PlayerLeft(Message):
    player_id: str


class GameEvent(Message):
    event: str
    data: Any = None


class Error(Message):
    code: str
    message: str


class HeartbeatReply(Message):
    timestamp: int | float
    server_time: float
    received: int = 0


class Close(Message):
    """The end of a polling connection: what a WebSocket says by its close code."""

    code: int
    reason: str


ClientMessage: TypeAlias = (
    Hello | JoinGame | LeaveGame | PlayerInput | ChatMessage | Heartbeat | Ack | Numbered | Poll
)
ServerMessage: TypeAlias = (
    Welcome | Schema | PlayerJoined | PlayerLeft | GameEvent | Error | HeartbeatReply | Close
)

# docs/reference/wire.md, section 2: the name of a message, its kind, and the class that holds it.
FROM_CLIENT: dict[str, tuple[int, type[ClientMessage]]] = {
    "hello": (0x01, Hello),
    "join_game": (0x02, JoinGame),
    "leave_game": (0x03, LeaveGame),
    "player_input": (0x04, PlayerInput),
    "chat_message": (0x05, ChatMessage),
    "heartbeat": (0x06, Heartbeat),
    "ack": (0x07, Ack),
    "numbered": (0x08, Numbered),
    "poll": (0x09, Poll),
}
FROM_SERVER: dict[str, tuple[int, type[ServerMessage]]] = {
    "welcome": (0x41, Welcome),
    "schema": (0x42, Schema),
    "player_joined": (0x45, PlayerJoined),
    "player_left": (0x46, PlayerLeft),
    "game_event": (0x47, GameEvent),
    "error": (0x48, Error),
    "heartbeat": (0x49, HeartbeatReply),
    "close": (0x4A, Close),
}
