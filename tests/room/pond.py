"""Two small games for the tests of rooms: one with ticks and inputs, one of events."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy

from monkeytown import Entity, Game, Input, Player, Refusal, boolean, fixed, singleton, table, text, uint
from monkeytown.room.member import Member
from monkeytown.room.room import Room


class Frog(Entity):
    x = fixed(0, 1000, step=1 / 16, predict="linear")
    name = text(24)
    flies = uint(8, owner_only=True)


class Lily(Entity):
    size = uint(8)


class Hop(Input):
    by = fixed(-8, 8, step=1 / 16)
    croak = boolean()


class Shoal(Game):
    """Frogs that hop all at once."""

    input = Hop
    frogs = table(Frog, capacity=64)

    def on_create(self) -> None:
        self.batches: list[Any] = []
        self.ticks_seen: list[int] = []

    def on_join(self, player: Player) -> None:
        player.entity = self.frogs.spawn(name=player.name, x=100)

    def on_inputs(self, batch: Any) -> None:
        self.batches.append(list(zip(batch.players, batch.by, batch.slots, strict=True)))
        self.ticks_seen = list(batch.ticks)
        if max(batch.by) == 8:
            raise ValueError("too far")
        numpy.asarray(self.frogs.x)[batch.slots] = numpy.add(batch.by, 100)


class Pond(Game):
    """Frogs hop; a croak earns a fly."""

    tick_rate = 50
    input = Hop
    frogs = table(Frog, capacity=64)
    lilies = table(Lily, capacity=8)

    def on_create(self) -> None:
        self.calls: list[Any] = ["create"]
        for _ in range(3):
            self.lilies.spawn(size=self.random.randrange(200))

    def on_join(self, player: Player) -> None:
        self.calls.append(("join", player.name, len(self.players)))
        player.entity = self.frogs.spawn(name=player.name, x=100)

    def on_input(self, player: Player, hop: Hop) -> None:
        if hop.croak and player.entity.flies >= 2:
            raise Refusal("Frogs are full after two flies.")
        player.entity.x += hop.by
        player.entity.flies += hop.croak

    def on_tick(self, dt: float) -> None:
        self.calls.append(("tick", self.tick, round(self.time, 6), dt))

    def on_drop(self, player: Player) -> None:
        self.calls.append(("drop", player.name, player.connected))

    def on_resume(self, player: Player) -> None:
        self.calls.append(("resume", player.name, player.connected))

    def on_leave(self, player: Player) -> None:
        self.calls.append(("leave", player.name, len(self.players)))
        super().on_leave(player)

    def on_dispose(self) -> None:
        self.calls.append("dispose")


class Note(Entity):
    text = text(100)
    count = uint(16)


class Wall(Game):
    """Whatever is said is written on the wall; what is done is up to the test."""

    tick_rate = 0
    note = singleton(Note)

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        do = action.get("do")
        if do == "kick":
            self.players[action["whom"]].kick(action.get("why", ""))
        elif do == "kick all":
            for other in self.players:
                other.kick("all must go")
        elif do == "close":
            self.close(action.get("why", ""))
        elif do == "fail":
            raise ZeroDivisionError("on purpose")
        elif do == "refuse":
            raise Refusal("Not this.")
        elif do == "exit":
            raise SystemExit(3)
        elif do == "later":
            self.after(action["seconds"], self.ring)
        elif do == "send":
            player.send("pong", action.get("data"))
        self.note.text = str(do)
        self.note.count += 1

    def on_chat(self, player: Player, text: str) -> str | None:
        if text == "secret":
            return None
        if text == "rude":
            raise Refusal("Be kind.")
        if text == "break":
            raise KeyError("broken")
        return text.upper()

    def ring(self) -> None:
        self.note.count += 100
        self.broadcast("ring", {"at": self.time})


def a_room(game: type[Game], **options: Any) -> Room:
    return Room(game, room_id="room-1", **options)


def joined(room: Room, *names: str) -> list[Member]:
    """Players of these names, with their names as ids."""
    for name in names:
        room.join(name, name)
    return [room.members[name] for name in names]


def told(member: Member) -> list[tuple[str, Any]]:
    """What a member was told, as (type, payload). It stays in its mail."""
    mail = member.take_mail()
    for news in mail:
        member.tell(news)
    return [(news.type, msgspec.msgpack.decode(news.payload)) for news in mail]


def game_events(member: Member) -> list[tuple[str, Any]]:
    return [(payload["event"], payload["data"]) for type, payload in told(member) if type == "game_event"]


def errors(member: Member) -> list[tuple[str, str]]:
    return [(payload["code"], payload["message"]) for type, payload in told(member) if type == "error"]
