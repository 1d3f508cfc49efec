/** ws: one prebuilt frame to everybody in a room, as its documentation broadcasts. */

import { WebSocketServer } from "ws";

import { everyTick, frameBytes, port, roomSize } from "./ticker.mjs";

const rooms = [];
const frame = Buffer.from(Array.from({ length: frameBytes }, (_, index) => index));

const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false, backlog: 4096 });
server.on("connection", (socket) => {
    let room = rooms.find((candidate) => candidate.size < roomSize);
    if (!room) {
        room = new Set();
        rooms.push(room);
        everyTick(() => {
            for (const client of room) if (client.readyState === client.OPEN) client.send(frame);
        });
    }
    room.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => room.delete(socket));
});
