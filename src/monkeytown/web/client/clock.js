/** What heartbeats tell: the round trip and the server's clock. Knows nothing of how they travel. */

import { WireError } from "./wire.js";

/** Heartbeats by which the server's clock is known: the one with the shortest round trip counts. */
const SAMPLES = 16;

export class ServerClock {
    #samples = [];
    /** Round trip, smoothed, in milliseconds. */
    ping = 0;

    /** The server's time, in milliseconds since 1970. */
    get now() {
        if (this.#samples.length === 0) return Date.now();
        const best = this.#samples.reduce((a, b) => (b.roundTrip < a.roundTrip ? b : a));
        return performance.now() + best.ahead;
    }

    /** Takes the answer to a heartbeat. */
    heard({ timestamp, serverTime }) {
        if (typeof timestamp !== "number" || typeof serverTime !== "number") throw new WireError("a heartbeat has two times");
        const now = performance.now();
        const roundTrip = Math.max(0, now - timestamp);
        this.ping = this.ping === 0 ? roundTrip : this.ping + (roundTrip - this.ping) / 8;
        this.#samples.push({ roundTrip, ahead: serverTime + roundTrip / 2 - now });
        if (this.#samples.length > SAMPLES) this.#samples.shift();
    }
}
