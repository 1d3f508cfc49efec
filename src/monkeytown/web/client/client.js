/**
 * A player on a server: who they are, which room they are in, and how both outlive a lost connection.
 *
 * Hands what concerns a room to room.js. How messages travel is for connection.js, what is kept across connections for resume.js.
 */

import { ServerClock } from "./clock.js";
import { BROKEN_MESSAGE, EXPIRED, NORMAL, ROOM_CLOSED, isFinal } from "./codes.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { GameError } from "./errors.js";
import { Session } from "./resume.js";
import { Room } from "./room.js";
import { Kind, WireError, encodeMessage, openMessage } from "./wire.js";

/** Milliseconds between two heartbeats. */
const HEARTBEAT = 1000;
/** Says of a session that it is another one now; the welcome has said so already. */
const UNKNOWN_SESSION = "AUTH-003";
/** Asks for another token. */
const TOKEN_EXPIRED = "AUTH-004";
const NO_ROOM = { sameRoom: false, sameSchema: false };

/** See monkeytown.d.ts. */
export async function connect(url, options = {}) {
    const client = new Client(url, options);
    await client.begin();
    return client;
}

export class Client extends Emitter {
    #options;
    #connection;
    #session = new Session();
    #clock = new ServerClock();
    #link;
    /** How `connect` ends; null once it has. */
    #opening = null;
    /** The room that this player is in, or is about to be. */
    #room = null;
    /** How a way into the room ends; null while none is under way. `isReturn`: after a loss. `isJoin`: with a join, rather than as it was. */
    #entering = null;
    /** What to tell of a return once the server has answered a heartbeat: until then it may speak of a room that was left, or name who is here. */
    #settling = null;
    #lastRefusal = null;
    /** What was lost on both sides and is not told yet: a return may be cut short by the next loss. */
    #untold = { recovered: true, lost: 0 };
    #beaten = 0;
    /** Whether a welcome is to come that answers another token. */
    #isRenewing = false;
    /** A page that goes, and is not kept to come back to, takes what could come back with it: nobody should wait for this player. */
    #unload = ({ persisted }) => persisted || this.close();

