/** What the servers in JavaScript share: what they are told, a clock that does not drift, and the motion. */

import { readFileSync } from "node:fs";

export const port = Number(process.env.PEER_PORT);
export const roomSize = Number(process.env.PEER_ROOM);
export const frameBytes = Number(process.env.PEER_BYTES ?? 0);
export const HZ = 60;

const ENTITIES = 50;
const FIELDS = 4; // x, y, heading, speed
const values = process.env.PEER_MOTION ? new Float32Array(readFileSync(process.env.PEER_MOTION).buffer.slice(0)) : null;
const ticks = values ? values.length / (ENTITIES * FIELDS) : 0;

/** Where the values of an entity begin at a tick of the motion, which is played to its end and back. */
export function place(tick, entity) {
    const span = ticks - 1;
    const at = tick % (2 * span);
    return (Math.min(at, 2 * span - at) * ENTITIES + entity) * FIELDS;
}

export { values };

/** Calls step() HZ times a second from now on. setInterval would round its 16.7 ms down to 16. */
export function everyTick(step) {
    const period = 1000 / HZ;
    let next = performance.now() + period;
    const wait = () => setTimeout(tick, Math.max(0, next - performance.now()));
    function tick() {
        step();
        next = Math.max(next + period, performance.now() - period);
        wait();
    }
    wait();
}
