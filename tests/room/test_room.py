"""A room: its tick, its seats, and how it ends."""

from __future__ import annotations

from linecache import getline
from typing import Any

import numpy
import pytest

from monkeytown import Game, Player, Refusal, everything, table
from monkeytown._core.timing import PARTS, Course, Stopwatch, Timing
from monkeytown.errors import FieldError, HookError
from monkeytown.position import Position, Reason
from monkeytown.room.closing import ROOM_CLOSED, ROOM_FAILED
from monkeytown.room.inputs import INPUTS_PER_TICK
from monkeytown.room.room import Room
from monkeytown.room.setup import Setup

from .pond import Frog, Hop, Pond, Shoal, Wall, a_room, errors, game_events, joined, told


def hop(room: Room, member: Any, by: float = 0.0, number: int = 1, croak: bool = False) -> None:
    assert room.inputs is not None
    message = room.inputs.layout.pack(Hop(by=by, croak=croak), number)
    room.inputs.push_message(member.number, message)


class TestConnections:
    def test_the_rules_are_told_once_each_time(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        for _ in range(2):
            room.drop("Ada")
        for _ in range(2):
            room.resume("Ada")
        assert room.game.calls[2:] == [("drop", "Ada", False), ("resume", "Ada", True)]
        assert ada.player.entity.alive

    def test_whoever_is_not_here_has_no_connection(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        room.drop("Bob")
        room.dispose()
        room.drop("Ada")
        assert ("drop", "Ada", False) not in room.game.calls

    def test_a_hook_that_fails_ends_the_room(self) -> None:
        class Touchy(Wall):
            def on_drop(self, player: Player) -> None:
                raise KeyError("gone")

        room = a_room(Touchy)
        joined(room, "Ada")
        room.drop("Ada")
        assert room.closed is not None
        assert room.closed.code == ROOM_FAILED

    def test_a_position_is_judged_by_who_sees_what(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.step()
        assert room.decide(room.position, ada) is Reason.CONTINUED
        assert room.decide(Position(room.epoch, room.tick + 1), ada) is Reason.AHEAD
        assert room.decide(Position(room.epoch + 1, room.tick), ada) is Reason.OTHER_EPOCH
        ada.player.view = everything(delay=1.0)
        assert room.decide(room.position, ada) is Reason.OTHER_EPOCH

    def test_everybody_is_introduced_anew(self) -> None:
        room = a_room(Pond)
        ada, _ = joined(room, "Ada", "Bob")
        ada.take_mail()
        room.introduce_all(ada)
        assert told(ada) == [("player_joined", {"id": name, "name": name}) for name in ("Ada", "Bob")]
        assert ada in room.notified

    def test_between_steps_a_room_may_be_disturbed(self) -> None:
        room = a_room(Pond)
        room.step()
        assert not room.is_disturbed
        joined(room, "Ada")
        assert room.is_disturbed


class TestTheTick:
    def test_the_first_version_is_there_once_the_game_is_created(self) -> None:
        room = a_room(Pond, epoch=4)
        assert room.game.calls == ["create"]
        assert room.position == Position(4, 1)
        assert (room.epoch, room.tick, room.name, room.id) == (4, 1, "pond", "room-1")

    def test_the_rules_know_what_was_wanted_of_the_room(self) -> None:
        wanted = {"map": "lava"}
        game = a_room(Pond, setup=Setup(mode="duel", options=wanted)).game
        game.options["map"] = "ice"
        assert (game.mode, game.options, wanted) == ("duel", {"map": "ice"}, {"map": "lava"})
        assert (a_room(Pond).game.mode, a_room(Pond).game.options) == ("", {})

    def test_the_rules_may_want_no_such_room(self) -> None:
        class Still(Pond):
            def on_create(self) -> None:
                raise Refusal("No such map.", "GAME-101")

        with pytest.raises(Refusal, match="GAME-101: No such map"):
            a_room(Still)

    def test_each_step_is_one_tick_of_fixed_length(self) -> None:
        room = a_room(Pond)
        room.step()
        room.step()
        assert room.game.calls[1:] == [("tick", 2, 0.02, 0.02), ("tick", 3, 0.04, 0.02)]
        assert room.tick == 3

    def test_a_stopwatch_is_told_which_part_took_the_time(self) -> None:
        spent = {"now": 0}

        class Slow(Pond):
            def on_create(self) -> None:
                super().on_create()
                self.every(1 / 50, self.bell)

            def on_input(self, player: Player, hop: Hop) -> None:
                spent["now"] += 3

            def bell(self) -> None:
                spent["now"] += 20

            def on_tick(self, dt: float) -> None:
                spent["now"] += 100

        watch = Stopwatch(Timing(), Course(lambda: spent["now"]))
        room = a_room(Slow, stopwatch=watch)
        (frog,) = joined(room, "Ada")
        for number in (1, 2):
            hop(room, frog, number=number)
        room.step()
        room.step()
        assert watch.finish() == 2 * 3 + 2 * 20 + 2 * 100
        parts = dict(zip(PARTS, watch.timing.parts, strict=True))
        assert {name: part.sum for name, part in parts.items() if sum(part.counts)} == {
            "on_input": 6,
            "timers": 40,
            "on_tick": 200,
            "commit": 0,
        }

    def test_a_room_without_ticks_has_fewer_parts(self) -> None:
        watch = Stopwatch(Timing(), Course(lambda: 0))
        room = a_room(Wall, stopwatch=watch)
        room.step()
        watch.finish()
        assert [name for name, part in zip(PARTS, watch.timing.parts, strict=True) if sum(part.counts)] == [
            "commit"
        ]

    def test_time_does_not_drift(self) -> None:
        room = a_room(Pond)
        for _ in range(50 * 60):
            room.step()
        assert room.game.time == 60.0

    def test_inputs_come_first_and_in_order(self) -> None:
        room = a_room(Pond)
        ada, bob = joined(room, "Ada", "Bob")
        room.game.on_input = lambda player, hop: room.game.calls.append((player.name, hop.by))
        hop(room, ada, 1, number=1)
        hop(room, bob, 2, number=1)
        hop(room, ada, 3, number=2)
        room.game.calls.clear()
        room.step()
        assert room.game.calls[:3] == [("Ada", 1.0), ("Bob", 2.0), ("Ada", 3.0)]
        assert room.game.calls[3][0] == "tick"
        assert (ada.input, bob.input) == (2, 1)

    def test_of_too_many_inputs_the_newest_count(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.game.on_input = lambda player, hop: room.game.calls.append(hop.by)
        room.game.calls.clear()
        for by in range(7):
            hop(room, ada, by, number=by + 1)
        room.step()
        assert room.game.calls[:-1] == list(range(7 - INPUTS_PER_TICK, 7))
        assert ada.input == 7

    def test_inputs_of_who_has_left_are_not_seen(self) -> None:
        room = a_room(Pond)
        ada, bob = joined(room, "Ada", "Bob")
        hop(room, ada, 1)
        hop(room, bob, 1)
        room.leave("Ada")
        room.step()
        assert room.closed is None
        assert bob.player.entity.x == 101

    def test_inputs_of_who_was_kicked_in_this_tick_are_not_seen(self) -> None:
        room = a_room(Pond)
        ada, _ = joined(room, "Ada", "Bob")
        seen: list[str] = []

        def on_input(player: Player, hop: Hop) -> None:
            seen.append(player.name)
            player.kick("once is enough")

        room.game.on_input = on_input
        hop(room, ada, number=1)
        hop(room, ada, number=2)
        room.step()
        assert seen == ["Ada"]
        assert room.kicked == [(ada, "once is enough")]

    def test_inputs_may_come_all_at_once(self) -> None:
        room = a_room(Shoal)
        ada, bob, _ = joined(room, "Ada", "Bob", "Cid")
        room.step()
        assert room.game.batches == []  # nobody has sent anything
        for member, by, number in ((ada, 1, 1), (bob, 2, 1), (ada, 3, 2)):
            hop(room, member, by, number=number)
        room.step()
        room.step()
        assert room.game.batches == [[(1, 1.0, 0), (2, 2.0, 1), (1, 3.0, 0)]]
        assert [frog.x for frog in room.game.frogs] == [103, 102, 100]
        assert (ada.input, bob.input) == (2, 1)
        hop(room, ada, 1, number=3)
        hop(room, bob, 1, number=2)
        room.leave("Ada")
        room.step()
        assert room.game.batches[1:] == [[(2, 1.0, 1)]]

    def test_an_error_in_all_at_once_names_its_hook(self) -> None:
        room = a_room(Shoal)
        [ada] = joined(room, "Ada")
        hop(room, ada, 8)
        room.step()
        assert room.closed is not None
        assert isinstance(room.closed.error, HookError)
        assert room.closed.error.hook == "on_inputs"
        assert "too far" in str(room.closed.error)

    @pytest.mark.parametrize("game", [Pond, Shoal])
    def test_a_player_has_seen_what_its_newest_input_says(self, game: type[Game]) -> None:
        room = a_room(game)
        [ada] = joined(room, "Ada")
        player = ada.player
        assert player.seen_tick == 0
        assert room.inputs is not None
        room.inputs.push_message(ada.number, room.inputs.layout.pack(Hop(), 1, 17))
        room.step()
        assert player.seen_tick == 17
        room.act("Ada", {"by": 1}, 2)  # says nothing of what was seen
        room.step()
        assert player.seen_tick == 17
        room.act("Ada", {"by": 1}, 3, 18)
        room.step()
        assert player.seen_tick == 18
        room.leave("Ada")
        assert player.seen_tick == 0

    def test_a_batch_says_what_was_seen_of_maps_too(self) -> None:
        room = a_room(Shoal)
        [ada] = joined(room, "Ada")
        assert room.inputs is not None
        room.inputs.push_message(ada.number, room.inputs.layout.pack(Hop(), 1, 17))
        room.act("Ada", {"by": 1}, 2, 18)
        room.act("Ada", {"by": 1}, 3)
        room.step()
        assert room.game.ticks_seen == [17, 18, 0]

    def test_a_refused_input_is_an_error_for_one_player(self) -> None:
        room = a_room(Pond)
        ada, bob = joined(room, "Ada", "Bob")
        for number in range(1, 4):
            hop(room, ada, croak=True, number=number)
        room.step()
        assert errors(ada) == [("GAME-100", "Frogs are full after two flies.")]
        assert errors(bob) == []
        assert ada.player.entity.flies == 2
        assert room.closed is None

    def test_timers_fire_before_the_tick(self) -> None:
        room = a_room(Pond)
        room.game.after(0.04, lambda: room.game.calls.append(("ring", room.game.time)))
        room.step()
        room.step()
        assert room.game.calls[-2:] == [("ring", 0.04), ("tick", 3, 0.04, 0.02)]

    def test_maps_become_inputs_too(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.act("Ada", {"by": 2.5}, 9)
        assert ada.player.entity.x == 100
        room.step()
        assert ada.player.entity.x == 102.5
        assert ada.input == 9

    @pytest.mark.parametrize(
        "action", [{"up": 1}, {"by": "far"}, {"by": None}, {"self": 1}, {"by": float("nan")}]
    )
    def test_a_map_that_is_no_input_is_refused(self, action: dict[str, Any]) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        with pytest.raises(Refusal, match="INPUT-001"):
            room.act("Ada", action)
        room.step()
        assert room.closed is None

    def test_the_same_seed_and_inputs_give_the_same_bytes(self) -> None:
        def history(seed: int) -> list[bytes | None]:
            room = a_room(Pond, seed=seed)
            ada, bob = joined(room, "Ada", "Bob")
            position, frames = None, []
            for tick in range(120):
                hop(room, ada, by=(tick * 7 % 16) / 8 - 1, number=tick + 1)
                if tick % 3 == 0:
                    hop(room, bob, by=room.game.random.uniform(-8, 8), number=tick + 1)
                room.step()
                reading = room.read(position)
                position = reading.position
                frames.append(reading.frame)
            return frames

        assert history(5) == history(5)
        assert history(5) != history(6)


class TestSeats:
    def test_newcomers_hear_the_names_that_players_have_now(self) -> None:
        room = a_room(Pond)
        (ada,) = joined(room, "Ada")
        ada.player.name = "Countess"
        bob, _ = joined(room, "Bob", "Cy")
        assert told(bob)[0] == ("player_joined", {"id": "Ada", "name": "Countess"})
        assert ada.introduction is ada.introduction

    def test_everybody_is_told_who_is_there(self) -> None:
        room = a_room(Pond)
        ada, bob = joined(room, "Ada", "Bob")
        assert told(ada) == [
            ("player_joined", {"id": "Ada", "name": "Ada"}),
            ("player_joined", {"id": "Bob", "name": "Bob"}),
        ]
        assert told(bob) == told(ada)
        room.leave("Bob")
        assert told(ada)[2:] == [("player_left", {"playerId": "Bob"})]
        assert room.notified == {ada}

    def test_numbers_are_never_used_again(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.leave("Ada")
        [bob] = joined(room, "Bob")
        assert (ada.number, bob.number) == (1, 2)

    def test_rules_see_who_joins_and_not_who_left(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada", "Bob")
        room.leave("Ada")
        assert room.game.calls[1:] == [("join", "Ada", 1), ("join", "Bob", 2), ("leave", "Ada", 1)]
        assert [frog.name for frog in room.game.frogs] == ["Bob"]

    def test_leaving_twice_is_leaving_once(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        room.leave("Ada")
        calls = list(room.game.calls)
        room.leave("Ada")
        room.leave("nobody")
        assert room.game.calls == calls

    def test_who_is_here_cannot_join_again(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        with pytest.raises(Refusal, match="GAME-004"):
            room.join("Ada", "Ada")
        assert len(room.game.frogs) == 1

    def test_a_full_room_takes_nobody(self) -> None:
        room = a_room(Pond, setup=Setup(max_players=2))
        assert not room.is_full
        joined(room, "Ada", "Bob")
        assert room.is_full
        with pytest.raises(Refusal, match="GAME-002"):
            room.join("Cid", "Cid")
        room.leave("Ada")
        joined(room, "Cid")

    def test_the_game_says_how_many_unless_the_host_does(self) -> None:
        class Duel(Pond):
            max_players = 2

        assert a_room(Duel).game.max_players == 2
        assert a_room(Duel, setup=Setup(max_players=5)).game.max_players == 5

    def test_a_full_table_is_a_full_room(self) -> None:
        class Puddle(Pond):
            frogs = table(Frog, capacity=1)

        room = a_room(Puddle)
        joined(room, "Ada")
        with pytest.raises(Refusal, match="GAME-002"):
            room.join("Bob", "Bob")
        assert room.closed is None

    def test_who_has_left_cannot_speak_or_act(self) -> None:
        room = a_room(Wall)
        for attempt in (lambda: room.chat("Ada", "hi"), lambda: room.act("Ada", {})):
            with pytest.raises(Refusal, match="GAME-003"):
                attempt()

    def test_what_stays_of_a_player_belongs_to_nobody(self) -> None:
        class Statues(Pond):
            def on_leave(self, player: Player) -> None:
                pass

        room = a_room(Statues)
        joined(room, "Ada")
        [frog] = room.game.frogs
        assert frog.owner == 1
        room.leave("Ada")
        assert frog.owner == 0


class TestTurnedAway:
    class Door(Wall):
        def on_join(self, player: Player) -> None:
            self.broadcast("knock", player.name)
            player.send("hello")
            if player.name == "Mallory":
                raise Refusal("Not you.")
            if player.name == "Trudy":
                player.kick("Out.")
            if player.name == "Eve":
                for other in self.players:
                    if other is not player:
                        other.kick("Eve is here")

    def test_nobody_hears_of_it(self) -> None:
        room = a_room(self.Door)
        [ada] = joined(room, "Ada")
        before = told(ada)
        with pytest.raises(Refusal, match="Not you"):
            room.join("m", "Mallory")
        assert told(ada) == before
        assert list(room.members) == ["Ada"]
        assert len(room.game.players) == 1

    def test_being_kicked_while_joining_is_being_turned_away(self) -> None:
        room = a_room(self.Door)
        [ada] = joined(room, "Ada")
        before = told(ada)
        with pytest.raises(Refusal, match="Out"):
            room.join("t", "Trudy")
        assert told(ada) == before
        assert room.kicked == []

    def test_events_of_a_join_come_after_its_announcement(self) -> None:
        room = a_room(self.Door)
        ada, bob = joined(room, "Ada", "Bob")
        assert [type for type, _ in told(bob)] == [
            "player_joined",
            "player_joined",
            "game_event",
            "game_event",
        ]
        assert game_events(bob) == [("knock", "Bob"), ("hello", None)]
        assert told(ada)[-2:] == [
            ("player_joined", {"id": "Bob", "name": "Bob"}),
            ("game_event", {"event": "knock", "data": "Bob"}),
        ]

    def test_others_may_be_kicked_by_a_join(self) -> None:
        room = a_room(self.Door)
        [ada] = joined(room, "Ada")
        joined(room, "Eve")
        assert room.kicked == [(ada, "Eve is here")]
        assert list(room.members) == ["Eve"]

    def test_a_join_that_breaks_the_rules_ends_the_room(self) -> None:
        class Broken(Wall):
            def on_join(self, player: Player) -> None:
                raise KeyError("seat")

        room = a_room(Broken)
        with pytest.raises(Refusal, match="GAME-005"):
            room.join("Ada", "Ada")
        assert room.closed is not None
        assert room.closed.code == ROOM_FAILED
        assert not room.members


class TestEvents:
    def test_chat_reaches_everybody_as_the_rules_want_it(self) -> None:
        room = a_room(Wall)
        ada, bob = joined(room, "Ada", "Bob")
        room.chat("Ada", "hi")
        room.chat("Bob", "secret")
        said = [("chat", {"playerId": "Ada", "name": "Ada", "text": "HI"})]
        assert game_events(ada) == game_events(bob) == said

    def test_chat_without_a_word_is_none(self) -> None:
        room = a_room(Wall)
        [ada] = joined(room, "Ada")
        room.chat("Ada", "")
        room.chat("Ada", " \n\t ")
        room.chat("Ada", "  hi ")
        assert [data["text"] for _, data in game_events(ada)] == ["HI"]

    def test_chat_may_be_refused(self) -> None:
        room = a_room(Wall)
        ada, bob = joined(room, "Ada", "Bob")
        room.chat("Ada", "rude")
        assert errors(ada) == [("GAME-100", "Be kind.")]
        assert told(bob)[2:] == []

    def test_chat_that_breaks_the_rules_ends_the_room(self) -> None:
        room = a_room(Wall)
        joined(room, "Ada")
        room.chat("Ada", "break")
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.closed.error.hook == "on_chat"

    def test_chat_that_rules_made_too_long_is_their_error(self) -> None:
        class Echo(Wall):
            def on_chat(self, player: Player, text: str) -> str:
                return text * 100_000

        room = a_room(Echo)
        joined(room, "Ada")
        room.chat("Ada", "hi")
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.closed.error.hook == "on_chat"

    def test_an_action_may_be_refused(self) -> None:
        room = a_room(Wall)
        [ada] = joined(room, "Ada")
        room.act("Ada", {"do": "refuse"}, 3, 1)
        assert errors(ada) == [("GAME-100", "Not this.")]
        assert ada.input == 3
        assert ada.player.seen_tick == 1
        room.act("Ada", {"do": "refuse"}, 4)
        assert ada.player.seen_tick == 1

    def test_a_game_that_takes_no_messages_says_so(self) -> None:
        class Mute(Game):
            tick_rate = 0
            note = Wall.note

        room = a_room(Mute)
        [ada] = joined(room, "Ada")
        room.act("Ada", {"any": "thing"})
        assert errors(ada) == [("GAME-100", "This game takes no messages.")]

    def test_an_event_to_one_player_is_for_that_one(self) -> None:
        room = a_room(Wall)
        ada, bob = joined(room, "Ada", "Bob")
        room.act("Ada", {"do": "send", "data": [1, 2]})
        assert game_events(ada) == [("pong", [1, 2])]
        assert game_events(bob) == []


class TestKicks:
    def test_a_kick_waits_for_its_hook_to_return(self) -> None:
        room = a_room(Wall)
        ada, bob = joined(room, "Ada", "Bob")
        room.notified.clear()
        room.act("Ada", {"do": "kick", "whom": "Bob", "why": "asleep"})
        assert room.kicked == [(bob, "asleep")]
        assert room.notified == {ada}
        assert told(ada)[-1] == ("player_left", {"playerId": "Bob"})
        assert len(room.game.players) == 1

    def test_all_may_be_kicked_while_looking_at_them(self) -> None:
        room = a_room(Wall)
        joined(room, "Ada", "Bob", "Cid")
        room.act("Bob", {"do": "kick all"})
        assert [member.id for member, _ in room.kicked] == ["Ada", "Bob", "Cid"]
        assert not room.members
        assert room.closed is None

    def test_a_kick_may_lead_to_another(self) -> None:
        class Chain(Wall):
            def on_leave(self, player: Player) -> None:
                for other in self.players:
                    other.kick("after " + player.name)
                    break

        room = a_room(Chain)
        joined(room, "Ada", "Bob", "Cid")
        room.act("Cid", {"do": "kick", "whom": "Ada"})
        assert [reason for _, reason in room.kicked] == ["", "after Ada", "after Bob"]

    def test_who_has_left_can_be_neither_kicked_nor_told_nor_given_anything(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.leave("Ada")
        [frog] = [room.game.frogs.spawn()]
        ada.player.kick()
        ada.player.send("hello")
        ada.player.entity = frog
        room.step()
        assert room.kicked == []
        assert frog.owner == 0

    def test_who_is_kicked_still_hears_what_came_before(self) -> None:
        class Farewell(Wall):
            def on_message(self, player: Player, action: dict[str, Any]) -> None:
                player.send("farewell")
                player.kick()

        room = a_room(Farewell)
        [ada] = joined(room, "Ada")
        room.notified.clear()
        room.act("Ada", {})
        assert room.notified == {ada}
        assert game_events(ada) == [("farewell", None)]

    def test_an_event_without_a_name_is_an_error_of_the_rules(self) -> None:
        class Nameless(Wall):
            def on_message(self, player: Player, action: dict[str, Any]) -> None:
                self.broadcast({"hello": 1})  # type: ignore[arg-type]

        room = a_room(Nameless)
        joined(room, "Ada")
        room.act("Ada", {})
        assert room.closed is not None
        assert "an event has a name" in str(room.closed.error)

    def test_a_member_has_a_name_for_people_who_debug(self) -> None:
        [ada] = joined(a_room(Wall), "Ada")
        assert repr(ada) == "<Member 1 'Ada'>"


class TestTheEnd:
    def test_a_room_that_closes_says_why_and_shows_its_last_state(self) -> None:
        room = a_room(Wall)
        [ada] = joined(room, "Ada")
        room.step()
        before = room.position
        room.act("Ada", {"do": "close", "why": "We are done."})
        assert room.closed == ("We are done.", ROOM_CLOSED, None)
        assert errors(ada) == [("GAME-006", "We are done.")]
        assert room.read(before).position == (before.epoch, before.tick + 1)

    def test_closing_in_a_tick_still_commits_it(self) -> None:
        class Last(Pond):
            def on_tick(self, dt: float) -> None:
                self.lilies.spawn(size=1)
                self.close()

        room = a_room(Last)
        before = room.position
        room.step()
        assert room.closed is not None
        assert room.closed.error is None
        assert room.read(before).frame is not None
        assert room.tick == before.tick + 1

    def test_nothing_happens_in_a_closed_room(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        room.game.close("bye")
        room.step()
        tick, calls = room.tick, list(room.game.calls)
        room.step()
        room.leave("Ada")
        assert (room.tick, room.game.calls) == (tick, calls)
        for attempt in (
            lambda: room.join("Bob", "Bob"),
            lambda: room.chat("Ada", "x"),
            lambda: room.act("Ada", {}),
        ):
            with pytest.raises(Refusal, match="GAME-006"):
                attempt()

    def test_closing_twice_keeps_the_first_reason(self) -> None:
        room = a_room(Pond)
        room.game.close("first")
        room.game.close("second")
        room.step()
        assert room.closed is not None
        assert room.closed.reason == "first"

    def test_an_error_in_a_hook_ends_the_room_and_names_the_line(self) -> None:
        room = a_room(Wall)
        _, bob = joined(room, "Ada", "Bob")
        room.act("Ada", {"do": "fail"})
        assert room.closed is not None
        assert room.closed.code == ROOM_FAILED
        error = room.closed.error
        assert error is not None
        assert (error.game, error.hook, error.room) == ("Wall", "on_message", "room-1")
        assert error.file.endswith("pond.py")
        assert getline(error.file, error.line).strip() == 'raise ZeroDivisionError("on purpose")'
        assert errors(bob) == [("GAME-005", "The rules of the game failed; the room has ended.")]

    def test_an_error_is_not_shown_to_players(self) -> None:
        room = a_room(Wall)
        [ada] = joined(room, "Ada")
        room.act("Ada", {"do": "fail"})
        assert "on purpose" not in str(told(ada))

    def test_exit_in_a_game_ends_its_room_only(self) -> None:
        room = a_room(Wall)
        joined(room, "Ada")
        room.act("Ada", {"do": "exit"})
        assert room.closed is not None
        assert isinstance(room.closed.error, Exception)

    @pytest.mark.parametrize(
        "hook", ["on_create", "on_tick", "on_input", "on_leave", "timer", "on_dispose", "__init__"]
    )
    def test_each_hook_is_named(self, hook: str) -> None:
        def fail(*arguments: Any) -> None:
            raise ValueError(hook) if hook in ("on_create", "on_input") else Refusal("nobody asked")

        class Failing(Pond):
            def on_create(self) -> None:
                super().on_create()
                if hook == "timer":
                    self.every(0.02, fail)

        if hook != "timer":
            setattr(Failing, hook, fail)
        room = a_room(Failing)
        if room.closed is None:
            [ada] = joined(room, "Ada")
            hop(room, ada)
            room.step()
        room.leave("Ada")
        room.dispose()
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.closed.error.hook == ("timer fail" if hook == "timer" else hook)

    def test_after_an_error_no_hook_is_called_and_nothing_is_read(self) -> None:
        room = a_room(Pond)
        joined(room, "Ada")
        room.step()
        position = room.position

        def fail(dt: float) -> None:
            room.game.lilies.clear()
            raise ValueError

        room.game.on_tick = fail
        room.step()
        calls = list(room.game.calls)
        room.step()
        room.leave("Ada")
        room.dispose()
        assert room.game.calls == calls
        assert room.read(position).frame is None
        assert room.read(None).frame is None

    def test_a_room_whose_creation_fails_is_closed(self) -> None:
        class Stillborn(Pond):
            def on_create(self) -> None:
                raise RuntimeError("no map")

        room = a_room(Stillborn)
        assert room.closed is not None
        assert room.tick == 0

    def test_a_number_that_is_none_is_found_at_the_commit(self) -> None:
        class Lost(Pond):
            def on_tick(self, dt: float) -> None:
                numpy.asarray(self.frogs.x)[:] = numpy.nan

        room = a_room(Lost)
        joined(room, "Ada")
        room.step()
        assert room.closed is not None
        assert room.closed.error is not None
        assert isinstance(room.closed.error.__cause__, FieldError)
        assert "Frog.x" in str(room.closed.error)
        assert room.closed.error.hook == "on_tick"

    def test_disposing_tells_the_rules_once(self) -> None:
        room = a_room(Pond)
        [ada] = joined(room, "Ada")
        room.dispose()
        room.dispose()
        assert room.game.calls[-1] == "dispose"
        assert room.game.calls.count("dispose") == 1
        assert room.closed is not None
        assert errors(ada)[0][0] == "GAME-006"

    def test_a_closed_room_is_disposed_of_as_well(self) -> None:
        room = a_room(Pond)
        room.game.close()
        room.step()
        room.dispose()
        assert room.game.calls[-1] == "dispose"


class TestTimeWithoutTicks:
    def test_events_make_versions_when_the_host_says_so(self) -> None:
        room = a_room(Wall)
        joined(room, "Ada")
        room.step()
        start = room.position
        room.act("Ada", {"do": "write"})
        assert room.read(start).frame is None
        room.step()
        assert room.read(start).frame is not None
        assert room.game.time == 0

    def test_timers_fire_at_their_own_time(self) -> None:
        room = a_room(Wall)
        [ada] = joined(room, "Ada")
        assert room.next_timer is None
        for seconds in (2.5, 0.5):
            room.act("Ada", {"do": "later", "seconds": seconds})
        assert room.next_timer == 0.5
        assert room.advance(0.25) is False
        assert room.next_timer == 0.25
        assert room.advance(10) is True
        assert game_events(ada) == [("ring", {"at": 0.5}), ("ring", {"at": 2.5})]
        assert room.game.time == 10.25

    def test_a_chain_of_timers_does_not_stop_the_clock(self) -> None:
        class Chain(Wall):
            def ring(self) -> None:
                self.note.count += 1
                self.after(0, self.ring)

        room = a_room(Chain)
        joined(room, "Ada")
        room.act("Ada", {"do": "later", "seconds": 0})
        assert room.advance(0.1005)
        assert room.game.note.count == 101

    def test_a_timer_may_close_the_room(self) -> None:
        room = a_room(Wall)
        room.game.after(1, room.game.close)
        room.game.after(2, room.game.close)
        assert room.advance(5)
        assert room.closed is not None
        assert room.game.time == 1

    def test_a_room_with_ticks_has_its_own_time(self) -> None:
        with pytest.raises(ValueError, match="by its ticks"):
            a_room(Pond).advance(1)
