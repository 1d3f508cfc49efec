/**
 * A connection to a server, and how it comes back when it is lost.
 *
 * Owns the socket, the heartbeats and the numbering of messages; hands what concerns a room to room.js.
 */

import { Emitter } from "./emitter.js";
import { GameError } from "./errors.js";
import { Room } from "./room.js";
import { Kind, SUBPROTOCOL, WireError, encodeMessage, openMessage } from "./wire.js";

/** Milliseconds. */
const PULSE = 150;
const HEARTBEAT = 1000;
/** A server that has not been heard for so long, heartbeats unanswered, is gone. */
const SILENCE = 8000;
/** The longest that a connection may take to be welcomed. */
const WELCOME_WITHIN = 10_000;
/** Before each attempt to come back a random time passes, from the first of these up to a bound that doubles until it is the last. */
const SHORTEST_DELAY = 100;
const FIRST_BOUND = 500;
const LONGEST_DELAY = 5000;
/** After a connection that lasted so long, attempts are counted from the beginning again. */
const STABLE = 10_000;

/** Close codes. Scripts may close with 3000 to 4999 only: for a message that breaks the rules this is our 1002. */
const NORMAL = 1000;
const ABNORMAL = 1006;
const BROKEN_MESSAGE = 4400;
const ROOM_CLOSED = 4506;
/** From here on the server says not to come back. */
const FINAL = 4500;
const OPEN = 1;

/** Heartbeats by which the server's clock is known: the one with the shortest round trip counts. */
const CLOCK_SAMPLES = 16;

/** See monkeytown.d.ts. */
export async function connect(url, options = {}) {
    const client = new Client(socketAddress(url), options);
    await client.begin();
    return client;
}

