"""What a room notes: who came and left, what was said, scored, emitted and finished, and players' documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monkeytown import Entity, Game, Player, Refusal, table, text
from monkeytown.room.ledger import Kind
from monkeytown.room.room import Room
from monkeytown.room.stage import MOST_POINTS
from monkeytown.testing import play


class Guest(Entity):
    name = text(24)


class Tavern(Game):
    tick_rate = 20
    leaderboard = "total"
    guests = table(Guest, capacity=2)

    def on_join(self, player: Player) -> None:
        self.emit("came", {"who": player.name})
        if player.name == "Mallory":
            raise Refusal("Not you.")
        player.entity = self.guests.spawn(name=player.name)

    def on_chat(self, player: Player, text: str) -> str | None:
        return None if text == "secret" else text.replace("beer", "ale")

    def on_leave(self, player: Player) -> None:
        super().on_leave(player)
        player.data["visits"] = player.data.get("visits", 0) + 1
        self.score(player, player.data["visits"])


def noted(room: Room) -> list[tuple[Kind, str, Any]]:
    return [(entry.kind, entry.player, json.loads(entry.content)) for entry in room.keeping.ledger.take()]


def tavern(**attributes: Any) -> Room:
    return Room(
        type("Tavern", (Tavern,), {"title": "Tavern", "leaderboard": "total"} | attributes), room_id="1"
    )


def test_a_visit() -> None:
    room = tavern()
    room.join("ann", "Ann", guest=False, data=b'{"visits": 2}')
    room.chat("ann", "one beer")
    room.chat("ann", "secret")
    room.game.finish({"winner": "Ann"})
    room.leave("ann")
    room.dispose()
    assert noted(room) == [
        (Kind.JOINED, "ann", {"name": "Ann", "guest": False}),
        (Kind.EVENT, "", {"event": "came", "data": {"who": "Ann"}}),
        (Kind.CHAT, "ann", {"name": "Ann", "text": "one ale"}),
        (Kind.RESULT, "", {"result": {"winner": "Ann"}}),
        (Kind.SCORE, "ann", {"score": 3, "name": "Ann", "guest": False, "order": "total"}),
        (Kind.DATA, "ann", {"data": {"visits": 3}}),
        (Kind.LEFT, "ann", {}),
        (Kind.CLOSED, "", {"reason": "The room has closed.", "failed": False}),
    ]


def test_who_is_turned_away_leaves_no_trace() -> None:
    room = tavern()
    room.join("ann", "Ann")
    before = noted(room)
    with pytest.raises(Refusal):
        room.join("mal", "Mallory")
    room.join("bob", "Bob")
    assert [entry.sequence for entry in room.keeping.ledger.entries] == [len(before) + 1, len(before) + 2]
    assert [player for _, player, _ in noted(room)] == ["bob", ""]


class TestADocument:
    def test_is_there_when_the_player_comes(self) -> None:
        room = tavern()
        assert room.join("ann", data=b'{"coins": [1, 2]}').data == {"coins": [1, 2]}
        assert room.join("bob", data=b"[]").data == {}

    def test_is_noted_whenever_it_has_changed_however_deep(self) -> None:
        room = tavern()
        ann = room.join("ann", data=b'{"coins": [1]}')
        noted(room)
        room.keeping.documents()
        assert noted(room) == []
        ann.data["coins"].append(2)
        room.keeping.documents()
        room.keeping.documents()
        assert noted(room) == [(Kind.DATA, "ann", {"data": {"coins": [1, 2]}})]
        ann.data["coins"].append(3)
        room.drop("ann")
        assert noted(room) == [(Kind.DATA, "ann", {"data": {"coins": [1, 2, 3]}})]
        ann.data = {}
        room.dispose()
        assert [entry[:2] for entry in noted(room)] == [(Kind.DATA, "ann"), (Kind.CLOSED, "")]

    def test_of_one_who_is_nobody_is_not_kept(self) -> None:
        room = tavern()
        room.join("ann").data["coins"] = 1
        room.leave("ann")
        assert Kind.DATA not in [kind for kind, _, _ in noted(room)]

    @pytest.mark.parametrize("data", [{"x": object()}, {"x": "x" * 20_000}, ["a list"]])
    def test_that_cannot_be_kept_is_the_fault_of_the_rules(self, data: Any) -> None:
        room = tavern()
        room.join("ann", data=b"{}").data = data
        room.keeping.documents()
        room.step()
        assert room.closed is not None
        assert room.closed.error is not None
        assert room.closed.error.hook == "player.data"
        room.dispose()
        assert noted(room)[-1][0] is Kind.CLOSED
        assert noted(room) == []


class TestScores:
    @pytest.mark.parametrize("points", [0, -1.5, MOST_POINTS, -MOST_POINTS])
    def test_are_numbers(self, points: float) -> None:
        room = tavern()
        room.game.score(room.join("ann"), points)
        assert noted(room)[-1][2]["score"] == points

    @pytest.mark.parametrize("points", [True, "7", None, float("nan"), float("inf"), MOST_POINTS + 1])
    def test_and_nothing_else(self, points: Any) -> None:
        room = tavern()
        ann = room.join("ann")
        with pytest.raises(ValueError, match="a score is a number"):
            room.game.score(ann, points)


def test_a_room_that_fails_says_so() -> None:
    def on_tick(self: Game, dt: float) -> None:
        raise RuntimeError("oops")

    room = tavern(on_tick=on_tick)
    room.step()
    assert noted(room) == [
        (Kind.CLOSED, "", {"reason": "The rules of the game failed; the room has ended.", "failed": True})
    ]


class TestChat:
    def test_who_joins_reads_what_was_said(self) -> None:
        with play(Tavern) as room:
            ann = room.join("Ann")
            ann.chat("hello")
            ann.chat("one beer")
            bob = room.join("Bob")
            room.step()
            (history,) = [event.data for event in bob.events if event.event == "chat_history"]
            assert [line["text"] for line in history] == ["hello", "one ale"]
            assert history[0] == {"playerId": ann.id, "name": "Ann", "text": "hello"}
            assert "chat_history" not in [event.event for event in ann.events]

    def test_as_much_as_one_event_holds(self) -> None:
        with play(Tavern) as room:
            ann = room.join("Ann")
            for number in range(50):
                ann.chat(f"{number:03}" + "🐒" * 253)
            bob = room.join("Bob")
            room.step()
            (history,) = [event.data for event in bob.events if event.event == "chat_history"]
            assert history[-1]["text"].startswith("049")
            assert len(history) == 15  # of a little more than a thousand bytes each

    def test_who_is_muted_or_too_fast_is_told(self) -> None:
        with play(Tavern) as room:
            ann, bob = room.join("Ann"), room.join("Bob")
            room.game.chat.mute(ann.player)
            ann.chat("hello?")
            room.game.chat.slow_seconds = 10
            bob.chat("one")
            bob.chat("two")
            room.step()
            assert [error.code for error in ann.errors] == ["INPUT-006"]
            assert [error.code for error in bob.errors] == ["INPUT-007"]
            room.run(seconds=10)
            bob.chat("three")
            assert [line["text"] for line in room.game.chat.lines] == ["one", "three"]
