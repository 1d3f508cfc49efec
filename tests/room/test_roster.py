"""Members put away with their room: they go on as if nothing had been, and what contradicts itself is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Entity, Game, Input, Player, everything, fixed, singleton, table, text, uint
from monkeytown.errors import HookError, Refusal, WireError
from monkeytown.room.checkpoint import Checkpoint, going_on, packed, unpacked
from monkeytown.room.closing import HANDED_OVER
from monkeytown.room.ledger import Kind
from monkeytown.room.member import Member
from monkeytown.room.room import Room
from tests.randomgames import examples
from tests.room.meadow import Meadow, readers


class Ship(Entity):
    x = fixed(-1000, 1000, step=1 / 16, predict="linear")
    name = text(12)
    fuel = uint(16, owner_only=True)


class Wind(Entity):
    speed = fixed(-10, 10)
    heard = text(60)


class Row(Input):
    pull = fixed(-1, 1, step=1 / 127)


class Sea(Game):
    """All of its state is in tables, in players' documents and in what it saves. Its dice throw everything."""

    tick_rate = 20
    input = Row
    ships = table(Ship, capacity=40)
    wind = singleton(Wind)

    def on_create(self) -> None:
        self.pulls: dict[str, float] = {}

    def save(self) -> Any:
        return self.pulls

    def load(self, saved: Any) -> None:
        self.pulls = saved
        self.seen = [(player.id, player.entity and player.entity.alive) for player in self.players]

    def on_join(self, player: Player) -> None:
        player.entity = self.ships.spawn(x=self.random.uniform(-900, 900), name=player.name, fuel=9)
        self.pulls[player.id] = 0.0

    def on_input(self, player: Player, input: Row) -> None:
        self.pulls[player.id] = input.pull
        player.data["pulls"] = player.data.get("pulls", 0) + 1
        self.wind.heard = f"{player.id} {player.seen_tick}"

    def on_drop(self, player: Player) -> None:
        self.pulls[player.id] = 0.0

    def on_leave(self, player: Player) -> None:
        del self.pulls[player.id]
        super().on_leave(player)

    def on_tick(self, dt: float) -> None:
        self.wind.speed = self.random.gauss(0, 1)
        for player in self.players:
            self.befall(player, self.random.randrange(12))

    def befall(self, player: Player, what: int) -> None:
        ship = player.entity
        if ship is not None and ship.alive:
            ship.x += self.pulls[player.id] + self.wind.speed / 10
            ship.fuel = (ship.fuel + what) % 100
        if what == 0:
            player.entity = self.ships.spawn(name="new") if len(self.ships) < 40 else None
        elif what == 1 and ship is not None and ship.alive:
            self.ships.despawn(ship)
        elif what == 2:
            player.entity = self.random.choice([*self.ships, None])
        elif what == 3:
            player.focus = self.random.choice([None, (1.0, 2.0), *self.ships])
        elif what == 4:
            player.view = self.random.choice([None, everything(), everything(delay=2)])
        elif what == 5:
            player.name = f"{player.number} at {self.tick}"


def restored(room: Room, *, final: bool = False) -> Room:
    return Room(type(room.game), room_id=room.id, saved=unpacked(room.checkpoint(final=final, members=True)))


def row_of(row: Any) -> Any:
    return row if not hasattr(row, "alive") else row.alive and row.id


def member_values(room: Room, member: Member) -> Any:
    player = member.player
    return (
        (member.number, member.id, player.name, player.guest, player.connected, player.data),
        (row_of(player.entity), row_of(member.entity), member.entity_tick, row_of(player.focus), player.view),
        (member.input, member.seen_tick, player.seen_tick, member in room._stage.reowned),
        room.private(member, None),
        None if member.document is None else member.document.kept,
    )


def values_of(room: Room) -> Any:
    game = room.game
    rows = [(row.id, row.x, row.name, row.fuel, row.owner) for row in game.ships]
    return (
        [rows, game.wind.speed, game.wind.heard, game.pulls],
        [game.time, game.tick, game.random.getstate(), room.position, room.keeping.ledger.last],
        [player.id for player in game.players],
        [member_values(room, member) for member in room.members.values()],
    )


PLAYERS = ("ann", "bob", "cleo")
happenings = st.lists(
    st.tuples(
        st.integers(0, 29),
        st.sampled_from(PLAYERS),
        st.sampled_from(["pull", "pull", "pull", "drop", "resume", "leave", "join", "note"]),
    ),
    max_size=25,
)


def happen(room: Room, tick: int, all_that: list[tuple[int, str, str]]) -> None:
    for count, (when, who, what) in enumerate(all_that, 1):
        if when != tick:
            continue
        if what == "join":
            if who not in room.members:
                room.join(who, who.title(), guest=who == "ann", data=None if who == "ann" else b'{"gold":5}')
        elif what == "pull":
            if who in room.members:
                room.act(who, {"pull": count % 3 / 3}, count, room.tick)
        elif what == "note":
            room.keeping.documents()
        else:
            getattr(room, what)(who)


