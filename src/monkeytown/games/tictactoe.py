"""Tic-tac-toe: three in a row wins.

The first two to join play as X and O; whoever comes later watches, and takes the seat of a player who leaves.
Send

    {"place": 4}         to put your mark in a cell: 0 to 8, row by row
    {"rematch": true}    once the game is over; it begins when both players want it

A move against the rules is refused with an error that says why. There are no ticks: the board moves when
somebody does.
"""

from typing import Any

from monkeytown import Entity, Game, Player, Refusal, array, boolean, enum, singleton, table, text, uint

LINES = (
    *((0, 1, 2), (3, 4, 5), (6, 7, 8)),
    *((0, 3, 6), (1, 4, 7), (2, 5, 8)),
    *((0, 4, 8), (2, 4, 6)),
)


class Board(Entity):
    cells = array(enum("", "X", "O"), 9)
    turn = enum("", "X", "O")  # "": nobody's; a second player is missing, or the game is over
    winner = enum("", "X", "O", "draw")


class Seat(Entity):
    mark = enum("", "X", "O")  # "": watches
    name = text(24)
    wins = uint(16)
    rematch = boolean()
    away = boolean()  # the connection is lost; the seat waits


class TicTacToe(Game):
    title = "Tic-tac-toe"
    tick_rate = 0
    max_players = 8  # two of them play
    seat_seconds = 60  # the other one is waiting
    leaderboard = "total"  # of games won

    board = singleton(Board)
    seats = table(Seat)

    def on_create(self) -> None:
        self.first = "O"  # who began the last game
        self.expected: dict[
            str, int
        ] = {}  # seats of players who were here before the server was started anew

    def save(self) -> dict[str, Any]:
        seats = {player.id: player.entity.id for player in self.players}
        return {"first": self.first, "expected": self.expected | seats}

    def load(self, saved: dict[str, Any]) -> None:
        self.first = saved["first"]
        self.expected = {id: seat for id, seat in saved["expected"].items() if id not in self.players}
        for seat in self.expected.values():
            self.seats[seat].away = True
        self.after(self.seat_seconds or 0, self.expect_nobody)

    def expect_nobody(self) -> None:
        """Whoever has not come back by now is gone."""
        gone, self.expected = self.expected, {}
        for seat in gone.values():
            self.vacate(self.seats[seat])

    def on_join(self, player: Player) -> None:
        seat = self.seats.get(self.expected.pop(player.id, 0))
        player.entity = seat or self.seats.spawn(name=player.name)
        player.entity.away = False
        self.fill_seats()

    def on_drop(self, player: Player) -> None:
        player.entity.away = True

    def on_resume(self, player: Player) -> None:
        player.entity.away = False

    def on_leave(self, player: Player) -> None:
        self.vacate(player.entity)

    def vacate(self, seat: Seat) -> None:
        played = seat.mark
        self.seats.despawn(seat)
        if played:
            self.clear_board()
            self.fill_seats()

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        seat = player.entity
        if not seat.mark:
            raise Refusal("You are watching: both seats are taken.")
        match action:
            case {"place": int(cell)} if cell in range(9):
                self.place(seat, cell)
            case {"rematch": True}:
                self.want_rematch(seat)
            case _:
                raise Refusal('Send {"place": 0 to 8} or {"rematch": true}.')

    def place(self, seat: Seat, cell: int) -> None:
        board = self.board
        if board.winner:
            raise Refusal("The game is over: ask for a rematch.")
        if not board.turn:
            raise Refusal("Wait for a second player.")
        if board.turn != seat.mark:
            raise Refusal("It is not your turn.")
        if board.cells[cell]:
            raise Refusal("That cell is taken.")
        board.cells[cell] = seat.mark
        board.turn = other(seat.mark)
        if any(all(board.cells[place] == seat.mark for place in line) for line in LINES):
            seat.wins += 1
            self.end(seat.mark)
        elif all(board.cells):
            self.end("draw")

    def end(self, winner: str) -> None:
        self.board.turn = ""
        self.board.winner = winner
        self.broadcast("finished", {"winner": winner})
        self.finish({"winner": winner} | {seat.mark: seat.name for seat in self.seats if seat.mark})
        for player in self.players:
            if player.entity.mark == winner:
                self.score(player, 1)

    def want_rematch(self, seat: Seat) -> None:
        if not self.board.winner:
            raise Refusal("The game is not over yet.")
        seat.rematch = True
        if all(seat.rematch for seat in self.seats if seat.mark):
            self.clear_board()
            self.begin()

    def fill_seats(self) -> None:
        """Seats whoever has waited longest; begins once both seats are taken."""
        for mark in ("X", "O"):
            waiting = [player.entity for player in self.players if not player.entity.mark]
            if waiting and mark not in self.marks():
                waiting[0].mark = mark
                waiting[0].wins = 0
        if len(self.marks()) == 2 and not self.board.turn and not self.board.winner:
            self.begin()

    def marks(self) -> set[str]:
        return {seat.mark for seat in self.seats if seat.mark}

    def begin(self) -> None:
        self.first = other(self.first)
        self.board.turn = self.first

    def clear_board(self) -> None:
        self.board.cells = [""] * 9
        self.board.turn = self.board.winner = ""
        for seat in self.seats:
            seat.rematch = False


def other(mark: str) -> str:
    return "O" if mark == "X" else "X"
