/** Socket.IO: the state of a room as JSON to everybody in it, or one binary message (PEER_BYTES). */

import { Server } from "socket.io";

import { everyTick, frameBytes, place, port, roomSize, values } from "./ticker.mjs";

const io = new Server({ transports: ["websocket"], perMessageDeflate: false, serveClient: false });
const message = Buffer.from(Array.from({ length: frameBytes }, (_, index) => index));
const rooms = [];

function open() {
    const room = { name: `room ${rooms.length}`, players: [], tick: rooms.length * 37 };
    rooms.push(room);
    everyTick(() => {
        if (frameBytes) {
            io.to(room.name).emit("message", message);
            return;
        }
        room.tick += 1;
        room.players.forEach((player, index) => {
            const at = place(room.tick, index);
            player.x = values[at];
            player.y = values[at + 1];
            player.heading = values[at + 2];
            player.speed = values[at + 3];
        });
        io.to(room.name).emit("state", room.players);
    });
    return room;
}

io.on("connection", (socket) => {
    const room = rooms.find((candidate) => candidate.players.length < roomSize) ?? open();
    room.players.push({ id: socket.id, x: 0, y: 0, heading: 0, speed: 0 });
    socket.join(room.name);
});
io.listen(port, { host: "127.0.0.1" });
