/**
 * Client-side prediction and server reconciliation: the player's own entity as it will be once the server has seen what the player does now.
 *
 * The game's step makes each tick from the one before, as the rules do. What the server says of a tick takes the place of what was
 * predicted for it, and the inputs that it has not seen yet are applied again on top. Where that makes a difference to what is drawn, the
 * difference fades. Knows rows, inputs and ticks; which input is in force in which tick is for pending.js, and when one that is sent now
 * takes effect for inputclock.js.
 */

import { scaling } from "./columns.js";
import { InputClock } from "./inputclock.js";
import { PendingInputs } from "./pending.js";
import { SlewedClock } from "./slew.js";

/** Milliseconds in which a difference shrinks to a third, unless the game says otherwise. */
const SMOOTH = 100;
/** Seconds that are made up tick by tick; what lies further back is not worth the work. */
const MOST_SECONDS = 3;
/** Seconds after its last word for which a server that owes an answer is believed to go on. */
const BLIND_SECONDS = 1;
/** Seconds after which an input without an answer is lost, if answers came meanwhile. */
const LOST_SECONDS = 1;
/** In steps of the wire: what it rounds away; what is that and no correction; and what is no difference at all. */
const ROUNDED = 0.5 + 1e-6;
const VISIBLE = 1.01;
const NOTHING = 1 / 16;
const TURN = 2 * Math.PI;

export class ClientPrediction {
    #room;
    #lent;
    #step;
    #options;
    #rate;
    #pending;
    #clock;
    #drawing;
    /** Of the row that is predicted: its table, its id, and the fields to be drawn between ticks. */
    #table = null;
    #id = 0;
    #lanes = [];
    /** The entity as the server has it, at a tick; and as predicted, at a tick and at the next. */
    #base = null;
    #baseTick = 0;
    #from = {};
    #to = {};
    #tick = 0;
    /** The server has said something that the predicted states do not contain. */
    #hasNews = false;
    /** The newest state, the one before, the room it was of, what was to be drawn then, and whether what the server said with it has been read. */
    #newest = { room: "", epoch: -1, tick: 0, former: null, position: 0, isTold: true };
    #corrections = 0;
    #ahead = 0;
    #shown = {};

    /**
     * @param room whose own entity it is
     * @param lent what the room lends: `isLive()`, whether the connection is there, and `asRead(fields)`, what the rules will read of an input
     * @param step the game's: see monkeytown.d.ts, as for the options
     */
    constructor(room, lent, step, options) {
        if (room.tickRate === 0) throw new Error("a room without ticks has nothing to predict");
        this.#room = room;
        this.#lent = lent;
        this.#step = step;
        this.#options = { hidden: {}, smooth: SMOOTH, snap: {}, correct: null, ...options };
        this.#rate = room.tickRate;
        this.#pending = new PendingInputs(LOST_SECONDS * this.#rate, lent.asRead({}));
        this.#clock = new InputClock(this.#rate);
        this.#drawing = new SlewedClock(this.#rate);
        this.heard(performance.now());
    }

