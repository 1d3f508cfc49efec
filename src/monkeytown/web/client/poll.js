/**
 * A link of requests that the server answers when it has something to say, for networks that let no WebSocket through: *Long-poll* of
 * docs/reference/wire.md. It offers what socket.js does.
 *
 * Only the newest poll counts, and it says anew whatever is not known to have arrived, so a request may be lost, or overtaken by the next.
 * Knows which messages can wait and which cannot, and nothing else of them.
 */

import { ABNORMAL, BROKEN_MESSAGE, NORMAL } from "./codes.js";
import { GameError } from "./errors.js";
import { Kind, Reader, WireError, Writer, encodeMessage, openMessage } from "./wire.js";

/** Seconds that the server may wait for something to say. What lies between may hang up sooner than the 25 that it could. */
const WAIT = 10;
/** Milliseconds beyond them after which a poll is lost. */
const LATE = 5000;
/** Milliseconds between the beginnings of two polls, unless there is something that cannot wait. */
const EVERY = 50;
/** How often in a row a poll is sent again before the link is given up, each time after a random while below a bound that doubles. */
const RETRIES = 2;
const FIRST_BOUND = 500;
const SHORTEST_DELAY = 100;
/** Bytes of numbered messages in one poll, at most: the server takes 16 KiB in all. */
const MOST_BYTES = 12 * 1024;
/** Round trips that are remembered: a poll that waits says nothing of them, so the shortest counts. */
const ROUND_TRIPS = 8;

export class PollLink {
    #url;
    #owner;
    #fetch;
    #polls = 0;
    /** The newest poll whose answer was taken. */
    #heard = 0;
    /** The newest poll, if it is under way. */
    #current = null;
    #timer = null;
    /** What ends the requests under way, those overtaken included. */
    #aborters = new Set();
    #isOver = false;
    #failures = 0;
    /** Polls given up for newer ones since the last one that was answered. */
    #overtaken = 0;
    #startedAt = -Infinity;
    #roundTrips = [];
    /** What the next poll says once and in order (joining and leaving), and the newest input. */
    #orders = [];
    #input = null;

    constructor(url, owner, fetch) {
        this.#url = url;
        this.#owner = owner;
        this.#fetch = fetch;
        this.kind = "polling";
        this.unsent = 0;
    }

    /** Whether there are orders that may not have arrived: they would be lost with this link. */
    get isBusy() {
        return this.#orders.length > 0 || this.#current?.isOrder === true;
    }

    open() {
        this.#owner.opened(this);
    }

    hello(bytes) {
        this.#post([bytes], { isOrder: true, input: null });
    }