function socketAddress(url = "/ws") {
    const address = new URL(url, globalThis.location?.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    return address.href;
}

export class Client extends Emitter {
    #url;
    #options;
    #link;
    #socket = null;
    /** How `connect` ends; null once it has. */
    #opening = null;
    /** The room that this player is in, or is about to be. */
    #room = null;
    /** How a join ends; null while none is under way. `isReturn`: of a room that was lost with its connection. */
    #entering = null;
    #lastRefusal = null;
    #number = 0;
    #heard = 0;
    #pulsed = 0;
    #beaten = 0;
    #welcomed = null;
    #attempt = 0;
    #pulse = null;
    #deadline = null;
    #retry = null;
    #clock = [];

    constructor(url, options) {
        super();
        this.#url = url;
        this.#options = options;
        this.#link = {
            client: this,
            send: (bytes) => this.#send(bytes),
            unsent: () => this.#socket?.bufferedAmount ?? 0,
            number: () => this.#number,
            leave: (room) => this.#leave(room),
        };
        this.id = "";
        this.name = options.name ?? "";
        this.server = "";
        this.state = "reconnecting";
        this.ping = 0;
    }

    get room() {
        return this.#entering !== null && !this.#entering.isReturn ? null : this.#room;
    }

    get serverTime() {
        if (this.#clock.length === 0) return Date.now();
        const best = this.#clock.reduce((a, b) => (b.roundTrip < a.roundTrip ? b : a));
        return performance.now() + best.ahead;
    }

    begin() {
        return new Promise((resolve, reject) => {
            this.#opening = { resolve, reject };
            this.#dial();
        });
    }

    async join(gameId) {
        if (this.state !== "open") throw new Error(`cannot join: the connection is ${this.state}`);
        if (this.#room !== null) throw new GameError("GAME-004", "You are in a game already: leave it first.");
        const room = (this.#room = new Room(this.#link, gameId));
        await new Promise((resolve, reject) => {
            this.#entering = { isReturn: false, resolve, reject };
            this.#send(encodeMessage(Kind.JOIN_GAME, { gameId }));
        });
        return room;
    }

    close() {
        this.#finish(NORMAL, "closed by the client");
    }

    // The connection, from its beginning to its end.

    #dial() {
        const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
        if (Socket === undefined) throw new Error("there is no WebSocket here: pass one as an option");
        const socket = new Socket(this.#url, [SUBPROTOCOL]);
        socket.binaryType = "arraybuffer";
        this.#socket = socket;
        this.#number = 0;
        this.#welcomed = null;
        this.#lastRefusal = null;
        socket.onopen = () => socket === this.#socket && this.#hello();
        socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
        socket.onclose = ({ code, reason }) => socket === this.#socket && this.#lost(code, reason);
        // A close follows every error; without a listener some runtimes would take it for uncaught.
        socket.onerror = () => {};
        this.#deadline = setTimeout(() => this.#abandon(ABNORMAL, "no answer"), WELCOME_WITHIN);
    }

    #hello() {
        if (this.#socket.protocol !== SUBPROTOCOL) {
            this.#lastRefusal = new GameError("WS-001", `The server does not speak ${SUBPROTOCOL}.`);
            this.#abandon(BROKEN_MESSAGE, "wrong subprotocol");
            return;
        }
        const { name, token } = this.#options;
        const map = {};
        if (name !== undefined) map.name = name;
        if (token !== undefined) map.token = token;
        this.#send(encodeMessage(Kind.HELLO, map));
    }

    #welcome({ playerId, name, server }) {
        if (typeof playerId !== "string" || typeof name !== "string") throw new WireError("a welcome has a playerId and a name");
        this.id = playerId;
        this.name = name;
        this.server = String(server ?? "");
        if (this.#welcomed !== null) return;
        clearTimeout(this.#deadline);
        this.#welcomed = this.#heard = this.#pulsed = performance.now();
        this.#pulse = setInterval(() => this.#beat(), PULSE);
        this.#heartbeat();
        if (this.#room !== null) {
            this.#entering = { isReturn: true, formerId: this.#room.id, isByName: false };
            this.#send(encodeMessage(Kind.JOIN_GAME, { gameId: this.#room.id }));
        } else if (this.#opening !== null) {
            this.state = "open";
            this.#opening.resolve();
            this.#opening = null;
        } else {
            this.#returned({ sameRoom: false, sameSchema: false }, null);
        }
    }

    /** The socket is of no use any more: closes it, does not wait for it, and goes on as if it had closed. */
    #abandon(code, reason) {
        const socket = this.#socket;
        this.#hangUp();
        // A reason is at most 123 bytes, and a character of it up to three.
        socket.close(code === ABNORMAL ? NORMAL : code, reason.slice(0, 40));
        this.#lost(code, reason);
    }

    #hangUp() {
        this.#socket = null;
        clearTimeout(this.#deadline);
        clearInterval(this.#pulse);
    }

    #lost(code, reason) {
        this.#hangUp();
        if (this.#opening !== null) {
            this.state = "closed";
            this.#opening.reject(this.#lastRefusal ?? new Error(`cannot connect to ${this.#url}: ${reason || code}`));
            this.#opening = null;
            return;
        }
        if (code >= FINAL && code <= 4999) {
            this.#finish(code, reason);
            return;
        }
        if (this.#entering !== null && !this.#entering.isReturn)
            this.#giveUpJoin(new Error(`the connection was lost: ${reason || code}`));
        this.#entering = null;
        this.#room?.suspend();
        this.#comeBack(code, reason);
    }

    #comeBack(code, reason) {
        if (this.#welcomed !== null && performance.now() - this.#welcomed >= STABLE) this.#attempt = 0;
        const bound = Math.min(LONGEST_DELAY, FIRST_BOUND * 2 ** this.#attempt);
        const delay = SHORTEST_DELAY + Math.random() * (bound - SHORTEST_DELAY);
        this.#attempt++;
        this.state = "reconnecting";
        this.#retry = setTimeout(() => this.#dial(), delay);
        this.#tell("reconnecting", { attempt: this.#attempt, delay, code, reason });
    }

    #returned(how, room) {
        this.state = "open";
        room?.emit("reconnected", how);
        this.emit("reconnected", how);
    }

    #finish(code, reason) {
        if (this.state === "closed") return;
        this.state = "closed";
        clearTimeout(this.#retry);
        const socket = this.#socket;
        this.#hangUp();
        socket?.close(NORMAL);
        if (this.#entering !== null && !this.#entering.isReturn) this.#giveUpJoin(this.#lastRefusal ?? new Error(reason));
        this.#entering = null;
        const room = this.#room;
        this.#room = null;
        room?.finish({ code, reason });
        this.emit("close", { code, reason });
    }

    // Messages.

    #send(bytes) {
        if (this.#socket?.readyState === OPEN) this.#socket.send(bytes);
    }

    #receive(data) {
        this.#heard = performance.now();
        try {
            if (typeof data === "string") throw new WireError("text where binary is due");
            this.#take(new Uint8Array(data));
        } catch (error) {
            if (!(error instanceof WireError)) throw error;
            this.#abandon(BROKEN_MESSAGE, error.message);
        }
        // A page in the background has slow timers, but its messages come in time.
        this.#beat();
    }

    #take(bytes) {
        const { kind, number, map, reader } = openMessage(bytes);
        const room = this.#room;
        room?.measure(bytes.length, kind === Kind.GAME_STATE);
        if (number !== null) this.#count(number);
        switch (kind) {
            case Kind.WELCOME:
                return this.#welcome(map);
            case Kind.SERVER_HEARTBEAT:
                return this.#answered(map);
            case Kind.SCHEMA:
                return room?.describe(map);
            case Kind.ERROR:
                return this.#refused(map);
            // Without a description, what comes is still of the room that was left.
            case Kind.GAME_STATE:
                return room?.isDescribed && room.update(reader) && this.#entered(room);
            case Kind.PRIVATE:
                return room?.isDescribed && room.updatePrivate(reader);
            case Kind.PLAYER_JOINED:
            case Kind.PLAYER_LEFT:
            case Kind.GAME_EVENT:
                return room?.hear(kind, map);
            // A kind that is not known is of a newer server, and not for us.
            default:
                return undefined;
        }
    }

    #count(number) {
        if (number !== this.#number + 1) throw new WireError(`message ${number} after ${this.#number}`);
        this.#number = number;
    }

    #entered(room) {
        const entering = this.#entering;
        this.#entering = null;
        if (entering?.isReturn) this.#returned(room.resumed(entering.formerId), room);
        else entering?.resolve();
    }

    #refused({ code, message }) {
        if (typeof code !== "string" || typeof message !== "string") throw new WireError("an error has a code and a message");
        const error = (this.#lastRefusal = new GameError(code, message));
        if (this.#entering !== null && !code.startsWith("INPUT-")) {
            if (this.#entering.isReturn) this.#refusedReturn(error);
            else this.#giveUpJoin(error);
            return;
        }
        const heard = this.#room?.emit("error", error);
        if (!this.emit("error", error) && !heard) console.warn(`monkeytown: ${code} ${message}`);
    }

    #giveUpJoin(error) {
        const { reject } = this.#entering;
        this.#entering = null;
        this.#room = null;
        reject(error);
    }

    /** A room that is gone is replaced by another one of its game; any other refusal ends it. */
    #refusedReturn(error) {
        const room = this.#room;
        const isGone = error.code === "GAME-001" || error.code === "GAME-006";
        if (isGone && !this.#entering.isByName) {
            this.#entering.isByName = true;
            this.#send(encodeMessage(Kind.JOIN_GAME, { gameId: room.game }));
            return;
        }
        this.#entering = null;
        this.#room = null;
        room.emit("error", error);
        this.emit("error", error);
        room.finish({ code: ROOM_CLOSED, reason: error.message });
        this.#returned({ sameRoom: false, sameSchema: false }, null);
    }

    #leave(room) {
        if (room !== this.#room) return;
        this.#send(encodeMessage(Kind.LEAVE_GAME, {}));
        this.#room = null;
        const isReturning = this.#entering !== null;
        this.#entering = null;
        room.finish({ code: NORMAL, reason: "left" });
        if (isReturning) this.#returned({ sameRoom: false, sameSchema: false }, null);
    }

    /** Tells the room and whoever listens to the client. */
    #tell(event, data) {
        this.#room?.emit(event, data);
        this.emit(event, data);
    }

    // Heartbeats and acknowledgements.

    #beat() {
        if (this.#welcomed === null || this.#socket === null) return;
        const now = performance.now();
        // After a pause of the whole page (a lid closed, a tab frozen) what has come in meanwhile is still to be read.
        if (now - this.#pulsed > SILENCE / 2) this.#heard = now;
        this.#pulsed = now;
        if (now - this.#heard > SILENCE) {
            this.#abandon(ABNORMAL, "the server is silent");
            return;
        }
        if (now - this.#beaten >= HEARTBEAT) this.#heartbeat();
        this.#room?.acknowledgeLater();
    }

    #heartbeat() {
        this.#beaten = performance.now();
        this.#send(encodeMessage(Kind.HEARTBEAT, { timestamp: this.#beaten }));
    }

    #answered({ timestamp, serverTime }) {
        if (typeof timestamp !== "number" || typeof serverTime !== "number") throw new WireError("a heartbeat has two times");
        const now = performance.now();
        const roundTrip = Math.max(0, now - timestamp);
        this.ping = this.ping === 0 ? roundTrip : this.ping + (roundTrip - this.ping) / 8;
        this.#clock.push({ roundTrip, ahead: serverTime + roundTrip / 2 - now });
        if (this.#clock.length > CLOCK_SAMPLES) this.#clock.shift();
    }
}
