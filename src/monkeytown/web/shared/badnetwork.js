/**
 * A worse connection than there is: a class of WebSocket that delays what passes through it, for pages that show how they bear that.
 *
 * Knows sockets and timers. As on TCP, everything arrives, and in order: what is lost is sent again, and holds up what is behind it. Knows
 * nothing of what the messages say.
 */

/** Milliseconds until three messages after a lost one have told its sender, as a rule. */
const NOTICED = 50;
const OPEN = 1;

export class BadNetwork {
    /** Milliseconds that are added to a round trip, and up to how many more a message may take at random. */
    latency = 0;
    jitter = 0;
    /** The part of all messages that is lost at first, from 0 to 1. */
    loss = 0;

    /** @param options for tests: `Socket`, the class of the real connections, and `random` */
    constructor({ Socket = globalThis.WebSocket, random = Math.random } = {}) {
        this.random = random;
        const network = this;
        /** To be given to `connect`. */
        this.WebSocket = class {
            constructor(url, protocols) {
                return new BadSocket(network, new Socket(url, protocols));
            }
        };
    }

    /** How long a message takes that is sent now, in milliseconds. */
    delay() {
        if (this.latency === 0 && this.jitter === 0 && this.loss === 0) return 0;
        const again = this.random() < this.loss ? this.latency + NOTICED : 0;
        return this.latency / 2 + this.random() * this.jitter + again;
    }
}

/** One direction: what is under way, in order. */
class Line {
    #network;
    #waiting = [];
    #timer = null;

    constructor(network) {
        this.#network = network;
    }

    get isEmpty() {
        return this.#waiting.length === 0;
    }

    carry(arrive) {
        const delay = this.#network.delay();
        if (delay === 0 && this.isEmpty) {
            arrive();
            return;
        }
        const due = Math.max(performance.now() + delay, this.#waiting.at(-1)?.due ?? 0);
        this.#waiting.push({ due, arrive });
        this.#wait();
    }

    /** Everything arrives at once. */
    flush() {
        for (const { arrive } of this.#waiting.splice(0)) arrive();
    }

    /** Nothing of it will arrive. */
    cut() {
        this.#waiting.length = 0;
        clearTimeout(this.#timer);
    }

    #wait() {
        if (this.#timer !== null || this.isEmpty) return;
        this.#timer = setTimeout(() => {
            this.#timer = null;
            while (!this.isEmpty && this.#waiting[0].due <= performance.now()) this.#waiting.shift().arrive();
            this.#wait();
        }, this.#waiting[0].due - performance.now());
    }
}

/** A WebSocket, as far as monkeytown's client uses one. */
class BadSocket {
    #real;
    #up;
    #down;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;

    constructor(network, real) {
        this.#real = real;
        this.#up = new Line(network);
        this.#down = new Line(network);
        real.onopen = (event) => this.#down.carry(() => this.onopen?.(event));
        real.onmessage = (event) => this.#down.carry(() => this.onmessage?.(event));
        real.onerror = (event) => this.#down.carry(() => this.onerror?.(event));
        real.onclose = (event) => {
            this.#up.cut();
            this.#down.carry(() => this.onclose?.(event));
        };
    }

    get protocol() {
        return this.#real.protocol;
    }

    get readyState() {
        return this.#real.readyState;
    }

    get bufferedAmount() {
        return this.#real.bufferedAmount;
    }

    get binaryType() {
        return this.#real.binaryType;
    }

    set binaryType(type) {
        this.#real.binaryType = type;
    }

    send(data) {
        const copy = data.slice(); // as a real one does: the sender may use its bytes again
        this.#up.carry(() => this.#real.readyState === OPEN && this.#real.send(copy));
    }

    close(code, reason) {
        this.#up.flush();
        this.#real.close(code, reason);
    }
}