    send(bytes) {
        if (this.#isOver) return;
        switch (bytes[0]) {
            case Kind.ACK: // each poll says what was heard
            case Kind.HEARTBEAT: // and brings its own
                return;
            case Kind.NUMBERED: // kept by the owner, who is asked for them
                this.#hurry(true);
                return;
            case Kind.PLAYER_INPUT:
                this.#input = bytes;
                this.#hurry(false);
                return;
            default:
                this.#input = null; // of a room that is left, or not yet joined
                this.#orders.push(bytes);
                this.#hurry(true);
        }
    }

    /** Ends without waiting for the server. For good, if `code` is NORMAL: then the seat is given up. */
    close(code) {
        const isWelcomed = this.#polls > 0;
        this.#end();
        if (code !== NORMAL || !isWelcomed) return;
        this.#orders.push(encodeMessage(Kind.LEAVE_GAME, {}));
        const farewell = this.#request(this.#compose(), { keepalive: true });
        farewell.catch(() => {}); // then the seat lapses
    }

    #end() {
        this.#isOver = true;
        this.#current = null;
        clearTimeout(this.#timer);
        for (const aborter of this.#aborters) aborter.abort();
    }

    #fail(code, reason, refusal = null) {
        this.#end();
        this.#owner.ended(this, code, reason, refusal);
    }

    // When to poll.

    /** There is something to send. The poll under way is overtaken if that is better than to wait for its answer. */
    #hurry(isUrgent) {
        const poll = this.#current;
        // Without one the next is about to begin; orders are answered at once, and must not be overtaken: their effect is in the answer.
        if (poll === null || poll.isOrder) return;
        const isFirst = isUrgent && this.#overtaken === 0;
        this.#schedule(isFirst ? performance.now() : poll.at + this.#patience(), () => {
            this.#overtaken++;
            this.#poll();
        });
    }

    /**
     * Milliseconds that a poll is given. An answer to one that was overtaken is of no use: were it less than the round trip, none would ever
     * be; and as that may have grown, it doubles until there is an answer.
     */
    #patience() {
        const roundTrip = this.#roundTrips.length > 0 ? Math.min(...this.#roundTrips) : 0;
        return (EVERY + 1.5 * roundTrip) * 2 ** this.#overtaken;
    }

    #schedule(at, act) {
        clearTimeout(this.#timer);
        const delay = at - performance.now();
        // Not by a timer if need not be: they are slow in a page in the background.
        if (delay <= 0) act();
        else this.#timer = setTimeout(act, delay);
    }

    #poll() {
        clearTimeout(this.#timer);
        const isOrder = this.#orders.length > 0;
        // Of one that is overtaken it is not known whether it arrived.
        if (!isOrder) this.#input ??= this.#current?.input ?? null;
        const input = this.#input;
        this.#post(this.#compose(), { isOrder, input });
    }

    #compose() {
        const orders = this.#orders.splice(0);
        const input = this.#input === null ? [] : [this.#input];
        this.#input = null;
        const wait = orders.length > 0 ? 0 : WAIT;
        const head = encodeMessage(Kind.POLL, { session: this.#owner.secret, number: ++this.#polls, heard: this.#heard, wait });
        // Overtaken twice in a row, it may be that the server has nothing to say: it is asked for an answer, to know that it is there.
        return [head, ...this.#owner.due(orders, MOST_BYTES, this.#overtaken > 1), ...input];
    }

    // Requests and answers.

    async #post(messages, { isOrder, input }) {
        const at = performance.now();
        const poll = (this.#current = { at, isOrder, input });
        this.#startedAt = at;
        const aborter = new AbortController();
        this.#aborters.add(aborter);
        const late = setTimeout(() => aborter.abort(new Error("no answer")), WAIT * 1000 + LATE);
        let answer;
        try {
            answer = await this.#request(messages, { signal: aborter.signal });
        } catch (error) {
            if (poll === this.#current) this.#missed(error.message);
            return;
        } finally {
            clearTimeout(late);
            this.#aborters.delete(aborter);
        }
        if (poll === this.#current) this.#answered(answer, performance.now() - at);
    }

    async #request(messages, options) {
        const fetch = this.#fetch; // called as a method, a browser's would refuse
        const writer = new Writer(256);
        for (const message of messages) {
            writer.varint(message.length);
            writer.raw(message);
        }
        const headers = { "Content-Type": "application/octet-stream" };
        const answer = await fetch(this.#url, { method: "POST", headers, body: writer.finish(), cache: "no-store", ...options });
        return { status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) };
    }

    #answered({ status, body }, took) {
        if (status !== 200 && status !== 204) {
            const refusal = readRefusal(body);
            if (refusal === null && status >= 500) this.#missed(`HTTP ${status}`);
            else this.#fail(ABNORMAL, refusal?.message ?? `HTTP ${status}`, refusal);
            return;
        }
        this.#current = null;
        this.#heard = this.#polls;
        this.#failures = this.#overtaken = 0;
        if (this.#roundTrips.push(took) > ROUND_TRIPS) this.#roundTrips.shift();
        clearTimeout(this.#timer);
        try {
            this.#deliver(body);
        } finally {
            // Without a welcome there is no session to poll for: the owner waits for one only so long.
            if (!this.#isOver && this.#owner.isOpen) this.#schedule(this.#startedAt + EVERY, () => this.#poll());
        }
    }

    #deliver(body) {
        const messages = [];
        let close = null;
        try {
            for (const reader = new Reader(body); reader.left > 0; ) {
                const at = reader.skip(reader.varint());
                const message = body.subarray(at, reader.at);
                if (message[0] === Kind.CLOSE) close ??= readClose(message);
                else messages.push(message);
            }
        } catch (error) {
            if (!(error instanceof WireError)) throw error;
            this.#fail(BROKEN_MESSAGE, error.message);
            return;
        }
        this.#owner.received(this, messages);
        if (close !== null && !this.#isOver) this.#fail(close.code, close.reason);
    }

    /** The newest poll, or its answer, is lost: a newer one says the same again. Orders cannot be said twice. */
    #missed(reason) {
        const { isOrder, input } = this.#current;
        this.#current = null;
        if (isOrder || this.#failures >= RETRIES) {
            this.#fail(ABNORMAL, reason);
            return;
        }
        const bound = FIRST_BOUND * 2 ** this.#failures++;
        this.#input ??= input;
        this.#schedule(performance.now() + SHORTEST_DELAY + Math.random() * (bound - SHORTEST_DELAY), () => this.#poll());
    }
}

function readClose(message) {
    const { code, reason } = openMessage(message).map;
    if (!Number.isInteger(code) || typeof reason !== "string") throw new WireError("a close has a code and a reason");
    return { code, reason };
}

/** What the server says of a request that it refuses, or null if it was not the server. */
function readRefusal(body) {
    try {
        const { code, message } = JSON.parse(new TextDecoder().decode(body));
        return typeof code === "string" && typeof message === "string" ? new GameError(code, message) : null;
    } catch {
        return null;
    }
}
