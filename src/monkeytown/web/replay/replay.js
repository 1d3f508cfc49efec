/**
 * A recorded room that is played: like a room one has joined, but that its time is moved by whoever watches.
 *
 * Knows recordings and states. `update` is called once per drawn frame; what is shown then is the tables as at that moment, and what was
 * said up to it. Knows nothing of pages.
 */

import { Reader, WireError } from "../client/bytes.js";
import { Emitter } from "../client/emitter.js";
import { State } from "../client/state.js";
import { Kind } from "../client/wire.js";
import { STATE, eventOf } from "./chunks.js";
import { Recording } from "./recording.js";
import { BytesSource, HttpSource } from "./source.js";
import { stateHash } from "./statehash.js";

/** In seconds: how far beyond what is drawn the next state may be to be applied, so that there is one on both sides of it. */
const AHEAD = 0.1;
/** Blocks that are asked for before they are needed, more at a higher speed. */
const BLOCKS_AHEAD = 2;
/** Longer than this between two frames, in seconds, and nobody was watching. */
const LONGEST_FRAME = 0.5;
/** Values of a state at most whose hash is checked while it is played. */
const CHECKED_VALUES = 100_000;

export class Replay extends Emitter {
    #recording;
    #state;
    #block = null;
    #number = -1;
    #next = 0;
    /** In moments, with a fraction: what is shown. And the moment of the state in the tables. */
    #position;
    #applied = 0;
    /** What was said ahead of what is shown. */
    #said = [];
    #playing = false;
    #updated = null;
    #seeks = 0;
    /** The block that playing waits for, or null. */
    #awaited = null;

    /** @param {string | URL | Uint8Array} from the file's address, or the file */
    static async open(from) {
        const source = from instanceof Uint8Array ? new BytesSource(from) : new HttpSource(from);
        const replay = new Replay(await Recording.open(source));
        await replay.seek(0);
        return replay;
    }

