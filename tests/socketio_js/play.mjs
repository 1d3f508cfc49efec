/** A player of tic-tac-toe with the client that everybody has: node play.mjs URL TRANSPORTS CELL... prints what it saw as JSON. */

import { isDeepStrictEqual } from "node:util";
import { io } from "socket.io-client";

const [url, transports, ...cells] = process.argv.slice(2);
const socket = io(url, { transports: transports.split(","), auth: { name: "Node" } });
const seen = { answers: [], chat: [], errors: [], numbers: [], upgraded: false };
let tables = {}, me = null, asked = false;

function apply({ base, tables: changes }, to) {
    if (base === null) to = {};
    for (const [name, { set = {}, gone = [] }] of Object.entries(changes)) {
        const table = (to[name] ??= {});
        for (const id of gone) delete table[id];
        for (const [id, fields] of Object.entries(set)) table[id] = { ...table[id], ...fields };
    }
    return to;
}

function play() {
    const [board] = Object.values(tables.board ?? {});
    const seat = me && tables.seats?.[me.id];
    if (!board || !seat) return;
    if (board.winner && !asked) {
        asked = true;
        socket.emit("request_state");
    } else if (board.turn === seat.mark && cells.length && board.turn) {
        const place = Number(cells.shift());
        socket.emit("player_input", { action: { place } }, (answer) => seen.answers.push(answer));
    }
}

function finish() {
    const [board] = Object.values(tables.board);
    const transport = socket.io.engine.transport.name;
    console.log(JSON.stringify({ ...seen, board, seats: tables.seats, transport }));
    socket.disconnect();
    setTimeout(() => process.exit(0), 500).unref();
}

socket.on("game_state", (state) => {
    const before = tables;
    tables = apply(state, structuredClone(tables));
    if (asked && state.base === null) {
        seen.same = isDeepStrictEqual(before, tables);
        socket.emit("chat_message", { text: "good game" });
    }
    play();
});
socket.on("private", (own) => {
    if ("entity" in own) me = own.entity;
    play();
});
for (const numbered of ["player_joined", "player_left", "game_event", "error"]) {
    socket.on(numbered, ({ seq }) => {
        seen.numbers.push(seq);
        socket.emit("ack", { epoch: 1, tick: 0, number: seq });
    });
}
socket.on("error", (error) => seen.errors.push(error));
socket.on("game_event", ({ event, data }) => {
    if (event !== "chat") return;
    seen.chat.push([data.name, data.text]);
    if (data.name === "Node") finish();
});
socket.on("welcome", ({ playerId, name }) => Object.assign(seen, { playerId, name }));
socket.on("connect_error", (error) => {
    console.error(String(error));
    process.exit(1);
});

socket.io.on("open", () => socket.io.engine.on("upgrade", () => (seen.upgraded = true)));
socket.on("connect", () => {
    socket.emit("join_game", { gameId: "tictactoe" }, (answer) => {
        seen.joined = answer;
        console.error("JOINED");
    });
});
setTimeout(() => process.exit(2), 20000).unref();
