/**
 * One room, as a game's page sees it: its tables, its players, its events, and what this player does in it.
 *
 * Reads the messages that concern the room; client.js owns the connection, hands them over, and says when the room is lost, found and left.
 */

import { ClientPrediction } from "./clientprediction.js";
import { Emitter } from "./emitter.js";
import { InputLayout } from "./input.js";
import { Meter } from "./meter.js";
import { Playback } from "./playback.js";
import { Kind, State, WireError, checkSchema, encodeAck, encodeMessage } from "./wire.js";

/** The longest time between two acknowledgements while there is something to acknowledge: a little under the fifth of a second asked for. */
const ACK_EVERY = 150;
/** With more than this still unsent, the connection is stalled, and another input would arrive too late to be of use. */
const STALLED = 16 * 1024;
/** Names of events that are ours: a game's event that is called so arrives as "event" only. */
const BUILT_IN = new Set([
    "state",
    "entity",
    "playerJoined",
    "playerLeft",
    "event",
    "error",
    "reconnecting",
    "reconnected",
    "close",
]);

/** Of chat. */
const LINES_KEPT = 50;

export class Room extends Emitter {
    #link;
    #state = null;
    #layout = null;
    #playback = null;
    #prediction = null;
    #meter = new Meter();
    #inputs = 0;
    #acked = { at: 0, tick: -1, number: 0 };
    /** Players of before a loss, who have left unless the server names them again; null if it goes on from those that are known. */
    #missing = null;
    #sameSchema = true;
    /** The connection was lost, and the server has neither gone on where it was nor described the room anew. */
    #isAway = false;
    /** No delta can go on from the state: it was broken, or belongs to what this player was before the server began anew. */
    #isStale = false;
    /** The state whose tables' listeners the new tables take over with their first state. */
    #replaced = null;
    /** This player had an entity before the room was described anew, and has not been told what it has now. */
    #hadEntity = false;

    /**
     * @param link what the client lends its room: `client`, `send(bytes)`, `keep(bytes)` (which arrives once, or is refused), `unsent()`,
     * `number()` (of the newest numbered message read), `leave(room)`
     * @param {string} gameId
     */
    constructor(link, gameId) {
        super();
        this.#link = link;
        this.client = link.client;
        this.id = gameId;
        this.game = "";
        this.players = new Map();
        this.tables = Object.create(null);
        this.chatLines = [];
        this.open = true;
    }

    get schema() {
        return this.#state.schema;
    }

    get tickRate() {
        return this.#state.schema.tickRate;
    }

    get area() {
        return this.#state.schema.area ?? null;
    }

    get view() {
        return this.#state.view?.byRing ?? null;
    }

    get epoch() {
        return this.#state.epoch;
    }

    get tick() {
        return this.#state.tick;
    }

    get entity() {
        return this.#state.entity;
    }

    get inputSeen() {
        return this.#state.inputSeen;
    }

    get stats() {
        return this.#meter.read(performance.now());
    }

    get rate() {
        return this.stats.statesPerSecond;
    }

    input(fields) {
        if (!this.open || !this.isKnown) return 0;
        return this.#layout.isPacked ? this.#steer(fields) : this.#act(fields);
    }

    /** Only the newest input matters, so one that cannot go now is dropped. */
    #steer(fields) {
        if (!this.#isLive() || this.#link.unsent() > STALLED) return 0;
        this.#link.send(this.#layout.pack(fields, this.#inputs + 1, this.#state.tick));
        this.#carriedAck();
        this.#inputs++;
        this.#prediction?.sent(this.#inputs, fields, performance.now());
        return this.#inputs;
    }

