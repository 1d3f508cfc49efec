"""Rooms in time: steps, late starts, failures beside healthy rooms, rooms without ticks, empty rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog

from monkeytown._core.timing import PARTS
from monkeytown.errors import Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.room.room import Room
from monkeytown.runtime.host import Host
from monkeytown.runtime.metrics import Traffic
from tests.runtime.stage import Client, Clock, Dots, Grumpy, RecordingAudience, Turns, make_host

Make = Callable[..., Client]


def audience(hosted: Any) -> RecordingAudience:
    (only,) = hosted.audiences
    assert isinstance(only, RecordingAudience)
    return only


def test_a_room_is_stepped_at_its_rate_and_read_after_each_step(clock: Clock, client: Make) -> None:
    hosted = client().join("dots")
    before = hosted.room.tick
    clock.run(2.0)
    assert hosted.room.tick - before == 100
    assert audience(hosted).ticks == list(range(before + 1, before + 101))


def test_steps_that_are_caught_up_are_read_once(clock: Clock, client: Make, host: Host) -> None:
    hosted = client().join("dots")
    clock.run(0.1)
    audience(hosted).ticks.clear()
    before = hosted.room.tick
    clock.sleep(0.06)
    clock.ticker.run()
    assert hosted.room.tick == before + 3
    assert audience(hosted).ticks == [before + 3]
    assert host.metrics.ticks_caught_up == 2


def test_players_see_how_a_room_ended(clock: Clock, client: Make) -> None:
    player = client()
    hosted = player.join("dots")
    clock.run(0.1)
    hosted.room.game.close("That was it.")
    before = hosted.room.tick
    clock.run(0.1)
    assert player.closed is not None
    assert hosted.room.tick > before
    assert audience(hosted).ticks[-1] == hosted.room.tick


def test_time_that_is_given_up_is_not_stepped(clock: Clock, client: Make, host: Host) -> None:
    hosted = client().join("dots")
    clock.run(0.1)
    before = hosted.room.tick
    clock.sleep(10.0)
    clock.ticker.run()
    assert hosted.room.tick == before + 1
    assert host.metrics.nanoseconds_dropped > 9 * 10**9


class TestAFailingRoom:
    """A hook that raises ends its room, with a word to its players and a log for the developer, and nothing else."""

    def test_its_players_are_told_and_sent_away(self, clock: Clock, client: Make, host: Host) -> None:
        one, two = client(), client()
        hosted = one.join("grumpy")
        two.join("grumpy")
        clock.run(0.2)
        for player in (one, two):
            assert player.errors == ["GAME-005"]
            assert player.closed is not None
            assert player.closed[0] == CloseCode.ROOM_FAILED
        assert hosted.room.id not in host.rooms
        assert host.metrics.games["grumpy"].rooms_failed == 1

    def test_other_rooms_lose_no_tick(self, clock: Clock, client: Make) -> None:
        healthy, grumpy = client(), client()
        hosted = healthy.join("dots")
        before = hosted.room.tick
        grumpy.join("grumpy")
        clock.run(1.0)
        assert grumpy.closed is not None
        assert healthy.closed is None
        ticks = audience(hosted).ticks
        assert ticks == list(range(before + 1, before + 51))

    def test_the_log_names_game_hook_room_and_line(self, clock: Clock, client: Make) -> None:
        player = client()
        hosted = player.join("grumpy")
        with structlog.testing.capture_logs() as logs:
            clock.run(0.2)
        (entry,) = (entry for entry in logs if entry["log_level"] == "error")
        assert (entry["game"], entry["hook"], entry["room"]) == ("Grumpy", "on_tick", hosted.room.id)
        assert entry["file"] == Grumpy.on_tick.__code__.co_filename
        assert entry["line"] == Grumpy.on_tick.__code__.co_firstlineno + 2
        assert isinstance(entry["exc_info"], ZeroDivisionError)

    def test_a_room_that_cannot_begin_is_not_there(self, clock: Clock) -> None:
        class Broken(Dots):
            tick_rate = 10

            def on_create(self) -> None:
                raise LookupError("no level")

        host = make_host(clock, Broken)
        with structlog.testing.capture_logs() as logs, pytest.raises(Refusal) as refusal:
            host.open_room("broken")
        assert refusal.value.code == "GAME-005"
        assert logs[0]["hook"] == "on_create"
        assert host.rooms == {}
        clock.run(1.0)
        assert host.metrics.games["broken"].ticks == 0

    def test_a_hook_that_fails_at_a_join_refuses_it_and_ends_the_room(self, clock: Clock) -> None:
        class Unkind(Dots):
            tick_rate = 10

            def on_join(self, player: Any) -> None:
                raise LookupError("nobody may")

        host = make_host(clock, Unkind)
        player = Client(host, clock)
        player.say("join_game", gameId="unkind")
        assert player.errors == ["GAME-005"]
        assert player.closed is None
        assert host.rooms == {}

    @pytest.mark.parametrize("part", ["prepare", "send"])
    def test_an_error_of_our_own_ends_one_room_too(
        self, part: str, clock: Clock, client: Make, monkeypatch: Any
    ) -> None:
        broken, fine = client(), client()
        hosted = broken.join("dots")
        other = fine.join("turns")

        def fails(*_: Any) -> None:
            raise MemoryError("in the audience")

        monkeypatch.setattr(audience(hosted), part, fails)
        with structlog.testing.capture_logs() as logs:
            clock.run(0.1)
        assert [entry["event"] for entry in logs] == ["a room failed"]
        assert broken.closed is not None
        fine.say("player_input", action={})
        assert other.room.game.dot.x == 1  # type: ignore[attr-defined]


class TestWithoutTicks:
    """A room of turns moves when something happens in it, and shows it at once."""

    def test_every_event_is_shown(self, client: Make) -> None:
        player = client()
        hosted = player.join("turns")
        shown = len(audience(hosted).ticks)
        player.say("player_input", action={"do": "step"})
        assert len(audience(hosted).ticks) == shown + 1
        assert hosted.room.game.dot.x == 1  # type: ignore[attr-defined]

    def test_nothing_happens_by_itself(self, clock: Clock, client: Make) -> None:
        hosted = client().join("turns")
        shown = len(audience(hosted).ticks)
        clock.run(60)
        assert len(audience(hosted).ticks) == shown

    def test_timers_fire_in_time_and_are_shown(self, clock: Clock, client: Make) -> None:
        player = client()
        hosted = player.join("turns")
        clock.run(10)
        player.say("player_input", action={"do": "later"})
        shown = len(audience(hosted).ticks)
        clock.run(1.9)
        assert player.got("game_event") == []
        clock.run(0.2)
        assert player.got("game_event") == [{"event": "ring", "data": None}]
        assert len(audience(hosted).ticks) == shown + 1
        assert hosted.room.game.time == pytest.approx(12.0)

    def test_a_timer_of_a_room_that_ended_does_nothing(self, clock: Clock, client: Make, host: Host) -> None:
        player = client()
        player.join("turns")
        player.say("player_input", action={"do": "later"})
        player.say("player_input", action={"do": "close"})
        clock.run(5)
        assert player.got("game_event") == []
        assert host.rooms == {}


def test_a_game_may_end_its_room(client: Make, host: Host) -> None:
    one, two = client(), client()
    one.join("turns")
    two.join("turns")
    one.say("player_input", action={"do": "close"})
    for player in (one, two):
        assert player.errors == ["GAME-006"]
        assert player.closed == (CloseCode.ROOM_CLOSED, "that was all")
    assert host.rooms == {}
    assert host.metrics.games["turns"].rooms_failed == 0


def test_a_game_may_kick(client: Make) -> None:
    one, two = client(), client()
    hosted = one.join("turns")
    two.join("turns")
    one.say("player_input", action={"do": "kick"})
    assert one.closed == (CloseCode.KICKED, "enough")
    assert one.entered is None
    assert two.closed is None
    assert two.got("player_left") == [{"playerId": one.session.id}]
    assert list(hosted.sessions) == [two.session.id]


def test_whoever_comes_to_a_full_room_opens_the_next(clock: Clock) -> None:
    host = make_host(clock, Dots, max_players=2)
    rooms = [Client(host, clock).join("dots") for _ in range(5)]
    assert [rooms.index(room) for room in rooms] == [0, 0, 2, 2, 4]


def test_a_seat_that_is_free_again_is_taken_first(clock: Clock) -> None:
    host = make_host(clock, Dots, max_players=1)
    first, second = Client(host, clock), Client(host, clock)
    room = first.join("dots")
    second.join("dots")
    first.say("leave_game")
    assert Client(host, clock).join("dots") is room


class TestEmptyRooms:
    """They wait a little, for those who come back, and then are gone."""

    def test_after_the_last_player_the_room_ends(self, clock: Clock, client: Make, host: Host) -> None:
        player = client()
        hosted = player.join("dots")
        player.session.lost(player, for_good=True)
        clock.run(9)
        host.sweep(clock.seconds())
        assert hosted.room.id in host.rooms
        clock.run(2)
        host.sweep(clock.seconds())
        assert host.rooms == {}
        assert clock.ticker.next_deadline is None
        assert hosted.room.closed is not None

    def test_who_comes_back_in_time_finds_it(self, clock: Clock, client: Make, host: Host) -> None:
        player = client()
        hosted = player.join("dots")
        player.say("leave_game")
        clock.run(5)
        assert client().join(hosted.room.id) is hosted
        clock.run(60)
        host.sweep(clock.seconds())
        assert hosted.room.id in host.rooms

    def test_many_rooms_leave_nothing_behind(self, clock: Clock) -> None:
        host = make_host(clock, Dots, Turns, max_players=1, empty_seconds=0)
        for _ in range(50):
            for game in ("dots", "turns"):
                player = Client(host, clock)
                player.join(game)
                player.session.lost(player, for_good=True)
            host.sweep(clock.seconds())
        assert host.rooms == {}
        assert clock.ticker.next_deadline is None
        for metrics in host.metrics.games.values():
            assert metrics.rooms_opened == metrics.rooms_ended == metrics.joins == 50


def test_closing_the_host_ends_all_rooms(clock: Clock, client: Make, host: Host) -> None:
    players = [client(), client()]
    players[0].join("dots")
    players[1].join("turns")
    host.close()
    assert host.rooms == {}
    assert all(player.closed is not None for player in players)
    assert clock.ticker.next_deadline is None


def test_room_ids_and_dice_differ(clock: Clock) -> None:
    host = make_host(clock, Dots)
    rooms = [host.open_room("dots").room for _ in range(20)]
    assert len({room.id for room in rooms}) == 20
    assert all(len(room.id) >= 22 for room in rooms)
    assert len({room.game.random.random() for room in rooms}) == 20


class TestWhatIsCounted:
    def test_parts_of_a_room_without_ticks(self, clock: Clock, client: Make, host: Host) -> None:
        player = client()
        player.join("turns")
        player.say("player_input", action={"do": "count"})
        timing = host.metrics.games["turns"].timing
        parts = {name: sum(part.counts) for name, part in zip(PARTS, timing.parts, strict=True)}
        assert {name: count for name, count in parts.items() if count} == {
            "events": 2,
            "commit": 2,
            "encode": 2,
            "send": 2,
        }
        assert sum(timing.duration.counts) == 2
        assert sum(timing.lateness.counts) == 0

    def test_parts_of_a_room_with_ticks(self, clock: Clock, client: Make, host: Host) -> None:
        client().join("dots")
        clock.run(1.0)
        timing = host.metrics.games["dots"].timing
        parts = {name: sum(part.counts) for name, part in zip(PARTS, timing.parts, strict=True)}
        assert parts == {"events": 0} | dict.fromkeys(PARTS[1:], 50) | {"timers": 0}  # none was due

    def test_what_a_room_said_stays_when_it_has_ended(self, clock: Clock, client: Make, host: Host) -> None:
        hosted = client().join("dots")
        clock.run(0.1)
        position = hosted.room.read(None).position
        hosted.room.step()
        hosted.room.read(position)
        hosted.room.read(position)
        audience(hosted).said = Traffic(bytes_sent=700, held=3)
        before = hosted.traffic()
        assert (before.frames_encoded, before.frames_shared, before.bytes_sent) == (2, 1, 700)
        assert before.column_bytes["dots", "x"] > 0
        assert before.column_bytes["dots", ""] > 0
        assert host.metrics.games["dots"].ended == Traffic()
        hosted.dispose()
        assert host.metrics.games["dots"].ended == before
        second = client().join("dots")
        audience(second).said = Traffic(bytes_sent=1)
        second.dispose()
        assert host.metrics.games["dots"].ended.bytes_sent == 701


class Watcher(RecordingAudience):
    """Keeps for whom something private was new."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.touched: list[set[str]] = []

    def prepare(self, room: Room) -> None:
        super().prepare(room)
        self.touched.append({member.player.name for member in room.touched})


class Swapping(Dots):
    """Gives everyone another dot in its fourth tick."""

    def on_tick(self, dt: float) -> None:
        if self.tick == 4:
            for player in self.players:
                player.entity = self.dots.spawn()


@pytest.mark.parametrize("late", [0, 1, 2])
def test_what_is_private_is_told_with_the_next_state_that_is_read(clock: Clock, late: int) -> None:
    host = make_host(clock, Swapping)
    hosted = Client(host, clock).join("swapping")
    watcher = Watcher(hosted.room)
    hosted.audiences = [watcher]
    while hosted.room.tick < 3:
        clock.run(0.02)
    watcher.touched.clear()
    hosted.step(1 + late)
    hosted.prepare()
    hosted.step(1)
    hosted.prepare()
    assert [len(touched) for touched in watcher.touched] == [1, 0]
