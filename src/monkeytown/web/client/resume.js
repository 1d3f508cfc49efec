/**
 * What outlives a connection: the secret to come back with, how far the server's numbered messages are read, and what this client has
 * said without having heard that it arrived. Knows nothing of connections, nor of what is said.
 */

import { WireError, encodeNumbered } from "./wire.js";

/** What is kept at most; more is refused. */
const MOST_BYTES = 64 * 1024;
const MOST_MESSAGES = 256;

export class Session {
    #kept = [];
    #bytes = 0;
    /** The number of the newest message said. */
    #said = 0;
    /** How to come back; null before the first welcome. */
    secret = null;
    /** Of the newest numbered message read. */
    number = 0;

    /**
     * The `resume` of a `hello`, or undefined if there is nothing to come back to.
     * @param {{gameId: string, epoch: number, tick: number} | null} position of the newest state applied, if there is one
     */
    resume(position) {
        return this.secret === null ? undefined : { session: this.secret, number: this.number, ...position };
    }

    /** Takes a `welcome`: `isNew` if it begins another session. Returns how many messages are lost with the former one. */
    welcomed({ session, received = 0, number = 0 }, isNew) {
        if (typeof session !== "string" || !isCount(received) || !isCount(number))
            throw new WireError("a welcome has a session and counts");
        let lost = 0;
        if (isNew) {
            lost = this.drop();
            this.#said = 0;
        }
        this.secret = session;
        this.number = number;
        this.confirm(received);
        return lost;
    }

    /** Takes a `welcome` that tells of nothing but another secret: the server has looked at another token. */
    renewed({ session }) {
        if (typeof session !== "string") throw new WireError("a welcome has a session");
        this.secret = session;
    }

    /** A numbered message has come. */
    count(number) {
        if (number !== this.number + 1) throw new WireError(`message ${number} after ${this.number}`);
        this.number = number;
    }

    /** The messages that are not known to have arrived, in order. @returns {Uint8Array[]} */
    get kept() {
        return this.#kept;
    }

    /** The first of them, up to so many bytes. */
    keptWithin(most) {
        let bytes = 0;
        return this.#kept.filter(({ length }) => (bytes += length) <= most);
    }

    /** Numbers a message and keeps it until it has arrived. Returns the message to send, or null if there is no more room. */
    keep(message) {
        const bytes = encodeNumbered(this.#said + 1, message);
        if (this.#kept.length >= MOST_MESSAGES || this.#bytes + bytes.length > MOST_BYTES) return null;
        this.#said++;
        this.#bytes += bytes.length;
        this.#kept.push(bytes);
        return bytes;
    }

    /** The server has everything up to a number. */
    confirm(received) {
        if (!isCount(received) || received > this.#said) throw new WireError(`${received} received of ${this.#said} sent`);
        const arrived = received - (this.#said - this.#kept.length);
        if (arrived <= 0) return;
        for (const { length } of this.#kept.splice(0, arrived)) this.#bytes -= length;
    }

    /** Gives up what has not arrived, and returns how many messages that were. Their numbers are used again. */
    drop() {
        const lost = this.#kept.length;
        this.#said -= lost;
        this.#kept = [];
        this.#bytes = 0;
        return lost;
    }
}

function isCount(value) {
    return Number.isInteger(value) && value >= 0;
}
