"""A copy of a room whose rules run on another instance, kept level by its updates, for those who read it here.

Its tables are tables like any other, so late joiners, slow readers and spectators are served from them without asking the
owner. No rules run in it, and it never moves by itself. Knows updates and readers; not where updates come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monkeytown._core import dump, hidden, mirror, restore, values
from monkeytown._core.inputs import Layout, Queue
from monkeytown._core.sight import Sight
from monkeytown._core.state import Row, Table
from monkeytown.errors import WireError
from monkeytown.game import Game
from monkeytown.player import Player
from monkeytown.position import Position
from monkeytown.room.feed import ANYBODY, Fact, Mark, Update
from monkeytown.room.inputs import INPUTS_PER_TICK
from monkeytown.room.member import Member
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.reading import Reader
from monkeytown.room.room import Room
from monkeytown.room.setup import AS_EVER, Setup
from monkeytown.room.stage import RoomStage
from monkeytown.schema import Schema
from monkeytown.views import everything

__all__ = ["MirroredRoom"]

MOST_STOOD = 4096
"""Ticks that are remembered: readers further behind get a snapshot."""

MOST_KNOWN = 20_000
"""Members of whom something is known; the owner tells of all who are connected elsewhere."""

FLAG_CORRECTIONS = 0x02
"""Of a frame: docs/reference/wire.md, section 4."""


class MirroredRoom(ReadableRoom):
    """One room of another instance. There is nothing to read before the first update."""

    def __init__(
        self, game_class: type[Game], *, room_id: str, epoch: int = 1, setup: Setup = AS_EVER
    ) -> None:
        self.id = room_id
        self.setup = setup
        self.name = game_class.name
        self.tick_rate = game_class.tick_rate
        self.schema = Schema.of(game_class)
        self.closed = None
        self.inputs = _queue_for(self.schema)
        tables = self.schema.build()
        self.tables = tuple(tables.values())
        self.has_private = any(table.has_private for table in self.tables)
        self.area = self.schema.divide(tables)
        self.touched: set[Member] = set()
        self.reviewed: set[Member] = set()
        """Whose view is another kind of view since the owner of this last cleared it."""
        self.acknowledged: list[Member] = []
        self._game = game_class
        self._reader = Reader(room_id, self.tables, epoch, self.area)
        self._stood: dict[int, None] = {}
        """Ticks at which it has been, the newest last."""
        self._reader.stood = self._stood
        self._mark = Mark(None, ANYBODY)
        self._members: dict[str, Member] = {}
        self._by_number: dict[int, Member] = {}
        self._facts: dict[int, Fact] = {}
        self._inputs: dict[int, int] = {}
        self._stage = RoomStage(has_ticks=True)

    @classmethod
    def of(cls, room: Room) -> MirroredRoom:
        """A copy of a room that was here until now: its readers notice nothing."""
        made = cls(type(room.game), room_id=room.id, epoch=room.epoch, setup=room.setup)
        restore.restore(made.tables, dump.dump(room.tables))
        made._arrive(room.position)
        made._mark = Mark(room.position, ANYBODY)
        return made

    @property
    def mark(self) -> Mark:
        """Where it stands; nowhere before the first update, and after one that could not be read."""
        return self._mark

    @property
    def members(self) -> Mapping[str, Member]:
        return self._members

    @property
    def seat_seconds(self) -> float | None:
        return self._game.seat_seconds

    @property
    def max_players(self) -> int:
        return self._game.max_players if self.setup.max_players is None else self.setup.max_players

    # Those who read here

    def seat(self, player_id: str, name: str, number: int) -> Member:
        """A player of this room reads here from now on."""
        player = Player(self._stage, player_id, name, number)
        member = Member(player, None if self.area is None else Sight(self.area))
        self._members[player_id] = self._by_number[number] = member
        member.input = self._inputs.get(number, 0)
        if number in self._facts:
            self._learn(member, self._facts[number])
            self.reviewed.discard(member)  # nothing has been described to it yet
        return member

    def unseat(self, member: Member) -> None:
        """It does not any more."""
        if self._members.get(member.id) is member:
            del self._members[member.id]
        self._by_number.pop(member.number, None)
        self.touched.discard(member)
        self.reviewed.discard(member)

    def shown(self) -> None:
        """All who read here have been brought to where it stands."""
        self.touched.clear()
        self.acknowledged.clear()

    # Updates

    def apply(self, update: Update) -> bool:
        """Takes an update in. False if it starts elsewhere than where this stands: the owner is to be asked again.

        WireError for what cannot be read; then there is nothing more to read before the next snapshot.
        """
        position, serial = self._mark
        if update.base >= 0 and position != (update.epoch, update.base):
            return False
        if update.since not in (ANYBODY, serial):
            return False
        before = self._reader.now.tick
        try:
            if update.frame:
                self._take_frame(update, None if update.base < 0 else position)
            facts = self._checked(update)
        except WireError:
            self._mark = Mark(None, ANYBODY)
            self._reader.disturbed = True
            raise
        if update.since == ANYBODY:
            self._facts.clear()
        for fact in facts:
            self._facts[fact.player] = fact
            member = self._by_number.get(fact.player)
            if member is not None:
                self._learn(member, fact)
        self._take_inputs(update.inputs)
        if update.frame and self.has_private:
            owners = values.changed_owners(self.tables, 0 if update.base < 0 else before)
            self.touched |= {self._by_number[number] for number in owners if number in self._by_number}
        if self.area is not None:
            moved = self.area.moved_owners
            self.touched |= {self._by_number[number] for number in moved if number in self._by_number}
        self._mark = update.mark
        return True

    def _take_frame(self, update: Update, position: Position | None) -> None:
        arrived = mirror.apply(update.frame, self.tables, position)
        if arrived != (update.epoch, update.tick):
            raise WireError("a frame leads elsewhere than its update says")
        hidden.apply(self.tables, update.hidden, arrived.tick)
        if position is None:
            self._stood.clear()
            self.touched |= set(self._members.values())
        elif self.area is not None and update.frame[1] & FLAG_CORRECTIONS:
            # What its cells had to tell in between is not known.
            self._stood.clear()
        self._arrive(arrived)

    def _arrive(self, position: Position) -> None:
        if self.area is not None:
            self.area.follow(position.tick)
        self._reader.now = position
        self._reader.move(position.tick)
        self._stood[position.tick] = None
        if len(self._stood) > MOST_STOOD:
            del self._stood[next(iter(self._stood))]

    def _checked(self, update: Update) -> list[Fact]:
        """Facts that name tables there are."""
        for fact in update.facts:
            for row in (fact.entity, fact.focus_row):
                if row is not None and not 0 <= row[0] < len(self.tables):
                    raise WireError("a member is said to have a row of a table that is not there")
        if len(update.inputs) % 2 or len(self._facts) + len(update.facts) > MOST_KNOWN:
            raise WireError("an update tells of more members than there can be")
        return update.facts

    def _learn(self, member: Member, fact: Fact) -> None:
        """What the owner says of a member."""
        player = member.player
        entity = self._row(fact.entity)
        if entity is not player._entity or fact.entity_tick != member.entity_tick:
            player._entity = member.entity = entity
            member.entity_tick = fact.entity_tick
            self.touched.add(member)
        view = None if fact.delay is None else everything(delay=fact.delay)
        if view != player._view:
            player._view = view
            self.reviewed.add(member)
        player._focus = fact.focus_place if fact.focus_place is not None else self._row(fact.focus_row)
        member.look()

    def _row(self, named: tuple[int, int] | None) -> Row | None:
        if named is None:
            return None
        table: Table[Any] = self.tables[named[0]]
        found: Row | None = table.get(named[1])
        return found

    def _take_inputs(self, inputs: list[int]) -> None:
        for number, newest in zip(inputs[::2], inputs[1::2], strict=True):
            self._inputs[number] = newest
            member = self._by_number.get(number)
            if member is not None and member.input != newest:
                member.input = newest
                self.acknowledged.append(member)
        if len(self._inputs) > MOST_KNOWN:
            self._inputs = {number: member.input for number, member in self._by_number.items()}


def _queue_for(schema: Schema) -> Queue | None:
    """Where packed inputs wait until they are sent to the owner."""
    if schema.input is None or schema.input_description is None:
        return None
    return Queue(Layout(schema.input, schema.input_description["hash"]), INPUTS_PER_TICK, relayed=True)
