/** Colyseus: rooms whose state is a map of players; PEER_TYPE is the type of x and y, float32 or uint16 (sixteenths). */

import { Room, Server } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";

import { everyTick, place, port, roomSize, values } from "./ticker.mjs";

const type = process.env.PEER_TYPE;
const scale = type === "float32" ? 1 : 16;
const Player = schema({ x: t[type](), y: t[type](), heading: t.uint8(), speed: t.uint8() }, "Player");
const State = schema({ players: t.map(Player) }, "State");
let opened = 0;

class Arena extends Room {
    maxClients = roomSize;
    patchRate = null; // a patch follows each step at once, instead of on an interval of its own
    seatReservationTimeout = 120;
    state = new State();

    onCreate() {
        this.players = [];
        this.tick = opened++ * 37;
        everyTick(() => this.step());
    }

    onJoin(client) {
        const player = new Player();
        this.players.push(player);
        this.place(this.players.length - 1);
        this.state.players.set(client.sessionId, player);
    }

    place(index) {
        const player = this.players[index];
        const at = place(this.tick, index);
        player.x = values[at] * scale;
        player.y = values[at + 1] * scale;
        player.heading = values[at + 2];
        player.speed = values[at + 3];
    }

    step() {
        this.tick += 1;
        for (let index = 0; index < this.players.length; index++) this.place(index);
        this.broadcastPatch();
    }
}

const server = new Server({ transport: new WebSocketTransport({}), greet: false });
server.define("arena", Arena);
await server.listen(port, "127.0.0.1", 4096);
