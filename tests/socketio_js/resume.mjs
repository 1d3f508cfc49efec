/** A player whose connection is lost, and who goes on: node resume.mjs URL TRANSPORT prints both welcomes and the last state. */

import { io } from "socket.io-client";

const [url, transport] = process.argv.slice(2);
let session = null, number = 0, position = {}, cells = null;
const welcomes = [], bases = [];

const socket = io(url, {
    transports: [transport],
    reconnectionDelay: 50,
    auth: (answer) => answer(session ? { resume: { session, number, ...position } } : { name: "Node" }),
});

socket.on("welcome", (welcome) => {
    welcomes.push(welcome);
    session = welcome.session;
    if (!welcome.gameId) socket.emit("join_game", { gameId: "tictactoe" });
});
socket.on("game_state", ({ gameId, epoch, tick, base, tables }) => {
    bases.push(base);
    position = { gameId, epoch, tick };
    for (const board of Object.values(tables.board?.set ?? {})) cells = board.cells ?? cells;
    if (bases.length === 1) console.error("JOINED");
    if (cells.includes("X") && welcomes.length === 1) socket.io.engine.close();
    if (cells.includes("O")) {
        console.log(JSON.stringify({ welcomes, bases, cells, number }));
        socket.disconnect();
    }
});
for (const event of ["player_joined", "player_left", "game_event", "error"]) socket.on(event, ({ seq }) => (number = seq));
socket.on("disconnect", (reason) => reason === "forced close" && console.error("LOST"));
setTimeout(() => process.exit(2), 20000).unref();
