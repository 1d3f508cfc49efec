"""Tic-tac-toe, played: turns, refusals, the end, the next game, and those who watch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from monkeytown.games.tictactoe import LINES, TicTacToe
from monkeytown.testing import TestedPlayer, TestedRoom, play


@pytest.fixture
def room() -> Iterator[TestedRoom]:
    with play(TicTacToe) as room:
        yield room


@pytest.fixture
def pair(room: TestedRoom) -> tuple[TestedPlayer, TestedPlayer]:
    return room.join("Ada"), room.join("Bob")


def moves(pair: tuple[TestedPlayer, TestedPlayer], *cells: int) -> None:
    """Places marks in turn, X first."""
    for turn, cell in enumerate(cells):
        pair[turn % 2].act(place=cell)


def refusal(player: TestedPlayer) -> str:
    return player.errors.pop().message


def test_one_player_waits_for_another(room: TestedRoom) -> None:
    ada = room.join("Ada")
    assert (ada.entity.mark, ada.tables.board.turn) == ("X", "")
    ada.act(place=0)
    assert refusal(ada) == "Wait for a second player."
    bob = room.join("Bob")
    assert (bob.entity.mark, bob.tables.board.turn) == ("O", "X")


def test_turns_alternate_and_all_see_them(room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
    cid = room.join("Cid")
    moves(pair, 4, 0)
    for player in (*pair, cid):
        assert list(player.tables.board.cells) == ["O", "", "", "", "X", "", "", "", ""]
        assert player.tables.board.turn == "X"


class TestRefusals:
    @pytest.mark.parametrize(
        ("action", "words"),
        [
            ({"place": 4}, "It is not your turn."),
            ({"place": 9}, "Send {"),
            ({"place": -1}, "Send {"),
            ({"place": "4"}, "Send {"),
            ({"place": [4]}, "Send {"),
            ({}, "Send {"),
            ({"rematch": False}, "Send {"),
            ({"rematch": True}, "The game is not over yet."),
        ],
    )
    def test_say_why(
        self, pair: tuple[TestedPlayer, TestedPlayer], action: dict[str, Any], words: str
    ) -> None:
        _, bob = pair
        bob.act(**action)
        assert refusal(bob).startswith(words)
        assert not any(bob.tables.board.cells)

    def test_a_cell_is_taken_once(self, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
        moves(pair, 4, 4)
        assert refusal(pair[1]) == "That cell is taken."
        assert pair[0].errors == []

    def test_those_who_watch_do_not_play(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        cid = room.join("Cid")
        cid.act(place=4)
        assert refusal(cid) == "You are watching: both seats are taken."

    def test_a_game_that_is_over_is_over(self, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
        moves(pair, 0, 3, 1, 4, 2, 5)
        assert refusal(pair[1]) == "The game is over: ask for a rematch."


class TestTheEnd:
    @pytest.mark.parametrize("line", LINES)
    def test_three_in_a_row_win(
        self, pair: tuple[TestedPlayer, TestedPlayer], line: tuple[int, int, int]
    ) -> None:
        others = next(two for two in permutations(set(range(9)) - set(line), 2))
        moves(pair, line[0], others[0], line[1], others[1], line[2])
        ada, bob = pair
        assert (bob.tables.board.winner, bob.tables.board.turn) == ("X", "")
        assert ada.entity.wins == 1
        assert ada.events == bob.events == [("finished", {"winner": "X"})]

    def test_a_full_board_without_a_row_is_a_draw(self, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
        moves(pair, 0, 1, 2, 4, 3, 5, 7, 6, 8)
        assert pair[0].tables.board.winner == "draw"
        assert [seat.wins for seat in pair[0].tables.seats] == [0, 0]

    def test_the_last_cell_may_win(self, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
        moves(pair, 0, 3, 1, 4, 5, 7, 6, 8, 2)
        assert pair[0].tables.board.winner == "X"


class TestRematch:
    def test_needs_both_and_the_other_begins(self, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
        ada, bob = pair
        moves(pair, 0, 3, 1, 4, 2)
        ada.act(rematch=True)
        assert ada.tables.board.winner == "X"
        assert ada.entity.rematch
        bob.act(rematch=True)
        assert (ada.tables.board.winner, ada.tables.board.turn) == ("", "O")
        assert not any(ada.tables.board.cells)
        assert not any(seat.rematch for seat in ada.tables.seats)
        assert ada.entity.wins == 1

    def test_of_a_draw_works_the_same(self, pair: tuple[TestedPlayer, TestedPlayer]) -> None:
        moves(pair, 0, 1, 2, 4, 3, 5, 7, 6, 8)
        for player in pair:
            player.act(rematch=True)
        assert pair[0].tables.board.turn == "O"


class TestLeaving:
    def test_whoever_has_watched_longest_takes_the_seat(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        ada, bob = pair
        cid, dee = room.join("Cid"), room.join("Dee")
        moves(pair, 4, 0)
        ada.leave()
        assert (cid.entity.mark, dee.entity.mark, bob.entity.mark) == ("X", "", "O")
        assert not any(bob.tables.board.cells)
        assert bob.tables.board.turn == "O"

    def test_without_another_the_game_waits(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        ada, bob = pair
        moves(pair, 4)
        ada.leave()
        assert bob.tables.board.turn == ""
        assert room.join("Cid").entity.mark == "X"
        assert bob.tables.board.turn == "O"

    def test_whoever_watches_may_go_without_disturbing(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        cid = room.join("Cid")
        moves(pair, 4)
        cid.leave()
        assert pair[0].tables.board.cells[4] == "X"
        assert len(pair[0].tables.seats) == 2

    def test_everybody_may_go_and_come_again(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        for player in pair:
            player.leave()
        assert room.join("Eve").entity.mark == "X"
        assert room.closed is None


def test_a_seat_waits_for_whoever_lost_the_connection(room: TestedRoom) -> None:
    ada, bob = room.join("Ada"), room.join("Bob")
    moves((ada, bob), 4)
    bob.drop()
    assert [seat.away for seat in ada.tables.seats] == [False, True]
    ada.act(place=0)
    assert refusal(ada) == "It is not your turn."
    bob.resume()
    bob.act(place=0)
    assert [seat.away for seat in ada.tables.seats] == [False, False]
    assert list(ada.tables.board.cells)[:5] == ["O", "", "", "", "X"]


class TestAServerThatIsStartedAnew:
    def test_players_who_come_back_play_on(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        moves(pair, 0, 4, 8)
        with play(TicTacToe, saved=room.checkpoint()) as again:
            ada, bob = again.join("Ada"), again.join("Bob")
            assert (ada.entity.mark, bob.entity.mark) == ("X", "O")
            assert [seat.away for seat in ada.tables.seats] == [False, False]
            assert list(ada.tables.board.cells) == ["X", "", "", "", "O", "", "", "", "X"]
            ada.act(place=1)
            assert refusal(ada) == "It is not your turn."
            bob.act(place=1)
            assert not bob.errors

    def test_seats_wait_and_are_then_given_up(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        moves(pair, 0, 4)
        with play(TicTacToe, saved=room.checkpoint()) as again:
            ada = again.join("Ada")
            again.run(seconds=59)
            assert [(seat.name, seat.away) for seat in ada.tables.seats] == [("Ada", False), ("Bob", True)]
            again.run(seconds=2)
            assert [seat.name for seat in ada.tables.seats] == ["Ada"]
            assert ada.tables.board.turn == ""
            bob = again.join("Bob")
            assert (bob.entity.mark, ada.tables.board.turn) == ("O", "O")

    def test_who_goes_on_elsewhere_keeps_seat_and_turn(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        ada, bob = pair
        moves(pair, 0, 4, 8)
        ada.drop()
        room.fail_over()
        assert [seat.away for seat in bob.tables.seats] == [True, False]
        bob.act(place=1)
        assert (bob.errors, bob.tables.board.cells[1]) == ([], "O")
        ada.resume()
        room.run(seconds=120)
        assert [(seat.name, seat.away) for seat in bob.tables.seats] == [("Ada", False), ("Bob", False)]

    def test_who_was_still_to_come_back_is_still_expected(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        moves(pair, 0, 4)
        with play(TicTacToe, saved=room.checkpoint()) as again:
            ada = again.join("Ada")
            again.fail_over()
            assert [seat.away for seat in ada.tables.seats] == [False, True]
            assert again.join("Bob").entity.mark == "O"
            assert [seat.away for seat in ada.tables.seats] == [False, False]

    def test_who_begins_is_not_forgotten(
        self, room: TestedRoom, pair: tuple[TestedPlayer, TestedPlayer]
    ) -> None:
        moves(pair, 0, 3, 1, 4, 2)
        with (
            play(TicTacToe, saved=room.checkpoint()) as again,
            play(TicTacToe, saved=again.checkpoint()) as third,
        ):
            players = third.join("Ada"), third.join("Bob")
            for player in players:
                player.act(rematch=True)
            assert players[0].tables.board.turn == "O"
            assert [player.entity.wins for player in players] == [1, 0]
