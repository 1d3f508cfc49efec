"""Play a game in a test: no sockets, no clock, as many players as it takes.

    def test_a_monkey_that_runs_gets_out_of_breath():
        with play(Jungle, seed=1) as room:
            alice = room.join("Alice")
            alice.input(run=True)
            room.run(seconds=3)
            assert not alice.entity.running

Players see what a player sees: their tables are read from the frames that would be sent to them, so in a game whose
`view` is an area they hold what is around each. An error in a hook is raised in the test, at the line of the game that
made it.

Knows the room and the client's mirror of it; must not know connections or servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from monkeytown.client.mirror import Mirror
from monkeytown.errors import Refusal
from monkeytown.game import Game
from monkeytown.room.checkpoint import going_on, unpacked
from monkeytown.room.closing import Closing
from monkeytown.room.cursor import Cursor
from monkeytown.room.delayed import Delayed
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from monkeytown.room.setup import Setup

__all__ = ["Received", "TestedPlayer", "TestedRoom", "play"]


class Received(NamedTuple):
    """An event that reached a player."""

    event: str
    data: Any


def play(
    game_class: type[Game],
    *,
    seed: int = 0,
    max_players: int | None = None,
    mode: str = "",
    options: Mapping[str, Any] | None = None,
    saved: bytes | None = None,
) -> TestedRoom:
    """A room of a game, to be used in a `with` block. Raises `Refusal` if its rules do not want one like this.

    `saved` is the checkpoint of a room that goes on here, as if the server had been started anew; its players join again,
    in the same order, to be the same. Those who were put away with it (`checkpoint(members=True)`) are in `players` already.
    """
    return TestedRoom(game_class, seed, Setup(max_players, mode, options=options or {}), saved)


class TestedRoom:
    """A room whose time the test moves."""

    __test__ = False

    def __init__(self, game_class: type[Game], seed: int, setup: Setup, saved: bytes | None) -> None:
        checkpoint = None if saved is None else unpacked(saved)
        self._game_class = game_class
        self.room = Room(game_class, room_id="test", seed=seed, setup=setup, saved=checkpoint)
        self._past: dict[float, Delayed] = {}
        """The room as it was so many seconds ago, for those who are shown that."""
        self.players = [TestedPlayer(self, member) for member in self.room.members.values()]
        """Who is in the room."""
        self._joined = checkpoint.seats if checkpoint is not None and self.players else 0
        for player in self.players:
            self.room.introduce_all(player._member)
        self._raise()

    @property
    def game(self) -> Any:
        """The rules' own object, to look into and to set things up."""
        return self.room.game

    @property
    def time(self) -> float:
        """Seconds of game time."""
        return self.room.game.time

    @property
    def closed(self) -> Closing | None:
        """Why the room has ended; None while it goes on."""
        return self.room.closed

    def join(self, name: str | None = None) -> TestedPlayer:
        """A player comes in. Raises `Refusal` if they are turned away."""
        self._joined += 1
        while (id := f"player-{self._joined}") in self.room.members:
            self._joined += 1
        try:
            self.room.join(id, name)
        finally:
            self._raise()
        player = TestedPlayer(self, self.room.members[id])
        self.players.append(player)
        self._after_event()
        return player

    def checkpoint(self, *, members: bool = False) -> bytes:
        """The room as it is: `play(Game, saved=…)` goes on with it, and with its players if they are wanted in it."""
        return self.room.checkpoint(members=members)

    def fail_over(self) -> None:
        """The server that runs the room is gone, and another goes on with it: what `save` leaves out is lost, and so are
        timers and inputs that wait. Players stay in the room; `on_join` and `on_leave` are not called.
        """
        for player in self.players:
            player._take_events()
        saved = going_on(unpacked(self.room.checkpoint(members=True)))
        self.room = Room(self._game_class, room_id="test", saved=saved)
        self._past.clear()
        self._raise()
        self._send_away()  # whom `load` kicked
        for player in self.players:
            player._go_on()
        self._after_event()

    def step(self, ticks: int = 1) -> None:
        """Some ticks (in a game without ticks: versions of the state), each of which every player reads."""
        for _ in range(ticks):
            self.room.step()
            self._raise()
            for player in self.players:
                if player._member in self.room.reviewed:
                    player._look_anew()
            self.room.reviewed.clear()
            for past in self._past.values():
                past.follow()
            for player in self.players:
                player._read()
            self._send_away()

    def run(self, seconds: float) -> None:
        """Some game time: whole ticks, or in a game without ticks whatever timers are due."""
        if self.room.tick_rate:
            self.step(round(seconds * self.room.tick_rate))
            return
        self.room.advance(seconds)
        self._raise()
        self.step()

    def _as_it_was(self, delay: float) -> Delayed:
        """The room `delay` seconds ago, counted from when it was first asked for."""
        if delay not in self._past:
            self._past[delay] = Delayed(self.room, delay)
        return self._past[delay]

    def _send_away(self) -> None:
        """What a host does once all have read: those who were kicked are gone, and nobody waits to be notified."""
        reasons = {member.id: reason for member, reason in self.room.kicked}
        for player in self.players:
            player.kicked = reasons.get(player.id)
        self.players = [player for player in self.players if player.id in self.room.members]
        self.room.kicked.clear()
        self.room.notified.clear()

    def _after_event(self) -> None:
        """In a game without ticks every event makes a new version of the state; otherwise the next tick does."""
        self._raise()
        if not self.room.tick_rate:
            self.step()

    def _raise(self) -> None:
        closed = self.room.closed
        if closed is not None and closed.error is not None:
            raise closed.error

    def __enter__(self) -> TestedRoom:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.room.dispose()
        if kind is None:
            self._raise()


