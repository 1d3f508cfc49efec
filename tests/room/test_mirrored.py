"""Copies of rooms against the rooms themselves: random games, updates that are lost, and players who read at either place."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Entity, Game, Input, Player, area, everything, fixed, table, text, uint
from monkeytown._core import values
from monkeytown.position import Position
from monkeytown.room.checkpoint import going_on, unpacked
from monkeytown.room.encoded import Encoding
from monkeytown.room.feed import ANYBODY, Feed
from monkeytown.room.member import Member
from monkeytown.room.mirrored import MirroredRoom
from monkeytown.room.room import Room
from tests._core.test_values import brought_up_to_date
from tests.model import FieldSpec, TableSpec
from tests.naive_reader import NaiveReader
from tests.randomgames import examples, schemas, value_of
from tests.twin import declared_game

RADIUS = 80


class Hop(Input):
    by = uint(8)


class Spot(Entity):
    """What is seen by area."""

    x = fixed(0, 1000, step=1 / 8, predict="linear")
    y = fixed(0, 1000, step=1 / 8, predict="linear")
    name = text(24)
    secret = uint(8, owner_only=True)


def game_of(specs: tuple[TableSpec, ...], by_area: bool) -> type[Game]:
    """Rules that do nothing by themselves: the test writes."""
    declared = declared_game(specs)

    def on_input(self: Any, player: Player, hop: Hop) -> None:
        self.heard = [*getattr(self, "heard", ()), hop.by]

    body: dict[str, Any] = {"tick_rate": 20, "input": Hop, "on_input": on_input, "max_players": 0}
    body |= {spec.name: getattr(declared, spec.name) for spec in specs}
    if by_area:
        body["spots"] = table(Spot, capacity=40)
        body["view"] = area(RADIUS, body["spots"])
    return type("Random", (Game,), body)


class Hand:
    """Writes into the room what comes to its mind."""

    def __init__(self, specs: tuple[TableSpec, ...], random: Random) -> None:
        self.specs, self.random = specs, random
        self.room: Room

    def ids(self, name: str) -> list[int]:
        """Asked for by `value_of`."""
        return [row.id for row in self._table(name)]

    def _table(self, name: str) -> Any:
        return next(table for table in self.room.tables if table.name == name)

    def write(self) -> None:
        for _ in range(self.random.randrange(5)):
            self._write(self.random.choice(self.specs))
        if self.room.area is not None:
            self._move()

    def _write(self, spec: TableSpec) -> None:
        table, random = self._table(spec.name), self.random
        rows = list(table)
        choice = random.randrange(10)
        if choice < 3 and not spec.single and len(rows) < spec.capacity:
            table.spawn(owner=random.choice([0, *self._numbers()]))
        elif choice == 3 and not spec.single and rows:
            table.despawn(random.choice(rows))
        elif choice == 4 and rows:
            random.choice(rows).owner = random.choice([0, *self._numbers()])
        elif rows:
            field: FieldSpec = random.choice(spec.fields)
            value = [value_of(self, field, random.getrandbits(32)) for _ in range(max(1, field.count))]  # type: ignore[arg-type]
            setattr(random.choice(rows), field.name, value if field.count else value[0])

    def _move(self) -> None:
        table, random = self._table("spots"), self.random
        if len(table) < 30:
            owner = random.choice([0, *self._numbers()])
            table.spawn(x=random.uniform(0, 1000), y=random.uniform(0, 1000), owner=owner)
        for spot in list(table):
            if random.random() < 0.05:
                table.despawn(spot)
            elif random.random() < 0.4:
                spot.x += random.choice([-90, -5, 1, 1, 5, 90])
                spot.secret = random.randrange(256)

    def _numbers(self) -> list[int]:
        return [member.number for member in self.room.members.values()]

    def change(self, player: Player) -> None:
        """What a player has, looks at and sees."""
        random = self.random
        rows = [row for spec in self.specs if not spec.single for row in self._table(spec.name)]
        spots = list(self._table("spots")) if self.room.area is not None else []
        choice = random.randrange(4)
        if choice == 0:
            player.entity = random.choice([None, *rows] if not spots else [None, *spots])
        elif choice == 1 and spots:
            player.focus = random.choice([None, (random.uniform(0, 1000), 500.0), random.choice(spots)])
        elif choice == 2:
            player.view = random.choice([None, everything(), everything(delay=2.5)])


class Reader:
    """A player who is connected where the copy is, and does there what a connection would."""

    def __init__(self, mirror: MirroredRoom, member: Member) -> None:
        self.mirror, self.member = mirror, member
        self.is_due = True
        self.begin()

    def begin(self) -> None:
        self.position: Position | None = None
        self.eyes = NaiveReader(self.mirror.describe(self.member))
        self.told: int | None = None

    def read(self) -> None:
        mirror, member = self.mirror, self.member
        reading = mirror.read(self.position, member.view)
        self.position = reading.position
        if reading.frame is not None:
            self.eyes.apply(reading.frame)
        anew = reading.frame is not None and reading.is_snapshot
        if (
            self.is_due or anew or member.view is member.sight
        ):  # who looks elsewhere sees other rows of its own
            private = mirror.private(member, None if anew else self.told)
            if private is not None:
                self.eyes.apply(private.message())
            self.told, self.is_due = mirror.tick, False

    def check(self, room: Room) -> None:
        """It has what the room has."""
        truth = NaiveReader(room.schema.describe(everything=True))
        frame = room.read(None).frame
        assert frame is not None
        truth.apply(frame)
        original = room.members[self.member.id]
        private = room.private(original, None)
        assert private is not None
        if original.view is not original.sight:
            truth.apply(private.message())
            assert self.eyes.tables == truth.tables
            assert self.eyes.private == truth.private
        else:
            self._check_around(room, original, truth)
        entity = original.player.entity
        if entity is None or entity.alive:  # that it is gone the frame says
            assert self.eyes.own_entity == (entity and (entity.table.name, entity.id))

    def _check_around(self, room: Room, original: Member, truth: NaiveReader) -> None:
        """What it sees is so, and what is near it sees."""
        spots = next(table for table in room.tables if table.name == "spots")
        for name, rows in self.eyes.tables.items():
            known = truth.tables[name]
            assert rows == (known if name != "spots" else {id: known[id] for id in rows})
        for id, row in self.eyes.private["spots"].items():
            assert row["secret"] == (spots[id].secret if spots[id].owner == original.number else 0)
        focus = original.player.focus if original.player.focus is not None else original.player.entity
        if not isinstance(focus, tuple) and (focus is None or not focus.alive or focus.table is not spots):
            return
        x, y = focus if isinstance(focus, tuple) else (focus.x, focus.y)
        for spot in spots:
            if (spot.x - x) ** 2 + (spot.y - y) ** 2 < (RADIUS - 1) ** 2:
                assert spot.id in self.eyes.tables["spots"]


class Link:
    """A copy, and what its room thinks of where it stands. What is sent may be lost."""

    def __init__(self, mirror: MirroredRoom) -> None:
        self.mirror = mirror
        self.thinks = mirror.mark
        self.readers: dict[str, Reader] = {}
        self.spectator: tuple[int, dict[str, Any]] | None = None

    def seat(self, feed: Feed, original: Member) -> None:
        feed.follow(original)
        member = self.mirror.seat(original.id, original.player.name, original.number)
        member.input = original.input
        self.readers[original.id] = Reader(self.mirror, member)

    def unseat(self, id: str) -> None:
        reader = self.readers.pop(id, None)
        if reader is not None:
            self.mirror.unseat(reader.member)

    def follow(self, feed: Feed, lost: bool) -> None:
        update = feed.read(self.thinks)
        if update is None:
            return
        self.thinks = update.mark
        if lost:
            return
        if not self.mirror.apply(update):
            again = feed.read(self.mirror.mark)  # it asks again
            assert again is not None
            self.thinks = again.mark
            assert self.mirror.apply(again)

    def serve(self, room: Room, random: Random) -> None:
        """Readers read what is new, some of them only now and then."""
        mirror = self.mirror
        for reader in self.readers.values():
            reader.is_due |= reader.member in mirror.touched
            if reader.member in mirror.reviewed:
                reader.begin()
        mirror.reviewed.clear()
        mirror.shown()
        if mirror.mark != self.thinks or mirror.position != room.position:
            return
        for reader in self.readers.values():
            assert reader.member.input == room.members[reader.member.id].input
            assert reader.member.player.view == room.members[reader.member.id].player.view
            if random.random() < 0.6:
                reader.read()
                reader.check(room)
        if random.random() < 0.5:
            self._spectate(room)

    def _spectate(self, room: Room) -> None:
        """Somebody sees all of it as JSON."""
        known = {table.name: {} for table in room.tables} if self.spectator is None else self.spectator[1]
        position = None if self.spectator is None else Position(room.epoch, self.spectator[0])
        reading = self.mirror.read(position, encoding=Encoding.JSON)
        if reading.frame is not None:
            told = json.loads(reading.frame)["payload"]
            if told["base"] is None:
                known = {table.name: {} for table in room.tables}
            self.spectator = told["tick"], brought_up_to_date(known, told["tables"])
        assert self.spectator is not None
        whole = values.changes(room.tables, None)
        assert self.spectator[1] == {name: parts.get("set", {}) for name, parts in whole.items()}


class World:
    """A room, its feed, and its copies."""

    def __init__(self, game: type[Game], hand: Hand) -> None:
        self.game, self.hand, self.random = game, hand, hand.random
        self.links: list[Link] = []
        self.came = 0
        self.begin(Room(game, room_id="r", epoch=3))

    def begin(self, room: Room) -> None:
        self.room = self.hand.room = room
        self.feed = Feed(room)

    def attach(self) -> None:
        self.links.append(Link(MirroredRoom(self.game, room_id="r", epoch=3)))

    def move(self) -> None:
        """The room goes on somewhere else; a copy of it stays here, and whoever copied it goes on as well."""
        old = self.room
        link = Link(MirroredRoom.of(old))
        assert link.mirror.mark == (old.position, ANYBODY)
        saved = going_on(unpacked(old.hand_over()))
        self.begin(Room(self.game, room_id="r", epoch=saved.epoch, saved=saved))
        assert self.room.position == old.position
        self.links.append(link)
        for other in self.links:
            for reader in other.readers.values():
                self.feed.follow(self.room.members[reader.member.id])
        for id in set(self.room.members) - {id for other in self.links for id in other.readers}:
            link.seat(self.feed, self.room.members[id])

    def people(self) -> None:
        random, room = self.random, self.room
        if len(room.members) < 5 and random.random() < 0.4:
            self.came += 1
            room.join(f"p{self.came}")
        if random.random() < 0.3:
            self._settle_somewhere()
        for member in list(room.members.values()):
            if random.random() < 0.06:
                for link in self.links:
                    link.unseat(member.id)
                self.feed.forget(member.number)
                room.leave(member.id)
            elif random.random() < 0.3:
                self.hand.change(member.player)

    def _settle_somewhere(self) -> None:
        """Somebody who is not connected anywhere yet."""
        ready = [link for link in self.links if link.mirror.mark.position is not None]
        seated = {id for link in self.links for id in link.readers}
        free = [member for id, member in self.room.members.items() if id not in seated]
        if ready and free:
            self.random.choice(ready).seat(self.feed, self.random.choice(free))

    def inputs(self) -> None:
        for link in self.links:
            queue = link.mirror.inputs
            assert queue is not None
            for reader in link.readers.values():
                if self.random.random() < 0.3:
                    number = reader.member.input + 1
                    queue.push_message(reader.member.number, queue.layout.pack(Hop(by=number % 256), number))
            packed = queue.take_packed()
            if packed:
                assert self.room.inputs is not None
                self.room.inputs.put_packed(
                    packed, {reader.member.number for reader in link.readers.values()}
                )

    def tick(self, loss: float) -> None:
        self.people()
        self.hand.write()
        self.inputs()
        self.room.step()
        assert self.room.closed is None
        for link in self.links:
            link.follow(self.feed, lost=self.random.random() < loss)
            link.serve(self.room, self.random)


@examples(25)
@given(
    specs=schemas(private=True),
    by_area=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from([0.0, 0.2, 0.6]),
    moves=st.booleans(),
)
def test_who_reads_a_copy_sees_what_is_in_the_room(
    specs: tuple[TableSpec, ...], by_area: bool, seed: int, loss: float, moves: bool
) -> None:
    random = Random(seed)
    world = World(game_of(specs, by_area), Hand(specs, random))
    for tick in range(40):
        if tick in (0, 11):
            world.attach()
        if moves and tick == 25:
            world.move()
        world.tick(loss)
    for link in world.links:  # nothing is lost any more
        link.follow(world.feed, lost=False)
        if link.mirror.mark != link.thinks:
            link.thinks = link.mirror.mark
            link.follow(world.feed, lost=False)
        assert link.mirror.position.tick >= world.room.tick - 1 or not world.feed.read(link.mirror.mark)
