/**
 * How messages travel: over a WebSocket, or by polls where there is none; which of the two, when to try again, and when a connection is lost.
 *
 * Owns the links (socket.js, poll.js). What is said over them, and what a loss means, is its owner's business: client.js.
 */

import { ABNORMAL, NORMAL, UNHEARD } from "./codes.js";
import { PollLink } from "./poll.js";
import { SocketLink } from "./socket.js";

/** Milliseconds. */
const PULSE = 150;
/** A server that has not been heard for so long, heartbeats unanswered, is gone. */
const SILENCE = 8000;
/** The longest that a connection may take to be welcomed; a WebSocket that can be done without is given less. */
const WELCOME_WITHIN = 10_000;
const SOCKET_WITHIN = 4000;
/** Before each attempt to come back a random time passes, from the first of these up to a bound that doubles until it is the last. */
const SHORTEST_DELAY = 100;
const FIRST_BOUND = 500;
const LONGEST_DELAY = 5000;
/** After a connection that lasted so long, attempts are counted from the beginning again. */
const STABLE = 10_000;
/** WebSockets in a row that were not welcomed, after which it is polled. */
const MISSES = 2;
/** While it is polled a WebSocket is tried this often; less and less if it opens and nothing comes through. */
const CLIMB_EVERY = 15_000;
const CLIMB_LESS = 4;
const LONGEST_CLIMB = 15 * 60_000;

const WEBSOCKET = "websocket";
const POLLING = "polling";

export class Connection {
    #pollUrl;
    #owner;
    #Socket;
    #fetch;
    #link = null;
    /** A WebSocket that is to take over from polls, until it is open. */
    #climber = null;
    #welcomedAt = null;
    #heard = 0;
    #pulsed = 0;
    #pulse = null;
    #deadline = null;
    #retry = null;
    #attempt = 0;
    #misses = 0;
    #climb = null;
    #climbAfter = CLIMB_EVERY;