@examples(80)
@given(
    seed=st.integers(0, 2**32),
    before=st.integers(0, 30),
    earlier=happenings,
    later=happenings,
    late=st.booleans(),
)
def test_a_room_and_its_members_go_on_as_if_nothing_had_been(
    seed: int,
    before: int,
    earlier: list[tuple[int, str, str]],
    later: list[tuple[int, str, str]],
    late: bool,
) -> None:
    never = Room(Sea, room_id="r", seed=seed)
    for id in PLAYERS:
        happen(never, 0, [(0, id, "join")])
    for tick in range(before):
        happen(never, tick, earlier)
        never.step()
    if late:  # between two ticks
        never.leave("bob")
        happen(never, 0, [(0, "bob", "join")])
    other = restored(never)
    assert values_of(other) == values_of(never)
    assert not any(member.take_mail() for member in other.members.values())
    assert not other.notified
    for tick in range(30):
        for room in (never, other):
            happen(room, tick, later)
            room.step()
        assert values_of(other) == values_of(never)
        assert other.read(None).frame == never.read(None).frame
        for id, member in never.members.items():
            if tick:  # in the first, all is private news: see `dump`
                assert other.private(other.members[id], never.tick - 1) == never.private(
                    member, never.tick - 1
                )
        if tick:
            assert {member.id for member in other.touched} == {member.id for member in never.touched}


def sea(*players: str) -> Room:
    room = Room(Sea, room_id="r", seed=1)
    for id in players:
        room.join(id, id.title(), data=b"{}")
    return room


class TestRestored:
    def test_players_are_there_in_order_of_joining_when_load_runs(self) -> None:
        room = sea("cleo", "ann", "bob")
        room.leave("ann")
        room.join("ann")
        assert restored(room).game.seen == [("cleo", True), ("bob", True), ("ann", True)]

    def test_who_does_not_come_back_is_dropped_and_leaves_as_ever(self) -> None:
        back = restored(sea("ann", "bob"))
        back.step()
        back.drop("ann")
        assert not back.game.players["ann"].connected
        assert back.game.pulls["ann"] == 0
        back.leave("ann")
        back.step()
        assert [ship.name for ship in back.game.ships] == ["Bob"]
        assert [entry.kind for entry in back.keeping.ledger.take()] == [Kind.LEFT]
        news = [news.type for news in back.members["bob"].take_mail()]
        assert news == ["player_left"]

    def test_a_document_that_has_changed_is_kept_by_whoever_goes_on(self) -> None:
        room = sea("ann")
        room.game.players["ann"].data["gold"] = 7
        back = restored(room)
        assert back.game.players["ann"].data == {"gold": 7}
        back.keeping.documents()
        assert [entry.content for entry in back.keeping.ledger.take()] == [b'{"data":{"gold":7}}']

    def test_an_entity_that_is_gone_is_gone(self) -> None:
        room = sea("ann", "bob")
        for player in room.game.players:
            player.focus = player.entity
        room.game.ships.clear()
        player = restored(room).game.players["ann"]
        assert (player.entity.alive, player.focus.alive) == (False, False)

    def test_who_was_seated_by_number_before_is_not_seated_again(self) -> None:
        room = sea("ann", "bob")
        room.leave("bob")
        back = restored(room)
        assert back.join("bob").number == 3

    def test_without_anybody_rows_are_nobodys(self) -> None:
        room = sea("ann")
        room.game.ships.spawn(owner=1)
        back = Room(Sea, room_id="r", saved=unpacked(room.checkpoint()))
        assert [ship.owner for ship in back.game.ships] == [0, 0]
        assert [ship.owner for ship in restored(room).game.ships] == [1, 1]

    def test_rules_may_kick_while_they_load(self) -> None:
        class Strict(Sea):
            name = "sea"

            def load(self, saved: Any) -> None:
                super().load(saved)
                self.players["ann"].kick("not here")

        saved = unpacked(sea("ann", "bob").checkpoint(members=True))
        back = Room(Strict, room_id="r", saved=saved)
        assert [(member.id, reason) for member, reason in back.kicked] == [("ann", "not here")]
        assert list(back.members) == ["bob"]

    def test_a_document_that_cannot_be_kept_ends_the_room(self) -> None:
        room = sea("ann")
        room.game.players["ann"].data["ship"] = object()
        with pytest.raises(HookError, match=r"player\.data"):
            room.checkpoint(members=True)
        assert room.closed is not None

    def test_a_view_that_is_around_nothing_any_more_stays_where_it_was(self) -> None:
        room = Room(Meadow, room_id="r")
        ann, bob, cleo = readers(room, "ann", "bob", "cleo")
        players = room.game.players
        players["bob"].entity.x = 900
        players["cleo"].focus = [900, 10]
        room.game.bees.spawn(name="far", x=905, y=12)
        for _ in range(3):
            room.step()
            for reader in (ann, bob, cleo):
                reader.read()
        room.game.bees.despawn(players["bob"].entity)
        back = restored(room)
        for reader in (ann, bob, cleo):
            reader.room, reader.member = back, back.members[reader.member.id]
        for _ in range(3):
            back.step()
            for reader in (ann, bob, cleo):
                reader.read()
        assert [ann.names(), bob.names(), cleo.names()] == [{"ann", "cleo"}, {"far"}, {"far"}]
        assert back.game.players["cleo"].focus == (900, 10)


