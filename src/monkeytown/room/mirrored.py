"""A copy of a room whose rules run on another instance, kept level by its updates, for those who read it here.

Its tables are tables like any other, so late joiners, slow readers and spectators are served from them without asking the
owner. No rules run in it, and it never moves by itself. Knows updates and readers; not where updates come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monkeytown._core import delta, dump, hidden, mirror, restore, values
from monkeytown._core.batch import Seat, Seats
from monkeytown._core.sight import Sight
from monkeytown._core.state import Row, Table
from monkeytown.errors import WireError
from monkeytown.game import Game
from monkeytown.player import Player
from monkeytown.position import Position
from monkeytown.room.feed import ANYBODY, NOWHERE, Fact, Mark, NamedRow, Update, fact_of
from monkeytown.room.inputs import queue_for
from monkeytown.room.member import Member
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.reading import Reader
from monkeytown.room.room import Room
from monkeytown.room.setup import AS_EVER, Setup
from monkeytown.room.stage import RoomStage
from monkeytown.schema import Schema
from monkeytown.views import everything

__all__ = ["MOST_KNOWN", "MOST_STOOD", "MirroredRoom"]

MOST_STOOD = 4096
"""Ticks that are remembered: readers further behind get a snapshot."""

MOST_KNOWN = 20_000
"""Members of whom something is known; the owner tells of all who are connected elsewhere."""


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
        self.inputs = queue_for(self.schema)
        """Where packed inputs wait until they are sent to the owner."""
        tables = self.schema.build()
        self.tables = tuple(tables.values())
        self.has_private = any(table.has_private for table in self.tables)
        self.area = self.schema.divide(tables)
        self.touched: set[Member] = set()
        """For whom `private` has something new since `shown` was last called."""
        self.reviewed: set[Member] = set()
        """Whose view is another kind of view since the owner of this last cleared it."""
        self._game = game_class
        self._reader = Reader(room_id, self.tables, epoch, self.area)
        self._stood: dict[int, None] = {}
        """Ticks at which it has been, the newest last."""
        self._reader.stood = self._stood
        self._mark = NOWHERE
        self._members: dict[str, Member] = {}
        self._by_number: dict[int, Member] = {}
        self._facts: dict[int, Fact] = {}
        self._seats = Seats()
        """The newest inputs that the rules have seen, also of those who are not here."""
        self._stage = RoomStage(has_ticks=True)

    @classmethod
    def of(cls, room: Room) -> MirroredRoom:
        """A copy of a room that was here until now: its readers notice nothing.

        One in which rows have come or gone since its last tick cannot be read from there: the copy stands nowhere then.
        """
        made = cls(type(room.game), room_id=room.id, epoch=room.epoch, setup=room.setup)
        for member in room.members.values():
            made._keep_input(member)
            made._facts[member.number] = fact_of(member, room.tables)
        if delta.is_settled(room.tables):
            restore.restore(made.tables, dump.dump(room.tables))
            # It has been everywhere.
            made._stood.update(dict.fromkeys(range(max(0, room.tick - MOST_STOOD + 1), room.tick)))
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
        known = self._seats.get(number)
        member.input = 0 if known is None else known.input
        self._seats.add(member)
        if number in self._facts:
            self._learn(member, self._facts[number])
            self.reviewed.discard(member)  # nothing has been described to it yet
        return member

    def unseat(self, member: Member) -> None:
        """It does not any more."""
        if self._members.get(member.id) is member:
            del self._members[member.id]
        if self._by_number.get(member.number) is member:
            del self._by_number[member.number]
            self._keep_input(member)
        self.touched.discard(member)
        self.reviewed.discard(member)

    def _keep_input(self, member: Member) -> None:
        """For when it is seated."""
        seat = Seat(member.number)
        seat.input = member.input
        self._seats.add(seat)

    def shown(self) -> None:
        """All who read here have been brought to where it stands."""
        self.touched.clear()

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
        try:
            self._check(update)
            self._take_frame(update, None if update.base < 0 else position)
            self._take_inputs(update)
        except WireError:
            self._mark = NOWHERE
            self._reader.disturbed = True
            self._reader.encoded.clear()
            raise
        self._know(update.facts, anew=update.since == ANYBODY)
        self._mark = update.mark
        return True

    def _check(self, update: Update) -> None:
        """What decoding has not seen to."""
        if len(update.facts) > MOST_KNOWN:
            raise WireError("an update tells of more members than there can be")
        for fact in update.facts:
            for row in (fact.entity, fact.focus_row):
                if row is not None and row[0] >= len(self.tables):
                    raise WireError("a member is said to have a row of a table that is not there")
            for place in (fact.focus_place, fact.seen_from):
                if place is not None and (place[0] != place[0] or place[1] != place[1]):
                    raise WireError("a member is said to look at a place that is none")

    def _take_frame(self, update: Update, position: Position | None) -> None:
        before = 0 if position is None else position.tick
        arrived = mirror.apply(update.frame, self.tables, position)
        if arrived != (update.epoch, update.tick):
            raise WireError("a frame leads elsewhere than its update says")
        all_anew = hidden.apply(self.tables, update.hidden, arrived.tick)
        if position is None:
            self._begin_anew()
        self._arrive(arrived)
        if all_anew:
            self.touched.update(self._members.values())
        elif self.has_private:
            self._touch(values.changed_owners(self.tables, before))
        if self.area is not None:
            self._touch(self.area.moved_owners)

    def _begin_anew(self) -> None:
        """Nobody can be brought on from before a snapshot."""
        self._stood.clear()
        if self.area is not None:
            self.area.restart()
            for member in self._members.values():
                assert member.sight is not None
                member.sight.forget()

    def _arrive(self, position: Position) -> None:
        if self.area is not None:
            self.area.follow(position.tick)
        self._reader.arrive(position)
        self._stood[position.tick] = None
        if len(self._stood) > MOST_STOOD:
            del self._stood[next(iter(self._stood))]

    def _touch(self, numbers: Iterable[int]) -> None:
        by_number = self._by_number
        self.touched.update(by_number[number] for number in numbers if number in by_number)

    def _take_inputs(self, update: Update) -> None:
        if update.since == ANYBODY or len(self._seats) > MOST_KNOWN:
            self._seats = Seats()
            for member in self._members.values():
                self._seats.add(member)
        self._seats.learn(update.inputs)

    def _know(self, facts: list[Fact], *, anew: bool) -> None:
        if not facts and not anew:
            return
        here = self._by_number
        before = {number: self._facts[number] for number in here if number in self._facts}
        if anew:
            self._facts.clear()
        elif len(self._facts) > MOST_KNOWN:
            self._facts = before.copy()
        for fact in facts:
            self._facts[fact.player] = fact
            if fact.player in here:
                self._learn(here[fact.player], fact, before.get(fact.player))

    def _learn(self, member: Member, fact: Fact, before: Fact | None = None) -> None:
        """What the owner says of a member, and what it has said of it before."""
        player, sight = member.player, member.sight
        entity = self._row(fact.entity)
        if (
            before is None
            or before.entity_tick != fact.entity_tick
            or _living(entity) is not _living(player._entity)
        ):
            # Its reader may have been told something else at any tick before this one.
            member.entity_tick = self.tick
            self.touched.add(member)
        player._entity = member.entity = entity
        view = None if fact.delay is None else everything(delay=fact.delay)
        if view != player._view:
            player._view = view
            self.reviewed.add(member)
        player._focus = fact.focus_place if fact.focus_row is None else self._row(fact.focus_row)
        if sight is not None and sight.place is None and fact.seen_from is not None:
            sight.look_at(*fact.seen_from)
        member.look()

    def _row(self, named: NamedRow | None) -> Row | None:
        """The row again; in place of one that is gone, one that never was."""
        if named is None:
            return None
        table: Table[Any] = self.tables[named[0]]
        found: Row | None = table.get(named[1])
        return table.entity() if found is None else found


def _living(row: Row | None) -> Row | None:
    return row if row is not None and row.alive else None
