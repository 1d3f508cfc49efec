"""The rules of one room: the game instance, and every call into it.

Knows what a game is given and what becomes of its errors: a `Refusal` is for the player who asked, anything
else is kept as the `HookError` that ends the room. Does not know seats, ticks or readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from monkeytown._core.state import Table
from monkeytown.chat import Chat
from monkeytown.errors import HookError, Refusal, TableFull
from monkeytown.game import Game
from monkeytown.player import Player, Players
from monkeytown.room.hooks import hook_error
from monkeytown.room.member import Member
from monkeytown.room.setup import Setup
from monkeytown.room.stage import RoomStage

__all__ = ["Rules"]

# A game's own exit() must not end the server either.
CAUGHT = (Exception, SystemExit)

# Hooks that answer one player, who can be told; so does on_input. Of on_create it is whoever asked for the room.
_REFUSING = ("on_create", "on_join", "on_message", "on_chat")


class Rules:
    """Calls hooks until one fails; after that it is not to be used any more."""

    def __init__(
        self,
        game_class: type[Game],
        stage: RoomStage,
        tables: dict[str, Table[Any]],
        players: Mapping[str, Player],
        *,
        room_id: str,
        seed: int,
        setup: Setup,
    ) -> None:
        self.failed: HookError | None = None
        self._stage = stage
        # All that a game is given is there before its own __init__, which need not call ours.
        self.game = game = game_class.__new__(game_class)
        for name, table in tables.items():
            game.__dict__[name] = table.row(0) if table.single else table
        game._stage = stage
        game.players = Players(players)
        game.random = Random(seed)
        game.room_id = room_id
        game.tick = 1
        game.mode = setup.mode
        game.options = dict(setup.options)
        if setup.max_players is not None:
            game.max_players = setup.max_players
        self.chat = game.chat = Chat(game_class.chat_history, lambda: stage.timers.now)
        self.takes_batches = game_class.on_inputs is not Game.on_inputs
        """Whether inputs go to `on_inputs`."""
        self.call("__init__")

    def set_time(self, time: float) -> None:
        self.game.time = self._stage.timers.now = time

    def call(self, hook: str, *arguments: object) -> Any:
        """Calls a hook; None if it fails. Lets a refusal through where there is somebody to refuse."""
        call: Callable[..., Any] = getattr(self.game, hook)
        try:
            return call(*arguments)
        except CAUGHT as error:
            if isinstance(error, Refusal) and hook in _REFUSING:
                raise
            if isinstance(error, TableFull) and hook == "on_join":
                raise Refusal(code="GAME-002") from error
            return self.fail(hook, call, error)

    def take_inputs(self, drained: Iterable[tuple[int, int, int, Any]], seats: Mapping[int, Member]) -> None:
        """Calls `on_input` for each input of somebody who is still here."""
        on_input = self.game.on_input
        kicks = self._stage.kicks
        for number, input_number, seen_tick, record in drained:
            member = seats.get(number)
            if member is None or member in kicks:
                continue
            member.input = input_number
            member.seen_tick = seen_tick or member.seen_tick
            try:
                on_input(member.player, record)
            except Refusal as refusal:
                self._stage.refuse(member, refusal)
            except CAUGHT as error:
                self.fail("on_input", on_input, error)
                return

    def run_timers(self) -> None:
        """Calls what is due at the time that is set."""
        timers = self._stage.timers
        while self.failed is None and (timer := timers.take_due()) is not None:
            try:
                timer.call()
            except CAUGHT as error:
                name = getattr(timer.what, "__name__", type(timer.what).__name__)
                self.fail(f"timer {name}", timer.what, error)
            timers.put_back(timer)

    def fail(self, hook: str, call: Callable[..., object], cause: BaseException) -> None:
        """The rules are not to be called any more."""
        self.failed = hook_error(
            game=type(self.game).__name__, hook=hook, room=self.game.room_id, call=call, cause=cause
        )