class TestHandingOver:
    def test_nothing_happens_afterwards_and_nobody_has_left(self) -> None:
        room = sea("ann", "bob")
        room.keeping.ledger.take()
        before = room.position
        saved = unpacked(room.hand_over())
        assert (saved.final, going_on(saved).epoch, [one.id for one in saved.members]) == (
            True,
            before.epoch,
            ["ann", "bob"],
        )
        assert room.closed is HANDED_OVER
        room.step()
        room.drop("ann")
        room.leave("ann")
        room.dispose()
        assert room.position == before
        assert room.members["ann"].player.connected
        assert room.keeping.ledger.take() == []
        for what in (room.checkpoint, room.hand_over, lambda: room.join("cleo")):
            with pytest.raises(Refusal):
                what()

    def test_what_they_were_told_is_still_theirs_to_read(self) -> None:
        room = sea("ann")
        room.members["ann"].take_mail()
        room.game.broadcast("storm")
        room.hand_over()
        assert [news.type for news in room.members["ann"].take_mail()] == ["game_event"]

    def test_if_nobody_takes_it_it_goes_on_with_its_timers(self) -> None:
        room, same = sea("ann"), sea("ann")
        rung: list[float] = []
        for each in (room, same):
            each.game.after(0.1, lambda game=each.game: rung.append(game.time))
        room.hand_over()
        assert room.next_timer is None
        room.revive()
        assert room.next_timer == 0.1
        for each in (room, same):
            for _ in range(4):
                each.step()
        assert rung == [0.1, 0.1]
        assert values_of(room) == values_of(same)
        room.dispose()
        assert room.closed is not None

    def test_only_what_was_handed_over_is_revived(self) -> None:
        room = sea()
        with pytest.raises(ValueError, match="handed over"):
            room.revive()
        room.put_away()
        with pytest.raises(ValueError, match="handed over"):
            room.revive()

    def test_rules_that_fail_end_the_room_and_it_is_not_handed_over(self) -> None:
        room = sea()
        room.game.pulls = object()
        with pytest.raises(HookError):
            room.hand_over()
        assert room.closed is not HANDED_OVER


def a_checkpoint() -> Checkpoint:
    room = Room(Meadow, room_id="r")
    room.join("ann", data=b'{"gold":1}')
    room.join("bob")
    room.game.players["bob"].focus = (5, 6)
    return unpacked(room.checkpoint(members=True))


class TestBytes:
    def test_are_the_same_again(self) -> None:
        data = sea("ann", "bob").checkpoint(members=True)
        assert packed(unpacked(data)) == data

    @pytest.mark.parametrize(
        "changes",
        [
            {"number": 0},
            {"number": 2},
            {"number": 9},
            {"id": "bob"},
            {"number": -(2**40)},
            {"entity": (7, 1)},
            {"entity": (0, 77)},
            {"entity": (7, 0)},
            {"focus_row": (0, 2**40)},
            {"focus_place": (float("nan"), 0.0)},
            {"seen_from": (float("nan"), 0.0)},
            {"delay": -1.0},
            {"delay": float("nan")},
            {"document": b"no", "data": b""},
            {"data": b"[]"},
            {"input": 2**40},
            {"seen_tick": 2**70},
        ],
        ids=str,
    )
    def test_that_contradict_themselves_are_refused(self, changes: dict[str, Any]) -> None:
        saved = a_checkpoint()
        ann, bob = saved.members
        wrong = msgspec.structs.replace(saved, members=[msgspec.structs.replace(ann, **changes), bob])
        with pytest.raises(WireError):
            Room(Meadow, room_id="r", saved=wrong)
        Room(Meadow, room_id="r", saved=saved)

    def test_numbers_that_seats_cannot_have_are_refused(self) -> None:
        saved = a_checkpoint()
        last = msgspec.structs.replace(saved.members[1], number=2**40)
        wrong = msgspec.structs.replace(saved, seats=2**41, members=[saved.members[0], last])
        with pytest.raises(WireError):
            Room(Meadow, room_id="r", saved=wrong)

    def test_negative_places_are_none(self) -> None:
        saved = a_checkpoint()
        wrong = msgspec.structs.replace(saved.members[0], entity=(-1, 1))
        with pytest.raises(WireError):
            unpacked(packed(msgspec.structs.replace(saved, members=[wrong])))
