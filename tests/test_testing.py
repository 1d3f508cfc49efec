"""The kit for testing games shows what players see, and raises what rules raise."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown import (
    Entity,
    Game,
    HookError,
    Input,
    Player,
    Refusal,
    area,
    everything,
    fixed,
    singleton,
    table,
    text,
    uint,
)
from monkeytown.testing import TestedPlayer, play


class Snail(Entity):
    x = fixed(0, 100, step=0.5)
    secret = uint(8, owner_only=True)


class Crawl(Input):
    by = fixed(-1, 1, step=0.5)


class Race(Game):
    tick_rate = 10
    max_players = 2
    input = Crawl
    snails = table(Snail)

    def on_join(self, player: Player) -> None:
        if player.name == "Bird":
            raise Refusal("No birds.")
        player.entity = self.snails.spawn(secret=player.number)

    def on_input(self, player: Player, crawl: Crawl) -> None:
        player.entity.x += crawl.by
        if player.entity.x > 3:
            player.kick("too fast")

    def on_dispose(self) -> None:
        if self.time > 50:
            raise ValueError("too late")


class Page(Entity):
    said = text(40)


class Book(Game):
    tick_rate = 0
    page = singleton(Page)

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        if "divide" in action:
            self.page.said = str(1 / action["divide"])
        else:
            raise Refusal("Divide!")

    def on_join(self, player: Player) -> None:
        self.after(5, lambda: self.broadcast("bell"))

    def on_chat(self, player: Player, text: str) -> str:
        self.page.said = text
        return text


def test_players_see_what_was_committed() -> None:
    with play(Race) as room:
        ada, bob = room.join("Ada"), room.join("Bob")
        assert ada.entity is None
        ada.input(by=0.7)
        room.step()
        assert ada.entity.x == 0.5
        assert bob.tables.snails[ada.entity.id].x == 0.5


def test_several_inputs_in_a_tick_are_seen_in_order() -> None:
    with play(Race) as room:
        ada = room.join("Ada")
        for by in (1, -0.5, 1):
            ada.input(by=by)
        room.step()
        assert ada.entity.x == 1.5
        assert room.room.members[ada.id].input == 3


def test_players_see_their_own_secrets_only() -> None:
    with play(Race) as room:
        ada, bob = room.join("Ada"), room.join("Bob")
        room.step()
        assert (ada.entity.secret, bob.entity.secret) == (1, 2)
        assert ada.tables.snails[bob.entity.id].secret == 0


def test_time_is_the_tests() -> None:
    with play(Race) as room:
        room.run(seconds=2.5)
        assert room.time == 2.5
        assert room.room.tick == 26
        assert room.game.time == 2.5


def test_players_come_and_go() -> None:
    with play(Race) as room:
        ada, bob = room.join("Ada"), room.join("Bob")
        assert (ada.id, ada.name, repr(ada)) == ("player-1", "Ada", "<Ada>")
        with pytest.raises(Refusal, match="GAME-002"):
            room.join("Cid")
        ada.leave()
        room.step()
        assert bob.others == {"player-2": "Bob"}
        with pytest.raises(Refusal, match="No birds"):
            room.join("Bird")
        assert room.players == [bob]


def test_who_was_kicked_is_no_longer_there() -> None:
    with play(Race) as room:
        ada = room.join("Ada")
        for _ in range(4):
            ada.input(by=1)
            room.step()
        assert room.players == []
        assert ada.kicked == "too fast"


def test_in_a_game_of_events_everything_is_seen_at_once() -> None:
    with play(Book) as room:
        ada = room.join("Ada")
        ada.act(divide=4)
        assert ada.tables.page.said == "0.25"
        ada.chat("hello")
        assert ada.tables.page.said == "hello"
        assert ada.events == [("chat", {"playerId": "player-1", "name": "Ada", "text": "hello"})]
        ada.act(other=1)
        assert [error.message for error in ada.errors] == ["Divide!"]
        room.run(5)
        assert ada.events[-1] == ("bell", None)
        assert room.closed is None


def test_an_error_of_the_rules_is_the_tests() -> None:
    with pytest.raises(HookError, match=r"Book\.on_message raised ZeroDivisionError"), play(Book) as room:
        room.join("Ada").act(divide=0)


def test_an_error_while_disposing_is_the_tests_too() -> None:
    with pytest.raises(HookError, match="too late"), play(Race) as room:
        room.run(51)


def test_an_error_of_the_test_is_not_hidden_by_one_of_the_rules() -> None:
    def broken_test() -> None:
        with play(Race) as room:
            room.run(51)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        broken_test()


def test_a_game_is_played_the_way_it_takes() -> None:
    with play(Book) as room, pytest.raises(TypeError, match="use act"):
        room.join("Ada").input(by=1)


def test_tables_that_are_not_there_are_no_tables() -> None:
    with play(Book) as room, pytest.raises(AttributeError, match="no table pages"):
        _ = room.join("Ada").tables.pages


class Walker(Entity):
    x = fixed(0, 1000, step=0.5, predict="linear")
    y = fixed(0, 1000, step=0.5)
    secret = uint(8, owner_only=True)


class Walk(Input):
    by = fixed(-10, 10, step=0.5)
    watch = fixed(-1, 5, step=1)


class Heath(Game):
    tick_rate = 10
    input = Walk
    walkers = table(Walker)
    view = area(50, walkers)

    def on_join(self, player: Player) -> None:
        x = 100 if player.number == 1 else 700
        player.entity = self.walkers.spawn(x=x, y=500, secret=40 + player.number)

    def on_input(self, player: Player, walk: Walk) -> None:
        player.entity.x += walk.by
        if walk.watch >= 0:
            player.view = everything(delay=walk.watch)
        elif player.view is not None:
            player.view = None


def xs(player: TestedPlayer) -> list[float]:
    return sorted(walker.x for walker in player.tables.walkers)


def test_players_of_an_area_see_what_is_around_them() -> None:
    with play(Heath) as room:
        ada, bo = room.join("Ada"), room.join("Bo")
        room.step()
        assert (xs(ada), xs(bo)) == ([100], [700])
        own = ada.entity
        met = []
        for tick in range(100):
            ada.input(by=8, watch=-1)
            room.step()
            assert ada.entity is own
            assert (own.x, own.secret) == (100 + 8 * (tick + 1), 41)
            distance = abs(own.x - bo.entity.x)
            seen = len(ada.tables.walkers) == 2
            assert seen or distance > 50
            assert not seen or distance <= 50 * 2.75
            assert len(bo.tables.walkers) == len(ada.tables.walkers)
            met.append(seen)
        assert (met[0], any(met), met[-1]) == (False, True, False)


def test_a_spectator_of_an_area_is_shown_everything_and_then_its_part_again() -> None:
    with play(Heath) as room:
        ada, _ = room.join("Ada"), room.join("Bo")
        room.step()
        before = ada.entity
        ada.input(watch=0)
        room.step(2)
        assert xs(ada) == [100, 700]
        assert ada.entity is not before
        assert ada.entity.secret == 41
        ada.input(watch=-1)
        room.step(2)
        assert xs(ada) == [100]


def test_a_delayed_spectator_sees_what_was_and_owns_nothing() -> None:
    with play(Heath) as room:
        ada, bo = room.join("Ada"), room.join("Bo")
        ada.input(watch=2)
        room.step()
        for _ in range(20):
            assert xs(ada) == []
            bo.input(by=1, watch=-1)
            room.step()
        assert xs(ada) == [100, 700]
        assert ada.entity is None
        room.step(5)
        assert xs(ada) == [100, 705]
        bo.chat("still there?")
        room.step()
        assert [event.event for event in ada.events] == ["chat"]


def test_a_room_is_as_it_is_wanted() -> None:
    class Course(Race):
        def on_create(self) -> None:
            if self.options.get("map") == "none":
                raise Refusal("No such map.")

    with play(Course, mode="sprint", options={"map": "ice"}) as room:
        assert (room.game.mode, room.game.options) == ("sprint", {"map": "ice"})
    with pytest.raises(Refusal, match="No such map"):
        play(Course, options={"map": "none"})


class Trail(Game):
    """Counts in an attribute that it saves, and in one that it forgets to."""

    tick_rate = 10
    input = Crawl
    snails = table(Snail)

    def on_create(self) -> None:
        self.kept = self.lost = 0

    def save(self) -> Any:
        return self.kept

    def load(self, saved: Any) -> None:
        self.kept, self.lost = saved, 0
        for player in self.players:
            if player.name == "Cy":
                player.kick("no way back")

    def on_join(self, player: Player) -> None:
        player.entity = self.snails.spawn(secret=40 + player.number)

    def on_input(self, player: Player, crawl: Crawl) -> None:
        self.kept += 1
        self.lost += 1
        player.entity.x += crawl.by


class TestFailingOver:
    def test_players_go_on_and_what_is_not_saved_is_lost(self) -> None:
        with play(Trail) as room:
            ada = room.join("Ada")
            ada.input(by=1)
            room.step()
            before = room.room
            bo = room.join("Bo")
            room.fail_over()
            assert room.room is not before
            assert (room.game.kept, room.game.lost) == (1, 0)
            assert ada.others == {"player-1": "Ada", "player-2": "Bo"}
            assert room.room.epoch == before.epoch + 1
            for player in (ada, bo):
                player.input(by=0.5)
            room.step()
            assert [(player.entity.x, player.entity.secret) for player in (ada, bo)] == [(1.5, 41), (0.5, 42)]
            assert ada.player is room.game.players["player-1"]
            assert room.join("Dee").id == "player-3"

    def test_whom_load_kicks_is_gone(self) -> None:
        with play(Trail) as room:
            ada, cy = room.join("Ada"), room.join("Cy")
            room.fail_over()
            assert (cy.kicked, room.players) == ("no way back", [ada])
            room.step()
            assert ada.others == {"player-1": "Ada"}

    def test_a_delayed_spectator_begins_anew(self) -> None:
        with play(Heath) as room:
            ada, bo = room.join("Ada"), room.join("Bo")
            ada.input(watch=2)
            for _ in range(21):
                bo.input(by=1, watch=-1)
                room.step()
            assert len(xs(ada)) == 2
            room.fail_over()
            assert xs(ada) == []
            room.step(22)
            assert xs(ada) == [100, 721]

    def test_who_sees_a_part_sees_it_again(self) -> None:
        with play(Heath) as room:
            ada, bo = room.join("Ada"), room.join("Bo")
            room.step()
            room.fail_over()
            room.step()
            assert (xs(ada), xs(bo), ada.entity.secret) == ([100], [700], 41)

    def test_a_game_without_ticks_shows_it_at_once(self) -> None:
        class KeptBook(Book):
            def load(self, saved: Any) -> None:
                self.page.said = saved

            def save(self) -> Any:
                return self.page.said + "!"

        with play(KeptBook) as room:
            ada = room.join("Ada")
            room.fail_over()
            assert ada.tables.page.said == "!"

    def test_an_error_in_load_is_raised(self) -> None:
        class Broken(Trail):
            def load(self, saved: Any) -> None:
                raise KeyError("nothing")

        room = play(Broken)
        room.join("Ada")
        with pytest.raises(HookError, match=r"Broken\.load"):
            room.fail_over()

    def test_a_checkpoint_with_its_players_has_them_already(self) -> None:
        with play(Trail) as room:
            ada, bo = room.join("Ada"), room.join("Bo")
            for _ in range(3):
                bo.input(by=1)
                room.step()
            ada.leave()
            saved = room.checkpoint(members=True)
        with play(Trail, saved=saved) as again:
            (bo,) = again.players
            again.step()
            assert (bo.name, bo.entity.x, bo.others) == ("Bo", 3, {"player-2": "Bo"})
            bo.input(by=1)
            again.step()
            assert bo.entity.x == 4
            assert again.join("Cleo").id == "player-3"

    def test_who_joins_is_never_somebody_who_is_there(self) -> None:
        with play(Race) as room:
            ada, bo = room.join("Ada"), room.join("Bo")
            with pytest.raises(Refusal):
                room.join("Cy")  # takes an id, and no seat
            bo.leave()
            assert room.join("Dee").id == "player-4"
            ada.leave()
            saved = room.checkpoint(members=True)
        with play(Race, saved=saved) as again:
            assert again.join("Eve").id == "player-5"
