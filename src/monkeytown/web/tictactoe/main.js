/**
 * The page of tic-tac-toe: seats, whose turn it is, the board, another round.
 *
 * Knows the room's one `board` row and the parts of the page. Decides nothing: what may be played, who has won and who
 * sits where is the server's word.
 */
import { chatBox } from "../shared/chat.js";
import { byId, element, write } from "../shared/dom.js";
import { greet } from "../shared/greeting.js";
import { asked, enter, shareLink } from "../shared/session.js";
import { blip, soundButton } from "../shared/sound.js";
import { toast } from "../shared/toast.js";
import { Board, mark } from "./board.js";

const GAME = "tictactoe";
const SYMBOLS = ["X", "O"];

let room = null;

/** The game as this visitor sees it. */
function look() {
    const { row } = room.tables.board;
    const seats = [...room.tables.seats];
    return {
        cells: row.cells,
        turn: row.turn,
        winner: row.winner,
        players: Object.fromEntries(SYMBOLS.map((symbol) => [symbol, seats.find((seat) => seat.mark === symbol) ?? null])),
        watching: seats.filter((seat) => !seat.mark).map((seat) => seat.name),
        mine: room.entity?.mark ?? "",
        wantsRematch: Boolean(room.entity?.rematch),
    };
}

function verdict({ winner, turn, players, mine }) {
    if (winner === "draw") return "A draw.";
    if (winner) return winner === mine ? "You win!" : `${players[winner]?.name ?? winner} wins.`;
    if (!turn) return mine ? "Waiting for somebody to play with." : "Waiting for players.";
    if (players[turn].away) return `${players[turn].name} has lost the connection. Waiting…`;
    return turn === mine ? "Your turn." : `${players[turn].name}’s turn.`;
}

class Table {
    #heard = "";
    #seats = SYMBOLS.map((symbol) => ({
        symbol,
        name: element("b"),
        wins: element("span", { class: "number quiet", title: "Games won" }),
        line: element("li", { class: symbol }),
    }));

    constructor() {
        this.board = new Board(byId("board"), (cell) => room.input({ place: cell }));
        for (const { symbol, name, wins, line } of this.#seats) {
            line.append(mark(symbol), name, wins);
            byId("seats").append(line);
        }
    }

    show() {
        const view = look();
        const yours = Boolean(view.turn) && view.turn === view.mine;
        this.board.show({ cells: view.cells, yours });
        this.#showSeats(view);
        const words = verdict(view);
        write(byId("status"), words);
        this.#offerRematch(view);
        write(byId("spectators"), view.watching.length ? `Watching: ${view.watching.join(", ")}` : "");
        document.title = yours ? "● Your turn · Tic-tac-toe" : "Tic-tac-toe · Monkeytown";
        this.#sound(words, view);
    }

    #showSeats({ players, turn, mine }) {
        for (const { symbol, name, wins, line } of this.#seats) {
            const player = players[symbol];
            write(name, player ? `${player.name}${symbol === mine ? " (you)" : player.away ? " (away)" : ""}` : "free seat");
            write(wins, player ? String(player.wins) : "");
            line.classList.toggle("empty", !player);
            line.classList.toggle("active", turn === symbol);
        }
    }

    #offerRematch({ winner, mine, players, wantsRematch }) {
        const button = byId("rematch");
        const other = players[mine === "X" ? "O" : "X"];
        button.hidden = !winner || !mine;
        button.disabled = wantsRematch;
        write(
            button,
            wantsRematch
                ? `Waiting for ${other?.name ?? "the other"}…`
                : other?.rematch
                  ? `${other.name} wants a rematch`
                  : "Rematch",
        );
    }

    #sound(words, { winner, mine }) {
        if (words === this.#heard) return;
        this.#heard = words;
        if (!winner) blip(420, 520, 0.07);
        else if (winner === mine) blip(520, 1040, 0.35);
        else blip(330, 160, 0.35);
    }
}

async function start(name) {
    const wanted = asked();
    room = await enter(wanted.room || GAME, { name, chip: byId("connection") });
    const table = new Table();
    for (const event of ["state", "entity"]) room.on(event, () => table.show());
    table.show();
    const say = chatBox(byId("chat"), room);
    room.on("playerJoined", (player) => say(`${player.name} is here.`));
    room.on("playerLeft", (player) => say(`${player.name} has left.`));
    byId("rematch").addEventListener("click", () => room.input({ rematch: true }));
}

byId("share").addEventListener("click", async () => {
    if (!room) return;
    const words = await shareLink(room);
    if (words) toast(words);
});
soundButton(byId("sound"));

/** What a curious visitor or a test may look at in the console. */
Object.defineProperty(window, "monkeytown", {
    value: Object.freeze({
        get room() {
            return room;
        },
    }),
});

greet().then(start);