    /** @param {Recording} recording */
    constructor(recording) {
        super();
        this.#recording = recording;
        const { header } = recording;
        this.#state = new State(header.schema);
        this.#position = recording.first;
        this.about = Object.freeze({
            id: header.id,
            title: header.title,
            started: header.started,
            ended: recording.index.ended,
            players: recording.index.players,
            complete: recording.index.complete,
            size: recording.size,
        });
        this.game = header.game;
        this.players = new Map();
        this.tables = Object.create(null);
        for (const table of this.#state.tables) this.tables[table.name] = table;
        /** How many seconds of the game are shown in one. */
        this.speed = 1;
        /** While it is being brought to another moment: what happens on the way does not happen now. */
        this.isSeeking = false;
        /** Whoever watches has no entity, no cells and no client of their own. */
        this.entity = this.area = this.view = null;
        this.client = Object.freeze({ id: "", ping: 0 });
        this.open = false;
    }

    get id() {
        return this.#recording.header.room;
    }

    get schema() {
        return this.#state.schema;
    }

    get tickRate() {
        return this.#state.schema.tickRate;
    }

    get epoch() {
        return this.#state.epoch;
    }

    get tick() {
        return this.#state.tick;
    }

    /** How long it is, in seconds. */
    get length() {
        return (this.#recording.last - this.#recording.first) / this.#recording.header.rate;
    }

    /** What is shown, in seconds from the beginning. */
    get seconds() {
        return (this.#position - this.#recording.first) / this.#recording.header.rate;
    }

    get playing() {
        return this.#playing;
    }

    /** Whether playing waits for a part of the file. */
    get waiting() {
        return this.#awaited !== null;
    }

    /** Bytes that have come over the network. */
    get received() {
        return this.#recording.received;
    }

    interpolated(table) {
        return table.sample(this.playbackTick());
    }

    /** The tick, with a fraction, that is shown. */
    playbackTick() {
        return this.tickRate === 0 ? this.#state.tick : this.#position;
    }

    /** The hash of the state that the tables hold. */
    stateHash() {
        return stateHash(this.#state);
    }

    /** Goes on from where it is; from the beginning, if it is at its end. */
    async play() {
        if (this.#position >= this.#recording.last) await this.seek(0);
        this.#playing = true;
        this.#updated = null;
    }

    pause() {
        this.#playing = false;
    }

    /** Brings everything to how it was `seconds` after the beginning. The newest call counts. */
    async seek(seconds) {
        const { first, last, header } = this.#recording;
        const at = Math.min(last, Math.max(first, first + seconds * header.rate));
        const seek = ++this.#seeks;
        const number = this.#recording.find(at);
        const block = await this.#recording.block(number);
        if (seek !== this.#seeks) return;
        this.#awaited = null;
        this.isSeeking = true;
        try {
            this.#enter(number, block);
            this.#position = at;
            this.#advance();
        } finally {
            this.isSeeking = false;
        }
        this.#updated = null;
        this.emit("seek", this.seconds);
    }

    /** Moves on by as much as has passed since this was last called. `now` is `performance.now()`. */
    update(now) {
        const elapsed = this.#updated === null ? 0 : Math.min((now - this.#updated) / 1000, LONGEST_FRAME);
        this.#updated = now;
        if (!this.#playing || this.waiting) return;
        const { last, header } = this.#recording;
        this.#position = Math.min(last, this.#position + elapsed * header.rate * this.speed);
        try {
            this.#advance();
        } catch (error) {
            this.#fail(error);
            return;
        }
        this.#recording.prefetch(this.#number + 1, this.#number + BLOCKS_AHEAD + Math.floor(this.speed));
        if (this.#position < last) return;
        this.#playing = false;
        this.emit("end", this.seconds);
    }

    /**
     * What was said from `seconds` on up to what is shown, oldest first: `{seconds, kind, about}`. Asks for what is not here.
     */
    async history(seconds) {
        const { first, header, index } = this.#recording;
        const since = first + seconds * header.rate;
        const from = this.#recording.find(since);
        const [until, to] = [this.#position, this.#number];
        this.#recording.prefetch(from, to);
        const found = [];
        for (let number = from; number <= to; number++) {
            if (index.blocks[number].events === 0) continue;
            for (const { at, message } of (await this.#recording.block(number)).items)
                if (at >= since && at <= until) found.push(...this.#told(at, message));
        }
        return found;
    }

    #told(at, message) {
        if (!NAMES.has(message[0])) return [];
        const seconds = (at - this.#recording.first) / this.#recording.header.rate;
        return [{ seconds, kind: NAMES.get(message[0]), about: eventOf(message) }];
    }

    #enter(number, block) {
        this.#number = number;
        this.#block = block;
        this.#next = 0;
        this.#said.length = 0;
        this.players.clear();
        for (const [id, name] of block.players) this.players.set(id, { id, name });
    }

    /** Applies what there is up to the position, and one state beyond it. */
    #advance() {
        const { items } = this.#block;
        while (this.#next < items.length && this.#isDue(items[this.#next].at)) this.#take(items[this.#next++]);
        this.#say();
        const following = this.#recording.index.blocks[this.#number + 1];
        if (this.#next === items.length && following !== undefined && this.#isDue(following.at)) this.#follow();
    }

    #isDue(at) {
        if (at <= this.#position) return true;
        const ahead = this.tickRate === 0 ? 0 : AHEAD * this.#recording.header.rate;
        return this.#applied < this.#position && at <= this.#position + ahead;
    }

    #take({ at, message }) {
        if (message[0] !== STATE) {
            this.#said.push({ at, message });
            return;
        }
        this.#applied = at;
        const reader = new Reader(message);
        reader.u8();
        const snapshot = this.#state.apply(reader);
        for (const table of this.#state.tables) table.notify();
        this.emit("state", { tick: this.#state.tick, snapshot, bytes: message.length });
    }

    /** Goes on with the next block, once it is here. */
    async #follow() {
        this.#check();
        const number = this.#number + 1;
        const promise = this.#recording.block(number);
        this.#awaited = promise;
        try {
            const block = await promise;
            if (this.#awaited !== promise) return; // it was brought to another moment
            this.#awaited = null;
            this.#number = number;
            this.#block = block;
            this.#next = 0;
            this.#advance();
        } catch (error) {
            if (this.#awaited === promise || this.#awaited === null) this.#fail(error);
        }
    }

    #fail(error) {
        this.#playing = false;
        this.#awaited = null;
        this.emit("error", error);
    }

    /** Whether the state at a block's end is what the room had. */
    #check() {
        const { last } = this.#block;
        const values = this.#state.tables.reduce((sum, { size, shared }) => sum + size * shared.length, 0);
        if (last === null || values > CHECKED_VALUES || stateHash(this.#state) === last) return;
        this.emit("error", new WireError(`the state at tick ${this.#state.tick} is not what it was in the room`));
    }

    /** Tells what was said up to the position; on the way to another moment only who is there. */
    #say() {
        let count = 0;
        while (count < this.#said.length && this.#said[count].at <= this.#position) count++;
        for (const { at, message } of this.#said.splice(0, count))
            for (const told of this.#told(at, message)) this.#happen(told);
    }

    #happen(told) {
        const { kind, about } = told;
        if (kind === "player_joined") this.players.set(about.id, { id: about.id, name: about.name });
        const player = kind === "player_left" ? this.players.get(about.playerId) : null;
        if (player) this.players.delete(player.id);
        if (this.isSeeking) return;
        this.emit("told", told);
        if (kind === "player_joined") this.emit("playerJoined", this.players.get(about.id));
        else if (player) this.emit("playerLeft", player);
        else if (kind === "game_event") {
            if (!BUILT_IN.has(about.event)) this.emit(about.event, about.data);
            this.emit("event", { event: about.event, data: about.data });
        }
    }
}

const NAMES = new Map([
    [Kind.PLAYER_JOINED, "player_joined"],
    [Kind.PLAYER_LEFT, "player_left"],
    [Kind.GAME_EVENT, "game_event"],
    [Kind.ERROR, "error"],
]);
/** Names of events that are ours: a game's event that is called so arrives as "event" only. */
const BUILT_IN = new Set(["state", "told", "playerJoined", "playerLeft", "event", "error", "seek", "end"]);