    /**
     * @param url of the WebSocket, absolute or from the page's own
     * @param options see monkeytown.d.ts
     * @param owner `hello()` (or a promise of it), `receive(bytes)` (null for text), `received()` (all that came together), `beat()`, `mayMove()`, `moving()`,
     * `lost({code, reason, refusal, mayTryAnother})`; and for polls `secret()` of the session and
     * `due(orders, most, isAnswerDue)`, the messages of the next one, with at most so many bytes of numbered ones
     */
    constructor(url, { transports = [WEBSOCKET, POLLING], WebSocket = globalThis.WebSocket, fetch = globalThis.fetch }, owner) {
        this.url = socketAddress(url);
        this.#pollUrl = pollAddress(this.url);
        this.#owner = owner;
        this.#Socket = transports.includes(WEBSOCKET) ? WebSocket : undefined;
        this.#fetch = transports.includes(POLLING) ? fetch : undefined;
        if (this.#Socket === undefined && this.#fetch === undefined)
            throw new Error("there is no WebSocket here, and no fetch to do without: pass one as an option");
        /** How the newest connection that was welcomed was made. */
        this.transport = this.#Socket === undefined ? POLLING : WEBSOCKET;
    }

    /** Whether there is a connection, and it was welcomed. */
    get isOpen() {
        return this.#welcomedAt !== null;
    }

    get unsent() {
        return this.#link?.unsent ?? 0;
    }

    /** The secret of the session, which every poll shows. */
    get secret() {
        return this.#owner.secret();
    }

    due(orders, most, isAnswerDue) {
        return this.#owner.due(orders, most, isAnswerDue);
    }

    /** Begins. The owner is asked for its hello once the link is there. */
    dial() {
        const isPolled = this.#Socket === undefined || (this.#fetch !== undefined && this.#misses >= MISSES);
        const link = (this.#link = isPolled ? new PollLink(this.#pollUrl, this, this.#fetch) : this.#socket());
        this.#expect();
        link.open();
    }

    #socket() {
        return new SocketLink(this.url, this, this.#Socket);
    }

    #expect() {
        const isSpare = this.#link.kind === WEBSOCKET && this.#fetch !== undefined;
        this.#deadline = setTimeout(() => this.abandon(ABNORMAL, "no answer"), isSpare ? SOCKET_WITHIN : WELCOME_WITHIN);
    }

    /** The server has answered the hello. */
    welcomed() {
        clearTimeout(this.#deadline);
        this.transport = this.#link.kind;
        this.#welcomedAt = this.#heard = this.#pulsed = performance.now();
        if (this.transport === POLLING) this.#climbLater();
        else this.#pulse = setInterval(() => this.beat(), PULSE);
    }

    send(bytes) {
        if (this.isOpen) this.#link.send(bytes);
    }

    /** The connection is of no use any more: it goes on as if it had ended. */
    abandon(code, reason) {
        if (this.#link === null) return;
        this.#link.close(code === ABNORMAL ? UNHEARD : code, reason);
        this.#lose(code, reason, { isSilence: code === ABNORMAL });
    }

    /** Dials again, later. */
    comeBack() {
        const bound = Math.min(LONGEST_DELAY, FIRST_BOUND * 2 ** this.#attempt);
        const delay = SHORTEST_DELAY + Math.random() * (bound - SHORTEST_DELAY);
        this.#attempt++;
        this.#retry = setTimeout(() => this.dial(), delay);
        return { attempt: this.#attempt, delay };
    }

    close() {
        clearTimeout(this.#retry);
        this.#link?.close(NORMAL);
        this.#hangUp();
    }

    /** Has the WebSocket, if there is one, prove that it is alive. */
    beat() {
        if (!this.isOpen || this.transport === POLLING) return;
        const now = performance.now();
        // After a pause of the whole page (a lid closed, a tab frozen) what has come in meanwhile is still to be read.
        if (now - this.#pulsed > SILENCE / 2) this.#heard = now;
        this.#pulsed = now;
        if (now - this.#heard > SILENCE) this.abandon(ABNORMAL, "the server is silent");
        else this.#owner.beat();
    }

    // What links tell.

    opened(link) {
        if (link === this.#climber) this.#move();
        else this.#greet(link);
    }

    /** Says hello, at once if the owner can: it may have to ask for a token first. */
    #greet(link) {
        const hello = this.#owner.hello();
        if (!(hello instanceof Promise)) {
            link.hello(hello);
            return;
        }
        hello.then(
            (bytes) => link === this.#link && link.hello(bytes),
            (error) => link === this.#link && this.abandon(UNHEARD, `there is no token: ${error?.message ?? error}`),
        );
    }

    received(link, messages) {
        if (link !== this.#link) return;
        this.#heard = performance.now();
        for (const bytes of messages) {
            this.#owner.receive(bytes);
            if (link !== this.#link) return;
        }
        this.#owner.received();
        // A page in the background has slow timers, but its messages come in time.
        this.beat();
    }

    ended(link, code, reason, refusal = null) {
        if (link === this.#climber) this.#climbLater();
        else if (link === this.#link) this.#lose(code, reason, { refusal });
    }

    #lose(code, reason, { refusal = null, isSilence = false }) {
        const mayTryAnother = this.#judge(isSilence);
        this.#hangUp();
        this.#owner.lost({ code, reason, refusal, mayTryAnother });
    }

    /** What the end of the link says of its kind. Returns whether there is another way to try. */
    #judge(isSilence) {
        const lasted = this.isOpen ? performance.now() - this.#welcomedAt : 0;
        if (lasted >= STABLE) this.#attempt = 0;
        if (this.#link.kind === POLLING) {
            if (!this.isOpen) this.#misses = 0;
            return false;
        }
        if (lasted >= STABLE) this.#climbAfter = CLIMB_EVERY;
        // A first silence is enough: a WebSocket that nothing comes through is slow to fail.
        if (isSilence && lasted < STABLE) this.#misses = MISSES;
        else this.#misses = this.isOpen ? 0 : this.#misses + 1;
        return this.#fetch !== undefined;
    }

    #hangUp() {
        this.#link = null;
        this.#welcomedAt = null;
        clearTimeout(this.#deadline);
        clearInterval(this.#pulse);
        this.#stopClimbing();
    }

    // From polls to a WebSocket.

    #climbLater() {
        this.#stopClimbing();
        if (this.#Socket !== undefined) this.#climb = setTimeout(() => this.#tryClimb(), this.#climbAfter);
    }

    #stopClimbing() {
        clearTimeout(this.#climb);
        this.#climber?.close(UNHEARD);
        this.#climber = null;
    }

    #tryClimb() {
        this.#climber = this.#socket();
        this.#climb = setTimeout(() => this.#climbLater(), SOCKET_WITHIN);
        this.#climber.open();
    }

    /** The WebSocket is open: from here on the polls say nothing, since the hello tells where they have come to. */
    #move() {
        if (this.#link.isBusy || !this.#owner.mayMove()) {
            this.#climbLater();
            return;
        }
        const climber = this.#climber;
        this.#climber = null;
        this.#link.close(UNHEARD);
        this.#judge(false);
        this.#hangUp();
        this.#link = climber;
        this.#climbAfter = Math.min(LONGEST_CLIMB, this.#climbAfter * CLIMB_LESS);
        this.#expect();
        this.#owner.moving();
        this.#greet(climber);
    }
}

function socketAddress(url = "/ws") {
    const address = new URL(url, globalThis.location?.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    return address.href;
}

function pollAddress(url) {
    const address = new URL(url);
    address.protocol = address.protocol.replace("ws", "http");
    address.pathname = address.pathname.replace(/[^/]*$/, "poll");
    return address.href;
}