    get stats() {
        return { ahead: this.#ahead, pending: this.#pending.unseen, corrections: this.#corrections };
    }

    sample(now = performance.now()) {
        const room = this.#room;
        const row = room.entity;
        if (row === null || !room.open) {
            this.#table = this.#base = null;
            return null;
        }
        if (this.#table !== null && !this.#lent.isLive()) return this.#shown;
        if (row.table !== this.#table || row.id !== this.#id) this.#begin(row);
        const position = this.#position(now);
        if (this.#hasNews) this.#reconcile(row, position, now);
        else this.#advance(Math.floor(position));
        this.#ahead = position - this.#newest.tick;
        return this.#show(position, now);
    }

    // For the room.

    sent(number, fields, now) {
        // First what the server has said, so that only this is corrected smoothly: the player's own doing shows at once.
        if (this.#hasNews) this.sample(now);
        const due = this.#pending.add(number, this.#lent.asRead(fields), now, this.#clock.tickOf(now));
        if (this.#base !== null && due <= this.#tick + 1) this.#replay(this.#tick);
    }

    /** A state has come. */
    heard(now) {
        const { id, epoch, tick, client } = this.#room;
        const before = this.#newest;
        const goesOn = before.room === id && before.epoch === epoch && before.tick <= tick;
        if (!goesOn && before.epoch !== -1) {
            if (before.room === id) this.#pending.begin();
            else this.#pending.clear();
            this.#clock.reset();
            this.#table = null;
        }
        this.#clock.heard(tick, now, client.ping);
        const former = goesOn && before.tick < tick ? before.tick : null;
        this.#newest = { room: id, epoch, tick, former, position: this.#clock.position(now), isTold: false };
        this.#hasNews = true;
    }

    /** What this player alone is told has come: with the newest state, or, if that was told already, at an unknown tick after it. */
    acknowledged() {
        const { tick, former, isTold } = this.#newest;
        this.#newest.isTold = true;
        const since = isTold ? null : former;
        const news = this.#pending.see(this.#room.inputSeen, since, tick);
        if (news.length === 0) return;
        this.#hasNews = true;
        // Of those before the newest it is not known whether they arrived at all.
        if (since !== null) this.#clock.learn(news.at(-1).sentAt, since, tick);
    }

    // The row.

    #begin(row) {
        this.#table = row.table;
        this.#id = row.id;
        this.#lanes = [];
        for (const name of this.#options.fields) {
            const column = row.table.columns[name];
            if (column === undefined || column.field.count > 0) throw new TypeError(`${row.table.name} has no single field ${name}`);
            const { type } = column.field;
            if (type === "fixed" || type === "angle") this.#lanes.push(new Lane(column, this.#options.snap[name]));
        }
        this.#base = null;
        this.#hasNews = true;
        this.#shown = {};
        this.#drawing.reset();
    }

    /** The tick, with a fraction, that is to be drawn: never one before the newest state, of which nothing is predicted any more. */
    #position(now) {
        const { tick, position: then } = this.#newest;
        const most = this.#pending.unseen > 0 ? Math.max(tick, then + BLIND_SECONDS * this.#rate) : Infinity;
        const within = (position) => Math.min(most, Math.max(tick, position));
        return within(this.#drawing.at(now, within(this.#clock.position(now))));
    }

    // Ticks.

    /** Makes the server's newest word the beginning of what is predicted. */
    #reconcile(row, position, now) {
        this.#hasNews = false;
        const isFirst = this.#base === null;
        if (!isFirst) {
            this.#advance(Math.floor(position));
            for (const lane of this.#lanes) lane.drawn = this.#between(lane, position);
        }
        this.#settle(row);
        this.#replay(Math.floor(position));
        if (!isFirst) this.#smooth(position, now);
    }

    #settle(row) {
        const { tick } = this.#newest;
        const { fields, hidden, correct } = this.#options;
        const gap = tick - this.#baseTick;
        this.#pending.defer(tick);
        if (this.#base === null) this.#base = { ...hidden };
        else if (gap > 0 && gap <= MOST_SECONDS * this.#rate)
            while (this.#baseTick < tick) this.#make(this.#base, ++this.#baseTick);
        this.#baseTick = tick;
        // Where the prediction says the same in the wire's words it knows better: what the wire rounds away is still in it.
        for (const name of fields) if (!isSame(row, name, this.#base[name])) this.#base[name] = row[name];
        correct?.(this.#base, row, tick);
        this.#pending.settle(tick);
    }

    /** Makes the predicted states of `tick` and the one after it from the server's newest word. */
    #replay(tick) {
        const wanted = Math.max(tick, this.#baseTick);
        // If the server has said nothing for longer, and owes nothing, the room is at rest.
        this.#baseTick = Math.max(this.#baseTick, wanted - MOST_SECONDS * this.#rate);
        Object.assign(this.#from, this.#base);
        for (this.#tick = this.#baseTick; this.#tick < wanted; ) this.#make(this.#from, ++this.#tick);
        this.#make(Object.assign(this.#to, this.#from), this.#tick + 1);
    }

    /** Brings them from where they are to `tick`. */
    #advance(tick) {
        const wanted = Math.max(tick, this.#baseTick);
        if (wanted < this.#tick || wanted - this.#tick > MOST_SECONDS * this.#rate) return this.#replay(wanted);
        while (this.#tick < wanted) {
            Object.assign(this.#from, this.#to);
            this.#make(this.#to, ++this.#tick + 1);
        }
    }

    #make(state, tick) {
        this.#step(state, this.#pending.at(tick), 1 / this.#rate, tick);
    }

    // Drawing.

    #between({ name, turn }, position) {
        const start = this.#from[name];
        const way = shortest(this.#to[name] - start, turn);
        return start + way * Math.max(0, Math.min(1, position - this.#tick));
    }

    /** What is drawn stays where it was, and goes on from there to where it should be; unless that is too far. */
    #smooth(position, now) {
        let isCorrection = false;
        let isJump = false;
        for (const lane of this.#lanes) {
            const difference = shortest(lane.drawn - this.#between(lane, position), lane.turn);
            const error = shortest(lane.errorAt(now, this.#options.smooth) + difference, lane.turn);
            lane.setError(error, now);
            isCorrection ||= Math.abs(difference) > lane.scale * VISIBLE;
            isJump ||= Math.abs(error) > lane.limit;
        }
        if (isCorrection) this.#corrections++;
        if (isJump) for (const lane of this.#lanes) lane.setError(0, now);
    }

    #show(position, now) {
        const shown = Object.assign(this.#shown, this.#from);
        for (const lane of this.#lanes) shown[lane.name] = this.#between(lane, position) + lane.errorAt(now, this.#options.smooth);
        return shown;
    }
}

/** A field that is drawn between ticks, and how far what is drawn is still from where it should be. */
class Lane {
    #error = 0;
    #at = 0;

    constructor({ field, table }, limit) {
        this.name = field.name;
        this.scale = scaling(field).scale;
        this.turn = field.type === "angle" ? TURN : 0;
        this.limit = limit ?? table.jumps[field.name] ?? Infinity;
        /** What was drawn before the server's newest word was known. */
        this.drawn = 0;
    }

    errorAt(now, smooth) {
        if (this.#error === 0 || smooth <= 0) return 0;
        const error = this.#error * Math.exp(-Math.max(0, now - this.#at) / smooth);
        return Math.abs(error) < this.scale * NOTHING ? 0 : error;
    }

    setError(error, now) {
        this.#error = Number.isFinite(error) ? error : 0; // what a step makes need not be a number
        this.#at = now;
    }
}

/** A difference; of angles, the short way round. */
function shortest(difference, turn) {
    return turn === 0 ? difference : difference - turn * Math.round(difference / turn);
}

/** Whether a value is one that the wire may have rounded to what it has said. */
function isSame(row, name, value) {
    const { field } = row.table.columns[name];
    if (field.type !== "fixed" && field.type !== "angle") return row[name] === value;
    const turn = field.type === "angle" ? TURN : 0;
    return Math.abs(shortest(value - row[name], turn)) <= scaling(field).scale * ROUNDED;
}
