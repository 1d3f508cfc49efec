"""A room with copies, and readers at all of them: whatever happens, they see what is.

Knows what a reader may rely on: rows as they are in the tick where it stands, its own entity, what only it sees. Must
not know how a copy comes by any of it.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from monkeytown import Entity, Game, Player, area, everything, fixed, ref, singleton, table, text, uint
from monkeytown._core import delta
from monkeytown.position import Position
from monkeytown.room.checkpoint import going_on, unpacked
from monkeytown.room.encoded import Encoding
from monkeytown.room.feed import Feed, Update
from monkeytown.room.member import Member
from monkeytown.room.mirrored import MirroredRoom
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.room import Room
from tests.naive_reader import NaiveReader

from .meadow import Reader

TOP = 400
RADIUS = 60


class Ape(Entity):
    x = fixed(0, TOP, step=1 / 8, predict="linear")
    y = fixed(0, TOP, step=1 / 8, predict="linear")
    name = text(24)
    friend = ref("Ape")
    plans = text(12, owner_only=True)
    fruit = uint(8, owner_only=True)


class Tree(Entity):
    x = fixed(0, TOP, step=1)
    y = fixed(0, TOP, step=1)
    height = uint(8)
    honey = uint(8, owner_only=True)


class Sky(Entity):
    height = uint(8)
    mood = text(8)


class Grove(Game):
    """Everybody sees all of it."""

    tick_rate = 20
    apes = table(Ape, capacity=48)
    trees = table(Tree, capacity=12)
    sky = singleton(Sky)

    def on_join(self, player: Player) -> None:
        if self.random.random() < 0.8:
            player.entity = self.apes.spawn(name=player.name, x=20, y=20)


class Jungle(Grove):
    """Everybody sees what is around."""

    view = area(RADIUS, Grove.apes, Grove.trees)


def happen(random: Random, room: Room, players: list[str]) -> None:
    """Something of what rules do."""
    game: Any = room.game
    apes, trees = list(game.apes), list(game.trees)
    player: Any = room.members[random.choice(players)].player if players else None
    what = random.randrange(16)
    if what == 0 and len(trees) < 12:
        owner = player.number if player is not None and random.random() < 0.5 else 0
        game.trees.spawn(
            x=random.randrange(TOP), y=random.randrange(TOP), honey=random.randrange(99), owner=owner
        )
    elif what == 1 and apes:
        game.apes.despawn(random.choice(apes))
    elif what == 2 and trees:
        game.trees.despawn(random.choice(trees))
    elif what == 3 and trees:
        random.choice(trees).owner = random.choice([0, player.number if player is not None else 0])
    elif what == 4 and trees:
        random.choice(trees).honey = random.randrange(99)
    elif what == 5 and apes:
        ape = random.choice(apes)
        ape.plans, ape.fruit = random.choice(["", "eat", "sleep"]), random.randrange(9)
    elif what == 6 and apes:
        random.choice(apes).friend = random.choice([None, *apes])
    elif what == 7:
        game.sky.mood = random.choice(["", "blue", "grey"])
        game.sky.height = random.randrange(256)
    elif what == 8 and trees:
        random.choice(trees).height = random.randrange(256)
    elif what == 9 and player is not None:
        player.entity = random.choice([None, *apes])
    elif what == 10 and player is not None and len(apes) < 40:
        player.entity = game.apes.spawn(x=random.randrange(TOP), y=random.randrange(TOP), name="new")
    elif what == 11 and player is not None:
        focus = [None, (random.randrange(TOP), random.randrange(TOP)), *apes]
        player.focus = random.choice(focus)
    elif what == 12 and player is not None:
        player.view = random.choice([None, None, everything(), everything(delay=0.2)])
    elif what == 13 and player is not None:
        room.act(player.id, {"any": 1}, random.randrange(1, 1000))
    for ape in apes:
        if ape.alive:
            ape.x += random.choice([0, 0, 2, 2, 9])
            ape.y += random.choice([0, 0, 1, -1, 9])
            if ape.x >= TOP - 10:
                ape.x = 0


class Moment:
    """What is to be seen at one tick."""

    def __init__(self, room: Room) -> None:
        eyes = NaiveReader(room.schema.describe(everything=True) | {"gameId": room.id, "game": room.name})
        eyes.apply(delta.snapshot(room.tables, room.epoch, room.tick))
        self.shared, self.steps = eyes.tables, eyes.steps
        self.secrets = {
            table.name: {
                row.id: {
                    field.name: getattr(row, field.name)
                    for field in table.entity.fields()
                    if field.owner_only
                }
                for row in table
            }
            for table in room.tables
        }
        self.owners = {table.name: {row.id: row.owner for row in table} for table in room.tables}
        self.members: dict[int, tuple[Any, int]] = {}
        for member in room.members.values():
            entity = member.player.entity
            own = (entity.table.name, entity.id) if entity is not None and entity.alive else None
            self.members[member.number] = own, member.input


class Eyes(Reader):
    """One player, at the room or at a copy."""

    room: Any

    def __init__(self, room: Any, member: Member) -> None:
        super().__init__(room, member)
        self.kind = self.is_whole

    @property
    def is_whole(self) -> bool:
        return self.member.sight is None or self.member.player.view is not None

    def look(self, moment: Moment) -> None:
        """Reads, and compares with what is to be seen."""
        if self.member.delay or self.room.is_disturbed:
            return
        if self.kind is not self.is_whole:
            self.kind = self.is_whole
            self.begin()
        self.read()
        eyes = self.eyes
        assert eyes.tables["sky"] == moment.shared["sky"]
        for name in ("apes", "trees"):
            seen, there = eyes.tables[name], moment.shared[name]
            near = seen
            if self.is_whole:
                assert seen == there
                assert eyes.steps[name] == moment.steps[name]
            else:
                near = {id: row for id, row in seen.items() if eyes.view[eyes.cells[name][id]] == "near"}
                assert near == {id: there[id] for id in near}
                assert {id for id in there if self.must_see(name, there[id])} <= set(near)
            for id in near:
                if moment.owners[name][id] == self.member.number:
                    assert eyes.private[name][id] == moment.secrets[name][id]
        if isinstance(self.room, MirroredRoom) and self.member.number not in self.room._facts:
            return  # of whom it has not been told yet
        own, input = moment.members.get(self.member.number, (None, 0))
        told = eyes.own_entity
        assert told == own or (own is None and told is not None and told[1] not in moment.shared[told[0]]), (
            told,
            own,
        )
        assert self.member.input == input

    def must_see(self, name: str, row: dict[str, Any]) -> bool:
        place = self.member.sight.place if self.member.sight is not None else None
        if place is None:
            return False
        unit = 8 if name == "apes" else 1
        return bool((row["x"] / unit - place[0]) ** 2 + (row["y"] / unit - place[1]) ** 2 < (RADIUS - 1) ** 2)


class Copies:
    """A room, its feed, and copies of it that get what they get."""

    def __init__(self, game: type[Game], seed: int, copies: int = 2) -> None:
        self.random = Random(seed)
        self.game = game
        self.room = Room(game, room_id="room-1", seed=seed)
        self.feed = Feed(self.room)
        self.copies = [MirroredRoom(game, room_id="room-1") for _ in range(copies)]
        self.history: dict[tuple[int, int], Moment] = {}
        self.readers: dict[str, Eyes] = {}
        self.joined = 0
        self.kept: bytes | None = None
        self.applied = self.refused = 0
        self.read = {"delta": 0, "snapshot": 0}

    # What happens

    def join(self) -> None:
        self.joined += 1
        name = f"p{self.joined}"
        self.room.join(name, name)
        member = self.room.members[name]
        if self.joined % 5 == 0:
            self.readers[name] = Eyes(self.room, member)
        else:
            self.feed.follow(member)
            self.sit(name, self.random.choice(self.copies))

    def sit(self, name: str, copy: MirroredRoom) -> Eyes:
        self.readers[name] = eyes = Eyes(copy, copy.seat(name, name, self.room.members[name].number))
        return eyes

    def leave(self, name: str) -> None:
        eyes = self.readers.pop(name)
        if isinstance(eyes.room, MirroredRoom):
            eyes.room.unseat(eyes.member)
            self.feed.forget(eyes.member.number)
        self.room.leave(name)

    def move(self, name: str) -> None:
        """A player goes on at another copy, from where it stood."""
        before = self.readers[name]
        if before.room is self.room:
            return
        before.room.unseat(before.member)
        after = self.sit(name, self.random.choice(self.copies))
        if (
            before.position is not None
            and before.kind is after.kind
            and after.room.decide(before.position, after.member).is_delta
        ):
            after.eyes, after.position = before.eyes, before.position
            self.read["delta"] += 1
        else:
            self.read["snapshot"] += 1

    def take_over(self) -> None:
        """The instance of the room is gone; another one goes on from what was kept."""
        if self.kept is None:
            return
        here = [name for name, eyes in self.readers.items() if eyes.room is self.room]
        for name in here:
            self.leave(name)
        self._go_on(self.kept)
        for name in [name for name in self.readers if name not in self.room.members]:
            eyes = self.readers.pop(name)
            eyes.room.unseat(eyes.member)
        for name in [name for name in self.room.members if name not in self.readers]:
            self.room.leave(name)
        self.kept = None

    def hand_over(self) -> None:
        """The room goes on elsewhere; those who read it here read a copy of it from then on."""
        before, saved = self.room, self.room.hand_over()
        here = MirroredRoom.of(before)
        self.copies.append(here)
        self._go_on(saved)
        for name in [name for name, eyes in self.readers.items() if eyes.room is before]:
            eyes = self.readers[name]
            after = self.sit(name, here)
            goes_on = eyes.position is not None and eyes.kind is after.kind and not here.is_disturbed
            if goes_on and after.is_whole and not after.member.delay:
                assert eyes.position is not None
                assert here.decide(eyes.position, after.member).is_delta
                after.eyes, after.position = eyes.eyes, eyes.position
            self.feed.follow(self.room.members[name])

    def _go_on(self, saved: bytes) -> None:
        checkpoint = going_on(unpacked(saved))
        self.room = Room(self.game, room_id="room-1", saved=checkpoint)
        self.feed = Feed(self.room)
        for name, eyes in self.readers.items():
            if isinstance(eyes.room, MirroredRoom) and name in self.room.members:
                self.feed.follow(self.room.members[name])

    # Time

    def tick(self) -> None:
        random = self.random
        if random.random() < 0.2 and len(self.readers) < 8:
            self.join()
        names = list(self.readers)
        if random.random() < 0.05 and names:
            self.leave(random.choice(names))
        if random.random() < 0.1 and self.readers:
            self.move(random.choice(list(self.readers)))
        for _ in range(random.choice([0, 1, 1, 3])):
            happen(random, self.room, list(self.room.members))
        self.room.step()
        if random.random() < 0.05:
            self.kept = self.room.checkpoint(members=True)
            self.room.step()  # what `save` did is to be seen
        self.remember()
        for copy in self.copies:
            if random.random() < 0.7:
                self.bring(copy, lost=random.random() < 0.2)
        for eyes in list(self.readers.values()):
            if random.random() < 0.7:
                self.look(eyes)

    def look(self, eyes: Eyes) -> None:
        room: ReadableRoom = eyes.room
        if not room.is_disturbed:
            eyes.look(self.history[room.position])

    def remember(self) -> None:
        self.history[self.room.position] = Moment(self.room)

    def bring(self, copy: MirroredRoom, lost: bool = False) -> None:
        update = self.feed.read(copy.mark)
        if update is None or lost:
            return
        if self.random.random() < 0.1:
            other = self.feed.read(self.random.choice(self.copies).mark)
            if other is not None and other.base >= 0 and copy.mark.position != (other.epoch, other.base):
                assert not copy.apply(sent(other))
                self.refused += 1
        assert copy.apply(sent(update))
        assert copy.mark == update.mark
        assert copy.position == self.room.position
        copy.reviewed.clear()
        self.applied += 1
        for tick in (None, *self.random.sample(sorted(copy._stood), min(3, len(copy._stood)))):
            base = None if tick is None else Position(copy.epoch, tick)
            told = copy.read(base, encoding=Encoding.JSON)
            expected = self.room.read(base, encoding=Encoding.JSON)
            assert told.reason is expected.reason
            assert _plain(told.frame) == _plain(expected.frame)


def _plain(frame: bytes | None) -> Any:
    """The tables of a JSON state; those who are gone are in no order. What came and went where a copy did not look leaves the
    room a state without content.
    """
    tables = {} if frame is None else msgspec.json.decode(frame)["payload"]["tables"]
    for changed in tables.values():
        changed.get("gone", []).sort()
    return tables


def sent(update: Update) -> Update:
    """As it arrives."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(update), type=Update)