    constructor(url, options) {
        super();
        this.#options = options;
        this.#connection = new Connection(url, options, {
            hello: () => this.#hello(),
            receive: (bytes) => this.#receive(bytes),
            received: () => this.#received(),
            beat: () => this.#beat(),
            mayMove: () => this.#entering === null && this.#settling === null,
            moving: () => this.#room?.suspend(),
            lost: (loss) => this.#lost(loss),
            secret: () => this.#session.secret,
            due: (orders, most, isAnswerDue) => this.#due(orders, most, isAnswerDue),
        });
        this.#link = {
            client: this,
            send: (bytes) => this.#connection.send(bytes),
            keep: (bytes) => this.#keep(bytes),
            unsent: () => this.#connection.unsent,
            number: () => this.#session.number,
            leave: (room) => this.#leave(room),
        };
        this.id = "";
        this.name = options.name ?? "";
        this.server = "";
        this.state = "reconnecting";
    }

    get room() {
        return this.#entering !== null && !this.#entering.isReturn ? null : this.#room;
    }

    get transport() {
        return this.#connection.transport;
    }

    get ping() {
        return this.#clock.ping;
    }

    get serverTime() {
        return this.#clock.now;
    }

    begin() {
        return new Promise((resolve, reject) => {
            this.#opening = { resolve, reject };
            this.#connection.dial();
        });
    }

    async join(gameId) {
        if (this.state !== "open") throw new Error(`cannot join: the connection is ${this.state}`);
        if (this.#room !== null) throw new GameError("GAME-004", "You are in a game already: leave it first.");
        const room = (this.#room = new Room(this.#link, gameId));
        await new Promise((resolve, reject) => {
            this.#entering = { isReturn: false, isJoin: true, resolve, reject };
            // While the connection moves this is lost, and the welcome sees to it.
            if (this.#settling === null) this.#askIn(gameId);
        });
        return room;
    }

    close() {
        this.#finish(NORMAL, "closed by the client");
    }

    // The connection, from its beginning to its end.

    #hello() {
        this.#lastRefusal = null;
        this.#isRenewing = false;
        const { token } = this.#options;
        if (typeof token !== "function") return this.#greeting(token);
        return Promise.resolve(token()).then((fresh) => this.#greeting(fresh));
    }

    #greeting(token) {
        const { name } = this.#options;
        const map = {};
        if (name !== undefined) map.name = name;
        if (token !== undefined && token !== null) map.token = token;
        const resume = this.#session.resume(this.#room?.position ?? null);
        if (resume !== undefined) map.resume = resume;
        return encodeMessage(Kind.HELLO, map);
    }

    #welcome(map) {
        const { playerId, name, server } = map;
        if (typeof playerId !== "string" || typeof name !== "string") throw new WireError("a welcome has a playerId and a name");
        if (this.#connection.isOpen) {
            if (!this.#isRenewing) throw new WireError("a second welcome");
            this.#isRenewing = false;
            this.#session.renewed(map);
            return;
        }
        const { recovered = false, resumed = null, gameId = null, number = 0 } = map;
        // A token stands for the same player in another session as well; but in one that is known there is something to count.
        const isNew = playerId !== this.id || (!recovered && number === 0 && gameId === null);
        this.#untold.lost += this.#session.welcomed(map, isNew);
        this.id = playerId;
        this.name = name;
        this.server = String(server ?? "");
        this.#connection.welcomed();
        if (!recovered && this.#opening === null) this.#untold.recovered = false;
        // What was kept for a room is of no use to one that is joined anew.
        if (gameId === null) this.#untold.lost += this.#session.drop();
        for (const bytes of this.#session.kept) this.#connection.send(bytes);
        this.#beaten = -Infinity;
        if (this.#opening !== null) this.#opened();
        else this.#resume({ resumed, recovered, gameId });
    }

    #opened() {
        globalThis.addEventListener?.("pagehide", this.#unload);
        this.state = "open";
        this.#opening.resolve();
        this.#opening = null;
    }

    /** Goes on where the connection was lost. `gameId` is the room that the server has this player in. */
    #resume({ resumed, recovered, gameId }) {
        const room = this.#room;
        const how = { resumed };
        const isElsewhere = gameId !== null && (room === null || !room.isKnown);
        if (isElsewhere) this.#connection.send(encodeMessage(Kind.LEAVE_GAME, {}));
        if (room === null || !room.isKnown) {
            this.#settling = how;
            if (!isElsewhere) this.#settled();
        } else if (resumed === "delta") {
            room.resume(recovered);
            this.#settling = how;
            if (!room.isRecounted) this.#settled();
        } else {
            const isJoin = gameId === null;
            this.#entering = { isReturn: true, isJoin, formerId: room.id, isByName: false, how };
            if (isJoin) {
                room.beginAnew();
                this.#askIn(room.id);
            } else {
                room.awaitSnapshot(recovered);
            }
        }
    }

    /** What the server had to say of before is said. */
    #settled() {
        const room = this.#room;
        const how = this.#settling;
        this.#settling = null;
        if (room?.isKnown) {
            room.recounted();
            this.#returned({ sameRoom: true, sameSchema: true, ...how }, room);
            return;
        }
        // Asked for while the connection moved.
        if (this.#entering !== null) this.#askIn(room.id);
        this.#returned({ ...NO_ROOM, ...how }, null);
    }

    #askIn(gameId) {
        this.#connection.send(encodeMessage(Kind.JOIN_GAME, { gameId }));
    }

    #lost({ code, reason, refusal, mayTryAnother }) {
        this.#settling = null;
        if (this.#opening !== null) {
            this.#failed({ code, reason, refusal, mayTryAnother });
            return;
        }
        if (isFinal(code) || (code === EXPIRED && typeof this.#options.token !== "function")) {
            this.#finish(code, reason);
            return;
        }
        if (this.#entering !== null && !this.#entering.isReturn)
            this.#giveUpJoin(new Error(`the connection was lost: ${reason || code}`));
        this.#entering = null;
        this.#room?.suspend();
        this.state = "reconnecting";
        const { attempt, delay } = this.#connection.comeBack();
        this.#tell("reconnecting", { attempt, delay, code, reason });
    }

    /** The first connection has failed: the end, unless the server said nothing and there is another way to it. */
    #failed({ code, reason, refusal, mayTryAnother }) {
        if (mayTryAnother && this.#lastRefusal === null && !isFinal(code)) {
            this.#connection.comeBack();
            return;
        }
        this.state = "closed";
        const error = this.#lastRefusal ?? refusal ?? new Error(`cannot connect to ${this.#connection.url}: ${reason || code}`);
        this.#opening.reject(error);
        this.#opening = null;
    }

    #returned(how, room) {
        this.state = "open";
        const told = { ...how, ...this.#untold };
        this.#untold = { recovered: true, lost: 0 };
        room?.emit("reconnected", told);
        this.emit("reconnected", told);
    }

    #finish(code, reason) {
        if (this.state === "closed") return;
        this.state = "closed";
        globalThis.removeEventListener?.("pagehide", this.#unload);
        this.#connection.close();
        if (this.#entering !== null && !this.#entering.isReturn) this.#giveUpJoin(this.#lastRefusal ?? new Error(reason));
        this.#entering = null;
        const room = this.#room;
        this.#room = null;
        room?.finish({ code, reason });
        this.emit("close", { code, reason });
    }

    // Messages.

    #receive(bytes) {
        try {
            if (bytes === null) throw new WireError("text where binary is due");
            this.#take(bytes);
        } catch (error) {
            if (!(error instanceof WireError)) throw error;
            this.#room?.spoil();
            this.#connection.abandon(BROKEN_MESSAGE, error.message);
        }
    }

    #take(bytes) {
        const { kind, number, map, reader } = openMessage(bytes);
        const room = this.#room;
        room?.measure(bytes.length, kind === Kind.GAME_STATE);
        if (number !== null) this.#session.count(number);
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
                return room?.isDescribed && room.update(reader);
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

    /** Says something that arrives once, even if the connection is lost meanwhile. Returns false if it cannot be promised. */
    #keep(message) {
        // A room that is joined anew may be another, and the rules may not have this player yet.
        if (this.#entering?.isJoin) return false;
        const bytes = this.#session.keep(message);
        if (bytes === null) return false;
        this.#connection.send(bytes);
        return true;
    }

    /** All that came together is read: with a room's first state the way into it ends, and who is there is known. */
    #received() {
        const room = this.#room;
        const entering = this.#entering;
        if (entering === null || !room.isShown) return;
        this.#entering = null;
        if (entering.isReturn) this.#returned({ ...room.returned(entering.formerId), ...entering.how }, room);
        else entering.resolve();
    }

    #refused({ code, message }) {
        if (typeof code !== "string" || typeof message !== "string") throw new WireError("an error has a code and a message");
        if (code === UNKNOWN_SESSION) return;
        if (code === TOKEN_EXPIRED && this.#connection.isOpen && typeof this.#options.token === "function") {
            this.#renew();
            return;
        }
        const error = (this.#lastRefusal = new GameError(code, message));
        if (this.#entering?.isJoin && !code.startsWith("INPUT-")) {
            if (this.#entering.isReturn) this.#refusedReturn(error);
            else this.#giveUpJoin(error);
            return;
        }
        const heard = this.#room?.emit("error", error);
        if (!this.emit("error", error) && !heard) console.warn(`monkeytown: ${code} ${message}`);
    }

    /** Shows the server another token. If there is none in time the connection ends, and the next one asks again. */
    async #renew() {
        const secret = this.#session.secret;
        try {
            const token = await this.#options.token();
            if (this.#session.secret !== secret || !this.#connection.isOpen) return;
            this.#isRenewing = true;
            this.#connection.send(encodeMessage(Kind.HELLO, { token }));
        } catch (error) {
            console.warn("monkeytown: there is no other token", error);
        }
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
        const { isByName, how } = this.#entering;
        const isGone = error.code === "GAME-001" || error.code === "GAME-006";
        if (isGone && !isByName) {
            this.#entering.isByName = true;
            this.#askIn(room.game);
            return;
        }
        this.#entering = null;
        this.#room = null;
        room.emit("error", error);
        this.emit("error", error);
        room.finish({ code: ROOM_CLOSED, reason: error.message });
        this.#returned({ ...NO_ROOM, ...how }, null);
    }

    #leave(room) {
        if (room !== this.#room) return;
        // Without a connection this is lost, and the next welcome sees to it.
        this.#connection.send(encodeMessage(Kind.LEAVE_GAME, {}));
        this.#room = null;
        const entering = this.#entering;
        this.#entering = null;
        room.finish({ code: NORMAL, reason: "left" });
        if (entering !== null) this.#returned({ ...NO_ROOM, ...entering.how }, null);
    }

    /** Tells the room and whoever listens to the client. */
    #tell(event, data) {
        this.#room?.emit(event, data);
        this.emit(event, data);
    }

    // Heartbeats and acknowledgements.

    #beat() {
        if (performance.now() - this.#beaten >= HEARTBEAT) this.#connection.send(this.#heartbeat());
        this.#room?.acknowledgeLater();
    }

    #heartbeat() {
        this.#beaten = performance.now();
        return encodeMessage(Kind.HEARTBEAT, { timestamp: this.#beaten });
    }

    #answered(map) {
        this.#clock.heard(map);
        if (map.received !== undefined) this.#session.confirm(map.received);
        if (this.#settling !== null) this.#settled();
    }

    /** The messages of a poll: what the server is not known to have, the poll's own orders; and a heartbeat now and then. */
    #due(orders, most, isAnswerDue) {
        const kept = this.#session.keptWithin(most);
        const due = [...kept, ...orders];
        const isDue = isAnswerDue || kept.length > 0 || this.#settling !== null;
        if (isDue || performance.now() - this.#beaten >= HEARTBEAT) due.push(this.#heartbeat());
        return due;
    }
}