class TestedPlayer:
    """Somebody in the room, and what they have seen of it."""

    __test__ = False

    def __init__(self, stage: TestedRoom, member: Member) -> None:
        self._stage = stage
        self._member = member
        self._cursor = Cursor()
        self._look_anew()
        self._sent = member.input
        self.player: Any = member.player
        """The rules' own `Player`."""
        self.events: list[Received] = []
        """What the game has sent to this player, oldest first; chat among it."""
        self.errors: list[Refusal] = []
        """What this player was refused, and why the room has ended."""
        self.kicked: str | None = None
        """The reason for which the rules removed this player; None if they did not."""
        self.others: dict[str, str] = {}
        """The names of all in the room by id, as far as this player was told."""
        self.bytes_read = 0
        """How large the states were that this player has read."""

    @property
    def id(self) -> str:
        return self._member.id

    @property
    def name(self) -> str:
        return self._member.player.name

    @property
    def entity(self) -> Any:
        """The player's own entity as it sees it, its owner-only fields included; None if it has none."""
        return self._entity if self._entity is not None and self._entity.alive else None

    @property
    def tables(self) -> Tables:
        """The tables as the player sees them: `alice.tables.monkeys`."""
        return Tables(self._mirror)

    def input(self, **fields: Any) -> None:
        """Sends one input, for a game with an `input` class; fields that are not given have their defaults."""
        queue = self._stage.room.inputs
        if queue is None:
            raise TypeError(f"{self._stage.room.name} has no input class: use act()")
        self._sent += 1
        record = queue.layout.input_class(**fields)
        message = queue.layout.pack(record, self._sent, self._cursor.base or 0)
        queue.push_message(self._member.number, message)
        self._stage._after_event()

    def act(self, **action: Any) -> None:
        """Sends one map, for a game without an `input` class."""
        self._sent += 1
        self._stage.room.act(self.id, action, self._sent, self._cursor.base or 0)
        self._stage._after_event()
        self._take_events()

    def chat(self, text: str) -> None:
        self._stage.room.chat(self.id, text)
        self._stage._after_event()
        self._take_events()

    def drop(self) -> None:
        """The player's connection is lost; the seat is kept, for as long as the test likes."""
        self._stage.room.drop(self.id)
        self._stage._after_event()

    def resume(self) -> None:
        """The player is back, and has missed nothing."""
        self._stage.room.resume(self.id)
        self._stage._after_event()

    def leave(self) -> None:
        self._stage.room.leave(self.id)
        self._stage.players.remove(self)
        self._stage._after_event()

    def _go_on(self) -> None:
        """The same seat in another room."""
        self._member = self._stage.room.members[self.id]
        self.player = self._member.player
        if self._past is not None:
            self._look_anew()

    def _look_anew(self) -> None:
        """The room is described, and then shown from nothing: at first, and when the rules show it in another way."""
        delay = self._member.delay
        self._mirror = Mirror(self._stage.room.describe(self._member))
        self._cursor.position = None
        self._past = self._stage._as_it_was(delay) if delay else None
        self._entity: Any = None

    def _read(self) -> None:
        """Takes in a state, what is private, and the events, as a connection would deliver them."""
        base, before, past = self._cursor.base, self._cursor.position, self._past
        if past is None:
            self._cursor.view = self._member.view
            reading = self._cursor.read(self._stage.room)
        elif past.position is None:
            self._take_events()
            return
        else:
            reading = past.read(before)
            self._cursor.position = reading.position
        if reading.frame is not None:
            self._mirror.apply(reading.frame, before)
            self.bytes_read += len(reading.frame)
        if past is None:
            self._read_private(None if reading.is_snapshot else base)
        self._take_events()

    def _read_private(self, base: int | None) -> None:
        private = self._stage.room.private(self._member, base)
        if private is not None:
            told = self._mirror.read_private(private.message())
            if told.names_entity:
                self._entity = told.entity

    def _take_events(self) -> None:
        for type, payload in self._member.take_mail():
            self._take_event(type, msgspec.msgpack.decode(payload))

    def _take_event(self, type: str, payload: dict[str, Any]) -> None:
        if type == "game_event":
            self.events.append(Received(payload["event"], payload["data"]))
        elif type == "error":
            self.errors.append(Refusal(payload["message"], payload["code"]))
        elif type == "player_joined":
            self.others[payload["id"]] = payload["name"]
        else:
            self.others.pop(payload["playerId"], None)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Tables:
    """A player's tables by name; of a table declared by `singleton`, its one row."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def __getattr__(self, name: str) -> Any:
        table = self._mirror.tables.get(name)
        if table is None:
            raise AttributeError(f"there is no table {name}")
        return table.row(0) if table.single else table