    /** Every action counts, so one that cannot go now is kept. */
    #act(fields) {
        return this.#link.keep(this.#layout.pack(fields, this.#inputs + 1, this.#state.tick)) ? ++this.#inputs : 0;
    }

    chat(text) {
        return this.open && this.isKnown && this.#link.keep(encodeMessage(Kind.CHAT_MESSAGE, { text: String(text) }));
    }

    leave() {
        if (this.open) this.#link.leave(this);
    }

    interpolated(table, now = performance.now()) {
        return table.sample(this.playbackTick(now));
    }

    playbackTick(now = performance.now()) {
        return this.#playback.tickAt(now);
    }

    predict(step, options) {
        const lent = { isLive: () => this.#isLive(), asRead: (fields) => this.#layout.asRead(fields) };
        this.#prediction = new ClientPrediction(this, lent, step, options);
        return this.#prediction;
    }

    // Below: for the client.

    /** Whether the state is in and the connection is there. */
    #isLive() {
        return this.open && this.isShown && this.client.state === "open";
    }

    /** Whether the server has ever said what the room is. */
    get isKnown() {
        return this.#state !== null;
    }

    /** Whether what the server has said of the room holds: not after a loss, until it goes on. */
    get isDescribed() {
        return this.isKnown && !this.#isAway;
    }

    /** The room and the newest state, if deltas can go on from there; otherwise null. */
    get position() {
        if (!this.isKnown || this.#isStale || !this.#state.ready) return null;
        return { gameId: this.id, epoch: this.epoch, tick: this.tick };
    }

    /** What came in has broken the state. */
    spoil() {
        this.#isStale = true;
    }

    /** The connection is lost; the room waits for a new one. */
    suspend() {
        this.#isAway = true;
    }

    /** The connection is back, and the next state continues from the newest one here. As to `recovered` see below. */
    resume(recovered) {
        if (this.position === null) throw new WireError("there is no state to continue from");
        if (!recovered) this.#forgetPlayers();
        this.#isAway = false;
        this.#acknowledge();
    }

    /** The connection is back; a description and a snapshot follow. If not all messages were `recovered`, everybody in the room is named again. */
    awaitSnapshot(recovered) {
        this.#isStale = true;
        if (!recovered) this.#forgetPlayers();
    }

    /** The connection is back, but this player is to join again. */
    beginAnew() {
        this.#isStale = true;
        this.#inputs = 0;
        this.#state.inputSeen = 0;
        this.#forgetPlayers();
    }

    #forgetPlayers() {
        this.#missing ??= new Map();
        for (const [id, player] of this.players) this.#missing.set(id, player);
        this.players.clear();
    }

    /** The room is over. */
    finish(closed) {
        if (!this.open) return;
        this.open = false;
        this.emit("close", closed);
    }

    /** Counts a message that came in while this is the client's room. */
    measure(bytes, isState) {
        this.#meter.count(bytes, isState, performance.now());
    }

    /** Takes a schema: of a room just joined, or of one in which this player now sees something else. What was known ends; a snapshot follows. */
    describe(map) {
        const schema = checkSchema(map);
        const former = this.#state;
        this.#hadEntity ||= former !== null && former.entity !== null;
        const inputSeen = former?.inputSeen ?? 0;
        this.#isAway = this.#isStale = false;
        this.id = schema.gameId;
        this.game = schema.game;
        this.#sameSchema = former !== null && former.schema.hash === schema.hash;
        this.#acked = { at: 0, tick: -1, number: 0 };
        if (this.#sameSchema) {
            former.restart(schema);
        } else {
            this.#state = new State(schema);
            this.tables = Object.create(null);
            for (const table of this.#state.tables) this.tables[table.name] = table;
            this.#replaced ??= former;
        }
        this.#state.inputSeen = inputSeen;
        if (this.#sameSchema && this.#playback !== null) this.#playback.reset();
        else this.#playback = new Playback(schema.tickRate);
        this.#layout = new InputLayout(schema.input);
    }

    /** Whether a state has come since the room was described (anew). */
    get isShown() {
        return this.isDescribed && this.#state.ready;
    }

    /** Applies a `game_state`. */
    update(reader) {
        const state = this.#state;
        const { epoch } = state;
        const snapshot = state.apply(reader);
        if (epoch !== state.epoch) this.#playback.reset();
        this.#playback.heard(state.tick, performance.now());
        this.#prediction?.heard(performance.now());
        if (snapshot) this.#acknowledge();
        else this.acknowledgeLater();
        this.#notify();
        this.emit("state", { tick: state.tick, snapshot, bytes: reader.end });
    }

    #notify() {
        const former = this.#replaced;
        this.#replaced = null;
        for (const table of this.#state.tables) {
            const before = former?.tables.find(({ name }) => name === table.name);
            if (before !== undefined) table.succeed(before);
            else table.notify();
        }
    }

    /** Whether it is not known yet who of before the loss is still there. */
    get isRecounted() {
        return this.#missing !== null;
    }

    /** Everybody who is there has been named: says who is not there any more. */
    recounted() {
        for (const [id, player] of this.#missing ?? []) if (!this.players.has(id)) this.emit("playerLeft", player);
        this.#missing = null;
    }

    /** Returns how the room has come back. */
    returned(formerId) {
        this.recounted();
        return { sameRoom: this.id === formerId, sameSchema: this.#sameSchema };
    }

    updatePrivate(reader) {
        const state = this.#state;
        const { ownTable, ownId } = state;
        const given = state.applyPrivate(reader);
        this.#prediction?.acknowledged();
        const isOther = ownTable !== state.ownTable || ownId !== state.ownId;
        if (isOther || (this.#hadEntity && state.entity === null)) this.emit("entity", state.entity);
        this.#hadEntity = false;
        for (const [table, slots] of given ?? []) table.notifyChange(slots);
    }

    /** Takes a numbered message, errors excepted. */
    hear(kind, map) {
        if (kind === Kind.PLAYER_JOINED) this.#joined(map);
        else if (kind === Kind.PLAYER_LEFT) this.#left(map);
        else this.#happened(map);
    }

    #joined({ id, name }) {
        if (typeof id !== "string" || typeof name !== "string") throw new WireError("player_joined has an id and a name");
        const isNew = !this.players.has(id) && !this.#missing?.has(id);
        const player = { id, name };
        this.players.set(id, player);
        if (isNew) this.emit("playerJoined", player);
    }

    #left({ playerId }) {
        if (typeof playerId !== "string") throw new WireError("player_left has a playerId");
        const player = this.players.get(playerId) ?? this.#missing?.get(playerId);
        if (player === undefined) return;
        this.players.delete(playerId);
        this.#missing?.delete(playerId);
        this.emit("playerLeft", player);
    }

    #happened({ event, data }) {
        if (typeof event !== "string") throw new WireError("a game_event has a name");
        if (event === "chat_history" && Array.isArray(data)) this.chatLines = data;
        else if (event === "chat") this.chatLines = [...this.chatLines, data].slice(-LINES_KEPT);
        if (!BUILT_IN.has(event)) this.emit(event, data);
        this.emit("event", { event, data });
    }

    /** An input has just carried the tick; a message of its own is needed only for numbered messages. */
    #carriedAck() {
        this.#acked.tick = this.#state.tick;
        if (this.#acked.number === this.#link.number()) this.#acked.at = performance.now();
    }

    /** Acknowledges what is new, unless that was done a moment ago. */
    acknowledgeLater() {
        if (!this.isShown) return;
        const isNew = this.#acked.tick !== this.#state.tick || this.#acked.number !== this.#link.number();
        if (isNew && performance.now() - this.#acked.at >= ACK_EVERY) this.#acknowledge();
    }

    #acknowledge() {
        const { epoch, tick } = this.#state;
        const number = this.#link.number();
        this.#acked = { at: performance.now(), tick, number };
        this.#link.send(encodeAck(epoch, tick, number));
    }
}
