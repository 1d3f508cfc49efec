"""The rules' side: what a developer derives from.

Knows nothing of rooms beyond what `Stage` asks of one, nothing of connections or of the wire. Time here is
game time: it moves when the room is stepped, so tests can run hours of a game in a moment.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from inspect import iscoroutinefunction
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from monkeytown.errors import Refusal, SchemaError
from monkeytown.identity import Identity
from monkeytown.player import Player, Players, Stage, Timer
from monkeytown.views import AreaView, Everything, everything

if TYPE_CHECKING:
    from monkeytown._core.batch import Batch
    from monkeytown.chat import Chat
    from monkeytown.schema import Input

__all__ = ["BOARD_ORDERS", "HOOKS", "MAX_TICK_RATE", "Game"]

MAX_TICK_RATE = 1000
"""Ticks a second; the clock behind a room is not finer than a millisecond."""

BOARD_ORDERS = ("best", "lowest", "total")

HOOKS = (
    "on_auth",
    "on_create",
    "on_join",
    "on_input",
    "on_inputs",
    "on_message",
    "on_chat",
    "on_tick",
    "on_drop",
    "on_resume",
    "on_leave",
    "on_published",
    "on_dispose",
    "save",
    "load",
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Game:
    """The rules of a game. One instance runs one room.

    A game has tables (what everybody sees), an optional `input` class (what players send many times a
    second), and any of the hooks below. Hooks are plain functions and must not wait for anything. A hook that
    raises ends its room, with an error that names the line, except for `Refusal`, which tells one player that
    something cannot be done.
    """

    name: ClassVar[str]
    """What players join and the command line runs; the class's name in lower case unless set."""
    title: ClassVar[str]
    """What people read; the class's name unless set."""
    tick_rate: ClassVar[int] = 60
    """Ticks a second.

    0: no ticks; the state moves when a player or a timer does something, as in games of turns.
    """
    input: ClassVar[type[Input] | None] = None
    """The layout of what players send with `player_input`; None: any map, which goes to `on_message`."""
    view: ClassVar[AreaView | Everything | None] = None
    """What a player sees: None or `everything()`, or `area(radius, table, …)` for what is around its entity."""
    max_players: int = 0
    """How many may be in the room; 0: no limit. Whoever comes later plays in another room."""
    record: ClassVar[bool] = False
    """Whether every room of it is recorded, to be watched again."""
    seat_seconds: float | None = None
    """Seconds for which a player's seat is kept once its connection is lost; 0: not at all. None: as the server is set."""
    chat_history: ClassVar[int] = 50
    """Lines of chat that who joins gets to read, at most."""
    leaderboard: ClassVar[str] = "best"
    """What of a player's scores counts: "best" (the highest), "lowest", or "total" (their sum)."""

    players: Players
    """Who is in the room."""
    chat: Chat
    """What is said in the room: slow mode, who is muted, the last lines."""
    random: Random
    """The room's dice. The same seed and the same inputs give the same game: use no others."""
    room_id: str
    """Names this room on the server."""
    mode: str
    """What kind of game was asked for when the room was opened; empty if nobody said."""
    options: dict[str, Any]
    """What else was asked for: whatever the client put in, short text, numbers and truths under short names."""
    time: float = 0.0
    """Seconds of game time since the room began."""
    tick: int = 0
    """Counts the versions of the state; in hooks of a tick, the one that is being made."""

    _stage: Stage

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__dict__.get("name", cls.__name__.lower())
        cls.title = cls.__dict__.get("title", cls.__name__)
        _check_numbers(cls)
        for attribute, value in cls.__dict__.items():
            _check_hook(cls, attribute, value)
        _check_inputs(cls)
        if cls.load is not Game.load and cls.save is Game.save:
            raise SchemaError(f"{cls.__name__} has load and no save: there would be nothing to load")

    # Hooks

    @classmethod
    def on_auth(cls, token: str, /) -> Identity | Awaitable[Identity | None] | None:
        """Who a token stands for; None if it is refused. The only hook that may be `async`.

        Overridden by one of a server's games for tokens that are neither the server's own nor signed with its keys.
        """
        return None

    def on_create(self) -> None:
        """The room begins: spawn what is there before anybody comes.

        Raise `Refusal` if there can be no such room, as for an option that makes no sense.
        """

    def on_join(self, player: Player, /) -> None:
        """A player has come and is in `self.players`. Raise `Refusal` to turn them away."""

    def on_input(self, player: Player, input: Any, /) -> None:
        """A player has sent an `input`.

        Called before `on_tick`, in the order sent, a few times a tick at most.
        """

    def on_inputs(self, batch: Batch, /) -> None:
        """All inputs of this tick at once, as columns: instead of `on_input`, for games of hundreds.

        Called before `on_tick`, in ticks for which there are any.
        """

    def on_message(self, player: Player, action: dict[str, Any], /) -> None:
        """A player has sent a map, in a game without an `input` class.

        Its contents are whatever the client put in.
        """
        raise Refusal("This game takes no messages.")

    def on_chat(self, player: Player, text: str, /) -> str | None:
        """A player says something: return what everybody gets to read, or None to swallow it."""
        return text

    def on_tick(self, dt: float, /) -> None:
        """Moves the game by `dt` seconds, which is always 1 / tick_rate. Not called when tick_rate is 0."""

    def on_drop(self, player: Player, /) -> None:
        """A player's connection is lost; the player stays in `self.players`, and may be back in a moment."""

    def on_resume(self, player: Player, /) -> None:
        """A player whose connection was lost is back."""

    def on_leave(self, player: Player, /) -> None:
        """A player has left, or did not come back in time, and is no longer in `self.players`.

        Unless overridden, this despawns the player's entity.
        """
        entity = player.entity
        if entity is not None and entity.alive:
            entity.table.despawn(entity)

    def on_published(self, topic: str, event: str, data: Any, /) -> None:
        """Another room has published something to a topic that this one has subscribed to."""

    def on_dispose(self) -> None:
        """The room ends."""

    def save(self) -> Any:
        """What `load` needs beside the tables: anything JSON can hold, of at most a megabyte. It must not change the game.

        A game that overrides this is kept: a server that stops, or that is killed, opens its rooms again when it is
        next started in the same data folder, or another server goes on with them. Tables, chat, dice, time and tick need
        no help.
        """
        return None

    def load(self, saved: Any) -> None:
        """A room is brought back: called instead of `on_create`, once its tables are as they were.

        `saved` is what `save` returned. After a restart nobody is in the room: its players come back by `on_join`, under
        the same ids if they have tokens, and rows that were theirs belong to nobody. When another server goes on with the
        room, its players are in `self.players` already, with what is theirs, and no other hook is called. Timers are gone,
        and so are the game's own attributes of players and rows; make them anew here.
        """

    # What rules may do

    def broadcast(self, event: str, data: object = None) -> None:
        """Sends an event to all players; it arrives in order and is not lost.

        `data` is anything MessagePack can hold.
        """
        self._stage.broadcast(event, data)

    def emit(self, event: str, data: object = None) -> None:
        """Tells all players of an event, as `broadcast` does, and keeps it in the game's history.

        `data` is anything JSON can hold.
        """
        self._stage.emit(event, data)

    def publish(self, topic: str, event: str, data: object = None) -> None:
        """Tells all other rooms that have subscribed to a topic, wherever they are: their `on_published` is called.

        `data` is anything MessagePack can hold. It arrives at most once.
        """
        self._stage.publish(topic, event, data)

    def subscribe(self, topic: str) -> None:
        """From now on `on_published` is called for what other rooms publish to this topic, of at most 128 characters."""
        self._stage.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """No longer."""
        self._stage.unsubscribe(topic)

    def tell(self, player_id: str, event: str, data: object = None) -> None:
        """Sends an event to the player of an id, in whatever room and on whatever instance they are now.

        Nothing happens if they are not connected.
        """
        self._stage.tell(player_id, event, data)

    def score(self, player: Player, points: float) -> None:
        """Keeps a score of a player for the game's leaderboard, which counts it as `leaderboard` says."""
        self._stage.score(player, points)

    def finish(self, result: object = None) -> None:
        """Keeps how the game ended: anything JSON can hold. The room goes on, and may finish again after another round."""
        self._stage.finish(result)

    def after(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Calls once, `seconds` of game time from now; at the earliest in the next tick."""
        return self._stage.after(seconds, call)

    def every(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Calls each `seconds` of game time, the first time that long from now."""
        return self._stage.every(seconds, call)

    def close(self, reason: str = "") -> None:
        """Ends the room, as soon as the hook that calls this returns. Players are told the reason."""
        self._stage.close(reason)


def _check_numbers(cls: type[Game]) -> None:
    if not isinstance(cls.name, str) or not _NAME.fullmatch(cls.name):
        raise SchemaError(f"{cls.__name__}.name is {cls.name!r}: use up to 64 letters, digits, - and _")
    if type(cls.tick_rate) is not int or not 0 <= cls.tick_rate <= MAX_TICK_RATE:
        raise SchemaError(
            f"{cls.__name__}.tick_rate is {cls.tick_rate!r}: use a whole number from 0 to {MAX_TICK_RATE}"
        )
    if not (cls.view is None or isinstance(cls.view, AreaView) or cls.view == everything()):
        raise SchemaError(
            f"{cls.__name__}.view is {cls.view!r}: use area(radius, table, …), everything() or None"
        )
    if type(cls.max_players) is not int or cls.max_players < 0:
        raise SchemaError(
            f"{cls.__name__}.max_players is {cls.max_players!r}: use a whole number, 0 for no limit"
        )
    if type(cls.record) is not bool:
        raise SchemaError(f"{cls.__name__}.record is {cls.record!r}: use True or False")
    if type(cls.chat_history) is not int or cls.chat_history < 0:
        raise SchemaError(
            f"{cls.__name__}.chat_history is {cls.chat_history!r}: use a whole number from 0 on"
        )
    if cls.leaderboard not in BOARD_ORDERS:
        raise SchemaError(
            f"{cls.__name__}.leaderboard is {cls.leaderboard!r}: use {', '.join(BOARD_ORDERS[:-1])} or {BOARD_ORDERS[-1]}"
        )
    seconds = cls.seat_seconds
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0
    ):
        raise SchemaError(f"{cls.__name__}.seat_seconds is {seconds!r}: use seconds from 0 on, or None")


def _check_inputs(cls: type[Game]) -> None:
    if cls.on_inputs is Game.on_inputs:
        return
    if cls.on_input is not Game.on_input:
        raise SchemaError(f"{cls.__name__} has on_input and on_inputs: a game has one of them")
    if cls.input is None:
        raise SchemaError(f"{cls.__name__}.on_inputs needs an input class")


def _check_hook(cls: type[Game], attribute: str, value: object) -> None:
    """A hook that would never be called is told of when the class is made, not wondered about later."""
    if attribute == "on_auth":
        if not isinstance(value, classmethod | staticmethod):
            raise SchemaError(
                f"{cls.__name__}.on_auth is called before there is a room: make it a classmethod"
            )
    elif attribute in HOOKS:
        if iscoroutinefunction(value):
            raise SchemaError(
                f"{cls.__name__}.{attribute} is async: hooks are plain functions, nothing may wait in a tick"
            )
    elif attribute.startswith("on_") and callable(value):
        for hook in get_close_matches(attribute, HOOKS, n=1, cutoff=0.8):
            raise SchemaError(f"{cls.__name__}.{attribute} is not a hook: did you mean {hook}?")
