"""The room: one game being played. Rules on one side, whoever reads on the other, tables between them.

A tick is: inputs in order, timers and `on_tick`, commit. Nothing in it waits. The room does not know who
reads it, what time it is, or how long a tick may take; its host calls `step()` and sends what `read()` gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monkeytown._core import state, values
from monkeytown._core.area import Area
from monkeytown._core.timing import COMMIT, ON_INPUT, ON_TICK, TIMERS, Stopwatch
from monkeytown.errors import ERROR_CODES, FieldError, Refusal
from monkeytown.game import Game
from monkeytown.player import Player
from monkeytown.room.checkpoint import Checkpoint, bring_back, packed, restore_tables, take
from monkeytown.room.closing import HANDED_OVER, PUT_AWAY, ROOM_CLOSED, ROOM_FAILED, Closing
from monkeytown.room.inputs import hand_over, queue_for, record
from monkeytown.room.keeping import Keeping
from monkeytown.room.mail import News
from monkeytown.room.member import Member
from monkeytown.room.reading import Reader
from monkeytown.room.ruled import RuledRoom
from monkeytown.room.rules import Rules
from monkeytown.room.seating import Seating
from monkeytown.room.setup import AS_EVER, Setup
from monkeytown.room.stage import RoomStage
from monkeytown.schema import Schema

__all__ = ["Room"]


class Room(RuledRoom):
    """One room of a game. Its first version is committed once `on_create` has run.

    One that was put away (`saved`) goes on in the tick and epoch where it was, with its members if they were put away as
    well. Raises `SchemaError` or `WireError` if it cannot.
    """

    def __init__(
        self,
        game_class: type[Game],
        *,
        room_id: str,
        epoch: int = 1,
        seed: int = 0,
        setup: Setup = AS_EVER,
        stopwatch: Stopwatch | None = None,
        saved: Checkpoint | None = None,
    ) -> None:
        self.id = room_id
        self.setup = setup = setup if saved is None else saved.setup
        self.name = game_class.name
        self.tick_rate = game_class.tick_rate
        self.schema = Schema.of(game_class)
        self.closed: Closing | None = None
        """Set when the room has ended: it is not stepped any more, and its players are to be sent away."""
        self.kicked: list[tuple[Member, str]] = []
        """Whom the rules removed, with the reason, since the host last cleared this."""
        self.touched: set[Member] = set()
        """For whom `private` has something new since the last tick."""
        self.inputs = queue_for(self.schema)
        """Packed inputs, pushed by whoever receives them; None for a game without an `input` class."""
        tables = self.schema.build()
        if saved is not None:
            restore_tables(self.schema, tables, self.name, saved)
        self.tables = tuple(tables.values())
        self.has_private = any(table.has_private for table in self.tables)
        """Whether some rows have something that only their owners see."""
        self.area: Area | None = self.schema.divide(tables)
        """What its players see a part of; None if all see all."""
        self._reader = Reader(room_id, self.tables, epoch, self.area)
        self._steps = 0 if saved is None else saved.steps
        self._stage = RoomStage(has_ticks=self.tick_rate > 0, leaderboard=game_class.leaderboard)
        self.listeners: list[Callable[[News], object]] = self._stage.listeners
        """Are told what everybody is told, as it is told; they must neither raise nor wait."""
        self.notified: set[Member] = self._stage.notified
        """Who got mail since the host last cleared this."""
        self.reviewed: set[Member] = self._stage.reviewed
        """Whose view is another kind of view since the host last cleared this: to them the room is to be described anew."""
        self._seating = Seating(self._stage, self.area)
        self._disposed = False
        self._lap = None if stopwatch is None else stopwatch.lap
        self._rules = Rules(
            game_class,
            self._stage,
            tables,
            self._seating.players,
            room_id=room_id,
            seed=seed,
            setup=setup,
        )
        self.keeping = Keeping(self._stage, self._rules)
        """What is to be kept of the room."""
        if saved is not None:
            bring_back(saved, self.tables, self._rules, self._stage, self._seating, self._reader)
        elif self._rules.failed is None:
            self._rules.call("on_create")
        self._settle()
        if self.closed is None and saved is None:
            self._commit()

    @property
    def game(self) -> Game:
        """The rules' own object."""
        return self._rules.game

    # Players

    @property
    def members(self) -> dict[str, Member]:
        """Everybody in the room by id, in the order in which they joined. To be read only."""
        return self._stage.members

    @property
    def is_full(self) -> bool:
        return 0 < self.game.max_players <= len(self.members)

    def join(
        self, player_id: str, name: str | None = None, *, guest: bool = True, data: bytes | None = None
    ) -> Player:
        """Seats a player, whose document is `data`, a JSON object; None if it is not to be kept.

        Raises `Refusal` when there is no seat or the rules turn them away; they leave no trace then.
        """
        self._still_open()
        if player_id in self.members:
            raise Refusal(code="GAME-004")
        if self.is_full:
            raise Refusal(code="GAME-002")
        member = self._seating.seat(player_id, name)
        self.keeping.begin(member, guest=guest, data=data)
        self._stage.hold()
        try:
            self._rules.call("on_join", member.player)
            if self._rules.failed is not None:
                raise Refusal(code="GAME-005")
            if member in self._stage.kicks:
                raise Refusal(self._stage.kicks[member])
        except Refusal:
            self._seating.unseat(member)
            self._stage.forget(member)
            self.keeping.undo()
            self._settle()
            raise
        self._stage.announce(member)
        self.keeping.remind(member)
        self._stage.release()
        self._stage.reviewed.discard(member)  # nothing has been described to it yet
        self._settle()
        return member.player

    def leave(self, player_id: str) -> None:
        """A player is gone. Nothing happens if they already were, or if the room is handed over."""
        if self.closed is not HANDED_OVER and (member := self.members.get(player_id)) is not None:
            self._remove(member)
            self._settle()

    def drop(self, player_id: str) -> None:
        """A player's connection is lost. The seat and all that is on it stay."""
        self._connect(player_id, False, "on_drop")

    def resume(self, player_id: str) -> None:
        """A player whose connection was lost has another one."""
        self._connect(player_id, True, "on_resume")

    def _connect(self, player_id: str, connected: bool, hook: str) -> None:
        member = self.members.get(player_id)
        if member is None or self.closed is not None or member.player.connected is connected:
            return
        member.player.connected = connected
        self._rules.call(hook, member.player)
        self.keeping.document(member)
        self._settle()

    def introduce_all(self, member: Member) -> None:
        """A member hears of everybody anew, itself included."""
        self._stage.introduce_all(member)

    def chat(self, player_id: str, text: str) -> None:
        """A player says something; nothing, if it is blank. Raises `Refusal` only if they are not here."""
        member = self._present(player_id)
        text = text.strip()
        if not text:
            return
        self.keeping.say(member, text)
        self._settle()

    def act(self, player_id: str, action: dict[str, Any], number: int = 0, seen_tick: int = 0) -> None:
        """A player does something that came as a map: it goes to `on_message`, or as an `input` into the next
        tick. `seen_tick` is the newest that they had applied when they did it; 0: they did not say.

        Raises `Refusal` if they are not here or the map is not an input of this game.
        """
        member = self._present(player_id)
        if self.inputs is not None:
            self.inputs.put(member.number, number, record(self.schema, action), seen_tick)
            return
        member.input = number
        member.seen_tick = seen_tick or member.seen_tick
        try:
            self._rules.call("on_message", member.player, action)
        except Refusal as refusal:
            self._stage.refuse(member, refusal)
        self._settle()

    def _remove(self, member: Member) -> None:
        self._seating.unseat(member)
        self._stage.forget(member)
        self.touched.discard(member)
        if self.closed is not None:
            return
        self._stage.post("player_left", {"playerId": member.id})
        self._rules.call("on_leave", member.player)
        self.keeping.left(member)
        entity = member.player.entity
        if entity is not None and entity.owner == member.number:
            entity.owner = 0

    def _present(self, player_id: str) -> Member:
        self._still_open()
        member = self.members.get(player_id)
        if member is None:
            raise Refusal(code="GAME-003")
        return member

    def _still_open(self) -> None:
        if self.closed is not None:
            raise Refusal(code="GAME-006")

    # Time

    def step(self) -> None:
        """One tick, or, when tick_rate is 0, one new version of the state: to be called after each event."""
        if self.closed is not None:
            return
        rules, stage, lap = self._rules, self._stage, self._lap
        if self.tick_rate:
            self._steps += 1
            rules.set_time(self._steps / self.tick_rate)
        if self.inputs is not None:
            hand_over(self.inputs, rules, self._seating, stage.kicks)
            if lap is not None:
                lap(ON_INPUT)
        if self.tick_rate:
            if stage.timers.earliest <= rules.game.time:
                rules.run_timers()
                if lap is not None:
                    lap(TIMERS)
            if rules.failed is None:
                rules.call("on_tick", 1 / self.tick_rate)
            if lap is not None:
                lap(ON_TICK)
        if stage.kicks or stage.closing is not None or rules.failed is not None:
            self._settle()
        if self.closed is None:
            self._commit()
        if lap is not None:
            lap(COMMIT)

    def overrun(self, seconds: float) -> None:
        """Ends the room, whose rules take so long for each tick that others must not go on waiting for them."""
        error = TimeoutError(f"the last ticks took too long, {1000 * seconds:.0f} ms the newest of them")
        self._rules.fail("on_tick", self.game.on_tick, error)
        self._settle()

    def advance(self, seconds: float) -> bool:
        """Moves the time of a room without ticks, timer by timer: before each event, and when `next_timer` says so.
        Returns whether any fired, so that `step` is due."""
        if self.tick_rate:
            raise ValueError("the time of this room moves by its ticks")
        until = self.game.time + seconds
        fired = False
        while self.closed is None:
            due = self._stage.timers.next_due
            if due is None or due > until:
                self._rules.set_time(until)
                break
            self._rules.set_time(max(due, self.game.time))
            self._rules.run_timers()
            self._settle()
            fired = True
        return fired

    @property
    def next_timer(self) -> float | None:
        """Seconds of game time until the next timer fires; None if none waits."""
        due = self._stage.timers.next_due if self.closed is None else None
        return None if due is None else max(due - self.game.time, 0.0)

    def dispose(self) -> None:
        """The room ends, if it has not yet. Its rules are told, unless they failed."""
        if self._disposed:
            return
        self._disposed = True
        self._settle()
        if self.closed is None:
            self._end(Closing(ERROR_CODES["GAME-006"], ROOM_CLOSED))
        if self._rules.failed is None:
            self._rules.call("on_dispose")
            self._settle()

    def checkpoint(self, *, final: bool = False, members: bool = False) -> bytes:
        """The room as it is now, between two ticks; with its members they go on with it, without they come anew.

        Raises `HookError` if its rules fail, which ends it, and `Refusal` if it has ended.
        """
        self._still_open()
        parts = (self.schema, self.tables, self._rules, self._stage, self._seating, self.setup)
        taken = take(*parts, position=self.position, steps=self._steps, final=final, members=members)
        if taken is None:
            self._settle()
            assert self._rules.failed is not None
            raise self._rules.failed
        return packed(taken)

    def put_away(self) -> bytes:
        """The last checkpoint: nothing happens here after it, and the rules hear nothing more."""
        self.keeping.all_left()
        saved = self.checkpoint(final=True)
        self.closed, self._disposed = PUT_AWAY, True
        self._stage.timers.clear()
        return saved

    def hand_over(self) -> bytes:
        """The last checkpoint, with the members: somewhere else they go on with the room, and nothing happens in it here.

        To be called right after a step: inputs that wait are not in it. What members were told and have not read, who was
        kicked and what is in the ledger stays here, for the host to take.
        """
        saved = self.checkpoint(final=True, members=True)
        self.closed, self._disposed = HANDED_OVER, True
        return saved

    def revive(self) -> None:
        """A room that was handed over goes on here, since nobody took it. What became of its players meanwhile (`drop`,
        `resume`, `leave`) is still to be told. Raises ValueError if it was not handed over.
        """
        if self.closed is not HANDED_OVER:
            raise ValueError("only a room that was handed over can be revived")
        self.closed, self._disposed = None, False

    def _settle(self) -> None:
        """Acts on what the rules did while a hook ran: failed, kicked, closed."""
        self._reader.disturbed = True
        kicks = self._stage.kicks
        while kicks and self.closed is None and self._rules.failed is None:
            member = next(iter(kicks))
            self.kicked.append((member, kicks[member]))
            told = member in self.notified
            self._remove(member)
            if told:
                self.notified.add(member)  # who is kicked still gets to hear what came before
        error = self._rules.failed
        if error is not None and (self.closed is None or self.closed.error is None):
            self._end(Closing(ERROR_CODES["GAME-005"], ROOM_FAILED, error))
        elif self._stage.closing is not None and self.closed is None:
            self._end(Closing(self._stage.closing or ERROR_CODES["GAME-006"], ROOM_CLOSED))
            self._commit()  # there is no further step, and players are to see how it ended

    def _commit(self) -> None:
        """Makes what the rules wrote the newest version of the state."""
        tick = self._reader.now.tick + 1
        try:
            state.commit(self.tables, tick)
        except FieldError as error:  # written through NumPy: which line did it is not known any more
            self._rules.fail("on_tick", self.game.on_tick, error)
            self._settle()
            return
        if self.area is not None:
            self.area.follow(tick)
        self._reader.move(tick)
        self._rules.game.tick = tick + 1
        if self._stage.reowned:
            self.touched = self._stage.take_reowned(tick)
        elif self.touched:
            self.touched = set()
        if self.has_private:
            self.touched |= self._seating.numbered(values.changed_owners(self.tables, tick - 1))
        if self.area is not None:
            self.touched |= self._seating.numbered(self.area.moved_owners)

    def _end(self, closing: Closing) -> None:
        self.keeping.closed(closing)
        self.closed = closing
        self._stage.timers.clear()
        code = "GAME-006" if closing.error is None else "GAME-005"
        self._stage.post("error", {"code": code, "message": closing.reason})
