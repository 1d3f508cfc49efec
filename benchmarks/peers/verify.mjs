/**
 * Players who decode what a server sends and hold it to the motion, tick by tick; ends with status 0 if all is right.
 *
 *     node verify.mjs colyseus|socketio|socketio-bytes PORT MOTION PLAYERS STATES
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const [kind, port, motionFile, playersText, statesText] = process.argv.slice(2);
const players = Number(playersText);
const wanted = Number(statesText);
const [ENTITIES, FIELDS] = [50, 4];
const motion = new Float32Array(readFileSync(motionFile).buffer.slice(0));
const ticks = motion.length / (ENTITIES * FIELDS);
const scale = process.env.PEER_TYPE === "uint16" ? 16 : 1;

const expected = (tick, entity) => motion.subarray((tick * ENTITIES + entity) * FIELDS, (tick * ENTITIES + entity + 1) * FIELDS);
const matches = (tick, state) =>
    state.every((player, entity) => {
        const [x, y, heading, speed] = expected(tick, entity);
        return player.x === x * scale && player.y === y * scale && player.heading === heading && player.speed === speed;
    });

let tick = -1;
let right = 0;

/** One state: a list of players in the order in which they joined. */
function check(state) {
    if (state.length < players) return;
    if (tick < 0) {
        tick = Array.from({ length: ticks }, (_, at) => at).find((at) => matches(at, state)) ?? -1;
        assert(tick >= 0, `a state that is nowhere in the motion: ${JSON.stringify(state)}`);
    } else {
        tick += 1;
        assert(matches(tick, state), `not the state of tick ${tick}: ${JSON.stringify(state)}`);
    }
    passed();
}

function checkBytes(message) {
    assert.deepEqual([...new Uint8Array(message)], Array.from({ length: Number(process.env.PEER_BYTES) }, (_, index) => index));
    passed();
}

function passed() {
    right += 1;
    if (right === wanted) {
        console.log(`${right} states, each as it should be`);
        process.exit(0);
    }
}

setTimeout(() => assert.fail(`only ${right} states came`), 15000);

if (kind === "colyseus") {
    const { Client } = await import("@colyseus/sdk");
    const client = new Client(`ws://127.0.0.1:${port}`);
    for (let number = 0; number < players; number++) {
        const room = await client.joinOrCreate("arena");
        if (!number) room.onStateChange((state) => check([...state.players.values()]));
    }
} else {
    const { io } = await import("socket.io-client");
    for (let number = 0; number < players; number++) {
        const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true });
        if (!number) socket.on("state", check).on("message", checkBytes);
    }
}
